//! Batches: many records under one root, and the records that wait for one.
//!
//! A batch never changes; how far it has come stands in the job of the same identifier. What is true
//! of all its members (stage, transaction) is read from there and written down nowhere else, so that
//! a block or a reorganisation changes one row and not a million.

use redb::{ReadableTable, ReadableTableMetadata};
use serde::{Deserialize, Serialize};

use crate::anchor::lifecycle::Job;
use crate::anchor::log::LogHead;
use crate::anchor::merkle::{InclusionProof, SubtreeRoot, TreeError, leaf_hash, prove_by_blocks};
use crate::storage::codec::{decode, decode_second, encode_second};
use crate::storage::{StoreChange, StoreError, Tables, WriteTx};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{Digest, RecordId, Timestamp, Txid};

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredBatch {
    /// The batch, and its job.
    pub id: RecordId,
    /// How many records it has.
    pub size: u64,
    /// The RFC 9162 root over their commitments.
    pub root: Digest,
    /// The credential that asked for it, or the scheduler; never a secret.
    pub requested_by: String,
    /// When it was formed.
    pub created_at: Timestamp,
    /// The state of the log of all commitments that its transaction carries: one that was signed and
    /// has all its records in it.
    pub log: Option<LogHead>,
}

/// A batch as it was stored before there was a log.
#[derive(Debug, Serialize, Deserialize)]
struct FirstBatch {
    id: RecordId,
    size: u64,
    root: Digest,
    requested_by: String,
    created_at: Timestamp,
}

impl From<FirstBatch> for StoredBatch {
    fn from(first: FirstBatch) -> Self {
        let FirstBatch { id, size, root, requested_by, created_at } = first;
        Self { id, size, root, requested_by, created_at, log: None }
    }
}

/// A record's place in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchPlace {
    /// The batch.
    pub batch: RecordId,
    /// Which leaf, from 0.
    pub index: u64,
}

/// A leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLeaf {
    /// The record.
    pub record: RecordId,
    /// What stands in the tree.
    pub commitment: Digest,
}

impl WriteTx<'_> {
    /// Notes that a record waits for a batch: it has no job of its own.
    pub fn put_batch_waiting(&mut self, record: RecordId) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.batch_waiting.insert(record.to_bytes(), ())?;
        self.changes.push(StoreChange::Waiting(record));
        Ok(())
    }

    /// Gives a record its place in a batch; it waits no longer.
    pub fn put_batch_leaf(&mut self, place: BatchPlace, leaf: BatchLeaf) -> Result<(), StoreError> {
        self.is_dirty = true;
        let (batch, record) = (place.batch.to_bytes(), leaf.record.to_bytes());
        #[cfg(feature = "planted-bugs")]
        let keeps_waiting = Defect::BatchInTwoSteps.is_planted();
        #[cfg(not(feature = "planted-bugs"))]
        let keeps_waiting = false;
        if !keeps_waiting {
            self.tables.batch_waiting.remove(record)?;
        }
        let value = (record, leaf.commitment.to_bytes());
        self.tables.batch_leaves.insert((batch, place.index), value)?;
        self.tables.batch_members.insert(record, (batch, place.index))?;
        Ok(())
    }

    /// Notes that a record waits no longer, whether it is in a batch or not.
    #[cfg(feature = "planted-bugs")]
    pub fn forget_batch_waiting(&mut self, record: RecordId) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.batch_waiting.remove(record.to_bytes())?;
        Ok(())
    }

    /// Stores the root of a block of leaves, from which proofs are made.
    pub fn put_batch_node(&mut self, batch: RecordId, node: SubtreeRoot) -> Result<(), StoreError> {
        self.is_dirty = true;
        let key = (batch.to_bytes(), node.height, node.place);
        self.tables.batch_nodes.insert(key, node.hash.to_bytes())?;
        Ok(())
    }

    /// Stores a batch, whose leaves are stored in the same transaction.
    pub fn put_batch(&mut self, batch: &StoredBatch) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.batches.insert(batch.id.to_bytes(), encode_second(batch).as_slice())?;
        Ok(())
    }

    /// Notes that a transfer follows a registration of this batch: it dies with the transaction.
    pub fn put_batch_follower(
        &mut self,
        batch: RecordId,
        transfer: RecordId,
    ) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.batch_followers.insert((batch.to_bytes(), transfer.to_bytes()), ())?;
        Ok(())
    }

    /// Notes that what readers remember of any member of a batch may no longer be true.
    pub fn touch_batches(&mut self) {
        self.is_dirty = true;
        self.touched_chain = true;
    }
}

