//! Finding out that a transaction of ours can never be mined: one of its inputs, or of a transaction
//! that it stands upon, is spent by somebody else in a final block.
//!
//! A claim is evidence only with the spending transaction itself and a Merkle path to a header of
//! our own best chain. The topmost transaction is given up first: what others stand upon waits,
//! held, until they are gone.

use std::collections::{HashSet, VecDeque};

use crate::anchor::lifecycle::{Event, FINAL_CONFIRMATIONS, Spender};
use crate::bitcoin::{MerklePath, Transaction};
use crate::chain::{SpendStatus, TransactionStatus};
use crate::patch::record::AuthenticationRecord;
use crate::service::anchoring::apply::{Applied, followers};
use crate::service::anchoring::observe::confirmations;
use crate::service::anchoring::subject::{Subject, subject_of};
use crate::service::anchoring::{AnchoringService, apply};
use crate::storage::erasures::erased_record;
use crate::storage::headers::best_hash_at;
use crate::storage::jobs::expect_job;
use crate::storage::records::{expect_record, record};
use crate::storage::transactions::{expect_transaction, transaction};
use crate::storage::{
    StoreError, StoredTransaction, Tables, TransactionOrigin, TransactionState, WriteTx,
};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{BlockHash, OutPoint, RecordId, Satoshis, Timestamp, Txid};
use crate::wallet::utxo::UtxoState;

/// The most unmined transactions that one is followed down through.
const MAX_ANCESTORS: usize = 100;

/// A transaction that may be in no block, with what it spends.
struct Unmined {
    txid: Txid,
    inputs: Vec<OutPoint>,
    is_ours: bool,
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
            if !unmined.is_ours && self.is_known_to_network(unmined.txid).await {
                continue;
            }
            for outpoint in unmined.inputs {
                let Ok(SpendStatus::SpentBy(other)) = self.tracker.spender(outpoint).await else {
                    continue;
                };
                if other == unmined.txid {
                    continue;
                }
                #[cfg(feature = "planted-bugs")]
                if Defect::TrustConflicts.is_planted() {
                    let events = vec![Event::SpenderFound(Spender::OtherFinal(other))];
                    return self.apply_about(id, txid, events, now).await;
                }
                if let Some(killer) = self.final_killer(other, outpoint).await? {
                    return self.apply_death(id, txid, unmined.txid, killer, now).await;
                }
                found = Spender::Other(other);
            }
            if !unmined.is_ours && found == Spender::Nobody {
                // A payment to us that the network has lost; whatever the answer, it is looked for
                // again the next time.
                self.send(unmined.txid).await?;
            }
        }
        self.apply_about(id, txid, vec![Event::Woken, Event::SpenderFound(found)], now).await
    }

    /// Says whether the network has a transaction of somebody else's, on which nothing but time
    /// depends: of those we do not follow the blocks.
    async fn is_known_to_network(&self, txid: Txid) -> bool {
        match self.tracker.statuses(&[txid]).await.as_deref() {
            Ok([TransactionStatus::Unknown]) => false,
            Ok(_) | Err(_) => true,
        }
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
        #[cfg(feature = "planted-bugs")]
        let spends_it = spends_it || Defect::AnySpenderKills.is_planted();
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
    async fn apply_death(
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
                // Not beside its victim while that still counts as alive.
                if victim == txid && !matches!(spender, Spender::Other(_)) {
                    keep_evidence(tx, &killer, now)?;
                }
                let is_dead = !matches!(spender, Spender::Other(_));
                let events = [Event::Woken, Event::SpenderFound(spender)];
                let applied = apply::apply_events(tx, id, &events, now, &service.settings)?;
                if is_dead {
                    forget_foreign(tx, victim, killer.txid)?;
                }
                Ok::<_, StoreError>(applied)
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
    if matches!(subject_of(tx, id)?, Subject::Operation(_)) {
        return Ok(Spender::PlanDead(killer.txid));
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

/// Takes the outputs of a dead transaction of somebody else's out of the pool, once nothing of ours
/// spends them.
fn forget_foreign(tx: &mut WriteTx<'_>, victim: Txid, killer: Txid) -> Result<(), StoreError> {
    let stored = expect_transaction(tx, victim)?;
    if stored.origin != TransactionOrigin::External {
        return Ok(());
    }
    let mut is_used = false;
    for output in apply::own_outputs(tx, &stored)? {
        match output.state {
            UtxoState::Unconfirmed | UtxoState::Available => tx.remove_utxo(output.outpoint)?,
            UtxoState::Locked { .. } | UtxoState::Spent { .. } => is_used = true,
        }
    }
    if is_used {
        return Ok(());
    }
    tx.put_transaction(&StoredTransaction {
        state: TransactionState::Dead { by: Some(killer) },
        ..stored
    })
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
    if matches!(subject_of(tables, id)?, Subject::Operation(_)) {
        return Ok(false);
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
    // A batch holds registrations: they follow nothing.
    let Some(record) = record(tables, id)? else { return Ok(false) };
    let Some(previous) = record.previous else { return Ok(false) };
    let before = expect_record(tables, previous)?.txid;
    // One that was erased is buried so deep that it named what it stands upon now.
    let named = match erased_record(tables, id)? {
        Some(_) => before,
        None => {
            let document: AuthenticationRecord = serde_json::from_slice(&record.canonical)
                .map_err(|_| StoreError::Corrupt { entity: "record" })?;
            document.auth.prev_txid
        }
    };
    if named != before {
        return Ok(true);
    }
    let Some(named) = named else { return Ok(false) };
    Ok(unmined_ancestry(tables, named)?.iter().any(|unmined| unmined.txid == victim))
}

/// Returns a transaction and those that it stands upon, nearest first, as far as they are stored and
/// not known to be in a block.
fn unmined_ancestry(tables: &impl Tables, txid: Txid) -> Result<Vec<Unmined>, StoreError> {
    let mut found: Vec<Unmined> = Vec::new();
    let mut seen = HashSet::from([txid]);
    let mut next = VecDeque::from([txid]);
    while let Some(txid) = next.pop_front() {
        let Some(stored) = transaction(tables, txid)? else { continue };
        let may_die = matches!(stored.state, TransactionState::Signed | TransactionState::Seen);
        if !may_die || found.len() == MAX_ANCESTORS {
            continue;
        }
        let parsed: Transaction = stored.parse()?;
        let inputs: Vec<OutPoint> = parsed.inputs.iter().map(|input| input.previous).collect();
        next.extend(inputs.iter().map(|input| input.txid).filter(|parent| seen.insert(*parent)));
        let is_ours = stored.origin != TransactionOrigin::External;
        found.push(Unmined { txid, inputs, is_ours });
    }
    Ok(found)
}
