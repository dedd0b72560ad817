//! The whole pipeline under a seeded, repeatable simulation: clients, worker, signer, network and
//! disk do what they like, in any order, and every promise is checked against the network's truth.
//!
//! `SIMULATION_SEED=n` runs one seed and tells what happened in it; `SIMULATION_SEEDS=n` runs so
//! many instead of the usual number.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod actions;
mod clock;
mod gates;
mod liveness;
mod model;
mod net;
#[cfg(feature = "planted-bugs")]
mod planted;
mod ports;
mod random;
mod requests;
mod runner;
mod safety;
mod signing;
mod snapshot;
mod spending;
mod stage;
mod system;
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
    for seed in [3, 14, 159, 2653] {
        let (Ok(one), Ok(two)) = (runner::run_seed(seed), runner::run_seed(seed)) else {
            continue;
        };
        assert_eq!(one.digest, two.digest, "seed {seed}");
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are told which seeds to run")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

#[test]
fn survey() {
    let Some(count) = number("SURVEY") else { return };
    let first = number("FIRST").unwrap_or(1);
    let start = std::time::Instant::now();
    let mut groups: std::collections::BTreeMap<String, Vec<u64>> = Default::default();
    let results: Vec<(u64, String)> = std::thread::scope(|s| {
        let hs: Vec<_> = (0..2u64)
            .map(|t| {
                s.spawn(move || {
                    (first..first + count)
                        .filter(|n| n % 2 == t)
                        .filter_map(|n| runner::run_seed(n).err().map(|b| (n, b.reason)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        hs.into_iter().flat_map(|h| h.join().unwrap()).collect()
    });
    let mut bad = 0;
    for (seed, reason) in results {
        bad += 1;
        let key: String = reason.split_once(": ").map_or(reason.clone(), |x| x.1.to_owned());
        let key: String = key
            .split(' ')
            .map(|w| if w.len() > 30 || w.chars().any(|c| c.is_ascii_digit()) { "#" } else { w })
            .collect::<Vec<_>>()
            .join(" ");
        groups.entry(key).or_default().push(seed);
    }
    for (k, v) in &groups {
        println!(
            "{:>4}  {:?}\n      {}",
            v.len(),
            &v[..v.len().min(8)],
            k.chars().take(300).collect::<String>()
        );
    }
    println!("{bad}/{count} broken in {:?}", start.elapsed());
}

#[test]
fn twice() {
    let Some(count) = number("TWICE") else { return };
    for seed in 1..count {
        let (a, b) = (runner::run_seed(seed), runner::run_seed(seed));
        if let (Ok(a), Ok(b)) = (a, b) {
            if a.digest != b.digest {
                println!("differs {seed}");
            }
        }
    }
}
