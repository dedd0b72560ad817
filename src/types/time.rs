//! Time as an argument: read once per request or task from a [`Clock`], then handed down.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Wraps milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Wraps seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Returns milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns whole seconds since the epoch.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Returns the time `duration` later.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Returns the time `duration` earlier.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Returns how long ago `earlier` was, zero if it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Text that names no point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a time is written as 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00, a day as 2026-01-31"
)]
pub struct TimestampParseError;

/// Reads RFC 3339, and a date alone as its first moment in UTC; cut off to milliseconds.
impl FromStr for Timestamp {
    type Err = TimestampParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const DATE: usize = "2026-01-31".len();
        // A time without its distance from UTC would mean another moment in every place.
        let whole = if text.len() == DATE { format!("{text}T00:00:00Z") } else { text.to_owned() };
        let time: jiff::Timestamp = whole.parse().map_err(|_| TimestampParseError)?;
        Ok(Self(time.as_millisecond()))
    }
}

/// RFC 3339 in UTC with milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(formatter, "{time:.3}"),
            Err(_) => write!(formatter, "{}ms", self.0),
        }
    }
}

/// A source of the present time.
pub trait Clock: Send + Sync {
    /// Returns the present time.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the clock is read")]
    fn now(&self) -> Timestamp {
        let now = SystemTime::now();
        let millis = match now.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        Timestamp(millis)
    }
}

/// A clock that moves only when told, for simulations and tests.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Starts a clock at `start`.
    pub const fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        self.0.fetch_add(i64::try_from(duration.as_millis()).unwrap_or(0), Ordering::SeqCst);
    }
}

impl ManualClock {
    /// Sets the clock back, as operators and time servers do.
    pub fn go_back(&self, duration: Duration) {
        self.0.fetch_sub(i64::try_from(duration.as_millis()).unwrap_or(0), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_rfc_3339_in_utc() {
        assert_eq!(
            Timestamp::from_millis(1_739_624_725_042).to_string(),
            "2025-02-15T13:05:25.042Z"
        );
    }

    #[test]
    fn times_are_read_with_their_distance_from_utc_and_days_in_utc() {
        let time = Timestamp::from_millis(1_739_624_725_042);
        for text in [
            "2025-02-15T13:05:25.042Z",
            "2025-02-15T14:05:25.042+01:00",
            "2025-02-15t13:05:25.0429z",
        ] {
            assert_eq!(text.parse(), Ok(time), "{text}");
        }
        assert_eq!(time.to_string().parse(), Ok(time));
        assert_eq!("2025-02-15".parse(), Ok(Timestamp::from_secs(1_739_577_600)));
        for bad in ["", "yesterday", "2025-02-15T13:05:25", "2025-02-30", "2025-02", "1739624725"] {
            assert_eq!(bad.parse::<Timestamp>(), Err(TimestampParseError), "{bad}");
        }
    }
}
