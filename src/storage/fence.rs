//! The fence around a store that was restored from a backup: as long as its row is there, nothing is
//! funded, signed or sent, because outputs that count as unspent here may be spent on chain.
//!
//! What the chain knows of our keys and the backup does not is kept as findings. They stay for whoever
//! looks into them; a product whose custody a transaction that we do not know has moved stays disputed.

use redb::{ReadableTable, ReadableTableMetadata};
use serde::{Deserialize, Serialize};

use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{Digest, OutPoint, RecordId, Timestamp, Txid};

pub(super) const FENCE_KEY: &str = "fence";

/// A store that was restored and has not been found to agree with the chain yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFence {
    /// When it was restored.
    pub restored_at: Timestamp,
    /// When what was restored was true.
    pub taken_at: Timestamp,
    /// When the chain had been asked about everything; none as long as it has not.
    pub resynced_at: Option<Timestamp>,
}

/// A transaction of our keys that the chain knows and the backup did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFinding {
    /// The transaction.
    pub txid: Txid,
    /// When it was found.
    pub found_at: Timestamp,
    /// The height of its block, if it was in one then.
    pub height: Option<u32>,
    /// Outputs of ours that it spends.
    pub spends: Vec<OutPoint>,
    /// Outputs that it pays to keys of ours.
    pub pays: Vec<OutPoint>,
    /// Commitments in its data output, by kind.
    pub says: Vec<FoundCommitment>,
    /// Products whose custody it moves.
    pub products: Vec<String>,
}

/// What a data output of ours commits to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundCommitment {
    /// `register`, `transfer` or `batch`.
    pub kind: String,
    /// The commitment, or the root of the batch.
    pub commitment: Digest,
    /// The event of this store that has it, or the batch, if one does.
    pub record: Option<RecordId>,
}

impl WriteTx<'_> {
    /// Stores what is known about the fence.
    pub fn put_fence(&mut self, fence: &StoredFence) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.meta.insert(FENCE_KEY, encode(fence).as_slice())?;
        Ok(())
    }

    /// Takes the fence away.
    pub fn lift_fence(&mut self) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.meta.remove(FENCE_KEY)?;
        Ok(())
    }

    /// Stores a finding, and that the products it moves are disputed.
    pub fn put_finding(&mut self, finding: &StoredFinding) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.restore_findings.insert(finding.txid.to_bytes(), encode(finding).as_slice())?;
        for record in finding.says.iter().filter_map(|it| it.record) {
            self.tables.found_records.insert(record.to_bytes(), finding.txid.to_bytes())?;
        }
        for uid in &finding.products {
            self.touch_patch(uid);
            self.tables.disputed_patches.insert(uid.as_str(), finding.txid.to_bytes())?;
        }
        Ok(())
    }

    /// Takes back what a finding keeps from happening: its transaction has become that of a record. The
    /// finding itself stays, to be read.
    pub fn settle_finding(&mut self, finding: &StoredFinding) -> Result<(), StoreError> {
        self.is_dirty = true;
        let txid = finding.txid.to_bytes();
        for record in finding.says.iter().filter_map(|it| it.record) {
            let named = self.tables.found_records.get(record.to_bytes())?.map(|it| it.value());
            if named == Some(txid) {
                self.tables.found_records.remove(record.to_bytes())?;
            }
        }
        for uid in &finding.products {
            let named = self.tables.disputed_patches.get(uid.as_str())?.map(|it| it.value());
            if named == Some(txid) {
                self.touch_patch(uid);
                self.tables.disputed_patches.remove(uid.as_str())?;
            }
        }
        Ok(())
    }
}

/// Returns the fence, if there is one.
pub fn fence(tables: &impl Tables) -> Result<Option<StoredFence>, StoreError> {
    tables.meta().get(FENCE_KEY)?.map(|bytes| decode(bytes.value(), "fence")).transpose()
}

/// Returns a finding.
pub fn finding(tables: &impl Tables, txid: Txid) -> Result<Option<StoredFinding>, StoreError> {
    let bytes = tables.restore_findings().get(txid.to_bytes())?;
    bytes.map(|bytes| decode(bytes.value(), "finding")).transpose()
}

/// Returns how many findings there are.
pub fn finding_count(tables: &impl Tables) -> Result<u64, StoreError> {
    Ok(tables.restore_findings().len()?)
}

/// Returns findings in the order of their transactions, at most `limit`.
pub fn findings(tables: &impl Tables, limit: usize) -> Result<Vec<StoredFinding>, StoreError> {
    let rows = tables.restore_findings().iter()?.take(limit);
    rows.map(|row| decode(row?.1.value(), "finding")).collect()
}

/// Returns the transaction on chain that commits to an event of ours and that we do not have.
pub fn found_elsewhere(tables: &impl Tables, id: RecordId) -> Result<Option<Txid>, StoreError> {
    Ok(tables.found_records().get(id.to_bytes())?.map(|txid| Txid::from_bytes(txid.value())))
}

/// Returns the transaction that has moved the custody of a product without our knowing how.
pub fn dispute(tables: &impl Tables, uid: &str) -> Result<Option<Txid>, StoreError> {
    Ok(tables.disputed_patches().get(uid)?.map(|txid| Txid::from_bytes(txid.value())))
}
