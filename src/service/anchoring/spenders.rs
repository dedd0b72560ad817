//! Finding out that a transaction of ours can never be mined: one of its inputs, or of a transaction
//! that it stands upon, is spent by somebody else in a final block.
//!
//! A claim is evidence only with the spending transaction itself and a Merkle path to a header of
//! our own best chain. The topmost transaction is given up first: what others stand upon waits,
//! held, until they are gone.

use std::collections::HashSet;

use crate::anchor::lifecycle::{Event, FINAL_CONFIRMATIONS, Spender};
use crate::bitcoin::{MerklePath, Transaction};
use crate::chain::SpendStatus;
use crate::patch::record::AuthenticationRecord;
use crate::service::anchoring::apply::{Applied, followers};
use crate::service::anchoring::observe::confirmations;
use crate::service::anchoring::{AnchoringService, apply};
use crate::storage::headers::best_hash_at;
use crate::storage::jobs::expect_job;
use crate::storage::records::expect_record;
use crate::storage::transactions::{expect_transaction, transaction};
use crate::storage::{
    StoreError, StoredTransaction, Tables, TransactionOrigin, TransactionState, WriteTx,
};
use crate::types::{BlockHash, OutPoint, RecordId, Satoshis, Timestamp, Txid};
use crate::wallet::utxo::UtxoState;

/// The most unmined transactions that one is followed down through.
const MAX_ANCESTORS: usize = 100;

/// A transaction of ours that is in no block, with what it spends.
struct Unmined {
    txid: Txid,
    inputs: Vec<OutPoint>,
}

/// A transaction of somebody else's in a final block.
#[derive(Clone)]
struct Killer {
    txid: Txid,
    raw: Vec<u8>,
    block: BlockHash,
    height: u32,
    path: MerklePath,
}

impl AnchoringService {
    /// Finds out who spends the inputs of a record's transaction, and of those it stands upon.
    pub(super) async fn find_spender(
        &self,
        id: RecordId,
        txid: Txid,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let mut found = Spender::Nobody;
        for unmined in self.store.read(|tx| unmined_ancestry(tx, txid))? {
            for outpoint in unmined.inputs {
                let Ok(SpendStatus::SpentBy(other)) = self.tracker.spender(outpoint).await else {
                    continue;
                };
                if other == unmined.txid {
                    continue;
                }
                if let Some(killer) = self.final_killer(other, outpoint).await? {
                    return self.bury_alive(id, txid, unmined.txid, killer, now).await;
                }
                found = Spender::Other(other);
            }
        }
        self.apply_about(id, txid, vec![Event::Woken, Event::SpenderFound(found)], now).await
    }

    /// Returns `other` with its evidence if it spends `outpoint` and is buried for good.
    async fn final_killer(
        &self,
        other: Txid,
        outpoint: OutPoint,
    ) -> Result<Option<Killer>, StoreError> {
        let Ok(proved) = self.prove(other).await? else { return Ok(None) };
        if proved.confirmations < FINAL_CONFIRMATIONS {
            return Ok(None);
        }
        let Ok(Some(killer)) = self.tracker.transaction(other).await else { return Ok(None) };
        let spends_it = killer.inputs.iter().any(|input| input.previous == outpoint);
        Ok((spends_it && killer.txid() == other).then(|| Killer {
            txid: other,
            raw: killer.to_bytes(),
            block: proved.block,
            height: proved.height,
            path: proved.path,
        }))
    }

    /// Applies what follows from a final spender of an input of `victim`, which is `txid` or one
    /// that it stands upon.
    async fn bury_alive(
        &self,
        id: RecordId,
        txid: Txid,
        victim: Txid,
        killer: Killer,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let service = self.clone();
        let applied = self
            .store
            .write(move |tx| {
                if expect_job(tx, id)?.txid() != Some(txid) {
                    return apply::apply_events(tx, id, &[], now, &service.settings);
                }
                let spender = judge(tx, id, txid, victim, &killer)?;
                if !matches!(spender, Spender::Other(_)) {
                    keep_evidence(tx, &killer, now)?;
                }
                let events = [Event::Woken, Event::SpenderFound(spender)];
                apply::apply_events(tx, id, &events, now, &service.settings)
            })
            .await?;
        self.announce(&applied);
        Ok(applied)
    }
}

