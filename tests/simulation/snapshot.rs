//! Everything that is stored, read at one moment.

use std::collections::{BTreeMap, BTreeSet};

use patchproof::anchor::lifecycle::Job;
use patchproof::bitcoin::Transaction;
use patchproof::storage::batches::{batch, place_in_batch};
use patchproof::storage::jobs::expect_job;
use patchproof::storage::records::expect_record;
use patchproof::storage::transactions::expect_transaction;
use patchproof::storage::utxos::expect_utxo;
use patchproof::storage::{
    BatchPlace, StoreError, StoredBatch, StoredRecord, StoredTransaction, Tables,
    TransactionOrigin, TransactionState,
};
use patchproof::types::{BlockHash, OutPoint, RecordId, Txid};
use patchproof::wallet::utxo::Utxo;
use redb::ReadableTable;

use crate::stage::{Stage, Verdict, Violation};

pub(crate) struct Snapshot {
    pub(crate) records: BTreeMap<RecordId, StoredRecord>,
    /// What is said of each record, each batch and each operation.
    pub(crate) jobs: BTreeMap<RecordId, Job>,
    /// Those whose job is their own: a record in a batch has its batch's.
    pub(crate) carriers: BTreeSet<RecordId>,
    pub(crate) batches: BTreeMap<RecordId, StoredBatch>,
    /// Records in batches.
    pub(crate) members: BTreeMap<RecordId, BatchPlace>,
    /// Records that wait for a batch.
    pub(crate) waiting: BTreeSet<RecordId>,
    pub(crate) transactions: BTreeMap<Txid, (StoredTransaction, Transaction)>,
    pub(crate) utxos: BTreeMap<OutPoint, Utxo>,
    /// Blocks that once held a transaction, and left the best chain.
    pub(crate) stale_proofs: BTreeSet<(Txid, BlockHash)>,
    /// Blocks that are not on the best chain any more, with the depth of the reorganisation.
    pub(crate) stale_blocks: BTreeMap<BlockHash, u32>,
}

impl Snapshot {
    pub(crate) fn take(stage: &Stage) -> Verdict<Self> {
        stage
            .system()
            .store
            .read(read)
            .map_err(|error: StoreError| Violation(format!("the store cannot be read: {error:?}")))
    }

    /// Says whether a job is a record's.
    pub(crate) fn is_record(&self, id: RecordId) -> bool {
        self.records.contains_key(&id)
    }

    /// Says whether a job is a batch's.
    pub(crate) fn is_batch(&self, id: RecordId) -> bool {
        self.batches.contains_key(&id)
    }

    /// Says whether a transaction is somebody else's and in no block.
    pub(crate) fn is_unmined_guest(&self, txid: &Txid) -> bool {
        self.transactions.get(txid).is_some_and(|(stored, _)| {
            stored.origin == TransactionOrigin::External && stored.state == TransactionState::Seen
        })
    }

    /// Says whether a transaction of ours may still be mined, as far as the store knows.
    pub(crate) fn is_live(&self, txid: &Txid) -> bool {
        self.transactions.get(txid).is_some_and(|(stored, _)| is_live(stored))
    }

    /// Returns the transactions of ours that may still be mined.
    pub(crate) fn live(&self) -> impl Iterator<Item = (&Txid, &Transaction)> {
        self.transactions
            .iter()
            .filter(|(_, (stored, _))| {
                is_live(stored) && stored.origin != TransactionOrigin::External
            })
            .map(|(txid, (_, transaction))| (txid, transaction))
    }
}

const fn is_live(stored: &StoredTransaction) -> bool {
    match stored.state {
        TransactionState::Dead { .. } => false,
        TransactionState::Signed | TransactionState::Seen | TransactionState::Mined { .. } => true,
    }
}

fn read(tx: &impl Tables) -> Result<Snapshot, StoreError> {
    let mut snapshot = Snapshot {
        records: BTreeMap::new(),
        jobs: BTreeMap::new(),
        carriers: BTreeSet::new(),
        batches: BTreeMap::new(),
        members: BTreeMap::new(),
        waiting: BTreeSet::new(),
        transactions: BTreeMap::new(),
        utxos: BTreeMap::new(),
        stale_proofs: BTreeSet::new(),
        stale_blocks: BTreeMap::new(),
    };
    for row in tx.records().iter()? {
        let id = RecordId::from_bytes(row?.0.value());
        snapshot.records.insert(id, expect_record(tx, id)?);
        snapshot.jobs.insert(id, expect_job(tx, id)?);
        snapshot.members.extend(place_in_batch(tx, id)?.map(|place| (id, place)));
    }
    for row in tx.jobs().iter()? {
        snapshot.carriers.insert(RecordId::from_bytes(row?.0.value()));
    }
    for row in tx.batches().iter()? {
        let id = RecordId::from_bytes(row?.0.value());
        snapshot.batches.extend(batch(tx, id)?.map(|found| (id, found)));
        snapshot.jobs.insert(id, expect_job(tx, id)?);
    }
    for row in tx.batch_waiting().iter()? {
        snapshot.waiting.insert(RecordId::from_bytes(row?.0.value()));
    }
    for row in tx.treasury_operations().iter()? {
        let id = RecordId::from_bytes(row?.0.value());
        snapshot.jobs.insert(id, expect_job(tx, id)?);
    }
    for row in tx.transactions().iter()? {
        let txid = Txid::from_bytes(row?.0.value());
        let stored = expect_transaction(tx, txid)?;
        let transaction = stored.parse()?;
        snapshot.transactions.insert(txid, (stored, transaction));
    }
    for row in tx.utxos().iter()? {
        let outpoint = OutPoint::from_bytes(&row?.0.value());
        snapshot.utxos.insert(outpoint, expect_utxo(tx, outpoint)?);
    }
    for row in tx.stale_proofs().iter()? {
        let (txid, block) = row?.0.value();
        snapshot.stale_proofs.insert((Txid::from_bytes(txid), BlockHash::from_bytes(block)));
    }
    for row in tx.stale_blocks().iter()? {
        let (block, depth) = row?;
        snapshot.stale_blocks.insert(BlockHash::from_bytes(block.value()), depth.value());
    }
    Ok(snapshot)
}
