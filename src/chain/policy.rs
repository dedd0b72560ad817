//! The fee that the network asks for, as one of its endpoints publishes it.
//!
//! A statement of somebody else, so it is bounded: never below what miners take, never above what
//! the operator allows. An answer that is missing or absurd changes nothing, so it never raises what
//! is paid; the last good answer stays in force.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::types::{FeeRate, Timestamp};

/// The least rate that miners take in practice, in satoshis per kB, whatever a policy says (WIRE
/// 2.6).
pub const LEAST_SAT_PER_KB: u64 = 100;
/// How long a policy is taken for fresh.
pub const POLICY_FRESH_FOR: Duration = Duration::from_secs(5 * 60);

/// Publishes what the network asks for.
#[async_trait]
pub trait PolicySource: Send + Sync {
    /// Returns the rate that is published now; nothing if there is none or it makes no sense.
    async fn fee_rate(&self) -> Option<FeeRate>;
}

/// The policy of the network as last heard; clones share it. The default has none and learns none.
#[derive(Debug, Clone, Default)]
pub struct NetworkPolicy(Option<Arc<Known>>);

#[derive(Debug)]
struct Known {
    highest: FeeRate,
    heard: Mutex<Heard>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    rate: Option<FeeRate>,
    at: Option<Timestamp>,
}

impl NetworkPolicy {
    /// Starts without a policy; `highest` is the most that one may make us pay.
    pub fn up_to(highest: FeeRate) -> Self {
        Self(Some(Arc::new(Known { highest, heard: Mutex::default() })))
    }

    /// Returns the rate in force, if one was ever heard.
    pub fn current(&self) -> Option<FeeRate> {
        self.0.as_ref().and_then(|known| known.heard().rate)
    }

    /// Says whether it is time to ask again: when nothing usable was heard for a while.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        let Some(known) = &self.0 else { return false };
        let heard_at = known.heard().at;
        heard_at.is_none_or(|at| now < at || now.since(at) >= POLICY_FRESH_FOR)
    }

    /// Asks `source` and notes what it said.
    pub async fn refresh(&self, source: &dyn PolicySource, now: Timestamp) {
        let published = source.fee_rate().await;
        self.note(published, now);
    }

    /// Notes what was published at `now`.
    pub fn note(&self, published: Option<FeeRate>, now: Timestamp) {
        let Some(known) = &self.0 else { return };
        let mut heard = known.heard();
        let Some(rate) = published.and_then(|rate| bounded(rate, known.highest)) else {
            tracing::debug!("no usable fee policy was published; the last one stays in force");
            return;
        };
        if heard.rate != Some(rate) {
            tracing::info!(sat_per_kb = rate.sat_per_kb(), "the network's fee policy");
        }
        *heard = Heard { rate: Some(rate), at: Some(now) };
    }
}

impl Known {
    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a published rate within what miners take and what the operator allows; where those two
/// leave nothing, the operator's word counts.
fn bounded(rate: FeeRate, highest: FeeRate) -> Option<FeeRate> {
    let at_least = rate.sat_per_kb().max(LEAST_SAT_PER_KB);
    FeeRate::from_sat_per_kb(at_least.min(highest.sat_per_kb()))
}

/// Returns the rate of `satoshis` for `bytes`, rounded up; nothing for what cannot be a rate.
pub(super) fn rate_of(satoshis: u64, bytes: u64) -> Option<FeeRate> {
    let per_thousand = satoshis.checked_mul(1000)?;
    let whole = per_thousand.checked_div(bytes)?;
    let rest = per_thousand.checked_rem(bytes)?;
    FeeRate::from_sat_per_kb(whole.checked_add(u64::from(rest > 0))?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(sat_per_kb: u64) -> FeeRate {
        FeeRate::from_sat_per_kb(sat_per_kb).unwrap()
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn rates_are_read_and_rounded_up() {
        for (satoshis, bytes, expected) in [
            (1, 1000, Some(1)),
            (100, 1000, Some(100)),
            (50, 1000, Some(50)),
            (1, 3, Some(334)),
            (0, 1000, None),
            (1, 0, None),
            (u64::MAX, 1, None),
            (2_000_000, 1000, None),
        ] {
            assert_eq!(rate_of(satoshis, bytes).map(FeeRate::sat_per_kb), expected);
        }
    }

    #[test]
    fn what_is_published_stays_within_the_bounds() {
        let policy = NetworkPolicy::up_to(rate(5000));
        assert_eq!(policy.current(), None);
        for (published, in_force) in [(1, 100), (250, 250), (5000, 5000), (900_000, 5000)] {
            policy.note(Some(rate(published)), at(0));
            assert_eq!(policy.current(), Some(rate(in_force)));
        }
        let modest = NetworkPolicy::up_to(rate(20));
        modest.note(Some(rate(300)), at(0));
        assert_eq!(modest.current(), Some(rate(20)));
    }

    #[test]
    fn it_is_asked_for_again_after_its_time_and_when_the_clock_was_set_back() {
        let policy = NetworkPolicy::up_to(rate(5000));
        policy.note(None, at(0));
        assert!(policy.is_stale(at(0)), "nothing was heard");
        policy.note(Some(rate(300)), at(1000));
        assert!(!policy.is_stale(at(1299)));
        assert!(policy.is_stale(at(1300)));
        assert!(policy.is_stale(at(999)));
        let none = NetworkPolicy::default();
        none.note(Some(rate(300)), at(0));
        assert_eq!((none.current(), none.is_stale(at(0))), (None, false));
    }

    proptest! {
        #[test]
        fn silence_and_nonsense_never_change_the_rate(
            published in prop::collection::vec(prop::option::of((any::<u64>(), any::<u64>())), 0..20)
        ) {
            let policy = NetworkPolicy::up_to(rate(5000));
            policy.note(Some(rate(300)), at(0));
            for answer in published {
                let before = policy.current();
                let read = answer.and_then(|(satoshis, bytes)| rate_of(satoshis, bytes));
                policy.note(read, at(1));
                let now = policy.current().unwrap();
                prop_assert!((LEAST_SAT_PER_KB..=5000).contains(&now.sat_per_kb()));
                prop_assert!(read.is_some() || Some(now) == before);
            }
        }
    }
}
