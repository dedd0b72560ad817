//! The store that waits to take the place of the present one: restored beside a server that runs, and
//! marked by its name. Whoever opens the store for serving puts it in place first, so that a process
//! that is killed after the mark has only put off what was decided. A crash at any moment leaves the one
//! store or the other, whole.

use std::fs;
use std::path::Path;

use redb::ReadableDatabase;

use crate::storage::backup::swap::sync_directory;
use crate::storage::backup::{BackupError, Present, Staged, Swapped};
use crate::storage::fence::fence;
use crate::storage::tables::ReadTables;
use crate::storage::{NEXT_NAME, ReadTx, StoredFence, WriteTx};
use crate::types::Timestamp;

/// What the audit trail of a restored store calls its restoring.
const ACTION: &str = "restore.done";

impl Staged {
    /// Writes into the staged store itself who restored it, when, and from what.
    pub fn note(&self, now: Timestamp, actor: &str, from: &str) -> Result<(), BackupError> {
        let found = {
            let view = ReadTx { tables: ReadTables::new(self.database.begin_read()?) };
            fence(&view)?
        };
        let mut transaction = self.database.begin_write()?;
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(true);
        {
            let mut tx = WriteTx::over(&transaction);
            let subject = format!("{from}, as it was at {}", self.taken_at);
            tx.append_audit(now, actor, ACTION, &subject)?;
            if let Some(fence) = found {
                tx.put_fence(&StoredFence { restored_at: now, ..fence })?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Marks it as the store that takes the place of the present one in `directory` at the next start;
    /// once this returns, that is on the disk.
    pub fn mark_next(self, directory: &Path) -> Result<(), BackupError> {
        let path = self.close(directory)?;
        fs::rename(path, directory.join(NEXT_NAME)).map_err(BackupError::Io)?;
        sync_directory(directory)
    }
}

/// Says whether a store waits to take the place of the one in `directory`.
pub fn next_waits(directory: &Path) -> bool {
    directory.join(NEXT_NAME).exists()
}

/// Puts the store that waits, if one does, in the place of the one in `directory`, which keeps another
/// name.
pub fn take_next(directory: &Path, now: Timestamp) -> Result<Option<Swapped>, BackupError> {
    if !next_waits(directory) {
        return Ok(None);
    }
    let present = Present::lock(directory)?;
    let next = directory.join(NEXT_NAME);
    // Somebody else may have done it before the lock was ours.
    if next.exists() { present.swap(&next, now).map(Some) } else { Ok(None) }
}

/// Removes the store that waits, if one does.
pub(super) fn discard_next(directory: &Path) -> Result<(), BackupError> {
    if !next_waits(directory) {
        return Ok(());
    }
    fs::remove_file(directory.join(NEXT_NAME)).map_err(BackupError::Io)?;
    sync_directory(directory)
}
