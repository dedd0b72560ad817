//! Accepted registrations (on disk, 202) beside what redb alone does with the same rows, grouped
//! the same way.

use std::time::Duration;

use crate::processes::{Process, World, get, get_text};
use crate::{Figure, load, store};

const DURATION: Duration = Duration::from_secs(15);
/// Longer than the server's housekeeping takes to come round.
const HOUSEKEEPING: Duration = Duration::from_secs(6);

/// How many writes the server has put on disk in how many commits.
struct Grouping {
    writes: u64,
    commits: u64,
}

impl Grouping {
    /// Asks the server, after a round of its housekeeping, which is when it counts.
    #[expect(clippy::disallowed_methods, reason = "nothing tells when a round is over")]
    fn read(address: &str) -> Self {
        std::thread::sleep(HOUSEKEEPING);
        let text = get_text(address, "/internal/metrics");
        let gauge = |name: &str| -> u64 {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
            line.and_then(|line| line.split_whitespace().nth(1)).unwrap().parse().unwrap()
        };
        Self { writes: gauge("store_writes"), commits: gauge("store_commits") }
    }

    /// Returns the writes of an average commit since then.
    fn since(&self, before: &Self) -> u64 {
        let commits = (self.commits - before.commits).max(1);
        ((self.writes - before.writes + commits / 2) / commits).max(1)
    }
}

/// Measures with the signer away, so that only accepting is measured, and with the pipeline at work. Each
/// has a store of its own: what anchoring leaves to confirm would be paid for by whoever comes after it.
pub(crate) fn measure() -> Vec<Figure> {
    let mut world = World::start("2s");
    let (server, owner) = begin(&world);
    let nobody = ["simnet", "--listen", "127.0.0.1:0"];
    world.signer = Process::start(&mut world.command(&nobody));
    let before = Grouping::read(&server.address);
    let alone = load::register(&server.address, &owner, "ALONE", 64, DURATION, None);
    let group = Grouping::read(&server.address).since(&before);
    drop((server, world));
    let raw = store::raw_rows_per_second(alone.count.min(20_000), group);
    let world = World::start("2s");
    let (server, owner) = begin(&world);
    let busy = load::register(&server.address, &owner, "BUSY", 64, DURATION, None);
    drop((server, world));
    let line = |name: &str, run: &load::Accepted| Figure {
        name: name.to_owned(),
        value: format!(
            "{:.0}/s, p50 {:.1} ms, p99 {:.1} ms",
            run.rate(),
            run.percentile(50),
            run.percentile(99)
        ),
        beside: format!("redb alone, {group} a commit, {raw:.0}/s"),
        ratio: Some(run.rate() / raw),
    };
    vec![
        line("accepted registrations, 64 clients, signer away", &alone),
        line("accepted registrations, 64 clients, anchoring meanwhile", &busy),
    ]
}

/// Starts a server with coins, and returns it and the address that it pays from.
fn begin(world: &World) -> (Process, String) {
    world.fund(500);
    let server = world.serve();
    let health = get(&server.address, "/v1/admin/utxo-health");
    let owner = health["funding"]["address"].as_str().unwrap().to_owned();
    (server, owner)
}
