//! The log of all commitments: a leaf for every custody event that was accepted, in the order of
//! acceptance. Nothing of it is ever changed or removed: an erasure leaves commitments.
//!
//! A leaf is written with its event ([`WriteTx::put_record`](crate::storage::WriteTx::put_record)), and
//! with the leaf that fills a block of 256 the block's root. Proofs of every size that the log ever had
//! are made of these (`anchor/log/tree.rs`).

use std::ops::Range;

use redb::{ReadableTable, ReadableTableMetadata};
use serde::{Deserialize, Serialize};

use crate::anchor::log::LogHead;
use crate::anchor::log::tree::{
    BLOCK, fold, prove_consistency, prove_inclusion, root as root_of_tree,
};
use crate::anchor::merkle::{InclusionProof, TreeError, leaf_hash};
use crate::crypto::Signature;
use crate::storage::codec::{decode, encode};
use crate::storage::records::{StoredSignature, record};
use crate::storage::tables::WriteTables;
use crate::storage::{StoreError, StoredRecord, Tables, WriteTx};
use crate::types::{Digest, RecordId, Timestamp};

/// A leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLeaf {
    /// The event.
    pub record: RecordId,
    /// What stands in the tree.
    pub commitment: Digest,
}

/// A state of the log that the issuer's key has signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogCheckpoint {
    /// The state.
    pub head: LogHead,
    /// The signature of the checkpoint's text, DER.
    pub signature: StoredSignature,
    /// When it was signed.
    pub signed_at: Timestamp,
}

impl LogCheckpoint {
    /// Returns the signature, or nothing if the stored bytes are none.
    pub fn signature(&self) -> Option<Signature> {
        self.signature.signature()
    }
}

impl WriteTx<'_> {
    /// Appends the leaf of an event that is new.
    pub(super) fn append_leaf_of(&mut self, record: &StoredRecord) -> Result<(), StoreError> {
        self.is_dirty = true;
        let leaf = LogLeaf { record: record.id, commitment: record.commitment };
        let index = match self.log_end {
            Some(end) => end,
            None => log_size(self)?,
        };
        append(&mut self.tables, index, leaf)?;
        self.log_end = Some(index + 1);
        Ok(())
    }

    /// Writes down the places of the leaves that are not found by their commitments yet, at most `most`
    /// of them, and says of how many it did.
    ///
    /// Commitments are random, so each place would touch a page of its own in the transaction that
    /// accepts a record; many at once, in order, share pages.
    pub fn index_log(&mut self, most: u64) -> Result<u64, StoreError> {
        let count = index(&mut self.tables, most)?;
        self.is_dirty |= count > 0;
        Ok(count)
    }

    /// Stores a signed state of the log. A second one of the same size must have the same root.
    pub fn put_log_checkpoint(&mut self, checkpoint: &LogCheckpoint) -> Result<(), StoreError> {
        let size = checkpoint.head.size;
        if let Some(known) = log_checkpoint(self, size)? {
            let is_same = known.head == checkpoint.head;
            return if is_same { Ok(()) } else { Err(StoreError::Corrupt { entity: "log" }) };
        }
        self.is_dirty = true;
        self.tables.log_checkpoints.insert(size, encode(checkpoint).as_slice())?;
        Ok(())
    }
}

/// Writes leaf `index`, and the roots of the blocks that it fills.
pub(super) fn append(
    tables: &mut WriteTables<'_>,
    index: u64,
    leaf: LogLeaf,
) -> Result<(), StoreError> {
    let commitment = leaf.commitment.to_bytes();
    tables.log.insert(index, (leaf.record.to_bytes(), commitment))?;
    let (mut height, mut size) = (0u8, index + 1);
    while size.is_multiple_of(BLOCK) {
        let places = size - BLOCK..size;
        let block = if height == 0 {
            leaf_hashes(&tables.log, places)?
        } else {
            node_hashes(&tables.log_nodes, height, places)?
        };
        let is_whole = block.len() as u64 == BLOCK;
        let hash = fold(block).filter(|_| is_whole).ok_or(CORRUPT)?;
        (height, size) = (height + 1, size / BLOCK);
        tables.log_nodes.insert((height, size - 1), hash)?;
    }
    Ok(())
}

/// Writes down the places of the next leaves, at most `most`; returns of how many.
pub(super) fn index(tables: &mut WriteTables<'_>, most: u64) -> Result<u64, StoreError> {
    // One row for each leaf from the first on: their number is the next leaf.
    let from = tables.log_places.len()?;
    let mut places = Vec::new();
    for row in tables.log.range(from..from.saturating_add(most))? {
        let (place, leaf) = row?;
        places.push((beginning(&Digest::from_bytes(leaf.value().1)), place.value()));
    }
    places.sort_unstable();
    for place in &places {
        tables.log_places.insert(*place, ())?;
    }
    Ok(places.len() as u64)
}

const CORRUPT: StoreError = StoreError::Corrupt { entity: "log" };

