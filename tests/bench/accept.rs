//! Accepted registrations (on disk, 202) beside what redb alone does with the same rows, grouped
//! the same way.

use std::time::Duration;

use crate::processes::{World, get};
use crate::{Figure, load, store};

const SECONDS: u64 = 15;

/// Measures with the pipeline at work, and with the signer away so that only accepting is measured.
pub(crate) fn measure() -> Vec<Figure> {
    let mut world = World::start("2s");
    world.fund(500);
    let server = world.serve();
    let health = get(&server.address, "/v1/admin/utxo-health");
    let owner = health["funding"]["address"].as_str().unwrap().to_owned();
    let duration = Duration::from_secs(SECONDS);
    let busy = load::register(&server.address, &owner, "BUSY", 64, duration, None);
    world.signer = crate::processes::Process::start(&mut world.command(&[
        "simnet",
        "--listen",
        "127.0.0.1:0",
    ]));
    let alone = load::register(&server.address, &owner, "ALONE", 64, duration, None);
    let raw = store::raw_rows_per_second(alone.count.min(20_000), 32);
    let line = |name: &str, run: &load::Accepted| Figure {
        name: name.to_owned(),
        value: format!(
            "{:.0}/s, p50 {:.1} ms, p99 {:.1} ms",
            run.rate(),
            run.percentile(50),
            run.percentile(99)
        ),
        beside: format!("redb alone {raw:.0}/s"),
        ratio: Some(run.rate() / raw),
    };
    vec![
        line("accepted registrations, 64 clients, signer away", &alone),
        line("accepted registrations, 64 clients, anchoring meanwhile", &busy),
    ]
}
