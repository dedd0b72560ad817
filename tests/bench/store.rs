//! What redb alone does with the rows of a registration, and a store full of records.

use std::path::Path;
use std::time::Instant;

use patchproof::anchor::commitment::{Salt, commit};
use patchproof::anchor::lifecycle::{Job, Stage};
use patchproof::bitcoin::Address;
use patchproof::patch::record::Purpose;
use patchproof::patch::tag::UidTag;
use patchproof::storage::{
    Patch, Store, StoreError, StoreOptions, StoredRecord, StoredTransaction, TransactionOrigin,
    TransactionState,
};
use patchproof::types::{BlockHash, Network, RecordId, Satoshis, Timestamp, Txid};
use redb::{Database, Durability, TableDefinition};

use crate::processes::scratch;

type Bytes = &'static [u8];
type Text = &'static str;

const PATCHES: TableDefinition<Text, Bytes> = TableDefinition::new("patches");
const BY_OWNER: TableDefinition<([u8; 20], Text), ()> = TableDefinition::new("by-owner");
const RECORDS: TableDefinition<[u8; 16], Bytes> = TableDefinition::new("records");
const BY_PATCH: TableDefinition<(Text, u32), [u8; 16]> = TableDefinition::new("by-patch");
const JOBS: TableDefinition<[u8; 16], Bytes> = TableDefinition::new("jobs");
const BY_DUE: TableDefinition<(i64, [u8; 16]), ()> = TableDefinition::new("by-due");
const BY_STAGE: TableDefinition<(u8, [u8; 16]), ()> = TableDefinition::new("by-stage");
const TOTALS: TableDefinition<u8, u64> = TableDefinition::new("totals");
const AUDIT: TableDefinition<u64, Bytes> = TableDefinition::new("audit");
const LOG: TableDefinition<u64, ([u8; 16], [u8; 32])> = TableDefinition::new("log");

/// Writes the ten rows of `count` registrations, `group` registrations a commit, and returns
/// registrations per second: two-phase commit, quick repair, immediate, as the store does.
pub(crate) fn raw_rows_per_second(count: u64, group: u64) -> f64 {
    let directory = scratch();
    let database = Database::create(directory.path().join("raw.redb")).unwrap();
    let (patch, record, job, audit) = (vec![1; 110], vec![2; 720], vec![3; 60], vec![4; 110]);
    let begun = Instant::now();
    let mut number = 0;
    while number < count {
        let mut transaction = database.begin_write().unwrap();
        transaction.set_durability(Durability::Immediate).unwrap();
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(true);
        {
            let mut patches = transaction.open_table(PATCHES).unwrap();
            let mut by_owner = transaction.open_table(BY_OWNER).unwrap();
            let mut records = transaction.open_table(RECORDS).unwrap();
            let mut by_patch = transaction.open_table(BY_PATCH).unwrap();
            let mut jobs = transaction.open_table(JOBS).unwrap();
            let mut by_due = transaction.open_table(BY_DUE).unwrap();
            let mut by_stage = transaction.open_table(BY_STAGE).unwrap();
            let mut totals = transaction.open_table(TOTALS).unwrap();
            let mut lines = transaction.open_table(AUDIT).unwrap();
            let mut log = transaction.open_table(LOG).unwrap();
            for _ in 0..group {
                let uid = format!("RAW-{number:08}");
                let id = identifier(number).to_bytes();
                patches.insert(uid.as_str(), patch.as_slice()).unwrap();
                by_owner.insert(([9; 20], uid.as_str()), ()).unwrap();
                records.insert(id, record.as_slice()).unwrap();
                by_patch.insert((uid.as_str(), 0), id).unwrap();
                jobs.insert(id, job.as_slice()).unwrap();
                by_due.insert((i64::try_from(number).unwrap(), id), ()).unwrap();
                by_stage.insert((0, id), ()).unwrap();
                totals.insert(0, number).unwrap();
                lines.insert(number, audit.as_slice()).unwrap();
                log.insert(number, (id, [5; 32])).unwrap();
                number += 1;
            }
        }
        transaction.commit().unwrap();
    }
    number as f64 / begun.elapsed().as_secs_f64()
}

fn identifier(number: u64) -> RecordId {
    let mut random = [0u8; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    RecordId::from_parts(1_790_000_000_000 + number, &random)
}

/// Puts `count` final records of the block at height 1 into the store of a data directory.
pub(crate) fn fill(data: &Path, count: u32, block: BlockHash) {
    let store = Store::open(StoreOptions::in_directory(data)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for first in (0..count).step_by(1000) {
            store
                .write(move |tx| {
                    for number in first..(first + 1000).min(count) {
                        fill_one(tx, u64::from(number), block)?;
                    }
                    Ok::<_, StoreError>(())
                })
                .await
                .unwrap();
        }
    });
    store.close();
}

fn fill_one(
    tx: &mut patchproof::storage::WriteTx<'_>,
    number: u64,
    block: BlockHash,
) -> Result<(), StoreError> {
    let now = Timestamp::from_millis(1_790_000_000_000 + i64::try_from(number).unwrap());
    let id = identifier(number);
    let uid = UidTag::parse(&format!("FULL-{number:08}")).unwrap();
    let mut hash = [7; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    let txid = Txid::from_bytes(hash);
    let notes = "x".repeat(600);
    let canonical = serde_json::json!({
        "metadata": { "notes": notes },
        "product": { "uid_tag_id": uid.as_str(), "name": format!("Shirt {number}") },
    });
    let canonical = canonical.to_string().into_bytes();
    let salt = Salt::from_bytes([1; 16]);
    tx.put_patch(&Patch {
        uid: uid.clone(),
        owner: Address::of_hash([9; 20], Network::Test),
        head: id,
        pending: None,
        current_txid: Some(txid),
        events: 1,
        created_at: now,
        updated_at: now,
    })?;
    tx.put_record(&StoredRecord {
        id,
        uid,
        purpose: Purpose::RegisterPatch,
        position: 0,
        commitment: commit(&salt, &canonical),
        canonical,
        salt,
        previous: None,
        issuer_signature: None,
        txid: Some(txid),
        seal: None,
        accepted_at: now,
    })?;
    let stage = Stage::Final { txid, block, height: 1 };
    tx.put_job(&Job { stage, due: None, ..Job::new(id, now) })?;
    tx.put_transaction(&StoredTransaction {
        txid,
        raw: vec![3; 290],
        origin: TransactionOrigin::Record(id),
        state: TransactionState::Mined { block, height: 1 },
        fee: Satoshis::from_const(145),
        stored_at: now,
    })
}
