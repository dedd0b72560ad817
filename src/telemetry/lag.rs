//! How long the last records took from being accepted to being taken by the network.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::telemetry::observe;

/// Records that are looked back on.
const WINDOW: usize = 100;
/// Upper bounds in seconds of the buckets: from a quick network to a night without a signer.
const LAG_SECONDS: [f64; 12] =
    [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 43200.0];

/// The times of the last records, and those of all.
#[derive(Debug)]
pub struct LagWindow {
    last: Mutex<VecDeque<Duration>>,
    all: Histogram,
}

impl Default for LagWindow {
    fn default() -> Self {
        Self { last: Mutex::default(), all: Histogram::new(LAG_SECONDS) }
    }
}

/// What was usual lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Half of the records took no longer.
    pub p50: Duration,
    /// Ninety-five of a hundred took no longer.
    pub p95: Duration,
    /// How many records that is said of, at most 100.
    pub records: usize,
}

impl LagWindow {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let lag = Self::default();
        let help = "Time from a record's acceptance to the network's";
        registry.register("anchoring_lag_seconds", help, lag.all.clone());
        lag
    }

    /// Notes the time of a record.
    pub fn note(&self, took: Duration) {
        observe(&self.all, took);
        let mut window = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if window.len() == WINDOW {
            window.pop_front();
        }
        window.push_back(took);
    }

    /// Returns what was usual lately; nothing before the first record of this process.
    pub fn lag(&self) -> Option<Lag> {
        let window = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<Duration> = window.iter().copied().collect();
        drop(window);
        sorted.sort_unstable();
        let at = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).max(1) - 1);
        Some(Lag { p50: *at(50)?, p95: *at(95)?, records: sorted.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hundred_count_whatever_their_order() {
        let window = LagWindow::default();
        assert_eq!(window.lag(), None);
        window.note(Duration::from_secs(7));
        let second = Duration::from_secs(7);
        assert_eq!(window.lag(), Some(Lag { p50: second, p95: second, records: 1 }));
        (1..=200).rev().for_each(|millis| window.note(Duration::from_millis(millis)));
        let (p50, p95) = (Duration::from_millis(50), Duration::from_millis(95));
        assert_eq!(window.lag(), Some(Lag { p50, p95, records: 100 }));
    }
}
