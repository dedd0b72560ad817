//! The ladder of schema versions: each step and its version number in one transaction.
//!
//! A file of a newer version is refused. Before the first step on an existing file a copy of it is
//! made beside it, so that the way back is to put the copy in place.

use std::fs;

use redb::{AccessGuard, Database, ReadableTable, WriteTransaction};

use crate::storage::tables::{WriteTables, create_all};
use crate::storage::{StoreError, StoreOptions};

/// The newest schema version this program knows.
pub(super) const NEWEST: u32 = 1;

/// The row of the version.
pub(super) const VERSION_KEY: &str = "schema";

type Step = fn(&WriteTransaction) -> Result<(), StoreError>;

/// `LADDER[n]` leads from version n to n + 1.
const LADDER: [Step; 1] = [create_tables];

/// Brings the file to the newest version.
pub(super) fn migrate(database: &Database, options: &StoreOptions) -> Result<(), StoreError> {
    let found = stored_version(database)?;
    if found > NEWEST {
        return Err(StoreError::TooNew { found, known: NEWEST });
    }
    if found > 0 && found < NEWEST {
        keep_copy(options, found)?;
    }
    let mut version = found;
    for step in LADDER.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        version += 1;
        climb(database, *step, version)?;
    }
    Ok(())
}

fn climb(database: &Database, step: Step, version: u32) -> Result<(), StoreError> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    step(&transaction)?;
    {
        let mut tables = WriteTables::new(&transaction);
        tables.meta.insert(VERSION_KEY, version.to_le_bytes().as_slice())?;
    }
    transaction.commit()?;
    Ok(())
}

/// Version 1: every table of the schema.
fn create_tables(transaction: &WriteTransaction) -> Result<(), StoreError> {
    create_all(transaction)?;
    Ok(())
}

/// Returns the version of the file, 0 for a new one.
fn stored_version(database: &Database) -> Result<u32, StoreError> {
    let transaction = database.begin_write()?;
    let version = {
        let meta = transaction.open_table(redb::TableDefinition::<&str, &[u8]>::new("meta-1"))?;
        version_of(meta.get(VERSION_KEY)?)?
    };
    transaction.abort()?;
    Ok(version)
}

/// Reads the row of the version.
pub(super) fn version_of(row: Option<AccessGuard<'_, &'static [u8]>>) -> Result<u32, StoreError> {
    match row.map(|bytes| <[u8; 4]>::try_from(bytes.value())) {
        None => Ok(0),
        Some(Ok(bytes)) => Ok(u32::from_le_bytes(bytes)),
        Some(Err(_)) => Err(StoreError::Corrupt { entity: "schema version" }),
    }
}

fn keep_copy(options: &StoreOptions, version: u32) -> Result<(), StoreError> {
    let Some(file) = options.file() else { return Ok(()) };
    let copy = file.with_extension(format!("v{version}.bak"));
    fs::copy(file, &copy).map_err(redb::StorageError::Io)?;
    tracing::info!(copy = %copy.display(), "kept a copy of the store before its migration");
    Ok(())
}
