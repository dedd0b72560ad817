//! A store that is checked when a test has passed.

use std::cell::Cell;
use std::ops::Deref;

use patchproof::storage::{Store, StoreError, WriteTx, check};

/// A store that is checked when a test has passed: whatever it did, everything must agree.
pub(crate) struct CheckedStore {
    store: Store,
    is_tampered: Cell<bool>,
}

impl CheckedStore {
    /// Watches over a store.
    pub(crate) fn of(store: Store) -> Self {
        Self { store, is_tampered: Cell::new(false) }
    }

    /// Says whether somebody has changed it behind the product's back.
    pub(crate) fn is_tampered(&self) -> bool {
        self.is_tampered.get()
    }

    /// Has it not checked when it goes.
    pub(crate) fn leave(&self) {
        self.is_tampered.set(true);
    }

    /// Changes what is stored behind the product's back; such a store is not checked.
    pub(crate) async fn tamper(
        &self,
        change: impl Fn(&mut WriteTx<'_>) -> Result<(), StoreError> + Send + 'static,
    ) {
        self.is_tampered.set(true);
        self.store.write(change).await.unwrap();
    }

    /// Asserts that everything stored agrees.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        let report = self.store.read(check).unwrap();
        assert!(report.is_clean(), "{:#?}", report.violations);
    }
}

impl Deref for CheckedStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Drop for CheckedStore {
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.is_tampered.get() {
            self.assert_clean();
        }
    }
}
