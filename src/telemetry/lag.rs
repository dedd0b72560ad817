//! How long the last records took from being accepted to being taken by the network.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Records that are looked back on.
const WINDOW: usize = 100;

/// The times of the last records.
#[derive(Debug, Default)]
pub struct LagWindow(Mutex<VecDeque<Duration>>);

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
    /// Notes the time of a record.
    pub fn note(&self, took: Duration) {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if window.len() == WINDOW {
            window.pop_front();
        }
        window.push_back(took);
    }

    /// Returns what was usual lately; nothing before the first record of this process.
    pub fn lag(&self) -> Option<Lag> {
        let window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
