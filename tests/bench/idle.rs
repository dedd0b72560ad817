//! A server with 100,000 records: how fast it is ready, how much memory it holds at rest.

use std::time::{Duration, Instant};

use crate::processes::{Process, World, get, post, wait_ready};
use crate::{Figure, median, store};

const RECORDS: u32 = 100_000;
const STARTS: usize = 5;

/// Measures start to ready, and the memory after some seconds of rest.
pub(crate) fn measure() -> Vec<Figure> {
    let world = World::start("3600s");
    post(&world.simnet.address, "/sim/mine", "{}");
    let block = get(&world.simnet.address, "/v1/bsv/test/block/1/header");
    let block = block["hash"].as_str().unwrap().parse().unwrap();
    // Binds the store to its keys first.
    drop(world.serve());
    store::fill(&world.data(), RECORDS, block);
    let mut starts = Vec::new();
    let mut resident_kib = 0;
    for _ in 0..STARTS {
        let begun = Instant::now();
        let server = Process::start(&mut world.command(&["serve"]));
        wait_ready(&server.address);
        starts.push(begun.elapsed().as_secs_f64() * 1000.0);
        #[expect(clippy::disallowed_methods, reason = "rest is what is measured")]
        std::thread::sleep(Duration::from_secs(3));
        resident_kib = server.resident_kib();
    }
    vec![
        Figure {
            name: format!("start to ready, {RECORDS} records"),
            value: format!("{:.0} ms", median(starts)),
            beside: "goal 300 ms".into(),
            ratio: None,
        },
        Figure {
            name: format!("resident memory at rest, {RECORDS} records"),
            value: format!("{:.1} MiB", resident_kib as f64 / 1024.0),
            beside: "goal 40 MiB".into(),
            ratio: None,
        },
    ]
}
