//! Where the store lives and how its file is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, io};

use redb::backends::InMemoryBackend;
use redb::{Builder, ConcurrencyMode, Database, StorageBackend};

use crate::storage::StoreError;

/// The name of the file in the data directory.
const FILE_NAME: &str = "patchproof.redb";

/// How to open the store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    place: Place,
    cache_bytes: usize,
    failures: FailureSwitch,
}

#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    Memory(Arc<InMemoryBackend>),
}

/// Makes a store in memory fail on command, so that tests see what a full or dying disk does.
#[derive(Debug, Clone, Default)]
pub struct FailureSwitch(Arc<SwitchState>);

#[derive(Debug, Default)]
struct SwitchState {
    is_full: AtomicBool,
    is_broken: AtomicBool,
}

impl FailureSwitch {
    /// From now on every write answers "no space left", or works again.
    pub fn set_full(&self, is_full: bool) {
        self.0.is_full.store(is_full, Ordering::SeqCst);
    }

    /// From now on every write and sync fails with an I/O error, or works again.
    pub fn set_broken(&self, is_broken: bool) {
        self.0.is_broken.store(is_broken, Ordering::SeqCst);
    }

    fn check(&self) -> io::Result<()> {
        if self.0.is_full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.0.is_broken.load(Ordering::SeqCst) {
            return Err(io::Error::other("input/output error"));
        }
        Ok(())
    }
}

impl StoreOptions {
    /// The store in `directory`.
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            place: Place::File(directory.join(FILE_NAME)),
            cache_bytes: 64 * 1024 * 1024,
            failures: FailureSwitch::default(),
        }
    }

    /// A store in memory; the same options open the same bytes again, as after a crash.
    pub fn in_memory() -> Self {
        Self {
            place: Place::Memory(Arc::new(InMemoryBackend::new())),
            cache_bytes: 16 * 1024 * 1024,
            failures: FailureSwitch::default(),
        }
    }

    /// Sets how much of the file is kept in memory.
    #[must_use]
    pub const fn with_cache_bytes(mut self, cache_bytes: usize) -> Self {
        self.cache_bytes = cache_bytes;
        self
    }

    /// Returns the switch that makes this store fail.
    pub fn failure_switch(&self) -> FailureSwitch {
        self.failures.clone()
    }

    /// Returns the file, if the store is in one.
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Memory(_) => None,
        }
    }

    /// Opens or creates the database.
    pub(super) fn open_database(&self) -> Result<Database, StoreError> {
        let mut builder = Builder::new();
        builder.set_cache_size(self.cache_bytes);
        match &self.place {
            Place::File(path) => {
                if let Some(directory) = path.parent() {
                    create_private_directory(directory).map_err(redb::StorageError::Io)?;
                }
                create_private_file(path).map_err(redb::StorageError::Io)?;
                // One process writes; commands beside a running server may read.
                builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
                Ok(builder.create(path)?)
            }
            Place::Memory(backend) => {
                let inner = Arc::clone(backend);
                let failures = self.failures.clone();
                Ok(builder.create_with_backend(SwitchedBackend { inner, failures })?)
            }
        }
    }
}

fn create_private_directory(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

fn create_private_file(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
}

/// Passes everything through, except when a test has switched it to fail. Memory only.
#[derive(Debug)]
struct SwitchedBackend {
    inner: Arc<InMemoryBackend>,
    failures: FailureSwitch,
}

impl StorageBackend for SwitchedBackend {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.failures.check()?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.failures.check()?;
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.failures.check()?;
        self.inner.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }
}
