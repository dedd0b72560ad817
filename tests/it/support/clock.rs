//! The machine's clock, moved forward as far as a test likes.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use patchproof::types::{Clock, SystemClock, Timestamp};

/// Runs like the machine's clock, and jumps when told.
#[derive(Debug, Default)]
pub(crate) struct JumpingClock {
    ahead_ms: AtomicI64,
}

impl JumpingClock {
    /// Jumps forward.
    pub(crate) fn advance(&self, duration: Duration) {
        self.ahead_ms.fetch_add(i64::try_from(duration.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().as_millis() + self.ahead_ms.load(Ordering::SeqCst))
    }
}
