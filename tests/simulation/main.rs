//! The whole pipeline under a seeded, repeatable simulation: clients, worker, signer, network and
//! disk do what they like, in any order, and every promise is checked against the network's truth.
//!
//! `SIMULATION_SEED=n` runs one seed and tells what happened in it; `SIMULATION_SEEDS=n` runs so
//! many instead of the usual number.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
#![cfg_attr(
    feature = "planted-bugs",
    expect(dead_code, reason = "whether a planted defect is found is all that is asked")
)]

mod actions;
mod batches;
mod clock;
mod gates;
mod liveness;
mod maintenance;
mod model;
mod net;
#[cfg(feature = "planted-bugs")]
mod planted;
mod ports;
mod random;
mod reorganisations;
mod requests;
mod runner;
mod safety;
mod signing;
mod snapshot;
mod spending;
mod stage;
mod stock;
mod system;
mod tree;
mod weather;
mod work;

/// How many seeds run unless told otherwise.
#[cfg(not(feature = "planted-bugs"))]
const SEEDS: u64 = 500;

#[cfg(not(feature = "planted-bugs"))]
#[test]
fn every_promise_holds_whatever_goes_wrong() {
    if let Some(seed) = number("SIMULATION_SEED") {
        match runner::run_seed(seed) {
            Ok(outcome) => println!("seed {seed} holds: {:?}", outcome.totals),
            Err(broken) => panic!("{}", broken.report()),
        }
        return;
    }
    let count = number("SIMULATION_SEEDS").unwrap_or(SEEDS);
    match runner::run_seeds(1, count) {
        Ok(totals) => println!("{totals:?}"),
        Err(broken) => panic!("{}", broken.report()),
    }
}

#[cfg(not(feature = "planted-bugs"))]
#[test]
fn a_seed_decides_everything() {
    for seed in [3, 14, 159, 2653, 3002, 3013] {
        let (Ok(one), Ok(two)) = (runner::run_seed(seed), runner::run_seed(seed)) else {
            continue;
        };
        assert_eq!(one.digest, two.digest, "seed {seed}");
    }
}

#[cfg(not(feature = "planted-bugs"))]
#[expect(clippy::disallowed_methods, reason = "tests are told which seeds to run")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}
