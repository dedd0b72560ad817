//! The moment at which a staged store takes the place of the present one: the present file keeps a
//! second name, then one rename puts the other in its place. A crash leaves the one or the other.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, ReadableTable};

use crate::storage::backup::folder::{give_to_owner, open_itself};
use crate::storage::backup::next::discard_next;
use crate::storage::backup::{BackupError, Staged};
use crate::storage::migrations::stored_version;
use crate::storage::tables::ReadTables;
use crate::storage::{
    FILE_NAME, ReadTx, SCHEMA_VERSION, STAGING_NAME, StoreError, StoreOptions, Tables,
};
use crate::types::Timestamp;

/// What the name of a former store begins with; the time follows.
const SAFETY_PREFIX: &str = "patchproof.redb.before-restore-";

/// The store that is to be replaced, locked against everybody else.
pub struct Present {
    directory: PathBuf,
    /// None where there is no file, or one that cannot be opened.
    database: Option<Database>,
    /// Why it cannot be opened.
    pub problem: Option<String>,
}

/// What the present store has and the staged one has not.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Beyond {
    /// Custody events.
    pub records: u64,
    /// Products.
    pub patches: u64,
    /// Transactions.
    pub transactions: u64,
}

/// What became of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swapped {
    /// The name that the former store has now; none where there was none.
    pub safety_copy: Option<PathBuf>,
}

impl Present {
    /// Takes hold of the store in `directory`; nobody else can open it until this is dropped.
    pub fn lock(directory: &Path) -> Result<Self, BackupError> {
        let options = StoreOptions::in_directory(directory);
        let mut present = Self { directory: directory.to_owned(), database: None, problem: None };
        if !options.is_present() {
            return Ok(present);
        }
        match options.open_database() {
            Ok(database) => present.database = Some(database),
            Err(StoreError::InUse) => return Err(BackupError::InUse),
            // A store that is beyond help is what backups are for.
            Err(error) => present.problem = Some(error.to_string()),
        }
        Ok(present)
    }

    /// Refuses a staged store of another network or other keys than the present one's.
    pub fn refuse_foreign(&self, staged: &Staged) -> Result<(), BackupError> {
        let Some(database) = &self.database else { return Ok(()) };
        staged.refuse_foreign(&view(database)?)
    }

    /// Counts what the present store has and the staged one has not; nothing where the present one
    /// cannot be read.
    pub fn beyond(&self, staged: &Staged) -> Result<Option<Beyond>, BackupError> {
        let Some(database) = &self.database else { return Ok(None) };
        if stored_version(database)? != SCHEMA_VERSION {
            return Ok(None);
        }
        staged.lacks(&view(database)?).map(Some)
    }

    /// Puts the staged store in the place of the present one, which keeps another name.
    pub fn replace(self, staged: Staged, now: Timestamp) -> Result<Swapped, BackupError> {
        let path = staged.close(&self.directory)?;
        // One that waited to do the same is not wanted any more, and must not come after this one.
        discard_next(&self.directory)?;
        self.swap(&path, now)
    }

    /// Puts a whole file of this directory in the place of the store's.
    pub(super) fn swap(&self, path: &Path, now: Timestamp) -> Result<Swapped, BackupError> {
        let place = self.directory.join(FILE_NAME);
        let safety_copy = if place.exists() { Some(self.keep(&place, now)?) } else { None };
        fs::rename(path, &place).map_err(BackupError::Io)?;
        sync_directory(&self.directory)?;
        Ok(Swapped { safety_copy })
    }

    /// Gives the present file a second name, if one that was killed has not done so already.
    fn keep(&self, place: &Path, now: Timestamp) -> Result<PathBuf, BackupError> {
        let inode = fs::metadata(place).map_err(BackupError::Io)?.ino();
        for entry in fs::read_dir(&self.directory).map_err(BackupError::Io)? {
            let entry = entry.map_err(BackupError::Io)?;
            let is_copy = entry.file_name().to_string_lossy().starts_with(SAFETY_PREFIX);
            if is_copy && entry.metadata().map_err(BackupError::Io)?.ino() == inode {
                return Ok(entry.path());
            }
        }
        let copy = safety_name(&self.directory, now);
        fs::hard_link(place, &copy).map_err(BackupError::Io)?;
        sync_directory(&self.directory)?;
        Ok(copy)
    }
}

