//! What can go wrong with the store.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use crate::wallet::utxo::UtxoTransitionError;

/// A copy of the store that was kept before a migration; printed, it says how to go back to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCopy(pub PathBuf);

impl fmt::Display for KeptCopy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (copy, directory) = (self.0.display(), self.0.parent().unwrap_or(Path::new(".")));
        write!(
            formatter,
            "; a copy from before its migration is {copy}. To go back to it, without what was stored \
             since: patchproof restore --data-dir {} {copy}",
            directory.display()
        )
    }
}

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
    #[error(
        "the store has schema version {found}, this program knows up to {known}{}",
        copy.as_ref().map(ToString::to_string).unwrap_or_default()
    )]
    TooNew {
        /// Version of the file.
        found: u32,
        /// Newest version known.
        known: u32,
        /// The copy from before the migration, if there is one that this program can use.
        copy: Option<KeptCopy>,
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

    /// Returns what another caller of the same group hears when the store itself fails.
    pub(super) fn as_unavailable(&self) -> Self {
        match self {
            Self::Full => Self::Full,
            Self::Closed => Self::Closed,
            Self::Failed(reason) => Self::Failed(reason.clone()),
            Self::InUse
            | Self::TooNew { .. }
            | Self::OtherIdentity { .. }
            | Self::Corrupt { .. }
            | Self::Missing { .. }
            | Self::Transition(_)
            | Self::Panicked => Self::Failed(self.to_string()),
        }
    }
}

/// Tells a full disk from a failing one.
pub(super) fn of_io(error: &io::Error) -> StoreError {
    let full =
        [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];
    if full.contains(&error.kind()) {
        StoreError::Full
    } else {
        StoreError::Failed(error.to_string())
    }
}

impl From<redb::StorageError> for StoreError {
    fn from(error: redb::StorageError) -> Self {
        if let redb::StorageError::Io(io) = &error {
            of_io(io)
        } else {
            Self::Failed(error.to_string())
        }
    }
}

/// Takes the storage's error out of another of redb's, where it is one.
macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                if let redb::$error::Storage(storage) = error {
                    storage.into()
                } else {
                    Self::Failed(error.to_string())
                }
            }
        }
    )*};
}

from_redb!(TableError, TransactionError, CommitError);

impl From<redb::DatabaseError> for StoreError {
    fn from(error: redb::DatabaseError) -> Self {
        if matches!(error, redb::DatabaseError::DatabaseAlreadyOpen) {
            return Self::InUse;
        }
        if let redb::DatabaseError::Storage(storage) = error {
            storage.into()
        } else {
            Self::Failed(error.to_string())
        }
    }
}
