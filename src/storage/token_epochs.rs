//! How often the tokens of a person were taken back: one of an earlier epoch is worth nothing.

use redb::ReadableTable;

use crate::storage::{StoreError, Tables, WriteTx};

impl WriteTx<'_> {
    /// Takes back every token that was issued to `subject` so far.
    pub fn end_tokens(&mut self, subject: &str) -> Result<(), StoreError> {
        self.is_dirty = true;
        let epoch = token_epoch(self, subject)?.saturating_add(1);
        self.tables.token_epochs.insert(subject, epoch)?;
        Ok(())
    }
}

/// Returns the present epoch of a person's tokens, 0 at first.
pub fn token_epoch(tables: &impl Tables, subject: &str) -> Result<u64, StoreError> {
    Ok(tables.token_epochs().get(subject)?.map_or(0, |epoch| epoch.value()))
}
