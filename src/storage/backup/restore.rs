//! A backup, or a copy of a store's file, made into a store beside the present one: complete, checked and
//! fenced before anybody decides to use it.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Database, Key, ReadableDatabase, TableDefinition, Value, WriteTransaction};

use crate::storage::backup::read::BackupReader;
use crate::storage::backup::rows::{Piece, RowReader};
use crate::storage::backup::{BackupError, BackupKey, clear_staging};
use crate::storage::codec::encode;
use crate::storage::fence::{FENCE_KEY, StoredFence};
use crate::storage::migrations::{migrate, stored_version};
use crate::storage::tables::{ReadTables, TableFiller, WriteTables, fill_table};
use crate::storage::{
    CheckReport, ReadTx, SCHEMA_VERSION, StoreError, StoreOptions, check_watched,
};
use crate::types::Timestamp;

/// Rows that are stored in one transaction.
const ROWS_AT_ONCE: u32 = 100_000;
/// How many rows between two reports.
const REPORT_EVERY: u32 = 1_000;
/// What a file of the store itself begins with.
const STORE_MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";

/// What is to be restored.
pub enum RestoreSource {
    /// A backup, whose head is proved, and a second handle of its file, which tells how far it is read.
    Backup(Box<BackupReader<File>>, File),
    /// A copy of a store's file, as it is kept before a migration or a restore.
    Copy(PathBuf),
}

/// How far the making of a store beside the present one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StagingProgress {
    /// Whether all is read and stored, and being checked.
    pub is_checking: bool,
    /// Bytes of the file that were read.
    pub bytes: u64,
    /// Bytes of the file.
    pub total: u64,
}

/// Whoever is told how far it is; false has it end early, with [`io::ErrorKind::Interrupted`].
type Watcher<'a> = dyn FnMut(StagingProgress) -> bool + 'a;

/// A store that is ready to take the place of the present one.
pub struct Staged {
    /// Its file.
    pub(super) path: PathBuf,
    pub(super) database: Database,
    /// When what is in it was true.
    pub taken_at: Timestamp,
    /// Version of the program that made the backup; none for a copy of the file.
    pub program: Option<String>,
    /// Schema version it had.
    pub schema: u32,
    /// What the check says of it.
    pub report: CheckReport,
}

impl RestoreSource {
    /// Opens a file and says what it is; the key is asked for where it is needed.
    pub fn open(
        path: &Path,
        key: impl FnOnce() -> Result<BackupKey, BackupError>,
    ) -> Result<Self, BackupError> {
        let mut file = File::open(path).map_err(BackupError::Io)?;
        let mut beginning = Vec::new();
        let length = u64::try_from(STORE_MAGIC.len()).unwrap_or(0);
        Read::by_ref(&mut file)
            .take(length)
            .read_to_end(&mut beginning)
            .map_err(BackupError::Io)?;
        if beginning == STORE_MAGIC {
            return Ok(Self::Copy(path.to_owned()));
        }
        // What is no backup needs no key to be refused.
        super::read_header(File::open(path).map_err(BackupError::Io)?)?;
        let file = File::open(path).map_err(BackupError::Io)?;
        let again = file.try_clone().map_err(BackupError::Io)?;
        Ok(Self::Backup(Box::new(BackupReader::open(file, &key()?)?), again))
    }
}

/// Makes a store of `source` beside the present one in `directory`: all of it is read, proved, stored,
/// brought to the newest schema, checked, and fenced. What went wrong leaves nothing behind.
pub fn stage(
    source: RestoreSource,
    directory: &Path,
    now: Timestamp,
) -> Result<Staged, BackupError> {
    stage_watched(source, directory, now, &mut |_| true)
}

/// Does what [`stage`] does, and tells `watcher` how far it is.
pub fn stage_watched(
    source: RestoreSource,
    directory: &Path,
    now: Timestamp,
    watcher: &mut Watcher<'_>,
) -> Result<Staged, BackupError> {
    clear_staging(directory)?;
    stage_anew(source, directory, now, watcher).inspect_err(|_| drop(clear_staging(directory)))
}