/// Returns a batch.
pub fn batch(tables: &impl Tables, id: RecordId) -> Result<Option<StoredBatch>, StoreError> {
    tables.batches().get(id.to_bytes())?.map(|bytes| decode_batch(bytes.value())).transpose()
}

/// Reads a batch's row.
pub(super) fn decode_batch(bytes: &[u8]) -> Result<StoredBatch, StoreError> {
    decode_second::<FirstBatch, StoredBatch>(bytes, "batch")
}

/// Returns batches, newest first, at most `limit`, before `before`.
pub fn batches_before(
    tables: &impl Tables,
    before: Option<RecordId>,
    limit: usize,
) -> Result<Vec<StoredBatch>, StoreError> {
    let end = before.map_or([0xff; 16], RecordId::to_bytes);
    tables
        .batches()
        .range(..end)?
        .rev()
        .take(limit)
        .map(|row| decode_batch(row?.1.value()))
        .collect()
}

/// Returns the batch with a root; all are looked through, which is for rare questions only.
pub fn batch_by_root(tables: &impl Tables, root: &Digest) -> Result<Option<RecordId>, StoreError> {
    for row in tables.batches().iter()? {
        let found = decode_batch(row?.1.value())?;
        if found.root == *root {
            return Ok(Some(found.id));
        }
    }
    Ok(None)
}

/// Returns where a record stands, if it is in a batch.
pub fn place_in_batch(
    tables: &impl Tables,
    record: RecordId,
) -> Result<Option<BatchPlace>, StoreError> {
    let row = tables.batch_members().get(record.to_bytes())?;
    Ok(row.map(|row| {
        let (batch, index) = row.value();
        BatchPlace { batch: RecordId::from_bytes(batch), index }
    }))
}

/// Says whether a record waits for a batch.
pub fn waits_for_batch(tables: &impl Tables, record: RecordId) -> Result<bool, StoreError> {
    Ok(tables.batch_waiting().get(record.to_bytes())?.is_some())
}

/// Returns the records that wait for a batch, oldest first, at most `limit`, after `after`.
pub fn waiting_for_batch(
    tables: &impl Tables,
    after: Option<RecordId>,
    limit: usize,
) -> Result<Vec<RecordId>, StoreError> {
    let start = after
        .map_or(std::ops::Bound::Unbounded, |after| std::ops::Bound::Excluded(after.to_bytes()));
    tables
        .batch_waiting()
        .range::<[u8; 16]>((start, std::ops::Bound::Unbounded))?
        .take(limit)
        .map(|row| Ok(RecordId::from_bytes(row?.0.value())))
        .collect()
}

/// Returns how many records wait for a batch, without counting them anew.
pub fn waiting_count(tables: &impl Tables) -> Result<u64, StoreError> {
    Ok(tables.batch_waiting().len()?)
}

/// Returns the job that carries a record: its own, or that of its batch.
pub fn carrier_of(tables: &impl Tables, id: RecordId) -> Result<RecordId, StoreError> {
    Ok(place_in_batch(tables, id)?.map_or(id, |place| place.batch))
}

