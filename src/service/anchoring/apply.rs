//! The changes of a lifecycle step, made in the same storage transaction as the job itself.

use std::time::Duration;

use crate::anchor::lifecycle::{Change, Effect, Event, Job, Stage, step};
use crate::service::anchoring::subject::{Subject, subject_of};
use crate::service::anchoring::{AnchoringSettings, custody, ends_waiting, waiting};
use crate::storage::batches::{batch_followers, carrier_of};
use crate::storage::jobs::expect_job;
use crate::storage::records::{expect_record, record, records_of};
use crate::storage::transactions::{expect_transaction, transaction};
use crate::storage::utxos::{leased_by, utxo};
use crate::storage::{
    StoreError, StoredTransaction, Tables, TransactionOrigin, TransactionState, WriteTx,
};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{BlockHash, OutPoint, RecordId, Timestamp, Txid};
use crate::wallet::utxo::{OutputPurpose, Utxo, UtxoState};

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The job.
    pub id: RecordId,
    /// What to do next, at once.
    pub effects: Vec<Effect>,
    /// Whether requests that wait for it can be answered.
    pub is_settled: bool,
    /// The records whose transaction the network took for the first time, if it did.
    pub anchored: Option<Anchored>,
    /// How long the job had been there when that happened.
    pub took: Duration,
}

/// Records that the network has taken, by the way that they went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchored {
    /// One, in a transaction of its own.
    Direct,
    /// So many, in a batch.
    Batch(u64),
}

/// Applies events one after another; the effects are those of the last one. What is told a record in
/// a batch is told the batch.
pub(super) fn apply_events(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    events: &[Event],
    now: Timestamp,
    settings: &AnchoringSettings,
) -> Result<Applied, StoreError> {
    let id = carrier_of(tx, id)?;
    let before = expect_job(tx, id)?;
    let mut job = before.clone();
    let mut effects = Vec::new();
    let mut was_seen_first = false;
    for event in events {
        let next = step(&job, event, now, &settings.policy);
        for change in &next.changes {
            make_change(tx, id, change, now, settings)?;
        }
        was_seen_first |= next.changes.iter().any(|change| matches!(change, Change::Settle { .. }));
        job = next.job;
        effects = next.effects;
    }
    #[cfg(feature = "planted-bugs")]
    if Defect::BatchSignedAgain.is_planted() && job.was_doubtful {
        job = sign_batch_again(tx, job, now, settings)?;
    }
    let mut anchored = None;
    if job != before {
        tx.put_job(&job)?;
        anchored = touch(tx, id)?.filter(|_| was_seen_first);
    }
    let took = now.since(job.accepted_at);
    Ok(Applied { id, effects, is_settled: ends_waiting(&job.stage), anchored, took })
}

/// Has a batch, whose transaction may have arrived, begin anew.
#[cfg(feature = "planted-bugs")]
fn sign_batch_again(
    tx: &mut WriteTx<'_>,
    job: Job,
    now: Timestamp,
    settings: &AnchoringSettings,
) -> Result<Job, StoreError> {
    let (Stage::Signed { txid }, Subject::Batch(_)) = (&job.stage, subject_of(tx, job.id)?) else {
        return Ok(job);
    };
    abandon(tx, job.id, *txid, None, now, settings)?;
    let mut again = Job::new(job.id, now);
    again.dead.clone_from(&job.dead);
    again.dead.push(*txid);
    Ok(again)
}

/// A changed job changes what verification says of the products whose records it carries; says which
/// these are.
fn touch(tx: &mut WriteTx<'_>, id: RecordId) -> Result<Option<Anchored>, StoreError> {
    Ok(match subject_of(tx, id)? {
        Subject::Record(record) => {
            tx.touch_patch(record.uid.as_str());
            Some(Anchored::Direct)
        }
        Subject::Batch(batch) => {
            tx.touch_batches();
            Some(Anchored::Batch(batch.size))
        }
        Subject::Operation(_) => None,
    })
}

fn make_change(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    change: &Change,
    now: Timestamp,
    settings: &AnchoringSettings,
) -> Result<(), StoreError> {
    match change {
        Change::Settle { txid } => settle(tx, id, *txid, now, settings),
        Change::Bury { txid, block, height } => bury(tx, *txid, (*block, *height), now, settings),
        Change::Unbury { txid } => unbury(tx, *txid, now, settings),
        Change::Abandon { txid, killed_by } => abandon(tx, id, *txid, *killed_by, now, settings),
        Change::ReturnLease => return_lease(tx, id, now),
        Change::Freeze { txid } => freeze(tx, *txid),
        Change::GiveUp => match subject_of(tx, id)? {
            Subject::Record(_) => custody::give_up(tx, id, now),
            // Nobody has a claim on a head through either: the members of a batch are registrations.
            Subject::Operation(_) | Subject::Batch(_) => Ok(()),
        },
    }
}

