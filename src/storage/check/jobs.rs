//! Jobs against their records, transactions, leases and products, and the indexes over jobs.

use std::collections::BTreeMap;

use redb::ReadableTable;

use crate::anchor::lifecycle::{Job, Stage};
use crate::anchor::payload::Payload;
use crate::storage::check::{
    CheckReport, Row, batches as check_batches, each_row, readable, treasury,
};
use crate::storage::jobs::{StageName, height_of};
use crate::storage::{
    Patch, StoreError, StoredRecord, StoredTransaction, Tables, TransactionOrigin,
    TransactionState, batches, jobs, patches, records, transactions, utxos,
};
use crate::types::{OutPoint, RecordId, Txid};
use crate::wallet::utxo::UtxoState;

/// Checks every job, the indexes over jobs and the totals.
pub(super) fn check_jobs(tables: &impl Tables, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut totals = BTreeMap::new();
    each_row(tables.jobs(), "job", report, |key, job: Job, report| {
        report.expect(key == job.id.to_bytes(), "row", Row("job", key), "under another key");
        *totals.entry(StageName::of(&job.stage)).or_insert(0) += 1;
        check_indexed(tables, &job, report)?;
        report.expect(job.due.is_some() || rests(&job.stage), "I4", job.id, "is never due again");
        check_dead(tables, &job, report)?;
        let Some(record) = readable(records::record(tables, job.id))? else {
            return match readable(batches::batch(tables, job.id))? {
                Some(batch) => check_batches::check_job(tables, &job, &batch, report),
                None => treasury::check_job(tables, &job, report),
            };
        };
        check_transaction(tables, &job, &record, report)?;
        match readable(patches::patch(tables, record.uid.as_str()))? {
            Some(patch) => check_custody_head(tables, &job, &record, &patch, report),
            None => Ok(()),
        }
    })?;
    check_job_indexes(tables, report)?;
    for (stage, stored) in jobs::job_totals(tables)? {
        let counted = totals.get(&stage).copied().unwrap_or(0);
        if stored != counted {
            let detail = format!("the total says {stored}, there are {counted}");
            report.add("index", format!("jobs {}", stage.as_str()), detail);
        }
    }
    Ok(())
}

/// Says whether only a block or an operator moves a job of this stage on.
const fn rests(stage: &Stage) -> bool {
    match stage {
        Stage::Mined { .. }
        | Stage::Final { .. }
        | Stage::Held { txid: None, .. }
        | Stage::Failed { .. } => true,
        Stage::Accepted
        | Stage::Reserved
        | Stage::Signed { .. }
        | Stage::Seen { .. }
        | Stage::Held { txid: Some(_), .. } => false,
    }
}

fn check_indexed(
    tables: &impl Tables,
    job: &Job,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let id = job.id.to_bytes();
    if let Some(due) = job.due {
        let indexed = tables.jobs_by_due().get((due.as_millis(), id))?.is_some();
        report.expect(indexed, "index", job.id, "is not listed as due");
    }
    let stage = StageName::of(&job.stage).code();
    let indexed = tables.jobs_by_stage().get((stage, id))?.is_some();
    report.expect(indexed, "index", job.id, "is not listed under its stage");
    if let Some(height) = height_of(&job.stage) {
        let indexed = tables.jobs_by_height().get((height, id))?.is_some();
        report.expect(indexed, "index", job.id, "is not listed under its height");
    }
    Ok(())
}

fn check_job_indexes(tables: &impl Tables, report: &mut CheckReport) -> Result<(), StoreError> {
    let job_of = |id| readable(jobs::job(tables, RecordId::from_bytes(id)));
    for row in tables.jobs_by_due().iter()? {
        let (due, id) = row?.0.value();
        let holds = job_of(id)?.and_then(|job| job.due).is_some_and(|it| it.as_millis() == due);
        report.expect(holds, "index", Row("job by due", (due, id)), "names no such job");
    }
    for row in tables.jobs_by_stage().iter()? {
        let (stage, id) = row?.0.value();
        let holds = job_of(id)?.is_some_and(|job| StageName::of(&job.stage).code() == stage);
        report.expect(holds, "index", Row("job by stage", (stage, id)), "names no such job");
    }
    for row in tables.jobs_by_height().iter()? {
        let (height, id) = row?.0.value();
        let holds = job_of(id)?.and_then(|job| height_of(&job.stage)) == Some(height);
        report.expect(holds, "index", Row("job by height", (height, id)), "names no such job");
    }
    Ok(())
}

fn check_dead(tables: &impl Tables, job: &Job, report: &mut CheckReport) -> Result<(), StoreError> {
    for txid in &job.dead {
        let stored = readable(transactions::transaction(tables, *txid))?;
        let holds = stored.is_some_and(|it| matches!(it.state, TransactionState::Dead { .. }));
        report.expect(holds, "I3", job.id, "lists a transaction as dead that is not");
    }
    Ok(())
}

