//! What a connection is doing, and until when it may.
//!
//! Shared by the stream, which sees bytes, the handler, which sees requests, and the driver, which
//! keeps the time. All three run in one task, so the lock is never waited for. A deadline is only
//! looked at when the connection has nothing else to do; a request that is answered at once costs
//! no timer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::app::accept::ConnectionLimits;
use crate::app::accept::framing::Framing;

/// A handle on the state of one connection.
#[derive(Debug, Clone)]
pub(super) struct SharedProgress(Arc<Mutex<Progress>>);

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) framing: Framing,
    /// Requests handed to the router.
    requests: u64,
    is_in_flight: bool,
    /// When bytes last went either way, or a request was answered.
    last_active: Instant,
    head_since: Option<Instant>,
    write_stalled_since: Option<Instant>,
    lingering_since: Option<Instant>,
}

impl SharedProgress {
    /// Starts the state of a new connection.
    pub(super) fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Progress {
            framing: Framing::default(),
            requests: 0,
            is_in_flight: false,
            last_active: now,
            head_since: None,
            write_stalled_since: None,
            lingering_since: None,
        })))
    }

    /// Takes hold of the state.
    pub(super) fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// Notes bytes from the client.
    pub(super) fn received(&mut self, bytes: &[u8], now: Instant) {
        self.last_active = now;
        let was_inside_head = self.framing.is_inside_head();
        self.framing.feed(bytes);
        if !self.framing.is_inside_head() {
            self.head_since = None;
        } else if !was_inside_head || self.head_since.is_none() {
            self.head_since = Some(now);
        }
    }

    /// Notes bytes that the client took.
    pub(super) fn sent(&mut self, now: Instant) {
        self.last_active = now;
        self.write_stalled_since = None;
    }

    /// Notes that the client takes no more bytes at present.
    pub(super) fn stalled(&mut self, now: Instant) {
        self.write_stalled_since.get_or_insert(now);
    }

    /// Notes that the last answer is out and the client is only listened to.
    pub(super) fn lingers(&mut self, now: Instant) {
        self.lingering_since.get_or_insert(now);
    }

    /// Notes a request for the router and returns its number, from 1.
    pub(super) fn begins(&mut self) -> u64 {
        self.is_in_flight = true;
        self.requests += 1;
        self.requests
    }

    /// Notes the router's answer.
    pub(super) fn answered(&mut self, now: Instant) {
        self.is_in_flight = false;
        self.last_active = now;
        // The next head may have begun while we did not listen: its time starts again.
        if self.head_since.is_some() {
            self.head_since = Some(now);
        }
    }

    /// Tells whether the router is at work.
    pub(super) fn is_in_flight(&self) -> bool {
        self.is_in_flight
    }

    /// Returns when the connection is to be closed if nothing else happens.
    pub(super) fn deadline(&self, limits: &ConnectionLimits) -> Option<Instant> {
        if let Some(since) = self.lingering_since {
            return Some(since + limits.linger_timeout);
        }
        if let Some(since) = self.write_stalled_since {
            return Some(since + limits.write_timeout);
        }
        if self.is_in_flight {
            return None;
        }
        if let Some(since) = self.head_since {
            return Some(since + limits.head_timeout);
        }
        let patience = if self.requests == 0 { limits.head_timeout } else { limits.idle_timeout };
        Some(self.last_active + patience)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    fn limits() -> ConnectionLimits {
        ConnectionLimits::default()
    }

    fn seconds_left(progress: &Progress, from: Instant) -> Option<u64> {
        progress.deadline(&limits()).map(|deadline| deadline.duration_since(from).as_secs())
    }

    #[test]
    fn a_trickling_head_has_the_time_of_one_head() {
        let start = Instant::now();
        let shared = SharedProgress::new(start);
        let mut progress = shared.lock();
        assert_eq!(seconds_left(&progress, start), Some(5));
        for (second, byte) in HEAD.chunks(1).take(4).enumerate() {
            progress.received(byte, start + Duration::from_secs(second as u64 + 1));
        }
        assert_eq!(seconds_left(&progress, start), Some(6));
    }

    #[test]
    fn a_connection_may_idle_only_after_a_request() {
        let start = Instant::now();
        let shared = SharedProgress::new(start);
        let mut progress = shared.lock();
        progress.received(HEAD, start);
        progress.begins();
        assert_eq!(seconds_left(&progress, start), None);
        progress.answered(start);
        assert_eq!(seconds_left(&progress, start), Some(30));
        progress.received(b"GE", start + Duration::from_secs(20));
        assert_eq!(seconds_left(&progress, start), Some(25));
    }

    #[test]
    fn a_client_that_takes_nothing_is_given_up_even_while_the_router_works() {
        let start = Instant::now();
        let shared = SharedProgress::new(start);
        let mut progress = shared.lock();
        progress.begins();
        progress.stalled(start);
        progress.stalled(start + Duration::from_secs(9));
        assert_eq!(seconds_left(&progress, start), Some(30));
        progress.sent(start);
        assert_eq!(seconds_left(&progress, start), None);
    }
}
