//! Why a backup is not made or not taken.

use std::io;

use crate::crypto::StreamDamage;
use crate::storage::StoreError;

/// A backup that is not made or not taken; nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error("a file cannot be read or written")]
    Io(#[source] io::Error),
    /// The file is something else.
    #[error("the file is no backup of this program")]
    NotABackup,
    /// The file ends within its header.
    #[error("the backup is cut off in its header")]
    CutHeader,
    /// The header is not what was written.
    #[error("the header of the backup is damaged")]
    DamagedHeader,
    /// The file was made by a newer program.
    #[error("the backup has format {found}, this program knows up to {known}; use a newer program")]
    NewerFormat {
        /// Of the file.
        found: u16,
        /// Newest known.
        known: u16,
    },
    /// The store in it is of a newer program.
    #[error(
        "the backup holds schema version {found}, this program knows up to {known}; use a newer program"
    )]
    NewerSchema {
        /// Of the backup.
        found: u32,
        /// Newest known.
        known: u32,
    },
    /// It is locked with a passphrase, and none was given.
    #[error("the backup is locked with a passphrase; give it with BACKUP_PASSPHRASE")]
    NeedsPassphrase,
    /// It is locked to a public key, whose secret was not given.
    #[error("the backup is locked to the key {0}; give its secret with --identity")]
    NeedsIdentity(String),
    /// The passphrase does not open it.
    #[error("the passphrase does not open the backup")]
    WrongPassphrase,
    /// The secret key is another one.
    #[error("the key does not open the backup, which is locked to {0}")]
    WrongIdentity(String),
    /// The stream was changed or cut.
    #[error(transparent)]
    Damaged(StreamDamage),
    /// What was authenticated is still no backup as this program writes it.
    #[error("the backup cannot be understood: {0}")]
    Malformed(&'static str),
    /// Rows differ from what the manifest says of them.
    #[error("the table {0} of the backup is not what its manifest says")]
    Mismatch(String),
    /// A table that no version up to this program's has.
    #[error("the backup has a table {0}, which this program does not know")]
    UnknownTable(String),
    /// It is of another installation.
    #[error("the backup belongs to {what} {backup}; here it is {here}")]
    Foreign {
        /// What differs.
        what: String,
        /// In the backup.
        backup: String,
        /// Here.
        here: String,
    },
    /// What is in it contradicts itself.
    #[error(
        "the check of what is in the backup found {0} violations, as `patchproof check` would list \
         them; --despite-violations restores it all the same"
    )]
    Unclean(u64),
    /// A server works on the store that is to be replaced.
    #[error("a process works on the present store; stop the server, then restore")]
    InUse,
    /// The store does not work.
    #[error(transparent)]
    Store(StoreError),
}

impl From<io::Error> for BackupError {
    fn from(error: io::Error) -> Self {
        let damage = error.get_ref().and_then(|it| it.downcast_ref::<StreamDamage>()).copied();
        match (damage, error.kind()) {
            (Some(damage), _) => Self::Damaged(damage),
            // Of authenticated bytes: what was compressed or counted is not what it should be.
            (None, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
                Self::Malformed("its compressed part")
            }
            (None, io::ErrorKind::UnexpectedEof) => Self::Malformed("it ends too early"),
            (None, _) => Self::Io(error),
        }
    }
}

impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::InUse) { Self::InUse } else { Self::Store(error) }
    }
}

macro_rules! through_the_store {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for BackupError {
            fn from(error: redb::$error) -> Self {
                StoreError::from(error).into()
            }
        }
    )*};
}

through_the_store!(StorageError, TableError, TransactionError, CommitError, DatabaseError);
