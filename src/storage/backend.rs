//! What stands between redb and its bytes: it notes the first failure of the medium, because redb
//! afterwards only says that there was one, and it fails on command.
//!
//! After any failed read, write or sync redb answers nothing that is not in its cache, not even to
//! readers, until the database is opened anew; the note is how the writer learns that this is due.

use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redb::{BackendError, StorageBackend};

use crate::storage::StoreError;
use crate::storage::error::of_io;

/// Makes a store fail on command, so that tests see what a full or dying disk does.
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

/// The first failure of the medium since it was last forgotten.
#[derive(Debug, Clone, Default)]
pub(super) struct FailureNote(Arc<Mutex<Option<Noted>>>);

#[derive(Debug, Clone)]
enum Noted {
    Full,
    Failed(String),
}

impl FailureNote {
    /// Returns what failed, if anything did.
    pub(super) fn failure(&self) -> Option<StoreError> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref()? {
            Noted::Full => Some(StoreError::Full),
            Noted::Failed(reason) => Some(StoreError::Failed(reason.clone())),
        }
    }

    /// Begins anew.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn watch<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            let is_full = matches!(of_io(error), StoreError::Full);
            let noted = if is_full { Noted::Full } else { Noted::Failed(error.to_string()) };
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(noted);
        }
        result
    }
}

/// Passes file locks on to the field `inner`.
macro_rules! pass_locks_on {
    () => {
        fn try_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
            self.inner.try_lock_range(from, to)
        }

        fn try_lock_shared_range(
            &self,
            from: Bound<u64>,
            to: Bound<u64>,
        ) -> Result<bool, BackendError> {
            self.inner.try_lock_shared_range(from, to)
        }

        fn lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
            self.inner.lock_range(from, to)
        }

        fn lock_shared_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
            self.inner.lock_shared_range(from, to)
        }

        fn unlock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
            self.inner.unlock_range(from, to)
        }

        fn query_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
            self.inner.query_lock_range(from, to)
        }
    };
}
pub(super) use pass_locks_on;

/// Passes everything through, notes failures, and fails when switched to.
#[derive(Debug)]
pub(super) struct WatchedBackend {
    pub(super) inner: Box<dyn StorageBackend>,
    pub(super) switch: FailureSwitch,
    pub(super) note: FailureNote,
}

impl StorageBackend for WatchedBackend {
    fn len(&self) -> io::Result<u64> {
        self.note.watch(self.inner.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.note.watch(self.inner.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.note.watch(self.switch.check().and_then(|()| self.inner.set_len(len)))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.note.watch(self.switch.check().and_then(|()| self.inner.sync_data()))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.note.watch(self.switch.check().and_then(|()| self.inner.write(offset, data)))
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    pass_locks_on!();
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    #[test]
    fn the_first_failure_is_remembered_until_it_is_forgotten() {
        let (switch, note) = (FailureSwitch::default(), FailureNote::default());
        let inner = Box::new(InMemoryBackend::new());
        let backend = WatchedBackend { inner, switch: switch.clone(), note: note.clone() };
        backend.set_len(8).unwrap();
        assert!(note.failure().is_none());
        switch.set_full(true);
        assert!(backend.write(0, &[1]).is_err());
        switch.set_full(false);
        switch.set_broken(true);
        assert!(backend.sync_data().is_err());
        assert!(backend.read(0, &mut [0]).is_ok(), "reading is never switched off");
        assert!(matches!(note.failure(), Some(StoreError::Full)));
        note.forget();
        assert!(backend.set_len(9).is_err());
        assert!(matches!(note.failure(), Some(StoreError::Failed(_))));
    }
}
