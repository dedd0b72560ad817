//! The identifier of a request, in every answer and every log line about it.
//!
//! A line gets it from where it is written, not from a span: it is set aside before a handler is
//! polled and read only by a line that is really written ([`RequestId::with_current`]), so that reads,
//! which write none, pay next to nothing for it at any level.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use futures_util::future::Either;
use uuid::{Builder, Uuid};

use crate::crypto::random_bytes;
use crate::types::Timestamp;

/// The header that carries the identifier both ways.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    /// The identifier of the request that is being worked on here.
    static CURRENT: RequestId;
}

/// Identifies one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Makes an identifier that sorts by time (UUID version 7).
    pub fn generate(now: Timestamp) -> Self {
        Self::of(now, random_bytes())
    }

    fn of(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        let id = Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        let mut text = Uuid::encode_buffer();
        let text = id.hyphenated().encode_lower(&mut text);
        Self(HeaderValue::from_str(text).expect("letters, digits and hyphens are header text"))
    }

    /// Returns the identifier as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("only letters, digits and hyphens get in here")
    }

    /// Hands the identifier of the request that is being worked on here to `read`, if there is one.
    pub fn with_current<T>(read: impl FnOnce(&Self) -> T) -> Option<T> {
        CURRENT.try_with(read).ok()
    }

    /// Does `work` for the request: lines that are written meanwhile are about it.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), work)
    }

    /// Makes of a future that goes on elsewhere one that goes on for the request that makes it.
    pub(in crate::http) fn along<F: Future>(work: F) -> impl Future<Output = F::Output> {
        match CURRENT.try_with(Clone::clone) {
            Ok(id) => Either::Left(CURRENT.scope(id, work)),
            Err(_) => Either::Right(work),
        }
    }

    /// Returns the identifier as the value of a header.
    pub fn into_header_value(self) -> HeaderValue {
        self.0
    }
}

/// Makes the identifiers of one process: random once, then counted, because an identifier has to
/// be unique and not secret, and asking the system for randomness costs as much as a small answer.
#[derive(Debug)]
pub(super) struct RequestIds {
    seed: [u8; 10],
    made: AtomicU64,
}

impl RequestIds {
    /// Starts a series.
    pub(super) fn new() -> Self {
        Self { seed: random_bytes(), made: AtomicU64::new(0) }
    }

    /// Takes the client's identifier if it is harmless in logs and headers, else makes one.
    pub(super) fn for_request(&self, headers: &HeaderMap, now: Timestamp) -> RequestId {
        let given = headers.get(&X_REQUEST_ID).filter(|value| is_acceptable(value.as_bytes()));
        given.map_or_else(|| self.next(now), |value| RequestId(value.clone()))
    }

    fn next(&self, now: Timestamp) -> RequestId {
        let count = self.made.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut random = self.seed;
        // The last six bytes are whole in a UUID: 2^48 requests before one could come again.
        random.iter_mut().skip(4).zip(&count[2..]).for_each(|(byte, count)| *byte ^= count);
        RequestId::of(now, random)
    }
}

/// Tells whether a client's identifier may be echoed: `^[A-Za-z0-9-]{8,64}$`.
fn is_acceptable(text: &[u8]) -> bool {
    (8..=64).contains(&text.len())
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_done_for_a_request_knows_its_identifier_and_nothing_else_does() {
        let current = || RequestId::with_current(|id| id.as_str().to_owned());
        let (id, now) = (RequestId::generate(Timestamp::from_secs(1)), Timestamp::from_secs(2));
        let elsewhere = id.during(|| {
            assert_eq!(current().as_deref(), Some(id.as_str()));
            let inner = RequestId::generate(now);
            inner.during(|| assert_eq!(current().as_deref(), Some(inner.as_str())));
            assert_eq!(current().as_deref(), Some(id.as_str()));
            tokio::spawn(RequestId::along(async move { current() }))
        });
        assert_eq!(current(), None);
        assert_eq!(elsewhere.await.unwrap().as_deref(), Some(id.as_str()));
        assert_eq!(RequestId::along(async move { current() }).await, None);
        // A panic does not leave it behind.
        let panics = || id.during(|| std::panic::resume_unwind(Box::new("planted")));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!(current(), None);
    }

    #[test]
    fn only_short_plain_identifiers_are_kept() {
        for good in ["abcd-123", &"Z".repeat(64)] {
            assert!(is_acceptable(good.as_bytes()));
        }
        for bad in ["", "short12", &"a".repeat(65), "with space", "a\tb-12345", "żółw-12345"] {
            assert!(!is_acceptable(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn identifiers_made_here_are_acceptable_and_differ() {
        let now = Timestamp::from_secs(1_739_624_725);
        let (first, second) = (RequestIds::new(), RequestIds::new());
        let made = [&first, &second].map(|ids| [ids.next(now), ids.next(now)]);
        let made: Vec<&str> = made.iter().flatten().map(RequestId::as_str).collect();
        for id in &made {
            assert!(is_acceptable(id.as_bytes()));
            assert_eq!(id.as_bytes()[14], b'7');
        }
        assert_eq!(made.iter().collect::<std::collections::HashSet<_>>().len(), made.len());
    }

    #[test]
    fn counting_goes_through_every_byte_that_is_counted_in() {
        let now = Timestamp::from_secs(1);
        let ids = RequestIds { seed: [0x5a; 10], made: AtomicU64::new(0) };
        let mut seen = std::collections::HashSet::new();
        for count in [0, 1, 255, 256, 65_536, 1 << 24, 1 << 40, (1 << 48) - 1] {
            ids.made.store(count, Ordering::Relaxed);
            assert!(seen.insert(ids.next(now).as_str().to_owned()), "{count}");
        }
    }
}