/// Returns the job of the batch that a record is in.
pub(super) fn job_of_batch(
    tables: &impl Tables,
    record: RecordId,
) -> Result<Option<Job>, StoreError> {
    let Some(place) = place_in_batch(tables, record)? else { return Ok(None) };
    let row = tables.jobs().get(place.batch.to_bytes())?;
    row.map(|bytes| decode(bytes.value(), "job")).transpose()
}

/// Returns the transaction that carries the batch of a record, if it is in one and that is signed.
pub(super) fn txid_of_batch(
    tables: &impl Tables,
    record: RecordId,
) -> Result<Option<Txid>, StoreError> {
    Ok(job_of_batch(tables, record)?.and_then(|job| job.txid()))
}

/// Returns a leaf of a batch.
pub fn batch_leaf(
    tables: &impl Tables,
    place: BatchPlace,
) -> Result<Option<BatchLeaf>, StoreError> {
    let row = tables.batch_leaves().get((place.batch.to_bytes(), place.index))?;
    Ok(row.map(|row| leaf_of(row.value())))
}

/// Returns the leaves of a batch at these places, as far as they are there.
pub fn batch_leaves(
    tables: &impl Tables,
    batch: RecordId,
    places: std::ops::Range<u64>,
) -> Result<Vec<BatchLeaf>, StoreError> {
    let batch = batch.to_bytes();
    tables
        .batch_leaves()
        .range((batch, places.start)..(batch, places.end))?
        .map(|row| Ok(leaf_of(row?.1.value())))
        .collect()
}

fn leaf_of((record, commitment): ([u8; 16], [u8; 32])) -> BatchLeaf {
    BatchLeaf { record: RecordId::from_bytes(record), commitment: Digest::from_bytes(commitment) }
}

/// Returns the transfers that were accepted as successors of registrations of a batch.
pub fn batch_followers(tables: &impl Tables, batch: RecordId) -> Result<Vec<RecordId>, StoreError> {
    let batch = batch.to_bytes();
    tables
        .batch_followers()
        .range((batch, [0; 16])..=(batch, [0xff; 16]))?
        .map(|row| Ok(RecordId::from_bytes(row?.0.value().1)))
        .collect()
}

/// Makes the proof that a record stands in its batch from what is stored of the tree; at most 256
/// rows of each of its heights are read.
pub fn prove_in_batch(
    tables: &impl Tables,
    place: BatchPlace,
) -> Result<InclusionProof, StoreError> {
    let found = batch(tables, place.batch)?.ok_or(StoreError::Missing { entity: "batch" })?;
    let of_tree = |_| StoreError::Corrupt { entity: "batch" };
    #[cfg(feature = "planted-bugs")]
    let place = match place.index ^ 1 {
        index if index < found.size && Defect::ProofFromWrongPlace.is_planted() => {
            BatchPlace { index, ..place }
        }
        _ => place,
    };
    let proof = prove_by_blocks(place.index, found.size, |height, places| {
        read_hashes(tables, place.batch, height, places).map_err(ProofError::Store)
    });
    proof.map_err(|error| match error {
        ProofError::Store(error) => error,
        ProofError::Tree(error) => of_tree(error),
    })
}

/// Why a proof cannot be made of what is stored.
enum ProofError {
    Store(StoreError),
    Tree(TreeError),
}

impl From<TreeError> for ProofError {
    fn from(error: TreeError) -> Self {
        Self::Tree(error)
    }
}

fn read_hashes(
    tables: &impl Tables,
    batch: RecordId,
    height: u8,
    places: std::ops::Range<u64>,
) -> Result<Vec<[u8; 32]>, StoreError> {
    if height == 0 {
        let leaves = batch_leaves(tables, batch, places)?;
        return Ok(leaves.iter().map(|leaf| leaf_hash(&leaf.commitment)).collect());
    }
    let batch = batch.to_bytes();
    tables
        .batch_nodes()
        .range((batch, height, places.start)..(batch, height, places.end))?
        .map(|row| Ok(row?.1.value()))
        .collect()
}
