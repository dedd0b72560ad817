//! Reading a backup: nothing is handed out that was not authenticated, and nothing counts before the end
//! was reached and agreed with the manifest.

use std::io::{BufReader, Read};

use flate2::bufread::GzDecoder;

use crate::crypto::OpeningReader;
use crate::storage::SCHEMA_VERSION;
use crate::storage::backup::header::{BackupHeader, BackupKey, FileKeys, read_raw};
use crate::storage::backup::rows::{Piece, RowReader};
use crate::storage::backup::{BackupError, BackupManifest};

type Opened<R> = BufReader<OpeningReader<BufReader<R>>>;

/// A backup whose head is proved.
pub struct BackupReader<R: Read> {
    header: BackupHeader,
    pub(super) rows: RowReader<BufReader<GzDecoder<Opened<R>>>>,
}

/// Reads the head of a backup without its key: what it says may be anybody's word.
pub fn read_header(mut source: impl Read) -> Result<BackupHeader, BackupError> {
    Ok(read_raw(&mut source)?.header)
}

impl<R: Read> BackupReader<R> {
    /// Opens a backup and proves its head.
    pub fn open(source: R, key: &BackupKey) -> Result<Self, BackupError> {
        let mut source = BufReader::new(source);
        let raw = read_raw(&mut source)?;
        let keys = raw.unlock(key)?;
        Self::begin(source, raw.header, &keys)
    }

    /// Opens a backup that was made a moment ago.
    pub(super) fn open_made(source: R, keys: &FileKeys) -> Result<Self, BackupError> {
        let mut source = BufReader::new(source);
        let raw = read_raw(&mut source)?;
        if !raw.prove(keys) {
            return Err(BackupError::DamagedHeader);
        }
        Self::begin(source, raw.header, keys)
    }

    fn begin(
        source: BufReader<R>,
        header: BackupHeader,
        keys: &FileKeys,
    ) -> Result<Self, BackupError> {
        if header.schema > SCHEMA_VERSION {
            let (found, known) = (header.schema, SCHEMA_VERSION);
            return Err(BackupError::NewerSchema { found, known });
        }
        let opened = OpeningReader::new(source, &keys.stream, &keys.nonce);
        let packed = GzDecoder::new(BufReader::new(opened));
        Ok(Self { header, rows: RowReader::new(BufReader::new(packed)) })
    }

    /// Returns the head.
    pub const fn header(&self) -> &BackupHeader {
        &self.header
    }

    /// Reads everything, and proves it.
    pub fn verify(mut self) -> Result<BackupManifest, BackupError> {
        loop {
            if let Piece::Manifest(manifest) = self.rows.next()? {
                self.finish(&manifest)?;
                return Ok(manifest);
            }
        }
    }

    /// Proves that the file ends where the backup does.
    pub(super) fn finish(mut self, manifest: &BackupManifest) -> Result<(), BackupError> {
        if manifest.schema != self.header.schema {
            return Err(BackupError::Malformed("two schema versions"));
        }
        let mut rest = [0u8; 1];
        if self.rows.source.read(&mut rest)? != 0 {
            return Err(BackupError::Malformed("something after its manifest"));
        }
        // The last chunk is opened, and proved to be the last, only by reading on to its end.
        let mut sealed = self.rows.source.into_inner().into_inner();
        if sealed.read(&mut rest)? == 0 {
            Ok(())
        } else {
            Err(BackupError::Malformed("something after its end"))
        }
    }
}
