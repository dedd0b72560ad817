//! Backups: everything that one read transaction sees, compressed, encrypted and authenticated, in one
//! file; and the way back, which touches nothing before the whole file has proved good.
//!
//! ```text
//! file   = magic, format, header, HMAC, SHA-256 of all before ; stream
//! stream = AES-256-GCM in chunks ( gzip ( tables row by row, manifest ) )
//! ```
//!
//! docs/BACKUP.md has every byte. Guarantees that a file that was cut, changed, put together from
//! others, or made by somebody without the key is refused, each with a reason of its own; and that a
//! store that was restored is fenced ([`crate::storage::fence`]) from its first moment on.

mod error;
mod folder;
mod header;
mod next;
mod pace;
mod read;
mod restore;
mod rows;
mod swap;
mod write;

pub use error::BackupError;
pub use folder::{
    ListedBackup, MadeBackup, is_backup_name, list_backups, make_backup, new_backup_path,
    prune_backups,
};
pub use header::{
    BackupHeader, BackupKey, BackupLock, FORMAT as BACKUP_FORMAT, KeyKind, SECRET_PREFIX,
};
pub use next::{next_waits, take_next};
pub use read::{BackupReader, read_header};
pub use restore::{RestoreSource, Staged, StagingProgress, stage, stage_watched};
pub use rows::{BackupManifest, TableManifest};
pub use swap::{Beyond, Present, Swapped, clear_staging};
pub use write::{BackupProgress, BackupReceipt, write_backup};

#[cfg(test)]
mod tests;
