//! A store opened beside the process that writes to it, for reading only: commands that look.

use redb::{ReadOnlyDatabase, ReadableDatabase};

use crate::storage::migrations::{META, NEWEST, VERSION_KEY, too_new, version_of};
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
        let found = reader.version()?;
        if found == NEWEST {
            Ok(reader)
        } else if found > NEWEST {
            Err(too_new(options, found))
        } else {
            Err(StoreError::Failed(format!(
                "the file has schema version {found}; start the server once to bring it to {NEWEST}"
            )))
        }
    }

    /// Reads the version by itself: an older file may lack some of our tables.
    fn version(&self) -> Result<u32, StoreError> {
        let meta = self.database.begin_read()?.open_table(META)?;
        version_of(meta.get(VERSION_KEY)?)
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
