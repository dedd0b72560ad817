//! Merkle paths that were true once: what proved a transaction until its block left the best chain.
//!
//! They are kept for ever, as history: whoever was shown one can be told what became of it.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::bitcoin::MerklePath;
use crate::storage::codec::{decode, encode};
use crate::storage::records::bytes_field;
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{BlockHash, Timestamp, Txid};

/// A Merkle path whose block left the best chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleProof {
    /// The path as it was stored (BUMP, BRC-74).
    #[serde(with = "bytes_field")]
    pub path: Vec<u8>,
    /// When it was found that its block had gone.
    pub went_stale_at: Timestamp,
}

impl StaleProof {
    /// Reads the path.
    pub fn parse(&self) -> Result<MerklePath, StoreError> {
        MerklePath::parse(&self.path)
            .map_err(|_| StoreError::Corrupt { entity: "stale Merkle path" })
    }
}

impl WriteTx<'_> {
    /// Moves the Merkle path of a transaction to the history, because `block`, in which it ends, left
    /// the best chain. Without a path nothing happens.
    pub fn retire_proof(
        &mut self,
        txid: Txid,
        block: BlockHash,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(path) =
            self.tables.proofs.remove(txid.to_bytes())?.map(|row| row.value().to_vec())
        else {
            return Ok(());
        };
        self.is_dirty = true;
        let stale = StaleProof { path, went_stale_at: now };
        let key = (txid.to_bytes(), block.to_bytes());
        self.tables.stale_proofs.insert(key, encode(&stale).as_slice())?;
        Ok(())
    }
}

/// Returns what once proved a transaction, with the block that has gone, in the order of the blocks'
/// hashes.
pub fn stale_proofs(
    tables: &impl Tables,
    txid: Txid,
) -> Result<Vec<(BlockHash, StaleProof)>, StoreError> {
    let key = txid.to_bytes();
    tables
        .stale_proofs()
        .range((key, [0; 32])..=(key, [0xff; 32]))?
        .map(|row| {
            let (key, bytes) = row?;
            let block = BlockHash::from_bytes(key.value().1);
            Ok((block, decode(bytes.value(), "stale Merkle path")?))
        })
        .collect()
}
