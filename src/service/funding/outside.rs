//! Outputs of ours that somebody else with the key has spent. That a list leaves one out is a reason to
//! ask and nothing more. One whose spender is named, fetched, and unlocks it by our own interpreter is
//! set aside, unconfirmed: what is not buried may still vanish, and then a list has it again. It is
//! spent when its spender is proved to be in a final block.

use std::collections::HashSet;
use std::sync::PoisonError;

use crate::anchor::lifecycle::FINAL_CONFIRMATIONS;
use crate::bitcoin::{Script, SighashCache, Transaction, TxOut, verify_input};
use crate::chain::SpendStatus;
use crate::service::anchoring::{Proved, prove};
use crate::service::funding::taking::external;
use crate::service::funding::{FundingError, FundingService};
use crate::storage::headers::best_hash_at;
use crate::storage::transactions::transaction;
use crate::storage::utxos::{list_utxos, utxo};
use crate::storage::{StoreError, StoredTransaction, TransactionOrigin, TransactionState, WriteTx};
use crate::types::{OutPoint, Timestamp, Txid};
use crate::wallet::utxo::{Utxo, UtxoState, UtxoStatus};

/// The most outputs that are asked about in one sync; the next asks about others.
const MOST_ASKED: usize = 20;
/// The most outputs that are looked through for such.
const MOST_LOOKED_AT: usize = 10_000;

impl FundingService {
    /// Finds out who spends the outputs that are not `listed`, and returns how many were set aside or
    /// turned out to be spent for good.
    pub(super) async fn find_spent(
        &self,
        listed: &HashSet<OutPoint>,
        actor: &str,
        now: Timestamp,
    ) -> Result<usize, FundingError> {
        let unspent = self.store.read(|tx| {
            let mut unspent = list_utxos(tx, UtxoStatus::Available, MOST_LOOKED_AT)?;
            unspent.extend(list_utxos(tx, UtxoStatus::Unconfirmed, MOST_LOOKED_AT)?);
            Ok::<_, StoreError>(unspent)
        })?;
        let absent = unspent.into_iter().filter(|it| !listed.contains(&it.outpoint)).collect();
        let mut found = 0;
        for output in &self.next_to_ask(absent) {
            let Some(spender) = self.verified_spender(output).await else { continue };
            let proved = prove(&self.store, &self.anchors, self.tracker.as_ref(), spender.txid())
                .await?
                .ok();
            let (outpoint, actor) = (output.outpoint, actor.to_owned());
            let has_moved = self
                .store
                .write(move |tx| {
                    note_spender(tx, outpoint, &spender, proved.as_ref(), (&actor, now))
                })
                .await?;
            found += usize::from(has_moved);
        }
        Ok(found)
    }

    /// Returns those whose turn it is: the ones that follow the last one asked about, round and round,
    /// so that with each sync every one comes a turn nearer, however many there are.
    fn next_to_ask(&self, mut absent: Vec<Utxo>) -> Vec<Utxo> {
        absent.sort_unstable_by_key(|it| it.outpoint);
        let mut last = self.last_asked.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = absent.partition_point(|it| last.is_some_and(|last| it.outpoint <= last));
        absent.rotate_left(asked);
        absent.truncate(MOST_ASKED);
        *last = absent.last().map(|it| it.outpoint);
        absent
    }

    /// Returns the transaction that spends an output, if one is named and does. Silence, and whatever
    /// does not stand up to the check, is nothing.
    async fn verified_spender(&self, output: &Utxo) -> Option<Transaction> {
        let Ok(SpendStatus::SpentBy(txid)) = self.tracker.spender(output.outpoint).await else {
            return None;
        };
        let spender = self.tracker.transaction(txid).await.ok().flatten()?;
        unlocks(output, &spender, txid).then_some(spender)
    }
}

/// Says whether a transaction is the one that is named, spends an output and unlocks it.
pub(in crate::service) fn unlocks(output: &Utxo, spender: &Transaction, txid: Txid) -> bool {
    let place = spender.inputs.iter().position(|input| input.previous == output.outpoint);
    let spent = TxOut {
        value: output.value,
        locking_script: Script::pay_to_public_key_hash(&output.key_hash),
    };
    let cache = SighashCache::new(spender);
    let is_unlocked = place.is_some_and(|it| verify_input(spender, it, &spent, &cache).is_ok());
    let is_good = spender.txid() == txid && is_unlocked;
    if !is_good {
        tracing::warn!(outpoint = %output.outpoint, %txid, "is said to spend an output and does not");
    }
    is_good
}

/// Sets an output aside, or marks it spent where its spender is final; unless it has moved on, or the
/// spender is ours, whose job knows better. Says whether anything changed.
fn note_spender(
    tx: &mut WriteTx<'_>,
    outpoint: OutPoint,
    spender: &Transaction,
    proved: Option<&Proved>,
    (actor, now): (&str, Timestamp),
) -> Result<bool, StoreError> {
    let txid = spender.txid();
    let Some(output) = utxo(tx, outpoint)? else { return Ok(false) };
    if !matches!(output.state, UtxoState::Available | UtxoState::Unconfirmed) {
        return Ok(false);
    }
    let stored = transaction(tx, txid)?;
    if stored.as_ref().is_some_and(|it| it.origin != TransactionOrigin::External) {
        return Ok(false);
    }
    let Some(proved) = proved.filter(|it| it.confirmations >= FINAL_CONFIRMATIONS) else {
        if output.state != UtxoState::Available {
            return Ok(false);
        }
        tracing::warn!(%outpoint, %txid, "somebody else spends an output of the pool; it is set aside");
        tx.append_audit(now, actor, "utxo.set-aside", &outpoint.to_string())?;
        tx.put_utxo(&Utxo { state: UtxoState::Unconfirmed, ..output })?;
        return Ok(true);
    };
    // The chain may have moved on since the path was checked.
    if best_hash_at(tx, proved.height)? != Some(proved.block) {
        return Ok(false);
    }
    let state = TransactionState::Mined { block: proved.block, height: proved.height };
    let stored = stored.unwrap_or_else(|| external(spender, now));
    tx.put_transaction(&StoredTransaction { state, ..stored })?;
    tx.put_proof(txid, &proved.path)?;
    tracing::warn!(%outpoint, %txid, "an output of the pool was spent by somebody else for good");
    tx.append_audit(now, actor, "utxo.spent-elsewhere", &outpoint.to_string())?;
    tx.put_outside_spend(&output.spend_elsewhere(txid)?, txid)?;
    Ok(true)
}
