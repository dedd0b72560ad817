//! Outputs of ours that somebody else with the key has spent. That a list leaves one out is a reason to
//! ask and nothing more: it is spent when its spender is named, fetched, and unlocks it by our own
//! interpreter.

use std::collections::HashSet;

use crate::bitcoin::{Script, SighashCache, Transaction, TxOut, verify_input};
use crate::chain::SpendStatus;
use crate::service::funding::{FundingError, FundingService, external};
use crate::storage::transactions::transaction;
use crate::storage::utxos::{list_utxos, utxo};
use crate::storage::{StoreError, TransactionOrigin, TransactionState, WriteTx};
use crate::types::{OutPoint, Timestamp};
use crate::wallet::utxo::{Utxo, UtxoState, UtxoStatus};

/// The most outputs that are asked about in one sync; the next asks about others.
const MOST_ASKED: usize = 20;
/// The most outputs that are looked through for such.
const MOST_LOOKED_AT: usize = 10_000;

impl FundingService {
    /// Finds out who spends the available outputs that are not `listed`, and returns how many
    /// turned out to be spent from outside.
    pub(super) async fn find_spent(
        &self,
        listed: &HashSet<OutPoint>,
        now: Timestamp,
    ) -> Result<usize, FundingError> {
        let available =
            self.store.read(|tx| list_utxos(tx, UtxoStatus::Available, MOST_LOOKED_AT))?;
        let absent: Vec<Utxo> =
            available.into_iter().filter(|it| !listed.contains(&it.outpoint)).collect();
        // Begins elsewhere each time, so that every one is asked about in the end.
        let passed = usize::try_from(now.as_millis()).unwrap_or(0);
        let first = passed.checked_rem(absent.len()).unwrap_or(0);
        let mut found = 0;
        for output in absent.iter().cycle().skip(first).take(absent.len().min(MOST_ASKED)) {
            let Some(spender) = self.verified_spender(output).await else { continue };
            let outpoint = output.outpoint;
            let taken = self.store.write(move |tx| note_spent(tx, outpoint, &spender, now)).await?;
            found += usize::from(taken);
        }
        Ok(found)
    }

    /// Returns the transaction that spends an output, if one is named and does. Silence, and whatever
    /// does not stand up to the check, is nothing.
    async fn verified_spender(&self, output: &Utxo) -> Option<Transaction> {
        let Ok(SpendStatus::SpentBy(txid)) = self.tracker.spender(output.outpoint).await else {
            return None;
        };
        let spender = self.tracker.transaction(txid).await.ok().flatten()?;
        let place = spender.inputs.iter().position(|input| input.previous == output.outpoint)?;
        let spent = TxOut {
            value: output.value,
            locking_script: Script::pay_to_public_key_hash(&output.key_hash),
        };
        let cache = SighashCache::new(&spender);
        let unlocks = verify_input(&spender, place, &spent, &cache).is_ok();
        if spender.txid() != txid || !unlocks {
            tracing::warn!(outpoint = %output.outpoint, %txid, "is said to spend an output and does not");
            return None;
        }
        Some(spender)
    }
}

/// Marks an output spent, unless it has moved on or the spender is ours, whose job knows better.
fn note_spent(
    tx: &mut WriteTx<'_>,
    outpoint: OutPoint,
    spender: &Transaction,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let txid = spender.txid();
    let Some(output) = utxo(tx, outpoint)? else { return Ok(false) };
    if !matches!(output.state, UtxoState::Available | UtxoState::Unconfirmed) {
        return Ok(false);
    }
    match transaction(tx, txid)? {
        Some(stored) if stored.origin != TransactionOrigin::External => return Ok(false),
        Some(stored) if matches!(stored.state, TransactionState::Dead { .. }) => return Ok(false),
        Some(_) => {}
        None => tx.put_transaction(&external(spender, now))?,
    }
    tracing::warn!(%outpoint, %txid, "an output of the pool was spent by somebody else with its key");
    tx.put_utxo(&output.spend_elsewhere(txid)?)?;
    Ok(true)
}