fn stage_anew(
    source: RestoreSource,
    directory: &Path,
    now: Timestamp,
    watcher: &mut Watcher<'_>,
) -> Result<Staged, BackupError> {
    let options = StoreOptions::staging_in(directory);
    let path = options.file().map(Path::to_owned).ok_or(StoreError::Closed)?;
    let (taken_at, program, schema, database) = match source {
        RestoreSource::Backup(backup, file) => {
            let header = backup.header().clone();
            let database = options.open_database()?;
            let total = file.metadata().map_err(BackupError::Io)?.len();
            let progress = StagingProgress { total, ..StagingProgress::default() };
            fill(&database, *backup, &mut Watch { file, progress, watcher: &mut *watcher })?;
            (header.taken_at(), Some(header.program), header.schema, database)
        }
        RestoreSource::Copy(from) => {
            let taken =
                fs::metadata(&from).and_then(|it| it.modified()).map_err(BackupError::Io)?;
            let taken = taken.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            fs::copy(&from, &path).map_err(BackupError::Io)?;
            let database = options.open_database()?;
            let taken_at = Timestamp::from_millis(i64::try_from(taken.as_millis()).unwrap_or(0));
            let schema = stored_version(&database)?;
            (taken_at, None, schema, database)
        }
    };
    if schema > SCHEMA_VERSION {
        return Err(BackupError::NewerSchema { found: schema, known: SCHEMA_VERSION });
    }
    migrate(&database, &options)?;
    let fence = StoredFence { restored_at: now, taken_at, resynced_at: None };
    set_row(&database, FENCE_KEY, &encode(&fence))?;
    let report = {
        let view = ReadTx { tables: ReadTables::new(database.begin_read()?) };
        let progress = StagingProgress { is_checking: true, ..StagingProgress::default() };
        check_watched(&view, &mut || watcher(progress))?.ok_or_else(stopped)?
    };
    Ok(Staged { path, database, taken_at, program, schema, report })
}

fn stopped() -> BackupError {
    BackupError::Io(io::ErrorKind::Interrupted.into())
}

/// Looks how far the file is read, and tells.
struct Watch<'a> {
    /// Shares its position with the one that is read.
    file: File,
    progress: StagingProgress,
    watcher: &'a mut Watcher<'a>,
}

impl Watch<'_> {
    fn tell(&mut self) -> Result<(), BackupError> {
        self.progress.bytes = self.file.stream_position().map_err(BackupError::Io)?;
        if (self.watcher)(self.progress) { Ok(()) } else { Err(stopped()) }
    }
}

fn set_row(database: &Database, key: &str, value: &[u8]) -> Result<(), BackupError> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    WriteTables::new(&transaction).meta.insert(key, value)?;
    Ok(transaction.commit()?)
}

/// Stores every row of a backup.
fn fill(
    database: &Database,
    mut backup: BackupReader<File>,
    watch: &mut Watch<'_>,
) -> Result<(), BackupError> {
    let mut piece = backup.rows.next()?;
    loop {
        match piece {
            Piece::Table(name) => piece = fill_one(database, &name, &mut backup.rows, watch)?,
            Piece::Row => return Err(BackupError::Malformed("a row without a table")),
            Piece::Manifest(manifest) => {
                if stored_version(database)? != manifest.schema {
                    return Err(BackupError::Malformed("two schema versions"));
                }
                return backup.finish(&manifest);
            }
        }
    }
}

/// Stores the rows of one table and returns the piece that follows them.
fn fill_one<R: Read>(
    database: &Database,
    name: &str,
    rows: &mut RowReader<R>,
    watch: &mut Watch<'_>,
) -> Result<Piece, BackupError> {
    let mut filler = Filler { rows, next: None, watch };
    loop {
        let transaction = database.begin_write()?;
        // Bytes that are no key of this table make redb panic; whoever has the public key of a
        // recipient can write such a file.
        let filled = catch_unwind(AssertUnwindSafe(|| fill_table(&transaction, name, &mut filler)))
            .map_err(|_| BackupError::Malformed("a row that is none of its table"))?;
        filled.ok_or_else(|| BackupError::UnknownTable(name.to_owned()))??;
        transaction.commit()?;
        if let Some(next) = filler.next.take() {
            return Ok(next);
        }
    }
}

struct Filler<'a, 'w, R> {
    rows: &'a mut RowReader<R>,
    /// What followed the rows of the table, once they have ended.
    next: Option<Piece>,
    watch: &'a mut Watch<'w>,
}

impl<R: Read> TableFiller for Filler<'_, '_, R> {
    type Error = BackupError;

    fn fill<K: Key + 'static, V: Value + 'static>(
        &mut self,
        transaction: &WriteTransaction,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), BackupError> {
        let mut table = transaction.open_table(table)?;
        for row in 0..ROWS_AT_ONCE {
            if row.is_multiple_of(REPORT_EVERY) {
                self.watch.tell()?;
            }
            match self.rows.next()? {
                Piece::Row => {
                    let (key, value) = (&self.rows.key, &self.rows.value);
                    let fits = K::fixed_width().is_none_or(|width| width == key.len())
                        && V::fixed_width().is_none_or(|width| width == value.len());
                    if !fits {
                        return Err(BackupError::Malformed("a row that is none of its table"));
                    }
                    table.insert(K::from_bytes(key), V::from_bytes(value))?;
                }
                piece @ (Piece::Table(_) | Piece::Manifest(_)) => {
                    self.next = Some(piece);
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
