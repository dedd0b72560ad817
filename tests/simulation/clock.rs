//! A clock that goes where it is told, backwards too.

use std::sync::atomic::{AtomicI64, Ordering};

use patchproof::types::{Clock, Timestamp};

#[derive(Debug)]
pub(crate) struct SimClock(AtomicI64);

impl SimClock {
    pub(crate) const fn new(start_ms: i64) -> Self {
        Self(AtomicI64::new(start_ms))
    }

    pub(crate) fn advance_ms(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// Returns the present time and moves on, so that no two readings are the same.
    pub(crate) fn tick(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
