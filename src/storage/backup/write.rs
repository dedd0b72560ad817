//! Making a backup: every row that one view shows goes through compression and encryption into a sink,
//! a few at a time, whatever the size of the store.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use redb::{Key, ReadableTable, Value};

use crate::crypto::SealingWriter;
use crate::storage::backup::header::{BackupHeader, FileKeys};
use crate::storage::backup::pace::Pace;
use crate::storage::backup::read::BackupReader;
use crate::storage::backup::rows::RowWriter;
use crate::storage::backup::{BackupError, BackupLock, BackupManifest};
use crate::storage::tables::{TableVisitor, visit_tables};
use crate::storage::{SCHEMA_VERSION, Tables, count_all_rows};
use crate::types::Timestamp;

/// How many rows between two reports.
const REPORT_EVERY: u64 = 1_000;

/// How far a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackupProgress {
    /// Rows written.
    pub rows: u64,
    /// Rows there are.
    pub total: u64,
}

/// What was written, and the means to prove it, which are forgotten with this.
pub struct BackupReceipt {
    /// What was written.
    pub manifest: BackupManifest,
    keys: FileKeys,
}

impl BackupReceipt {
    /// Reads the backup again, from the disk: every byte is proved, and it holds what was written. The
    /// secret key of a recipient is not needed for that.
    pub fn verify(&self, source: impl Read) -> Result<(), BackupError> {
        let found = BackupReader::open_made(source, &self.keys)?.verify()?;
        if found == self.manifest {
            Ok(())
        } else {
            Err(BackupError::Malformed("it is not what was written"))
        }
    }
}

/// Writes everything that `tables` show, and returns the sink, not flushed, and what was written. It
/// ends early where `report` says so, with [`io::ErrorKind::Interrupted`].
pub fn write_backup<W: Write>(
    tables: &impl Tables,
    mut sink: W,
    lock: &BackupLock,
    now: Timestamp,
    report: &mut dyn FnMut(BackupProgress) -> bool,
) -> Result<(W, BackupReceipt), BackupError> {
    let mut identity = std::collections::BTreeMap::new();
    for row in tables.identity().iter()? {
        let (what, value) = row?;
        identity.insert(what.value().to_owned(), value.value().to_owned());
    }
    let (header, keys) = BackupHeader::new(lock, SCHEMA_VERSION, identity, now)?;
    header.write(&keys, &mut sink)?;
    let sealed = SealingWriter::new(sink, &keys.stream, &keys.nonce);
    let packed = GzEncoder::new(sealed, Compression::fast());
    let progress = BackupProgress { rows: 0, total: count_all_rows(tables)? };
    let rows = RowWriter::new(io::BufWriter::new(packed), SCHEMA_VERSION);
    let mut walk = Walk { rows, progress, report, pace: Pace::new() };
    visit_tables(tables, &mut walk)?;
    (walk.report)(walk.progress);
    let (buffered, manifest) = walk.rows.finish()?;
    let packed = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok((packed.finish()?.finish()?, BackupReceipt { manifest, keys }))
}

struct Walk<'a, W> {
    rows: RowWriter<W>,
    progress: BackupProgress,
    report: &'a mut dyn FnMut(BackupProgress) -> bool,
    pace: Pace,
}

impl<W: Write> TableVisitor for Walk<'_, W> {
    type Error = BackupError;

    fn visit<K: Key + 'static, V: Value + 'static>(
        &mut self,
        name: &'static str,
        table: &impl ReadableTable<K, V>,
    ) -> Result<(), BackupError> {
        self.rows.begin(name)?;
        for row in table.iter()? {
            let (key, value) = row?;
            let (key, value) = (key.value(), value.value());
            self.rows.row(K::as_bytes(&key).as_ref(), V::as_bytes(&value).as_ref())?;
            self.progress.rows += 1;
            self.pace.step();
            if self.progress.rows.is_multiple_of(REPORT_EVERY) && !(self.report)(self.progress) {
                return Err(BackupError::Io(io::ErrorKind::Interrupted.into()));
            }
        }
        Ok(())
    }
}
