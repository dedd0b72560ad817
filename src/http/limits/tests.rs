//! Budgets by example, on a clock that moves when told.

use axum::response::IntoResponse;

use super::*;
use crate::types::{ManualClock, Timestamp};

fn limits(rate: Rate) -> (Limits, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_790_000_000)));
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let rates = RateLimits { public: rate, ..RateLimits::default() };
    (Limits::new(&rates, &shared, &Metrics::new()), clock)
}

fn ask(limits: &Limits, key: &str) -> Result<Standing, Problem> {
    limits.check(LimitClass::Public, LimitKey::of_text(key))
}

fn wait_of(problem: Problem) -> (u64, String, String) {
    let response = problem.into_response();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    (header("retry-after").parse().unwrap(), header("ratelimit"), header("ratelimit-policy"))
}

#[test]
fn whoever_waits_as_long_as_he_is_told_is_let_in() {
    let (limits, clock) = limits(Rate::per_secs(7, 60));
    for _ in 0..7 {
        assert!(ask(&limits, "ada").is_ok());
    }
    for _ in 0..5 {
        let (wait, present, policy) = wait_of(ask(&limits, "ada").unwrap_err());
        assert_eq!(present, format!("\"public\";r=0;t={wait}"));
        assert_eq!(policy, "\"public\";q=7;w=60");
        // 60 / 7 is 8.57…: a second less is too early, the whole wait is enough.
        clock.advance(Duration::from_secs(wait - 1));
        let early = ask(&limits, "ada").unwrap_err();
        assert_eq!(wait_of(early).0, 1);
        clock.advance(Duration::from_secs(1));
        assert!(ask(&limits, "ada").is_ok());
    }
}

#[test]
fn whoever_is_let_in_is_told_what_he_has_left() {
    let (limits, clock) = limits(Rate::per_secs(6, 60));
    let said = |standing: Standing| {
        let mut headers = HeaderMap::new();
        standing.apply(&mut headers);
        [RATE_LIMIT_POLICY, RATE_LIMIT].map(|name| headers[name].to_str().unwrap().to_owned())
    };
    for left in (0..6).rev() {
        let expected = ["\"public\";q=6;w=60".to_owned(), format!("\"public\";r={left}")];
        assert_eq!(said(ask(&limits, "ada").unwrap()), expected);
    }
    assert!(ask(&limits, "ada").is_err());
    // As many as he is told after a while are let in, and not one more.
    clock.advance(Duration::from_secs(35));
    assert!(said(ask(&limits, "ada").unwrap())[1].ends_with(";r=2"));
    assert!(ask(&limits, "ada").is_ok() && ask(&limits, "ada").is_ok());
    assert!(ask(&limits, "ada").is_err());
}

#[test]
fn clients_do_not_share_a_budget() {
    let (limits, _) = limits(Rate::per_secs(1, 60));
    assert!(ask(&limits, "ada").is_ok());
    assert!(ask(&limits, "ada").is_err());
    assert!(ask(&limits, "ben").is_ok());
}

#[test]
fn b7_what_is_given_back_was_never_used_and_is_no_credit() {
    let (limits, _) = limits(Rate::per_secs(2, 60));
    let ada = LimitKey::of_text("ada");
    for _ in 0..20 {
        assert!(ask(&limits, "ada").is_ok());
        limits.give_back(LimitClass::Public, ada);
    }
    for _ in 0..20 {
        limits.give_back(LimitClass::Public, ada);
        limits.give_back(LimitClass::Public, LimitKey::of_text("a stranger"));
    }
    for name in ["ada", "a stranger"] {
        assert!(ask(&limits, name).is_ok() && ask(&limits, name).is_ok());
        assert!(ask(&limits, name).is_err(), "{name} has saved nothing up");
    }
}

#[test]
fn r5_a_million_clients_are_not_remembered() {
    let (limits, clock) = limits(Rate::per_secs(100, 900));
    assert!(ask(&limits, "ada").is_ok());
    let mut refused = 0u32;
    for number in 0..1_000_000u32 {
        refused += u32::from(ask(&limits, &number.to_string()).is_err());
    }
    assert_eq!(limits.key_count(LimitClass::Public), MAX_KEYS);
    // Those who came too late shared one budget of 100.
    assert_eq!(refused, 1_000_000 - u32::try_from(MAX_KEYS - 1).unwrap() - 100);
    assert!(ask(&limits, "ada").is_ok(), "who was known before keeps his own");
    clock.advance(Duration::from_secs(901));
    for _ in 0..SWEEP_EVERY {
        let _counted = ask(&limits, "ada");
    }
    assert!(limits.key_count(LimitClass::Public) < 10, "who is back at a full budget is forgotten");
    assert!(ask(&limits, "new").is_ok());
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_out() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_790_000_000)));
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let limit_clock = LimitClock::new(shared);
    clock.advance(Duration::from_secs(10));
    let before = limit_clock.now();
    clock.go_back(Duration::from_secs(3600));
    assert_eq!(limit_clock.now(), before);
    clock.advance(Duration::from_secs(5));
    assert_eq!(limit_clock.now(), before + Duration::from_secs(5));
}