/// Compares two sets of identities in what both say.
fn refuse_others(
    backup: &BTreeMap<String, String>,
    here: &BTreeMap<String, String>,
) -> Result<(), BackupError> {
    for (what, backup) in backup {
        if let Some(here) = here.get(what).filter(|here| *here != backup) {
            let (backup, here) = (backup.clone(), here.clone());
            return Err(BackupError::Foreign { what: what.clone(), backup, here });
        }
    }
    Ok(())
}

impl Staged {
    /// Refuses to be of another network or other keys than the store that `here` shows.
    pub fn refuse_foreign(&self, here: &impl Tables) -> Result<(), BackupError> {
        refuse_others(&identities(&view(&self.database)?)?, &identities(here)?)
    }

    /// Counts what the store that `here` shows has and this one has not.
    pub fn lacks(&self, here: &impl Tables) -> Result<Beyond, BackupError> {
        let there = view(&self.database)?;
        Ok(Beyond {
            records: missing(here.records(), there.records())?,
            patches: missing(here.patches(), there.patches())?,
            transactions: missing(here.transactions(), there.transactions())?,
        })
    }

    /// Closes it, so that it is one whole file on the disk, and returns that.
    pub(super) fn close(self, directory: &Path) -> Result<PathBuf, BackupError> {
        let Self { path, database, .. } = self;
        drop(database);
        let settled = open_itself(&path).and_then(|file| {
            give_to_owner(&file, directory)?;
            file.sync_all()
        });
        settled.map(|()| path).map_err(BackupError::Io)
    }

    /// Returns what the store is bound to under `what`.
    pub fn identity(&self, what: &str) -> Result<Option<String>, BackupError> {
        Ok(identities(&view(&self.database)?)?.remove(what))
    }

    /// Returns the rows of a table.
    pub fn rows_of(&self, table: &str) -> u64 {
        self.report.rows.get(table).copied().unwrap_or(0)
    }
}

fn view(database: &Database) -> Result<ReadTx, BackupError> {
    Ok(ReadTx { tables: ReadTables::new(database.begin_read()?) })
}

fn identities(tables: &impl Tables) -> Result<BTreeMap<String, String>, BackupError> {
    let rows = tables.identity().iter()?;
    let pair = |row: Result<(redb::AccessGuard<'_, &str>, redb::AccessGuard<'_, &str>), _>| {
        let (what, value) = row?;
        Ok::<_, redb::StorageError>((what.value().to_owned(), value.value().to_owned()))
    };
    Ok(rows.map(pair).collect::<Result<_, _>>()?)
}

fn missing<K: redb::Key + 'static, V: redb::Value + 'static>(
    here: &impl ReadableTable<K, V>,
    there: &impl ReadableTable<K, V>,
) -> Result<u64, StoreError> {
    let mut count = 0;
    for row in here.iter()? {
        let (key, _) = row?;
        count += u64::from(there.get(key.value())?.is_none());
    }
    Ok(count)
}

/// Returns a name that nothing has yet.
fn safety_name(directory: &Path, now: Timestamp) -> PathBuf {
    let time: String =
        now.to_string().chars().filter(|letter| letter.is_ascii_alphanumeric()).collect();
    let name = |more: &str| directory.join(format!("{SAFETY_PREFIX}{time}{more}"));
    let mut names = std::iter::once(name("")).chain((2..).map(|n: u32| name(&format!("-{n}"))));
    names.find(|name| !name.exists()).unwrap_or_else(|| name(""))
}

/// Removes what a restore has left that came to nothing.
pub fn clear_staging(directory: &Path) -> Result<(), BackupError> {
    for entry in fs::read_dir(directory).map_err(BackupError::Io)? {
        let entry = entry.map_err(BackupError::Io)?;
        if entry.file_name().to_string_lossy().starts_with(STAGING_NAME) {
            fs::remove_file(entry.path()).map_err(BackupError::Io)?;
        }
    }
    Ok(())
}

pub(super) fn sync_directory(directory: &Path) -> Result<(), BackupError> {
    let synced: io::Result<()> = File::open(directory).and_then(|it| it.sync_all());
    synced.map_err(BackupError::Io)
}