fn check_transaction(
    tables: &impl Tables,
    job: &Job,
    record: &StoredRecord,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(txid) = job.txid() else {
        let holds = record.txid.is_none_or(|txid| job.dead.contains(&txid));
        report.expect(holds, "I4", job.id, "its record names a transaction that it does not have");
        let is_signed = !matches!(job.stage, Stage::Reserved) || record.issuer_signature.is_some();
        report.expect(is_signed, "I4", job.id, "is reserved without the issuer's signature");
        return Ok(());
    };
    report.expect(record.txid == Some(txid), "I4", job.id, "its record names another transaction");
    report.expect(
        record.issuer_signature.is_some() || record.is_erased(),
        "I4",
        job.id,
        "has a transaction without the issuer's signature",
    );
    let Some(stored) = readable(transactions::transaction(tables, txid))? else {
        report.add("I3", job.id, format!("its transaction {txid} is not stored"));
        return Ok(());
    };
    report.expect(commits_to(&stored, record), "I6", job.id, "its transaction commits to another");
    let is_own = stored.origin == TransactionOrigin::Record(job.id);
    report.expect(is_own, "I3", job.id, "its transaction was made for another record");
    if !states_agree(&job.stage, &stored.state) {
        let stage = StageName::of(&job.stage).as_str();
        report.add("I4", job.id, format!("is {stage}, its transaction {:?}", stored.state));
    }
    Ok(())
}

/// Says whether a transaction carries a record's commitment.
fn commits_to(stored: &StoredTransaction, record: &StoredRecord) -> bool {
    // Bytes that cannot be read are reported where all transactions are read.
    let Ok(transaction) = stored.parse() else { return true };
    let mut outputs = transaction.outputs.iter();
    match outputs.find_map(|output| Payload::from_script(&output.locking_script)) {
        Some(Payload::Register(digest) | Payload::Transfer(digest)) => digest == record.commitment,
        Some(Payload::Batch { .. }) | None => false,
    }
}

/// Says whether a job's stage and its transaction's state say the same.
pub(super) fn states_agree(stage: &Stage, state: &TransactionState) -> bool {
    match (stage, state) {
        // A transaction that was seen and lost its block is sent again like a new one.
        (
            Stage::Signed { .. } | Stage::Held { .. },
            TransactionState::Signed | TransactionState::Seen,
        )
        | (Stage::Seen { .. }, TransactionState::Seen) => true,
        (
            Stage::Mined { block, height, .. } | Stage::Final { block, height, .. },
            TransactionState::Mined { block: stored_block, height: stored_height },
        ) => (block, height) == (stored_block, stored_height),
        (
            Stage::Accepted
            | Stage::Reserved
            | Stage::Signed { .. }
            | Stage::Seen { .. }
            | Stage::Mined { .. }
            | Stage::Final { .. }
            | Stage::Held { .. }
            | Stage::Failed { .. },
            _,
        ) => false,
    }
}

/// Where a product's custody stands, as seen from one of its events.
struct Standing {
    is_head: bool,
    is_pending: bool,
    /// The head is this event or one after it.
    is_reached: bool,
    is_registration: bool,
    current_txid: Option<Txid>,
}

pub(super) fn check_custody_head(
    tables: &impl Tables,
    job: &Job,
    record: &StoredRecord,
    patch: &Patch,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(head) = readable(records::record(tables, patch.head))? else { return Ok(()) };
    let standing = Standing {
        is_head: patch.head == job.id,
        is_pending: patch.pending == Some(job.id),
        is_reached: head.position >= record.position,
        is_registration: record.previous.is_none(),
        current_txid: patch.current_txid,
    };
    if !custody_agrees(&job.stage, &standing) {
        let stage = StageName::of(&job.stage).as_str();
        report.add("I4", job.id, format!("is {stage}, which its product does not reflect"));
    }
    Ok(())
}

fn custody_agrees(stage: &Stage, at: &Standing) -> bool {
    let waits = at.is_pending && !at.is_reached;
    match stage {
        Stage::Accepted | Stage::Reserved | Stage::Held { txid: None, .. } => {
            if at.is_registration { !at.is_head || at.current_txid.is_none() } else { waits }
        }
        Stage::Signed { txid } | Stage::Held { txid: Some(txid), .. } => {
            let moved = at.is_reached && !at.is_pending;
            let is_named = !at.is_head || at.current_txid == Some(*txid);
            let not_yet = at.is_head && at.current_txid.is_none() && at.is_registration;
            waits || not_yet || (moved && is_named)
        }
        Stage::Seen { txid } | Stage::Mined { txid, .. } | Stage::Final { txid, .. } => {
            at.is_reached && !at.is_pending && (!at.is_head || at.current_txid == Some(*txid))
        }
        Stage::Failed { .. } if at.is_registration => !at.is_head || at.current_txid.is_none(),
        Stage::Failed { .. } => !at.is_pending && !at.is_head,
    }
}

/// Checks that leases and held outputs are one to one, and that jobs hold outputs when they may.
pub(super) fn check_leases(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    for row in tables.leases().iter()? {
        let (id, point) = row?.0.value();
        let (id, point) = (RecordId::from_bytes(id), OutPoint::from_bytes(&point));
        let utxo = readable(utxos::utxo(tables, point))?;
        let holds = utxo.is_some_and(|utxo| utxo.state == UtxoState::Locked { by: id });
        report.expect(holds, "index", Row("lease", (id, point)), "names no output that is held");
        let stage = readable(jobs::job(tables, id))?.map(|job| job.stage);
        let holds =
            matches!(stage, Some(Stage::Reserved | Stage::Signed { .. } | Stage::Held { .. }));
        report.expect(holds, "I4", id, "holds an output that it may not hold at its stage");
    }
    for row in tables.jobs_by_stage().range((StageName::Reserved.code(), [0; 16])..)? {
        let (stage, id) = row?.0.value();
        if stage != StageName::Reserved.code() {
            break;
        }
        let mut leases = tables.leases().range((id, [0; 36])..=(id, [0xff; 36]))?;
        let holds = leases.next().is_some();
        report.expect(holds, "I4", RecordId::from_bytes(id), "is reserved and holds no output");
    }
    Ok(())
}
