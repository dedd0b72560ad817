//! When an endpoint is left alone: a circuit breaker, and the pauses that an endpoint asks for.
//!
//! Pure: time is an argument, and one that was set back ends a pause instead of prolonging it. Only
//! conditions of the endpoint count here (unreachable, 429, 5xx); what it says about a transaction
//! never opens it.

use std::time::Duration;

use crate::types::Timestamp;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open the first time; it doubles with each failed trial.
    pub cool_down: Duration,
    /// The longest that it stays open of itself.
    pub longest_cool_down: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            cool_down: Duration::from_secs(5),
            longest_cool_down: Duration::from_secs(60),
        }
    }
}

/// How an endpoint is treated, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakerState {
    /// It is asked.
    Closed,
    /// One question is let through, to try it.
    HalfOpen,
    /// It is left alone.
    Open,
}

impl BreakerState {
    /// Returns the word for reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }

    /// Returns the number for gauges: 0 closed, 1 half-open, 2 open.
    pub const fn as_number(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// A pause that began at some time.
#[derive(Debug, Clone, Copy)]
struct Rest {
    since: Timestamp,
    length: Duration,
    /// Whether the endpoint asked for it.
    is_asked_for: bool,
}

impl Rest {
    fn left(&self, now: Timestamp) -> Option<Duration> {
        // A clock that was set back says nothing about how much of the pause is over.
        if now < self.since {
            return None;
        }
        self.length.checked_sub(now.since(self.since)).filter(|left| !left.is_zero())
    }
}

/// The breaker of one endpoint.
#[derive(Debug, Clone)]
pub struct Breaker {
    policy: BreakerPolicy,
    /// Failures since the last success.
    failures: u32,
    /// Failed trials since the last success.
    failed_trials: u32,
    /// The pause in force; it stays when it is over, until the endpoint answers.
    rest: Option<Rest>,
    /// When the trial that is out was let through.
    trial: Option<Timestamp>,
}

impl Breaker {
    /// Makes a closed breaker.
    pub const fn new(policy: BreakerPolicy) -> Self {
        Self { policy, failures: 0, failed_trials: 0, rest: None, trial: None }
    }

    /// Returns how the endpoint is treated now.
    pub fn state(&self, now: Timestamp) -> BreakerState {
        match self.rest {
            None => BreakerState::Closed,
            Some(rest) if rest.left(now).is_some() => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// Returns how long the pause in force still lasts.
    pub fn pause(&self, now: Timestamp) -> Option<Duration> {
        self.rest.and_then(|rest| rest.left(now))
    }

    /// Lets a question through, or says how long none is. While half-open one is let through; if
    /// nothing comes of it, another after the cool-down.
    pub fn admit(&mut self, now: Timestamp) -> Result<(), Duration> {
        let Some(rest) = self.rest else { return Ok(()) };
        if let Some(left) = rest.left(now) {
            return Err(left);
        }
        let length = self.policy.cool_down;
        let trial = self.trial.map(|since| Rest { since, length, is_asked_for: false });
        if let Some(left) = trial.and_then(|trial| trial.left(now)) {
            return Err(left);
        }
        self.trial = Some(now);
        Ok(())
    }

    /// Notes an answer, whatever it says: the endpoint works. It may be the answer to an older
    /// question, so that a pause that was asked for goes on.
    pub fn succeed(&mut self, now: Timestamp) {
        let asked_for = self.rest.filter(|rest| rest.is_asked_for && rest.left(now).is_some());
        *self = Self { rest: asked_for, ..Self::new(self.policy) };
    }

    /// Notes a condition of the endpoint, with the pause that it asked for.
    pub fn fail(&mut self, now: Timestamp, retry_after: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        let was_trial = self.trial.take().is_some();
        let own = (was_trial || self.failures >= self.policy.failures).then(|| self.cool_down());
        if was_trial {
            self.failed_trials = self.failed_trials.saturating_add(1);
        }
        for (length, is_asked_for) in [(own, false), (retry_after, true)] {
            self.rest_for(now, length.unwrap_or_default(), is_asked_for);
        }
    }

    /// Leaves the endpoint alone for `length`, as it asks, or for longer if that was so before.
    pub fn rest(&mut self, now: Timestamp, length: Duration) {
        self.rest_for(now, length, true);
    }

    fn rest_for(&mut self, now: Timestamp, length: Duration, is_asked_for: bool) {
        let running = self.rest.and_then(|rest| rest.left(now));
        if !length.is_zero() && running.is_none_or(|left| left < length) {
            self.rest = Some(Rest { since: now, length, is_asked_for });
        }
    }

    fn cool_down(&self) -> Duration {
        let factor = 1u32 << self.failed_trials.min(16);
        self.policy.cool_down.saturating_mul(factor).min(self.policy.longest_cool_down)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: BreakerPolicy = BreakerPolicy {
        failures: 3,
        cool_down: Duration::from_secs(10),
        longest_cool_down: Duration::from_secs(30),
    };

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(POLICY);
        (0..3).for_each(|_| breaker.fail(at(0), None));
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_an_answer_in_between_does_not_let_them_add_up() {
        let mut breaker = Breaker::new(POLICY);
        breaker.fail(at(0), None);
        breaker.fail(at(0), None);
        breaker.succeed(at(0));
        breaker.fail(at(0), None);
        breaker.fail(at(0), None);
        assert_eq!((breaker.state(at(0)), breaker.admit(at(0))), (BreakerState::Closed, Ok(())));
        breaker.fail(at(0), None);
        assert_eq!(breaker.state(at(9)), BreakerState::Open);
        assert_eq!(breaker.admit(at(9)), Err(Duration::from_secs(1)));
    }

    #[test]
    fn one_trial_at_a_time_decides_and_a_lost_trial_is_followed_by_another() {
        let mut breaker = opened();
        assert_eq!(breaker.state(at(10)), BreakerState::HalfOpen);
        assert_eq!(breaker.admit(at(10)), Ok(()));
        assert_eq!(breaker.admit(at(12)), Err(Duration::from_secs(8)), "one is out");
        assert_eq!(breaker.admit(at(20)), Ok(()), "nobody told what came of it");
        breaker.succeed(at(20));
        assert_eq!(breaker.state(at(20)), BreakerState::Closed);
    }

    #[test]
    fn failed_trials_lengthen_the_pause_up_to_its_bound() {
        let mut breaker = opened();
        let mut now = 0;
        for pause in [10, 10, 20, 30, 30] {
            assert_eq!(breaker.admit(at(now)), Err(Duration::from_secs(pause)), "at {now}");
            now += i64::try_from(pause).unwrap();
            assert_eq!(breaker.admit(at(now)), Ok(()));
            breaker.fail(at(now), None);
        }
    }

    #[test]
    fn a_pause_that_is_asked_for_is_kept_at_once_and_never_shortened() {
        let mut breaker = Breaker::new(POLICY);
        breaker.fail(at(0), Some(Duration::from_secs(60)));
        assert_eq!(breaker.admit(at(59)), Err(Duration::from_secs(1)));
        breaker.fail(at(1), Some(Duration::from_secs(2)));
        breaker.succeed(at(2));
        assert_eq!(breaker.admit(at(59)), Err(Duration::from_secs(1)));
        assert_eq!(breaker.admit(at(60)), Ok(()));
        let mut breaker = Breaker::new(POLICY);
        breaker.fail(at(0), Some(Duration::ZERO));
        assert_eq!(breaker.state(at(0)), BreakerState::Closed);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_lock_an_endpoint_out() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(-100_000)), Ok(()));
    }
}
