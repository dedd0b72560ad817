//! The ladder of schema versions: each step and its version number in one transaction.
//!
//! A file of a newer version is refused. Before the first step on an existing file a copy of it is
//! made beside it, so that the way back is to put the copy in place.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use redb::{AccessGuard, Database, ReadableTable, TableDefinition, WriteTransaction};

use crate::anchor::canonical::from_canonical_bytes;
use crate::bitcoin::Address;
use crate::patch::record::AuthenticationRecord;
use crate::storage::codec::decode;
use crate::storage::error::KeptCopy;
use crate::storage::tables::{WriteTables, create_all};
use crate::storage::{LogLeaf, StoreError, StoreOptions, StoredRecord, log};
use crate::types::RecordId;

/// The newest schema version this program knows.
pub const NEWEST: u32 = 3;

/// The row of the version.
pub(super) const VERSION_KEY: &str = "schema";

/// The table of the version, which every file has.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta-1");
const RECORDS: TableDefinition<'_, [u8; 16], &[u8]> = TableDefinition::new("records-1");
const RECORDS_BY_PARTY: TableDefinition<'_, ([u8; 20], [u8; 16]), ()> =
    TableDefinition::new("records-by-party-1");
const ERASED_RECORDS: TableDefinition<'_, [u8; 16], &[u8]> =
    TableDefinition::new("erased-records-1");

type Step = fn(&WriteTransaction) -> Result<(), StoreError>;

/// `LADDER[n]` leads from version n to n + 1.
const LADDER: [Step; 3] = [create_tables, add_parties, begin_log];

/// Brings the file to the newest version.
pub(super) fn migrate(database: &Database, options: &StoreOptions) -> Result<(), StoreError> {
    let found = stored_version(database)?;
    if found > NEWEST {
        return Err(too_new(options, found));
    }
    if found > 0 && found < NEWEST {
        keep_copy(options, found)?;
    }
    let mut version = found;
    for step in LADDER.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        version += 1;
        climb(database, *step, version)?;
    }
    complete(database)
}

/// Makes the tables that a file lacks, so that nobody reads one that is not there before the first
/// write. A file that lacks none is left as it is.
fn complete(database: &Database) -> Result<(), StoreError> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    let before = transaction.list_tables()?.count();
    create_tables(&transaction)?;
    if transaction.list_tables()?.count() == before {
        transaction.abort()?;
    } else {
        transaction.commit()?;
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

/// Version 2: every table that was added since version 1, and the parties of transfers that were stored
/// before their index was.
fn add_parties(transaction: &WriteTransaction) -> Result<(), StoreError> {
    create_tables(transaction)?;
    let records = transaction.open_table(RECORDS)?;
    let mut parties = transaction.open_table(RECORDS_BY_PARTY)?;
    let erased = transaction.open_table(ERASED_RECORDS)?;
    for row in records.iter()? {
        let (_, bytes) = row?;
        let transfer: StoredRecord = decode(bytes.value(), "record")?;
        // Only transfers follow another event; they name the owner to come, the one before the former.
        let Some(previous) = transfer.previous else { continue };
        let Some(bytes) = records.get(previous.to_bytes())? else { continue };
        let previous: StoredRecord = decode(bytes.value(), "record")?;
        for record in [&previous, &transfer] {
            let id = record.id.to_bytes();
            // Whoever had himself erased is found by nothing any more.
            if record.is_erased() || erased.get(id)?.is_some() {
                continue;
            }
            parties.insert((owner_of(record)?, id), ())?;
        }
    }
    Ok(())
}

/// Version 3: the log of all commitments, begun with the records that are there in the order of their
/// acceptance. A log of a file of before it is of no program that knew it, and goes.
fn begin_log(transaction: &WriteTransaction) -> Result<(), StoreError> {
    for name in ["log-1", "log-places-1", "log-nodes-1", "log-checkpoints-1"] {
        transaction.delete_table(TableDefinition::<&[u8], &[u8]>::new(name))?;
    }
    create_tables(transaction)?;
    let mut tables = WriteTables::new(transaction);
    let mut leaves = Vec::new();
    for row in tables.records.iter()? {
        let (_, bytes) = row?;
        let it: StoredRecord = decode(bytes.value(), "record")?;
        leaves.push((it.accepted_at, it.id.to_bytes(), it.commitment));
    }
    leaves.sort_unstable();
    for (index, (_, record, commitment)) in (0..).zip(leaves) {
        log::append(
            &mut tables,
            index,
            LogLeaf { record: RecordId::from_bytes(record), commitment },
        )?;
    }
    log::index(&mut tables, u64::MAX)?;
    Ok(())
}

/// Returns the key hash of the owner that a record names.
fn owner_of(record: &StoredRecord) -> Result<[u8; 20], StoreError> {
    let corrupt = StoreError::Corrupt { entity: "record" };
    let says = from_canonical_bytes::<AuthenticationRecord>(&record.canonical).ok();
    let owner = says.and_then(|says| Address::parse(&says.auth.owner, says.network).ok());
    owner.map(|owner| *owner.hash160()).ok_or(corrupt)
}

/// Returns the version of the file, 0 for a new one.
pub(super) fn stored_version(database: &Database) -> Result<u32, StoreError> {
    let transaction = database.begin_write()?;
    let version = {
        let meta = transaction.open_table(META)?;
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

/// The name of the copy that is kept before a file of this version is migrated.
fn copy_before(file: &Path, version: u32) -> PathBuf {
    file.with_extension(format!("v{version}.bak"))
}

/// Copies a file so that its name only ever stands for a whole copy that is on disk.
fn copy_whole(file: &Path, copy: &Path) -> io::Result<()> {
    let unfinished = copy.with_extension("bak-unfinished");
    fs::copy(file, &unfinished)?;
    File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, copy)?;
    let directory = copy.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// Refuses a file of a newer version, and says how to go back to the copy from before its migration,
/// where there is one that this program can use.
pub(super) fn too_new(options: &StoreOptions, found: u32) -> StoreError {
    let kept = options.file().and_then(|file| {
        let copies = (1..=NEWEST).rev().map(|version| copy_before(file, version));
        copies.into_iter().find(|copy| copy.exists())
    });
    StoreError::TooNew { found, known: NEWEST, copy: kept.map(KeptCopy) }
}

fn keep_copy(options: &StoreOptions, version: u32) -> Result<(), StoreError> {
    let Some(file) = options.file() else { return Ok(()) };
    let copy = copy_before(file, version);
    copy_whole(file, &copy).map_err(redb::StorageError::Io)?;
    tracing::info!(copy = %copy.display(), "kept a copy of the store before its migration");
    Ok(())
}
