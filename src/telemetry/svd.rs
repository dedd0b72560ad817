//! The metrics of passwordless login, under names that other servers of the protocol use too.

use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::telemetry::{HistogramFamily, Labels};

/// Upper bounds in seconds of the challenge age buckets; a challenge lives for 180 by default.
const CHALLENGE_AGE_SECONDS: [f64; 10] = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 180.0];

/// The metrics of passwordless login under one server key and one build.
#[derive(Debug)]
pub struct SvdMetrics {
    /// Logins begun.
    pub begin: Counter,
    /// Logins completed.
    pub complete: Counter,
    /// Completions with a wrong signature.
    pub invalid: Counter,
    /// Completions after the challenge's time.
    pub expired: Counter,
    /// Completions of a challenge used before.
    pub replayed: Counter,
    /// Signatures refused because a third party could have altered them.
    pub malleable_reject: Counter,
    /// Age of challenges when they come back, in seconds.
    pub challenge_age_seconds: Histogram,
}

#[derive(Debug)]
pub(super) struct SvdFamilies {
    counters: [Family<Labels<2>, Counter>; 6],
    challenge_age: HistogramFamily<2>,
    /// What was asked for last: a server has one key and one build, so it is what is asked for next.
    last: RwLock<Option<(Labels<2>, Arc<SvdMetrics>)>>,
}

impl SvdFamilies {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let counters = [
            ("svd_begin", "Passwordless logins begun"),
            ("svd_complete", "Passwordless logins completed"),
            ("svd_invalid", "Completions with a wrong signature"),
            ("svd_expired", "Completions after the challenge's time"),
            ("svd_replayed", "Completions of a challenge used before"),
            ("svd_malleable_reject", "Signatures refused for not being canonical"),
        ]
        .map(|(name, help)| {
            let family = Family::<Labels<2>, Counter>::default();
            registry.register(name, help, family.clone());
            family
        });
        let constructor: fn() -> Histogram = || Histogram::new(CHALLENGE_AGE_SECONDS);
        let challenge_age = HistogramFamily::<2>::new_with_constructor(constructor);
        let help = "Age of challenges when they come back";
        registry.register("svd_challenge_age_seconds", help, challenge_age.clone());
        Self { counters, challenge_age, last: RwLock::default() }
    }

    /// Returns the metrics under the key id `kid` and the build `sha`, zero at first.
    pub(super) fn under(&self, kid: &str, sha: &str) -> Arc<SvdMetrics> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        match last.as_ref() {
            Some(([(_, its_kid), (_, its_sha)], found)) if its_kid == kid && its_sha == sha => {
                return Arc::clone(found);
            }
            Some(_) | None => drop(last),
        }
        let labels = [("kid", kid.to_owned()), ("sha", sha.to_owned())];
        let found = Arc::new(self.look_up(&labels));
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        *last = Some((labels, Arc::clone(&found)));
        found
    }

    fn look_up(&self, labels: &Labels<2>) -> SvdMetrics {
        let [begin, complete, invalid, expired, replayed, malleable_reject] =
            self.counters.each_ref().map(|family| family.get_or_create(labels).clone());
        let challenge_age_seconds = self.challenge_age.get_or_create(labels).clone();
        SvdMetrics {
            begin,
            complete,
            invalid,
            expired,
            replayed,
            malleable_reject,
            challenge_age_seconds,
        }
    }
}
