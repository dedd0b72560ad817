//! Batches: that leaves, members and roots are one tree, that its transaction commits to it, and that
//! a record has one route to the chain.

use std::collections::BTreeMap;

use redb::ReadableTable;

use crate::anchor::lifecycle::Job;
use crate::anchor::merkle::{BlockTree, SubtreeRoot};
use crate::anchor::payload::Payload;
use crate::storage::check::jobs::{check_custody_head, states_agree};
use crate::storage::check::{CheckReport, Row, each_row, readable};
use crate::storage::{
    BatchPlace, StageName, StoreError, StoredBatch, StoredRecord, StoredTransaction, Tables,
    TransactionOrigin, batches, jobs, patches, records, transactions,
};
use crate::types::{Digest, RecordId};

/// Checks every batch, its members, and the records that wait for one.
pub(super) fn check_batches(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    for row in tables.batches().iter()? {
        let (key, bytes) = row?;
        let key = key.value();
        let Ok(it) = batches::decode_batch(bytes.value()) else {
            report.add("row", Row("batch", key), "cannot be read");
            continue;
        };
        report.expect(key == it.id.to_bytes(), "row", Row("batch", key), "under another key");
        let job = readable(jobs::job(tables, it.id))?;
        report.expect(job.is_some(), "I2", it.id, "is a batch without a job");
        let record = readable(records::record(tables, it.id))?;
        report.expect(record.is_none(), "I2", it.id, "is a batch and a record");
        check_tree(tables, &it, report)?;
    }
    check_leaves(tables, report)?;
    for row in tables.batch_members().iter()? {
        let (key, value) = row?;
        let (batch, index) = value.value();
        let place = BatchPlace { batch: RecordId::from_bytes(batch), index };
        let id = RecordId::from_bytes(key.value());
        let holds = batches::batch_leaf(tables, place)?.is_some_and(|leaf| leaf.record == id);
        report.expect(holds, "batch", id, "is said to be in a batch that does not have it");
        check_member(tables, id, true, report)?;
    }
    for row in tables.batch_waiting().iter()? {
        let id = RecordId::from_bytes(row?.0.value());
        let is_member = batches::place_in_batch(tables, id)?.is_some();
        report.expect(!is_member, "batch", id, "waits for a batch and is in one");
        check_member(tables, id, false, report)?;
    }
    check_followers(tables, report)
}

/// Recomputes the root and those of the blocks.
fn check_tree(
    tables: &impl Tables,
    stored: &StoredBatch,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let id = stored.id.to_bytes();
    let mut counted = BTreeMap::new();
    let mut keep = |it: SubtreeRoot| {
        counted.insert((it.height, it.place), it.hash.to_bytes());
    };
    let mut tree = BlockTree::default();
    for row in tables.batch_leaves().range((id, 0)..=(id, u64::MAX))? {
        let (key, value) = row?;
        let (record, commitment) = value.value();
        let is_next = key.value().1 == tree.size();
        report.expect(is_next, "batch", stored.id, "has a gap between its leaves");
        // The event's own row is checked where all events are.
        let record = readable(records::record(tables, RecordId::from_bytes(record)))?;
        let holds = record.is_some_and(|record| record.commitment.to_bytes() == commitment);
        report.expect(holds, "batch", stored.id, "has a leaf that no record commits to");
        let commitment = Digest::from_bytes(commitment);
        if tree.push(&commitment, &mut keep).is_err() {
            break;
        }
    }
    report.expect(tree.size() == stored.size, "batch", stored.id, "has another size than it says");
    let root = tree.finish(&mut keep).ok();
    report.expect(root == Some(stored.root), "batch", stored.id, "has another root than it says");
    for row in tables.batch_nodes().range((id, 0, 0)..=(id, u8::MAX, u64::MAX))? {
        let (key, hash) = row?;
        let (_, height, place) = key.value();
        let holds = counted.remove(&(height, place)) == Some(hash.value());
        report.expect(holds, "batch", stored.id, "keeps a root of a block that it does not have");
    }
    report.expect(counted.is_empty(), "batch", stored.id, "lacks the root of a block");
    Ok(())
}

