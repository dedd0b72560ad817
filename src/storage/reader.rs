//! A store opened beside the process that writes to it, for reading only: commands that look.

use redb::{ReadOnlyDatabase, ReadableDatabase, ReadableTable};

use crate::storage::migrations::{NEWEST, VERSION_KEY, version_of};
use crate::storage::tables::ReadTables;
use crate::storage::{ReadTx, StoreError, StoreOptions};

/// A handle that follows the writer's commits and cannot change anything.
pub struct StoreReader {
    database: ReadOnlyDatabase,
}

impl StoreReader {
    /// Opens an existing store.
    ///
    /// After a crash only a writer can open the file; then this fails and [`crate::storage::Store`]
    /// is the one to ask.
    pub fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        let reader = Self { database: options.open_read_only()? };
        let found = reader.read(|tx| version_of(tx.tables.meta.get(VERSION_KEY)?))?;
        if found == NEWEST {
            Ok(reader)
        } else if found > NEWEST {
            Err(StoreError::TooNew { found, known: NEWEST })
        } else {
            Err(StoreError::Failed(format!(
                "the file has schema version {found}; start the server once to bring it to {NEWEST}"
            )))
        }
    }

    /// Runs `read` on one unchanging view.
    pub fn read<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&ReadTx) -> Result<T, E>,
    ) -> Result<T, E> {
        let transaction = self.database.begin_read().map_err(StoreError::from)?;
        let tables = ReadTables::new(transaction);
        read(&ReadTx { tables })
    }
}
