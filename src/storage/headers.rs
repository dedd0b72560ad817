//! Our own chain of headers: every header seen, and which of them form the best chain.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::bitcoin::{BlockHeader, Work};
use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::BlockHash;

/// A header whose work and link were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredHeader {
    /// The header.
    pub header: BlockHeader,
    /// Its height.
    pub height: u32,
    /// The work of the chain that ends in it, from our first header on.
    pub chain_work: Work,
}

/// The newest block of the best chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHead {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
    /// The work behind it.
    pub chain_work: Work,
}

impl WriteTx<'_> {
    /// Stores a header without making it part of the best chain.
    pub fn put_header(&mut self, header: &StoredHeader) -> Result<(), StoreError> {
        self.is_dirty = true;
        let hash = header.header.hash().to_bytes();
        self.tables.headers.insert(hash, encode(header).as_slice())?;
        Ok(())
    }

    /// Makes the chain that ends in `tip` the best one and returns the lowest height that changed.
    ///
    /// All headers of the chain down to the fork must be stored.
    pub fn set_best_chain(&mut self, tip: BlockHash) -> Result<u32, StoreError> {
        self.is_dirty = true;
        self.touched_chain = true;
        let mut at = expect_header(self, tip)?;
        let top = at.height;
        let mut lowest = top.saturating_add(1);
        let mut hash = tip;
        while best_hash_at(self, at.height)? != Some(hash) {
            self.tables.best_chain.insert(at.height, hash.to_bytes())?;
            lowest = at.height;
            match header(self, at.header.previous)? {
                Some(below) => {
                    hash = at.header.previous;
                    at = below;
                }
                None => break,
            }
        }
        let above: Vec<u32> = self
            .tables
            .best_chain
            .range(top.saturating_add(1)..)?
            .map(|row| row.map(|(height, _)| height.value()))
            .collect::<Result<_, _>>()?;
        for height in above {
            lowest = lowest.min(height);
            self.tables.best_chain.remove(height)?;
        }
        self.note_untold(lowest)?;
        Ok(lowest)
    }
}

/// Returns a header by hash, on any chain.
pub fn header(tables: &impl Tables, hash: BlockHash) -> Result<Option<StoredHeader>, StoreError> {
    tables.headers().get(hash.to_bytes())?.map(|bytes| decode(bytes.value(), "header")).transpose()
}

fn expect_header(tables: &impl Tables, hash: BlockHash) -> Result<StoredHeader, StoreError> {
    header(tables, hash)?.ok_or(StoreError::Missing { entity: "header" })
}

/// Returns the hash of the best chain at a height.
pub fn best_hash_at(tables: &impl Tables, height: u32) -> Result<Option<BlockHash>, StoreError> {
    let hash = tables.best_chain().get(height)?;
    Ok(hash.map(|hash| BlockHash::from_bytes(hash.value())))
}

/// Returns the header of the best chain at a height.
pub fn best_header_at(
    tables: &impl Tables,
    height: u32,
) -> Result<Option<StoredHeader>, StoreError> {
    best_hash_at(tables, height)?.map(|hash| expect_header(tables, hash)).transpose()
}

/// Returns the newest block of the best chain, if there is any header.
pub fn chain_head(tables: &impl Tables) -> Result<Option<ChainHead>, StoreError> {
    let Some((_, hash)) = tables.best_chain().last()? else { return Ok(None) };
    let hash = BlockHash::from_bytes(hash.value());
    let stored = expect_header(tables, hash)?;
    Ok(Some(ChainHead { hash, height: stored.height, chain_work: stored.chain_work }))
}
