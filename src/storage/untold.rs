//! From which height on records have not been told yet what happened to the chain.
//!
//! Written in the same transaction as the change itself, so that a crash between the change and the
//! telling forgets nothing, and a start with nothing to tell reads nothing.

use redb::ReadableTable;

use crate::storage::headers::chain_head;
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::BlockHash;

const UNTOLD: &str = "untold-from";

/// A change of the best chain that records have not been told about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UntoldChange {
    /// The lowest height that changed.
    pub lowest: u32,
    /// The tip that the chain has after the change.
    pub tip: BlockHash,
}

impl WriteTx<'_> {
    /// Notes that the chain changed from `lowest` on.
    pub(super) fn note_untold(&mut self, lowest: u32) -> Result<(), StoreError> {
        let lowest = untold_from(self)?.map_or(lowest, |noted| noted.min(lowest));
        self.tables.meta.insert(UNTOLD, lowest.to_le_bytes().as_slice())?;
        Ok(())
    }

    /// Notes that all records have been told about `change`, unless the chain has moved on since.
    pub fn clear_untold(&mut self, change: &UntoldChange) -> Result<(), StoreError> {
        if untold_change(self)? == Some(*change) {
            self.is_dirty = true;
            self.tables.meta.remove(UNTOLD)?;
        }
        Ok(())
    }
}

/// Returns what records have not been told about, if anything.
pub fn untold_change(tables: &impl Tables) -> Result<Option<UntoldChange>, StoreError> {
    let Some(lowest) = untold_from(tables)? else { return Ok(None) };
    Ok(chain_head(tables)?.map(|head| UntoldChange { lowest, tip: head.hash }))
}

fn untold_from(tables: &impl Tables) -> Result<Option<u32>, StoreError> {
    let Some(bytes) = tables.meta().get(UNTOLD)? else { return Ok(None) };
    let bytes = bytes.value().try_into().map_err(|_| StoreError::Corrupt { entity: "height" })?;
    Ok(Some(u32::from_le_bytes(bytes)))
}