/// The first eight bytes of a commitment, under which its place is found.
fn beginning(commitment: &Digest) -> u64 {
    commitment.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn leaf_hashes(
    log: &impl ReadableTable<u64, ([u8; 16], [u8; 32])>,
    places: Range<u64>,
) -> Result<Vec<[u8; 32]>, StoreError> {
    let hash = |commitment| leaf_hash(&Digest::from_bytes(commitment));
    log.range(places)?.map(|row| Ok(hash(row?.1.value().1))).collect()
}

fn node_hashes(
    nodes: &impl ReadableTable<(u8, u64), [u8; 32]>,
    height: u8,
    places: Range<u64>,
) -> Result<Vec<[u8; 32]>, StoreError> {
    let rows = nodes.range((height, places.start)..(height, places.end))?;
    rows.map(|row| Ok(row?.1.value())).collect()
}

/// Returns how many leaves the log has.
pub fn log_size(tables: &impl Tables) -> Result<u64, StoreError> {
    Ok(tables.log().last()?.map_or(0, |(index, _)| index.value().saturating_add(1)))
}

/// Returns the leaves at these places, as far as they are there.
pub fn log_leaves(tables: &impl Tables, places: Range<u64>) -> Result<Vec<LogLeaf>, StoreError> {
    tables
        .log()
        .range(places)?
        .map(|row| {
            let (record, commitment) = row?.1.value();
            let (record, commitment) =
                (RecordId::from_bytes(record), Digest::from_bytes(commitment));
            Ok(LogLeaf { record, commitment })
        })
        .collect()
}

/// Returns the hashes of a height at these places, as far as they are kept: of leaves at 0, of full
/// blocks at others.
pub fn log_hashes(
    tables: &impl Tables,
    height: u8,
    places: Range<u64>,
) -> Result<Vec<[u8; 32]>, StoreError> {
    match height {
        0 => leaf_hashes(tables.log(), places),
        _ => node_hashes(tables.log_nodes(), height, places),
    }
}

/// Returns the place of a commitment.
pub fn log_place(tables: &impl Tables, commitment: &Digest) -> Result<Option<u64>, StoreError> {
    let key = beginning(commitment);
    for row in tables.log_places().range((key, 0)..=(key, u64::MAX))? {
        let index = row?.0.value().1;
        let leaf = tables.log().get(index)?.ok_or(CORRUPT)?;
        if leaf.value().1 == commitment.to_bytes() {
            return Ok(Some(index));
        }
    }
    // The newest are not written down yet.
    for row in tables.log().range(tables.log_places().len()?..)? {
        let (index, leaf) = row?;
        if leaf.value().1 == commitment.to_bytes() {
            return Ok(Some(index.value()));
        }
    }
    Ok(None)
}

/// Says how many of the first leaves are found by their commitments without looking through the rest.
pub fn indexed_leaves(tables: &impl Tables) -> Result<u64, StoreError> {
    Ok(tables.log_places().len()?)
}

/// Says whether the place of a leaf is written down.
pub(super) fn has_place(
    tables: &impl Tables,
    commitment: &Digest,
    index: u64,
) -> Result<bool, StoreError> {
    Ok(tables.log_places().get((beginning(commitment), index))?.is_some())
}

/// Returns the place of an event, if there is such an event.
pub fn log_place_of(tables: &impl Tables, id: RecordId) -> Result<Option<u64>, StoreError> {
    match record(tables, id)? {
        Some(record) => log_place(tables, &record.commitment),
        None => Ok(None),
    }
}

/// Returns the state of the log when it had `size` leaves.
pub fn log_head(tables: &impl Tables, size: u64) -> Result<LogHead, StoreError> {
    let read = |height, places| Ok(log_hashes(tables, height, places)?);
    let root = root_of_tree(size, read).map_err(ProofError::into_store)?;
    Ok(LogHead { size, root })
}

/// Proves that leaf `index` stands in the log as it was with `size` leaves.
pub fn prove_in_log(
    tables: &impl Tables,
    index: u64,
    size: u64,
) -> Result<InclusionProof, StoreError> {
    let read = |height, places| Ok(log_hashes(tables, height, places)?);
    prove_inclusion(index, size, read).map_err(ProofError::into_store)
}

/// Proves that the log with `to` leaves begins with all that it was with `from`.
pub fn prove_log_growth(
    tables: &impl Tables,
    from: u64,
    to: u64,
) -> Result<Vec<Digest>, StoreError> {
    let read = |height, places| Ok(log_hashes(tables, height, places)?);
    prove_consistency(from, to, read).map_err(ProofError::into_store)
}

/// Returns the signed state of a size.
pub fn log_checkpoint(
    tables: &impl Tables,
    size: u64,
) -> Result<Option<LogCheckpoint>, StoreError> {
    let row = tables.log_checkpoints().get(size)?;
    row.map(|bytes| decode(bytes.value(), "log checkpoint")).transpose()
}

/// Returns the newest signed state.
pub fn last_log_checkpoint(tables: &impl Tables) -> Result<Option<LogCheckpoint>, StoreError> {
    let row = tables.log_checkpoints().last()?;
    row.map(|(_, bytes)| decode(bytes.value(), "log checkpoint")).transpose()
}

/// Why a proof cannot be made of what is stored.
enum ProofError {
    Store(StoreError),
    Tree,
}

impl ProofError {
    /// Whoever asks keeps to the sizes that there are: a proof that is not possible is damage.
    fn into_store(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Tree => CORRUPT,
        }
    }
}

impl From<TreeError> for ProofError {
    fn from(_: TreeError) -> Self {
        Self::Tree
    }
}

impl From<StoreError> for ProofError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
