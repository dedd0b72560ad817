//! How often clients may ask: one limit for each class of requests, counted for each client.
//!
//! Every route is limited: one that says nothing else is public. A key of a limit is 16 bytes,
//! whatever a client sends, and each class remembers a bounded number of them; beyond it all who are
//! new share one budget, so that an attacker with many addresses slows strangers down and nobody
//! else. A limit asks who sends a request and not whom it is about, so that nobody can use up
//! another's login; one exception, mails to a mailbox, and why it locks nobody out, is in
//! docs/EMAIL_CODES.md. docs/LIMITS.md has the table.

mod clock;
mod key;
mod rates;
mod store;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::Clock as _;
use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};
use prometheus_client::metrics::counter::Counter;

use crate::http::problem::{Problem, ProblemCode};
use crate::telemetry::Metrics;
use crate::types::Clock;

use clock::LimitClock;
pub use key::LimitKey;
pub use rates::{LimitClass, Rate, RateLimits};
use store::CappedStore;

/// The most clients that a class remembers; each takes some 40 bytes.
pub const MAX_KEYS: usize = 65_536;
/// How many requests may pass before clients that are back at a full budget are forgotten.
const SWEEP_EVERY: u64 = 16_384;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

type Limiter = RateLimiter<LimitKey, CappedStore, LimitClock, StateInformationMiddleware>;

/// What a client that was let in has left, for the fields RateLimit and RateLimit-Policy
/// (draft-ietf-httpapi-ratelimit-headers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    class: LimitClass,
    /// The class's policy, written down once.
    policy: HeaderValue,
    /// How many requests may follow at once.
    left: u32,
}

impl Standing {
    /// Says it in the head of an answer.
    pub fn apply(self, headers: &mut HeaderMap) {
        let present = format!("\"{}\";r={}", self.class.as_str(), self.left);
        if let Ok(present) = HeaderValue::try_from(present) {
            headers.insert(RATE_LIMIT_POLICY, self.policy);
            headers.insert(RATE_LIMIT, present);
        }
    }
}

/// The limit of one class.
struct Bucket {
    class: LimitClass,
    policy: HeaderValue,
    limiter: Limiter,
    /// What the limiter remembers.
    store: CappedStore,
    /// In how long one request comes back.
    interval: Duration,
    asked: AtomicU64,
    refused: Counter,
}

/// Every limit; clones share them.
#[derive(Clone)]
pub struct Limits(Arc<[Bucket; LimitClass::ALL.len()]>);

impl Limits {
    /// Makes the limits, all unused, which count in `metrics` whom they refuse.
    pub fn new(rates: &RateLimits, clock: &Arc<dyn Clock>, metrics: &Metrics) -> Self {
        let bucket = |class: LimitClass| {
            let refused = metrics.edge.refused(class.as_str());
            Bucket::new(class, rates.of(class), clock, refused)
        };
        Self(Arc::new(LimitClass::ALL.map(bucket)))
    }

    /// Counts one request and says what is left; a problem if nothing was.
    pub fn check(&self, class: LimitClass, key: LimitKey) -> Result<Standing, Problem> {
        self.0[class.index()].check(key)
    }

    /// Gives back what [`Self::check`] counted, for classes in which only failures count.
    pub fn give_back(&self, class: LimitClass, key: LimitKey) {
        let bucket = &self.0[class.index()];
        bucket.store.give_back(&key, bucket.interval);
    }

    /// Returns how many clients a class remembers.
    pub fn key_count(&self, class: LimitClass) -> usize {
        self.0[class.index()].limiter.len()
    }
}

impl Bucket {
    fn new(class: LimitClass, rate: Rate, clock: &Arc<dyn Clock>, refused: Counter) -> Self {
        let most = NonZeroU32::new(rate.most).unwrap_or(NonZeroU32::MIN);
        let window = rate.window.max(Duration::from_millis(1));
        let quota = Quota::with_period(window / most.get()).map(|quota| quota.allow_burst(most));
        let quota = quota.unwrap_or_else(|| Quota::per_second(most));
        let (store, clock) = (CappedStore::new(MAX_KEYS), LimitClock::new(Arc::clone(clock)));
        let limiter = Limiter::new(quota, store.clone(), clock);
        let interval = quota.replenish_interval();
        let policy = format!("\"{}\";q={};w={}", class.as_str(), rate.most, rate.window_secs());
        let policy = HeaderValue::try_from(policy).expect("names and numbers are header text");
        Self { class, policy, limiter, store, interval, asked: AtomicU64::new(0), refused }
    }

    fn check(&self, key: LimitKey) -> Result<Standing, Problem> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        match self.limiter.check_key(&key) {
            Ok(state) => {
                let left = state.remaining_burst_capacity();
                Ok(Standing { class: self.class, policy: self.policy.clone(), left })
            }
            Err(until) => {
                self.refused.inc();
                Err(self.problem(until.wait_time_from(self.limiter.clock().now())))
            }
        }
    }

    /// Says when there is room again: whoever waits exactly that long is let in.
    fn problem(&self, wait: Duration) -> Problem {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let seconds = seconds.max(1);
        let present = format!("\"{}\";r=0;t={seconds}", self.class.as_str());
        let problem = Problem::new(ProblemCode::RateLimited).retry_after(seconds);
        let problem = problem.header(RATE_LIMIT_POLICY, self.policy.clone());
        match HeaderValue::try_from(present) {
            Ok(present) => problem.header(RATE_LIMIT, present),
            Err(_) => problem,
        }
    }
}

#[cfg(test)]
mod tests;
