//! The time of the limits, which never goes back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::types::{Clock, Timestamp};

/// Counts up as our clock does, and stands still while that one is set back: a budget must not wait
/// for the time that was taken back.
pub(super) struct LimitClock {
    clock: Arc<dyn Clock>,
    last: Mutex<(Timestamp, Duration)>,
}

impl LimitClock {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let now = clock.now();
        Self { clock, last: Mutex::new((now, Duration::ZERO)) }
    }
}

impl governor::clock::Clock for LimitClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let now = self.clock.now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, counted) = *last;
        *last = (now, counted + now.since(seen));
        last.1
    }
}

impl Clone for LimitClock {
    fn clone(&self) -> Self {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        Self { clock: Arc::clone(&self.clock), last: Mutex::new(last) }
    }
}
