//! How tables lie in a backup: one mark a piece, numbers big-endian.
//!
//! ```text
//! T  length (2)  name           a table begins
//! R  key length (4)  value length (4)  key  value
//! M  length (4)  manifest       JSON, once, at the end
//! ```

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::crypto::RunningSha256;
use crate::storage::backup::BackupError;
use crate::types::Digest;

const TABLE: u8 = b'T';
const ROW: u8 = b'R';
const MANIFEST: u8 = b'M';
/// Far longer than any row, name or manifest that this program writes.
const MOST_BYTES: u32 = 64 * 1024 * 1024;

/// What a backup says of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableManifest {
    /// Rows.
    pub rows: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// SHA-256 of all rows as they lie in the backup, in hex.
    pub sha256: String,
}

/// What a backup says of itself, at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupManifest {
    /// Schema version.
    pub schema: u32,
    /// Every table.
    pub tables: BTreeMap<String, TableManifest>,
}

impl BackupManifest {
    /// Returns the rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.values().map(|table| table.rows).sum()
    }

    /// Returns the rows of a table, 0 if there is none of this name.
    pub fn rows_of(&self, table: &str) -> u64 {
        self.tables.get(table).map_or(0, |it| it.rows)
    }
}

/// Counts and hashes the rows of a table.
#[derive(Default)]
pub(super) struct Tally {
    rows: u64,
    bytes: u64,
    hash: RunningSha256,
}

impl Tally {
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) -> io::Result<[u8; 8]> {
        let length = |part: &[u8]| {
            let length = u32::try_from(part.len()).ok().filter(|length| *length <= MOST_BYTES);
            length.ok_or_else(|| io::Error::other("a row is too long for a backup"))
        };
        let lengths = (u64::from(length(key)?) << 32 | u64::from(length(value)?)).to_be_bytes();
        for part in [&lengths[..], key, value] {
            self.hash.update(part);
        }
        self.rows += 1;
        self.bytes = self.bytes.saturating_add((key.len() + value.len()) as u64);
        Ok(lengths)
    }

    pub(super) fn finish(self) -> TableManifest {
        let sha256 = Digest::from_bytes(self.hash.finish()).to_string();
        TableManifest { rows: self.rows, bytes: self.bytes, sha256 }
    }
}

/// Writes tables.
pub(super) struct RowWriter<W> {
    pub(super) sink: W,
    table: Option<(String, Tally)>,
    manifest: BackupManifest,
}

impl<W: Write> RowWriter<W> {
    pub(super) fn new(sink: W, schema: u32) -> Self {
        let manifest = BackupManifest { schema, ..BackupManifest::default() };
        Self { sink, table: None, manifest }
    }

    pub(super) fn begin(&mut self, name: &str) -> io::Result<()> {
        self.end_table();
        let length = u16::try_from(name.len()).map_err(io::Error::other)?;
        self.sink.write_all(&[TABLE])?;
        self.sink.write_all(&length.to_be_bytes())?;
        self.sink.write_all(name.as_bytes())?;
        self.table = Some((name.to_owned(), Tally::default()));
        Ok(())
    }

    pub(super) fn row(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let Some((_, tally)) = &mut self.table else {
            return Err(io::Error::other("a row without a table"));
        };
        let lengths = tally.add(key, value)?;
        self.sink.write_all(&[ROW])?;
        for part in [&lengths[..], key, value] {
            self.sink.write_all(part)?;
        }
        Ok(())
    }

    fn end_table(&mut self) {
        if let Some((name, tally)) = self.table.take() {
            self.manifest.tables.insert(name, tally.finish());
        }
    }

    /// Writes the manifest.
    pub(super) fn finish(mut self) -> io::Result<(W, BackupManifest)> {
        self.end_table();
        let json = serde_json::to_vec(&self.manifest)?;
        let length = u32::try_from(json.len()).map_err(io::Error::other)?;
        self.sink.write_all(&[MANIFEST])?;
        self.sink.write_all(&length.to_be_bytes())?;
        self.sink.write_all(&json)?;
        Ok((self.sink, self.manifest))
    }
}

/// One piece of a backup.
pub(super) enum Piece {
    Table(String),
    Row,
    Manifest(BackupManifest),
}

/// Reads tables; compares each with the manifest in the end.
pub(super) struct RowReader<R> {
    pub(super) source: R,
    seen: BackupManifest,
    table: Option<(String, Tally)>,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl<R: Read> RowReader<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            seen: BackupManifest::default(),
            table: None,
            key: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Reads the next piece; of a row, `key` and `value` are here until the next call.
    pub(super) fn next(&mut self) -> Result<Piece, BackupError> {
        match self.number::<1>()? {
            [TABLE] => {
                let length = u16::from_be_bytes(self.number()?);
                let mut name = Vec::new();
                fill(&mut self.source, &mut name, u32::from(length))?;
                let name = String::from_utf8(name)
                    .map_err(|_| BackupError::Malformed("the name of a table"))?;
                self.end_table()?;
                self.table = Some((name.clone(), Tally::default()));
                Ok(Piece::Table(name))
            }
            [ROW] => {
                let [key, value] =
                    [u32::from_be_bytes(self.number()?), u32::from_be_bytes(self.number()?)];
                fill(&mut self.source, &mut self.key, key)?;
                fill(&mut self.source, &mut self.value, value)?;
                let table = self.table.as_mut();
                let (_, tally) = table.ok_or(BackupError::Malformed("a row without a table"))?;
                tally.add(&self.key, &self.value)?;
                Ok(Piece::Row)
            }
            [MANIFEST] => {
                let length = u32::from_be_bytes(self.number()?);
                let mut json = Vec::new();
                fill(&mut self.source, &mut json, length)?;
                let said: BackupManifest = serde_json::from_slice(&json)
                    .map_err(|_| BackupError::Malformed("its manifest"))?;
                self.end_table()?;
                self.compare(&said)?;
                Ok(Piece::Manifest(said))
            }
            [_] => Err(BackupError::Malformed("a piece of no known kind")),
        }
    }

    fn end_table(&mut self) -> Result<(), BackupError> {
        let Some((name, tally)) = self.table.take() else { return Ok(()) };
        match self.seen.tables.insert(name, tally.finish()) {
            None => Ok(()),
            Some(_) => Err(BackupError::Malformed("a table that is there twice")),
        }
    }

    fn compare(&self, said: &BackupManifest) -> Result<(), BackupError> {
        let names = said.tables.keys().chain(self.seen.tables.keys());
        for name in names {
            if said.tables.get(name) != self.seen.tables.get(name) {
                return Err(BackupError::Mismatch(name.clone()));
            }
        }
        Ok(())
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0u8; N];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// Reads so many bytes, and takes no memory for what is not there.
fn fill(source: &mut impl Read, into: &mut Vec<u8>, length: u32) -> Result<(), BackupError> {
    if length > MOST_BYTES {
        return Err(BackupError::Malformed("a row that is too long"));
    }
    into.clear();
    let read = source.by_ref().take(u64::from(length)).read_to_end(into)?;
    if u32::try_from(read) == Ok(length) {
        Ok(())
    } else {
        Err(BackupError::Malformed("it ends too early"))
    }
}
