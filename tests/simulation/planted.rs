//! The test of the tests: each planted defect must break a promise within a number of seeds.

use patchproof::types::planted::{Defect, plant};

use crate::runner::run_seeds;

/// How many seeds a defect may survive; every run of the suite has more.
const SEEDS: u64 = 400;

#[test]
fn every_planted_defect_is_found() {
    let mut survivors = Vec::new();
    for defect in Defect::ALL {
        plant(Some(defect));
        match run_seeds(1, SEEDS) {
            Ok(_) => survivors.push(defect),
            Err(broken) => println!("{defect:?}: seed {}, {}", broken.seed, broken.reason),
        }
    }
    plant(None);
    assert_eq!(survivors, [], "these defects were not found");
}