fn check_leaves(tables: &impl Tables, report: &mut CheckReport) -> Result<(), StoreError> {
    for row in tables.batch_leaves().iter()? {
        let (key, value) = row?;
        let (batch, index) = key.value();
        let record = RecordId::from_bytes(value.value().0);
        let place = batches::place_in_batch(tables, record)?;
        let batch = RecordId::from_bytes(batch);
        let holds = place == Some(BatchPlace { batch, index });
        report.expect(holds, "batch", record, "is a leaf and not said to be one");
    }
    for row in tables.batch_nodes().iter()? {
        let batch = RecordId::from_bytes(row?.0.value().0);
        let holds = readable(batches::batch(tables, batch))?.is_some();
        report.expect(holds, "batch", batch, "has blocks and does not exist");
    }
    Ok(())
}

/// Checks a record whose route is a batch: that it has no other, and what its product says of it.
fn check_member(
    tables: &impl Tables,
    id: RecordId,
    is_in_batch: bool,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let has_job = tables.jobs().get(id.to_bytes())?.is_some();
    report.expect(!has_job, "I3", id, "has a job of its own beside its batch");
    let Some(record) = readable(records::record(tables, id))? else {
        report.add("I2", id, "waits for a batch or is in one, and is not there");
        return Ok(());
    };
    report.expect(record.seal.is_none(), "I4", id, "is in a batch and has a seal");
    let is_signed = record.issuer_signature.is_some() || record.is_erased();
    report.expect(is_signed || !is_in_batch, "I4", id, "is in a batch, unsigned by the issuer");
    let is_carried = records_of_its_own(tables, &record.txid.map(|it| it.to_bytes()), id)?;
    report.expect(!is_carried, "I3", id, "is in a batch and has a transaction of its own");
    let (Some(job), Some(patch)) =
        (readable(jobs::job(tables, id))?, readable(patches::patch(tables, record.uid.as_str()))?)
    else {
        return Ok(());
    };
    check_custody_head(tables, &job, &record, &patch, report)
}

/// Says whether a transaction is listed as one record's own.
fn records_of_its_own(
    tables: &impl Tables,
    txid: &Option<[u8; 32]>,
    id: RecordId,
) -> Result<bool, StoreError> {
    let Some(txid) = txid else { return Ok(false) };
    let listed = tables.records_by_txid().get(*txid)?;
    Ok(listed.is_some_and(|it| it.value() == id.to_bytes()))
}

fn check_followers(tables: &impl Tables, report: &mut CheckReport) -> Result<(), StoreError> {
    for row in tables.batch_followers().iter()? {
        let (batch, transfer) = row?.0.value();
        let id = RecordId::from_bytes(transfer);
        let previous = readable(records::record(tables, id))?.and_then(|it| it.previous);
        let place = match previous {
            Some(previous) => batches::place_in_batch(tables, previous)?,
            None => None,
        };
        let holds = place.is_some_and(|place| place.batch.to_bytes() == batch);
        report.expect(holds, "index", Row("batch follower", id), "follows nothing of the batch");
    }
    each_row(tables.records(), "record", &mut CheckReport::default(), |_, it: StoredRecord, _| {
        let Some(previous) = it.previous else { return Ok(()) };
        let Some(place) = batches::place_in_batch(tables, previous)? else { return Ok(()) };
        let key = (place.batch.to_bytes(), it.id.to_bytes());
        let is_listed = tables.batch_followers().get(key)?.is_some();
        report.expect(is_listed, "index", it.id, "is not listed as following its batch");
        Ok(())
    })
}

/// Checks the job of a batch against its transaction.
pub(super) fn check_job(
    tables: &impl Tables,
    job: &Job,
    batch: &StoredBatch,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(txid) = job.txid() else { return Ok(()) };
    let Some(stored) = readable(transactions::transaction(tables, txid))? else {
        report.add("I3", job.id, format!("its transaction {txid} is not stored"));
        return Ok(());
    };
    let is_own = stored.origin == TransactionOrigin::Batch(job.id);
    report.expect(is_own, "I3", job.id, "its transaction was made for something else");
    report.expect(commits_to(&stored, batch), "I6", job.id, "its transaction commits to another");
    if !states_agree(&job.stage, &stored.state) {
        let stage = StageName::of(&job.stage).as_str();
        report.add("I4", job.id, format!("is {stage}, its transaction {:?}", stored.state));
    }
    Ok(())
}

fn commits_to(stored: &StoredTransaction, batch: &StoredBatch) -> bool {
    // Bytes that cannot be read are reported where all transactions are read.
    let Ok(transaction) = stored.parse() else { return true };
    let mut outputs = transaction.outputs.iter();
    let payload = outputs.find_map(|output| Payload::from_script(&output.locking_script));
    payload == Some(Payload::Batch { root: batch.root, tree_size: batch.size, log: batch.log })
}