/// The network has the transaction: inputs are spent, outputs usable, custody moves on.
fn settle(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    txid: Txid,
    now: Timestamp,
    settings: &AnchoringSettings,
) -> Result<(), StoreError> {
    let stored = expect_transaction(tx, txid)?;
    for input in &stored.parse()?.inputs {
        if let Some(spent) = utxo(tx, input.previous)? {
            tx.put_utxo(&spent.spend(txid, id)?)?;
        }
    }
    let min_confirmations = settings.runtime.current().min_confirmations();
    let mut usable = 0;
    for output in own_outputs(tx, &stored)? {
        if min_confirmations == 0 || output.purpose == OutputPurpose::Seal {
            usable += usize::from(output.purpose == OutputPurpose::Pool);
            tx.put_utxo(&output.mature())?;
        }
    }
    tx.put_transaction(&StoredTransaction { state: TransactionState::Seen, ..stored })?;
    waiting::take_up(tx, usable, now)?;
    match subject_of(tx, id)? {
        Subject::Record(_) => custody::advance(tx, id, txid, now),
        Subject::Operation(_) | Subject::Batch(_) => Ok(()),
    }
}

fn bury(
    tx: &mut WriteTx<'_>,
    txid: Txid,
    (block, height): (BlockHash, u32),
    now: Timestamp,
    settings: &AnchoringSettings,
) -> Result<(), StoreError> {
    let stored = expect_transaction(tx, txid)?;
    let mut usable = 0;
    for output in own_outputs(tx, &stored)? {
        usable += usize::from(output.purpose == OutputPurpose::Pool);
        let mined = Utxo { height: Some(height), chain_depth: 0, ..output };
        let is_mature = settings.runtime.current().min_confirmations() <= 1;
        tx.put_utxo(&if is_mature { mined.mature() } else { mined })?;
    }
    waiting::take_up(tx, usable, now)?;
    tx.put_transaction(&StoredTransaction {
        state: TransactionState::Mined { block, height },
        ..stored
    })
}

/// The block has gone: the path to it becomes history, and what stands upon the transaction stands
/// upon one unmined transaction more.
fn unbury(
    tx: &mut WriteTx<'_>,
    txid: Txid,
    now: Timestamp,
    settings: &AnchoringSettings,
) -> Result<(), StoreError> {
    let stored = expect_transaction(tx, txid)?;
    let min_confirmations = settings.runtime.current().min_confirmations();
    for output in own_outputs(tx, &stored)? {
        let waits = output.state == UtxoState::Available && min_confirmations > 0;
        let state = if waits { UtxoState::Unconfirmed } else { output.state };
        tx.put_utxo(&Utxo { height: None, state, ..output })?;
    }
    if let TransactionState::Mined { block, .. } = stored.state {
        tx.retire_proof(txid, block, now)?;
    }
    tx.put_transaction(&StoredTransaction { state: TransactionState::Signed, ..stored })?;
    deepen(tx, txid)
}

/// Raises the number of unmined transactions that the outputs of a transaction descend from to what
/// it is, and so on for all that spend them.
pub(super) fn deepen(tx: &mut WriteTx<'_>, txid: Txid) -> Result<(), StoreError> {
    let mut waiting = vec![txid];
    while let Some(txid) = waiting.pop() {
        let Some(stored) = transaction(tx, txid)? else { continue };
        if !matches!(stored.state, TransactionState::Signed | TransactionState::Seen) {
            continue;
        }
        let mut below = 0;
        for input in &stored.parse()?.inputs {
            below = below.max(utxo(tx, input.previous)?.map_or(0, |spent| spent.chain_depth));
        }
        let chain_depth = below.saturating_add(1);
        for output in own_outputs(tx, &stored)? {
            if output.chain_depth >= chain_depth {
                continue;
            }
            waiting.extend(match output.state {
                UtxoState::Unconfirmed | UtxoState::Available => None,
                UtxoState::Locked { by } => expect_job(tx, by)?.txid(),
                UtxoState::Spent { by } => Some(by),
            });
            tx.put_utxo(&Utxo { chain_depth, ..output })?;
        }
    }
    Ok(())
}

