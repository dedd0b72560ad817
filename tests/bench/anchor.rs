//! Direct anchors carried all the way to the network, sustained.

use std::time::{Duration, Instant};

use crate::processes::{World, get};
use crate::{Figure, load};

const SECONDS: u64 = 60;
/// Registrations offered per second: more than the goal, so that the pipeline is what bounds.
const OFFERED: f64 = 600.0;

/// Measures how many transactions the network took per second while registrations kept coming.
pub(crate) fn measure() -> Vec<Figure> {
    let world = World::start("2s");
    world.fund(1000);
    let server = world.serve();
    let health = get(&server.address, "/v1/admin/utxo-health");
    let owner = health["funding"]["address"].as_str().unwrap().to_owned();
    let taken = || get(&world.simnet.address, "/sim/info")["totals"]["accepted"].as_u64().unwrap();
    let before = taken();
    let begun = Instant::now();
    let duration = Duration::from_secs(SECONDS);
    let offered = load::register(&server.address, &owner, "ANCHOR", 16, duration, Some(OFFERED));
    let rate = (taken() - before) as f64 / begun.elapsed().as_secs_f64();
    vec![Figure {
        name: format!("direct anchors taken by the network, sustained {SECONDS} s"),
        value: format!("{rate:.0}/s"),
        beside: format!("{:.0}/s offered", offered.rate()),
        ratio: Some(rate / offered.rate()),
    }]
}
