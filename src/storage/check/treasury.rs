//! Maintenance operations against their jobs and transactions, and the fees of each day.

use std::collections::BTreeMap;

use redb::ReadableTable;

use crate::anchor::lifecycle::{Job, Stage};
use crate::bitcoin::Transaction;
use crate::storage::TreasuryOperation;
use crate::storage::check::jobs::states_agree;
use crate::storage::check::{CheckReport, Row, each_row, readable};
use crate::storage::fees::share_of;
use crate::storage::{
    DayFees, StageName, StoreError, StoredTransaction, Tables, TransactionOrigin, jobs, records,
    transactions, treasury_operations, utxos,
};
use crate::types::OutPoint;

/// Checks that every operation has its job, and an identifier of its own.
pub(super) fn check_operations(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let operations = tables.treasury_operations();
    each_row(operations, "treasury operation", report, |key, it: TreasuryOperation, report| {
        let is_own = key == it.id.to_bytes();
        report.expect(is_own, "row", Row("treasury operation", key), "under another key");
        let job = readable(jobs::job(tables, it.id))?;
        report.expect(job.is_some(), "I2", it.id, "is an operation without a job");
        let record = readable(records::record(tables, it.id))?;
        report.expect(record.is_none(), "I2", it.id, "is an operation and a record");
        Ok(())
    })
}

/// Checks the job of an operation against lease, plan and transaction.
pub(super) fn check_job(
    tables: &impl Tables,
    job: &Job,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let found = readable(treasury_operations::treasury_operation(tables, job.id))?;
    let Some(operation) = found else {
        report.add("I2", job.id, "is the job of no record and of no operation");
        return Ok(());
    };
    let Some(txid) = job.txid() else {
        let holds = operation.txid.is_none_or(|txid| job.dead.contains(&txid));
        report.expect(holds, "I4", job.id, "its plan names a transaction that it does not have");
        if job.stage == Stage::Reserved {
            let leased = utxos::leased_by(tables, job.id)?;
            let mut held: Vec<OutPoint> = leased.iter().map(|utxo| utxo.outpoint).collect();
            let mut planned = operation.inputs.clone();
            held.sort_unstable();
            planned.sort_unstable();
            report.expect(held == planned, "I4", job.id, "holds other outputs than it planned");
        }
        return Ok(());
    };
    let is_named = operation.txid == Some(txid);
    report.expect(is_named, "I4", job.id, "its plan names another transaction");
    let Some(stored) = readable(transactions::transaction(tables, txid))? else {
        report.add("I3", job.id, format!("its transaction {txid} is not stored"));
        return Ok(());
    };
    let is_own = stored.origin == TransactionOrigin::Treasury(job.id);
    report.expect(is_own, "I3", job.id, "its transaction was made for something else");
    // Bytes that cannot be read are reported where all transactions are read.
    let follows = stored.parse().map_or(true, |parsed| follows_plan(&parsed, &operation));
    report.expect(follows, "I6", job.id, "its transaction is not what was planned");
    if !states_agree(&job.stage, &stored.state) {
        let stage = StageName::of(&job.stage).as_str();
        report.add("I4", job.id, format!("is {stage}, its transaction {:?}", stored.state));
    }
    Ok(())
}

fn follows_plan(transaction: &Transaction, operation: &TreasuryOperation) -> bool {
    let inputs = transaction.inputs.iter().map(|input| input.previous);
    let outputs = transaction
        .outputs
        .iter()
        .map(|output| (output.value, output.locking_script.as_public_key_hash()));
    let planned = operation.outputs.iter().map(|output| (output.value, Some(output.key_hash)));
    inputs.eq(operation.inputs.iter().copied()) && outputs.eq(planned)
}

/// Recomputes the fees of every day.
pub(super) fn check_fees(tables: &impl Tables, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut counted: BTreeMap<i64, DayFees> = BTreeMap::new();
    // Rows that cannot be read are reported where all transactions are checked.
    let mut ignored = CheckReport::default();
    let rows = tables.transactions();
    each_row(rows, "transaction", &mut ignored, |_, it: StoredTransaction, _| {
        if let Some((day, share)) = share_of(&it) {
            let sum = counted.entry(day).or_default();
            sum.records = sum.records.saturating_add(share.records);
            sum.treasury = sum.treasury.saturating_add(share.treasury);
        }
        Ok(())
    })?;
    for row in tables.fees_by_day().iter()? {
        let (day, stored) = row?;
        let (records, treasury) = stored.value();
        let sum = counted.remove(&day.value()).unwrap_or_default();
        let holds = sum == DayFees { records, treasury };
        report.expect(
            holds,
            "I5",
            Row("fees of day", day.value()),
            "are not those of its transactions",
        );
    }
    for day in counted.keys() {
        report.add("I5", Row("fees of day", day), "are not counted");
    }
    Ok(())
}