/// The transaction can never be mined: its inputs return, except those that its killer spends, and
/// its outputs never existed.
fn abandon(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    txid: Txid,
    killed_by: Option<Txid>,
    now: Timestamp,
    settings: &AnchoringSettings,
) -> Result<(), StoreError> {
    let subject = subject_of(tx, id)?;
    if matches!(subject, Subject::Record(_) | Subject::Batch(_)) {
        for follower in followers(tx, id)? {
            apply_events(tx, follower.id, &[Event::StateGone], now, settings)?;
        }
    }
    let stored = expect_transaction(tx, txid)?;
    release_inputs(tx, id, &stored, killed_by)?;
    for output in own_outputs(tx, &stored)? {
        tx.remove_utxo(output.outpoint)?;
    }
    tx.put_transaction(&StoredTransaction {
        state: TransactionState::Dead { by: killed_by },
        ..stored
    })?;
    match subject {
        Subject::Record(_) => {
            // Read anew: what followed it may have changed it.
            let record = expect_record(tx, id)?;
            tx.forget_transaction(&record)?;
            custody::take_back(tx, &record, now)
        }
        Subject::Operation(_) | Subject::Batch(_) => Ok(()),
    }
}

fn release_inputs(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    dead: &StoredTransaction,
    killed_by: Option<Txid>,
) -> Result<(), StoreError> {
    // A killer that is not stored spends an input of an ancestor, and none of this one's.
    let killer = killed_by.map(|killer| transaction(tx, killer)).transpose()?.flatten();
    let taken: Vec<OutPoint> = match killer {
        Some(killer) => killer.parse()?.inputs.iter().map(|input| input.previous).collect(),
        None => Vec::new(),
    };
    for input in &dead.parse()?.inputs {
        let Some(held) = utxo(tx, input.previous)? else { continue };
        let released = held.release(dead.txid, id)?;
        let state = match killed_by {
            Some(by) if taken.contains(&input.previous) => {
                let spent = Utxo { state: UtxoState::Spent { by }, ..released };
                tx.put_outside_spend(&spent, by)?;
                continue;
            }
            // What made it is in doubt itself: usable once the network has that again.
            Some(_) | None if !is_on_network(tx, input.previous.txid)? => UtxoState::Unconfirmed,
            Some(_) | None => released.state,
        };
        tx.put_utxo(&Utxo { state, ..released })?;
    }
    Ok(())
}

/// Says whether the network has a transaction, as far as known.
pub(crate) fn is_on_network(tables: &impl Tables, txid: Txid) -> Result<bool, StoreError> {
    match expect_transaction(tables, txid)?.origin {
        TransactionOrigin::Record(id)
        | TransactionOrigin::Treasury(id)
        | TransactionOrigin::Batch(id) => {
            let job = expect_job(tables, id)?;
            Ok(job.txid() == Some(txid) && job.is_on_network())
        }
        TransactionOrigin::External => Ok(true),
    }
}

/// Somebody else spends an input: nothing new may stand upon the outputs until that is settled.
fn freeze(tx: &mut WriteTx<'_>, txid: Txid) -> Result<(), StoreError> {
    let stored = expect_transaction(tx, txid)?;
    for output in own_outputs(tx, &stored)? {
        if output.state == UtxoState::Available {
            tx.put_utxo(&Utxo { state: UtxoState::Unconfirmed, ..output })?;
        }
    }
    Ok(())
}

fn return_lease(tx: &mut WriteTx<'_>, id: RecordId, now: Timestamp) -> Result<(), StoreError> {
    let held = leased_by(tx, id)?;
    let usable = held.len();
    for leased in held {
        tx.put_utxo(&Utxo { state: UtxoState::Available, ..leased })?;
    }
    waiting::take_up(tx, usable, now)
}

/// Returns the outputs of a transaction that keys of ours can spend.
pub(super) fn own_outputs(
    tables: &impl Tables,
    stored: &StoredTransaction,
) -> Result<Vec<Utxo>, StoreError> {
    let count = u32::try_from(stored.parse()?.outputs.len()).unwrap_or(u32::MAX);
    (0..count)
        .filter_map(|vout| utxo(tables, OutPoint::new(stored.txid, vout)).transpose())
        .collect()
}

/// Returns the jobs of the transfers that follow an event, or one of a batch, directly and may still
/// come true.
pub(super) fn followers(tables: &impl Tables, id: RecordId) -> Result<Vec<Job>, StoreError> {
    let transfers: Vec<RecordId> = match record(tables, id)? {
        Some(before) => records_of(tables, before.uid.as_str())?
            .into_iter()
            .filter(|it| it.previous == Some(id))
            .map(|it| it.id)
            .collect(),
        None => batch_followers(tables, id)?,
    };
    let mut jobs = Vec::new();
    for transfer in transfers {
        let job = expect_job(tables, transfer)?;
        if !matches!(job.stage, Stage::Failed { .. }) {
            jobs.push(job);
        }
    }
    Ok(jobs)
}
