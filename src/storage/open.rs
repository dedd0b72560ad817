//! Where the store lives and how its file is opened.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs, io};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, ConcurrencyMode, Database, ReadOnlyDatabase, StorageBackend};

use crate::storage::StoreError;
use crate::storage::backend::{FailureNote, FailureSwitch, WatchedBackend};
use crate::storage::overlay::OverlayBackend;

/// The name of the file in the data directory.
pub const FILE_NAME: &str = "patchproof.redb";

/// The name under which a restore prepares its file, in the same directory.
pub(super) const STAGING_NAME: &str = "patchproof.redb-restoring";

/// The name of a restored store that waits to take the place of the present one, in the same directory.
pub(super) const NEXT_NAME: &str = "patchproof.redb-next";

/// How to open the store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    place: Place,
    cache_bytes: usize,
    switch: FailureSwitch,
    note: FailureNote,
}

type OpenMedium = dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync;

#[derive(Clone)]
enum Place {
    File(PathBuf),
    Medium(Arc<OpenMedium>),
}

impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.fmt(formatter),
            Self::Medium(_) => formatter.write_str("a medium of the caller's"),
        }
    }
}

impl StoreOptions {
    /// The store in `directory`.
    pub fn in_directory(directory: &Path) -> Self {
        Self::at(Place::File(directory.join(FILE_NAME)), 64 * 1024 * 1024)
    }

    /// The store that a restore prepares in `directory`.
    pub(super) fn staging_in(directory: &Path) -> Self {
        Self::at(Place::File(directory.join(STAGING_NAME)), 64 * 1024 * 1024)
    }

    /// A store in memory; the same options open the same bytes again, as after a crash.
    pub fn in_memory() -> Self {
        let memory = Arc::new(InMemoryBackend::new());
        Self::on_backend(move || Ok(Box::new(SharedMemory(Arc::clone(&memory)))))
    }

    /// A store on a medium of the caller's, which `open_medium` opens, again after each failure.
    pub fn on_backend(
        open_medium: impl Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync + 'static,
    ) -> Self {
        Self::at(Place::Medium(Arc::new(open_medium)), 16 * 1024 * 1024)
    }

    fn at(place: Place, cache_bytes: usize) -> Self {
        Self { place, cache_bytes, switch: FailureSwitch::default(), note: FailureNote::default() }
    }

    /// Sets how much of the file is kept in memory.
    #[must_use]
    pub const fn with_cache_bytes(mut self, cache_bytes: usize) -> Self {
        self.cache_bytes = cache_bytes;
        self
    }

    /// Returns the switch that makes this store fail.
    pub fn failure_switch(&self) -> FailureSwitch {
        self.switch.clone()
    }

    /// Returns the note of the medium's first failure.
    pub(super) const fn failure_note(&self) -> &FailureNote {
        &self.note
    }

    /// Says whether there is a store already.
    pub fn is_present(&self) -> bool {
        self.file().is_none_or(Path::exists)
    }

    /// Returns the file, if the store is in one.
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Medium(_) => None,
        }
    }

    /// Opens or creates the database.
    pub(super) fn open_database(&self) -> Result<Database, StoreError> {
        self.note.forget();
        let inner = self.open_medium()?;
        let (switch, note) = (self.switch.clone(), self.note.clone());
        Ok(self.builder().create_with_backend(WatchedBackend { inner, switch, note })?)
    }

    /// Opens the database of a medium that refuses writes, for reading only; it is not changed.
    pub(super) fn open_view(&self) -> Result<Database, StoreError> {
        if let Ok(medium) = self.open_medium() {
            let overlay = OverlayBackend::over(medium).map_err(redb::StorageError::Io)?;
            return Ok(self.builder().create_with_backend(overlay)?);
        }
        // A file system that the kernel has made read-only after errors.
        let file = self.file().ok_or(StoreError::Closed)?;
        let medium = UnwritableFile(File::open(file).map_err(redb::StorageError::Io)?);
        let overlay = OverlayBackend::over(Box::new(medium)).map_err(redb::StorageError::Io)?;
        let mut builder = Builder::new();
        Ok(builder.set_cache_size(self.cache_bytes).create_with_backend(overlay)?)
    }

    /// Opens the file beside the process that writes to it.
    pub(super) fn open_read_only(&self) -> Result<ReadOnlyDatabase, StoreError> {
        let path = self.file().ok_or(StoreError::Missing { entity: "file" })?;
        let file = File::open(path).map_err(redb::StorageError::Io)?;
        Ok(self.builder().open_read_only_with_backend(FileBackend::new(file)?)?)
    }

    fn builder(&self) -> Builder {
        let mut builder = Builder::new();
        builder.set_cache_size(self.cache_bytes);
        if self.file().is_some() {
            // One process writes; commands beside a running server may read.
            builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
        }
        builder
    }

    fn open_medium(&self) -> Result<Box<dyn StorageBackend>, StoreError> {
        match &self.place {
            Place::File(path) => {
                let file = open_private_file(path).map_err(redb::StorageError::Io)?;
                Ok(Box::new(FileBackend::new(file)?))
            }
            Place::Medium(open) => Ok(open().map_err(redb::StorageError::Io)?),
        }
    }
}

fn open_private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    if let Some(directory) = directory {
        create_private_directory(directory)?;
    }
    let mut options = fs::OpenOptions::new();
    let file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    // What is written to a file is safe only once its name is.
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(file)
}

fn create_private_directory(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if directory.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Bytes in memory that outlive the database on them.
#[derive(Debug)]
struct SharedMemory(Arc<InMemoryBackend>);

impl StorageBackend for SharedMemory {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

/// A file on a file system that takes neither writes nor locks.
#[derive(Debug)]
struct UnwritableFile(File);

impl StorageBackend for UnwritableFile {
    fn len(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn write(&self, _offset: u64, _data: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}
