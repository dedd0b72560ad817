//! Lets expire what has expired and keeps the gauges true.

use tokio::sync::{Notify, watch};

use crate::storage::jobs::job_totals;
use crate::storage::utxos::pool_totals;
use crate::storage::{StageName, StoreError};
use crate::types::Timestamp;
use crate::worker::{WorkerParts, next_round};

/// Rows that expire in one storage transaction.
const BATCH: usize = 500;

/// The task that tidies up.
pub struct HousekeepingTask {
    parts: WorkerParts,
}

impl HousekeepingTask {
    /// Makes the task.
    pub const fn new(parts: WorkerParts) -> Self {
        Self { parts }
    }

    /// Runs until `shutdown` turns true.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let never = Notify::new();
        loop {
            let now = self.parts.clock.now();
            if let Err(error) = self.round(now).await {
                tracing::warn!(%error, "housekeeping was not finished");
            }
            let period = self.parts.periods.housekeeping;
            if !next_round(&never, period, &mut shutdown).await {
                return;
            }
        }
    }

    /// Does one round.
    pub async fn round(&self, now: Timestamp) -> Result<(), StoreError> {
        self.measure()?;
        loop {
            let gone = self
                .parts
                .store
                .write(move |tx| {
                    let nonces = tx.expire_challenges(now, BATCH)?;
                    Ok::<_, StoreError>(nonces + tx.expire_idempotency(now, BATCH)?)
                })
                .await?;
            if gone < BATCH {
                return Ok(());
            }
        }
    }

    fn measure(&self) -> Result<(), StoreError> {
        let (jobs, pool) =
            self.parts.store.read(|tx| Ok::<_, StoreError>((job_totals(tx)?, pool_totals(tx)?)))?;
        let pending: u64 =
            jobs.iter().filter(|(stage, _)| is_pending(*stage)).map(|(_, count)| count).sum();
        self.parts.metrics.records_pending.set(i64::try_from(pending).unwrap_or(i64::MAX));
        let held = jobs.iter().filter(|(stage, _)| *stage == StageName::Held);
        let held: u64 = held.map(|(_, count)| count).sum();
        self.parts.metrics.records_held.set(i64::try_from(held).unwrap_or(i64::MAX));
        for ((key_identifier, status), total) in pool {
            let count = i64::try_from(total.count).unwrap_or(i64::MAX);
            let satoshis = i64::try_from(total.satoshis).unwrap_or(i64::MAX);
            self.parts.metrics.set_pool(&key_identifier, status.as_str(), count, satoshis);
        }
        Ok(())
    }
}

const fn is_pending(stage: StageName) -> bool {
    matches!(stage, StageName::Accepted | StageName::Reserved | StageName::Signed | StageName::Held)
}
