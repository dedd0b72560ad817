//! Our own chain of headers: every header seen, which of them form the best chain, which left it, and
//! the checkpoints that operators vouch for.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::bitcoin::{BlockHeader, Switch, TreePlace, Work, switch};
use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{BlockHash, Checkpoint};

/// A header whose work and link were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredHeader {
    /// The header.
    pub header: BlockHeader,
    /// Its height.
    pub height: u32,
    /// The work of the chain that ends in it, counted from genesis or, where that is not known, from
    /// [`Work::UNKNOWN_BEGINNING`]: only differences between headers of one store count.
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

    /// Makes the chain that ends in `tip` the best one. All its headers must be stored.
    ///
    /// Each block that leaves is remembered with the number of those that left with it, so that
    /// whoever is told late, after a crash perhaps, knows how deep the reorganisation was.
    pub fn set_best_chain(&mut self, tip: BlockHash) -> Result<Switch, StoreError> {
        self.is_dirty = true;
        self.touched_chain = true;
        let change = change_to(self, tip)?;
        for (height, hash) in &change.disconnected {
            self.tables.best_chain.remove(height)?;
            self.tables.stale_blocks.insert(hash.to_bytes(), change.depth())?;
        }
        for (height, hash) in &change.connected {
            self.tables.best_chain.insert(height, hash.to_bytes())?;
            self.tables.stale_blocks.remove(hash.to_bytes())?;
        }
        if let Some(lowest) = change.lowest() {
            self.note_untold(lowest)?;
        }
        Ok(change)
    }

    /// Puts a header below the lowest one of the best chain, which must stand on it.
    pub fn put_header_below(&mut self, stored: &StoredHeader) -> Result<(), StoreError> {
        self.put_header(stored)?;
        self.touched_chain = true;
        self.tables.best_chain.insert(stored.height, stored.header.hash().to_bytes())?;
        Ok(())
    }

    /// Stores that an operator vouches for a block, in place of another at its height.
    pub fn put_checkpoint(&mut self, checkpoint: Checkpoint) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.touched_chain = true;
        self.tables.checkpoints.insert(checkpoint.height, checkpoint.hash.to_bytes())?;
        Ok(())
    }

    /// Removes the checkpoint at a height; says whether there was one.
    pub fn remove_checkpoint(&mut self, height: u32) -> Result<bool, StoreError> {
        self.is_dirty = true;
        self.touched_chain = true;
        Ok(self.tables.checkpoints.remove(height)?.is_some())
    }
}

/// Works out what would change if the chain that ends in `tip`, which must be stored, became the best
/// one.
pub fn change_to(tables: &impl Tables, tip: BlockHash) -> Result<Switch, StoreError> {
    expect_header(tables, tip)?;
    let old = chain_head(tables)?.map(|head| head.hash);
    switch(old, tip, |hash| {
        let stored = header(tables, hash)?;
        Ok(stored.map(|it| TreePlace { previous: it.header.previous, height: it.height }))
    })
}

/// Returns the stored checkpoints, the lowest first.
pub fn checkpoints(tables: &impl Tables) -> Result<Vec<Checkpoint>, StoreError> {
    tables
        .checkpoints()
        .iter()?
        .map(|row| {
            let (height, hash) = row?;
            Ok(Checkpoint { height: height.value(), hash: BlockHash::from_bytes(hash.value()) })
        })
        .collect()
}

/// Returns how many blocks left the best chain together with this one, which has left it.
pub fn stale_depth(tables: &impl Tables, block: BlockHash) -> Result<Option<u32>, StoreError> {
    Ok(tables.stale_blocks().get(block.to_bytes())?.map(|depth| depth.value()))
}

/// Returns the depth of the deepest reorganisation whose blocks have not come back.
pub fn deepest_stale(tables: &impl Tables) -> Result<u32, StoreError> {
    let mut deepest = 0;
    for row in tables.stale_blocks().iter()? {
        deepest = deepest.max(row?.1.value());
    }
    Ok(deepest)
}

/// Returns the lowest header of the best chain, if there is any.
pub fn lowest_header(tables: &impl Tables) -> Result<Option<StoredHeader>, StoreError> {
    let Some((_, hash)) = tables.best_chain().first()? else { return Ok(None) };
    expect_header(tables, BlockHash::from_bytes(hash.value())).map(Some)
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