/// Decides what a final spender means for a transaction, in the transaction that acts on it.
fn judge(
    tx: &WriteTx<'_>,
    id: RecordId,
    txid: Txid,
    victim: Txid,
    killer: &Killer,
) -> Result<Spender, StoreError> {
    let is_final = best_hash_at(tx, killer.height)? == Some(killer.block)
        && confirmations(tx, killer.height)? >= FINAL_CONFIRMATIONS;
    if !is_final || is_built_upon(tx, id, txid)? {
        return Ok(Spender::Other(killer.txid));
    }
    if names_lost_state(tx, id, victim)? {
        return Ok(Spender::StateGone(killer.txid));
    }
    Ok(Spender::OtherFinal(killer.txid))
}

/// Keeps the final spender beside the dead transaction: whoever asks why can see it.
fn keep_evidence(tx: &mut WriteTx<'_>, killer: &Killer, now: Timestamp) -> Result<(), StoreError> {
    if transaction(tx, killer.txid)?.is_some() {
        return Ok(());
    }
    let state = TransactionState::Mined { block: killer.block, height: killer.height };
    tx.put_transaction(&StoredTransaction {
        txid: killer.txid,
        raw: killer.raw.clone(),
        origin: TransactionOrigin::External,
        state,
        fee: Satoshis::ZERO,
        stored_at: now,
    })?;
    tx.put_proof(killer.txid, &killer.path)
}

/// Says whether anything of ours that may still live stands upon a transaction: on its outputs, or
/// on the state of custody that it made.
fn is_built_upon(tables: &impl Tables, id: RecordId, txid: Txid) -> Result<bool, StoreError> {
    let stored = expect_transaction(tables, txid)?;
    let is_used = apply::own_outputs(tables, &stored)?
        .iter()
        .any(|output| matches!(output.state, UtxoState::Locked { .. } | UtxoState::Spent { .. }));
    if is_used {
        return Ok(true);
    }
    for follower in followers(tables, id)? {
        if follower.txid().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says whether the state that a transfer's owner handed over died with `victim`.
fn names_lost_state(tables: &impl Tables, id: RecordId, victim: Txid) -> Result<bool, StoreError> {
    let record = expect_record(tables, id)?;
    let Some(previous) = record.previous else { return Ok(false) };
    let document: AuthenticationRecord = serde_json::from_slice(&record.canonical)
        .map_err(|_| StoreError::Corrupt { entity: "record" })?;
    let named = document.auth.prev_txid;
    if named != expect_record(tables, previous)?.txid {
        return Ok(true);
    }
    let Some(named) = named else { return Ok(false) };
    Ok(unmined_ancestry(tables, named)?.iter().any(|unmined| unmined.txid == victim))
}

/// Returns a transaction of ours and those of ours that it stands upon, as far as they are in no
/// block, nearest first.
fn unmined_ancestry(tables: &impl Tables, txid: Txid) -> Result<Vec<Unmined>, StoreError> {
    let mut found: Vec<Unmined> = Vec::new();
    let mut seen = HashSet::from([txid]);
    let mut next = vec![txid];
    while let Some(txid) = next.pop() {
        let Some(stored) = transaction(tables, txid)? else { continue };
        if !is_unmined_and_ours(&stored) || found.len() == MAX_ANCESTORS {
            continue;
        }
        let parsed: Transaction = stored.parse()?;
        let inputs: Vec<OutPoint> = parsed.inputs.iter().map(|input| input.previous).collect();
        let parents = inputs.iter().map(|input| input.txid);
        next.splice(0..0, parents.filter(|parent| seen.insert(*parent)));
        found.push(Unmined { txid, inputs });
    }
    Ok(found)
}

const fn is_unmined_and_ours(stored: &StoredTransaction) -> bool {
    let is_ours = matches!(stored.origin, TransactionOrigin::Record(_));
    is_ours && matches!(stored.state, TransactionState::Signed | TransactionState::Seen)
}
