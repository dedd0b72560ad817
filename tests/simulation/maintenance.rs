//! What an operator does for the pool: splits and sweeps, at any moment.

use patchproof::service::treasury::{StaleLimits, TreasuryError, TreasuryRequest, TreasuryService};
use patchproof::storage::StoreError;
use patchproof::storage::utxos::list_utxos;
use patchproof::types::{OutPoint, Satoshis};
use patchproof::wallet::policy::{PoolPolicy, PoolPolicySource};
use patchproof::wallet::utxo::UtxoStatus;

use crate::actions::broken;
use crate::stage::{Stage, Verdict};

impl Stage {
    /// Splits or sweeps some outputs, or takes back what nothing is signed for.
    pub(crate) async fn maintain(&mut self) -> Verdict {
        if self.is_storage_full() {
            return Ok(());
        }
        let now = self.net.clock.tick();
        if self.random.chance(150) {
            let limits = StaleLimits { older_than: std::time::Duration::ZERO, limit: 100 };
            let outcome = self.treasury().unlock_stale(limits, "operator", false, now).await;
            self.note("stale leases are taken back");
            return outcome.map_or_else(|error| self.judge_store(&error, "unlocking"), |_| Ok(()));
        }
        let request = self.wish()?;
        let outcome = self.treasury().start(request, "operator", false, now).await;
        match outcome {
            Ok(started) => {
                self.note(format!("{} operations are started", started.len()));
                Ok(())
            }
            Err(TreasuryError::Store(error)) => self.judge_store(&error, "maintenance"),
            Err(_) => Ok(()),
        }
    }

    fn treasury(&self) -> TreasuryService {
        let anchoring = self.system().anchoring.clone();
        let settings = &anchoring.settings;
        let policy =
            PoolPolicy::of(settings.runtime.current().fee_rate(), settings.max_chain_depth);
        TreasuryService {
            store: anchoring.store.clone(),
            keyring: anchoring.keyring.clone(),
            policy: PoolPolicySource::fixed(policy),
            anchoring,
        }
    }

    fn wish(&mut self) -> Verdict<TreasuryRequest> {
        let available = self
            .system()
            .store
            .read(|tx| list_utxos(tx, UtxoStatus::Available, 1_000))
            .map_err(|error: StoreError| broken("the pool", error))?;
        // By amount: identifiers differ from run to run.
        let mut outpoints: Vec<OutPoint> = Vec::new();
        for output in available {
            if self.random.chance(250) && outpoints.len() < 6 {
                outpoints.push(output.outpoint);
            }
        }
        if self.random.chance(500) {
            // Amounts that differ, as everywhere here.
            let size = Satoshis::new(self.random.between(250, 900)).unwrap();
            let count = Some(self.random.between(2, 4));
            return Ok(TreasuryRequest::Split { outpoints, count, size: Some(size) });
        }
        Ok(TreasuryRequest::Sweep { outpoints, destination: None, allows_foreign: false })
    }
}
