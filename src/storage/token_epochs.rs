//! How often the tokens of a person were taken back: one of an earlier epoch is worth nothing.

use redb::ReadableTable;

use crate::storage::{StoreError, Tables, WriteTx};

impl WriteTx<'_> {
    /// Sets the epoch of a person's tokens.
    pub fn put_token_epoch(&mut self, subject: &str, epoch: u64) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.token_epochs.insert(subject, epoch)?;
        Ok(())
    }

    /// Forgets the epoch of a person's tokens.
    pub fn remove_token_epoch(&mut self, subject: &str) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.token_epochs.remove(subject)?;
        Ok(())
    }
}

/// Returns the present epoch of a person's tokens, 0 at first.
pub fn token_epoch(tables: &impl Tables, subject: &str) -> Result<u64, StoreError> {
    Ok(tables.token_epochs().get(subject)?.map_or(0, |epoch| epoch.value()))
}
