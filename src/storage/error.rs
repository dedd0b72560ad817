//! What can go wrong with the store.

use std::io;

use crate::wallet::utxo::UtxoTransitionError;

/// An operation on the store that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk or its quota is full; reads go on.
    #[error("the storage is full")]
    Full,
    /// The storage fails; reads may go on.
    #[error("the storage failed: {0}")]
    Failed(String),
    /// Another process has the store open.
    #[error("another process has the store open")]
    InUse,
    /// The file is of a newer version of this program.
    #[error("the store has schema version {found}, this program knows up to {known}")]
    TooNew {
        /// Version of the file.
        found: u32,
        /// Newest version known.
        known: u32,
    },
    /// The store belongs to another network or other keys.
    #[error("the store belongs to {what} {stored}, the configuration says {configured}")]
    OtherIdentity {
        /// What differs.
        what: &'static str,
        /// What the store says.
        stored: String,
        /// What the configuration says.
        configured: String,
    },
    /// A row cannot be read: the file is damaged or was written by something else.
    #[error("a stored {entity} cannot be read")]
    Corrupt {
        /// The kind of row.
        entity: &'static str,
    },
    /// A row that another row refers to is missing.
    #[error("a stored {entity} is missing")]
    Missing {
        /// The kind of row.
        entity: &'static str,
    },
    /// An output may not change its state this way.
    #[error("an output cannot change its state")]
    Transition(#[from] UtxoTransitionError),
    /// A write closure panicked; nothing of it was stored.
    #[error("a storage operation panicked")]
    Panicked,
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Says whether the store itself cannot be written to now.
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Full | Self::Failed(_) | Self::Closed)
    }
}

fn of_io(error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::Full
        }
        _ => StoreError::Failed(error.to_string()),
    }
}

impl From<redb::StorageError> for StoreError {
    fn from(error: redb::StorageError) -> Self {
        match error {
            redb::StorageError::Io(io) => of_io(&io),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<redb::TableError> for StoreError {
    fn from(error: redb::TableError) -> Self {
        match error {
            redb::TableError::Storage(storage) => storage.into(),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<redb::TransactionError> for StoreError {
    fn from(error: redb::TransactionError) -> Self {
        match error {
            redb::TransactionError::Storage(storage) => storage.into(),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<redb::CommitError> for StoreError {
    fn from(error: redb::CommitError) -> Self {
        match error {
            redb::CommitError::Storage(storage) => storage.into(),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<redb::DatabaseError> for StoreError {
    fn from(error: redb::DatabaseError) -> Self {
        match error {
            redb::DatabaseError::DatabaseAlreadyOpen => Self::InUse,
            redb::DatabaseError::Storage(storage) => storage.into(),
            other => Self::Failed(other.to_string()),
        }
    }
}
