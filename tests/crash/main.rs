//! The real binary under load, killed with SIGKILL at random moments, again and again.
//!
//! A ledger outside the process holds every acknowledgement, written to disk before it counts. In
//! the end nothing acknowledged may be lost, no output spent twice, no record carried by two
//! transactions, the store must check clean and every record must be final. Every other life of the
//! server anchors registrations in batches, and takes up what the lives before left waiting.
//!
//! `CRASH_KILLS` sets how often it is killed (20 unless set), `CRASH_SEED` repeats a run's moments.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod audit;
mod ledger;
mod load;
mod processes;

use std::time::Duration;

use ledger::Ledger;
use load::Load;
use processes::{Variables, World};

/// Anchors in batches, and soon: a life is short.
const BATCHING: Variables<'_> =
    &[("ANCHOR_MODE", "batch"), ("BATCH_MAX_RECORDS", "20"), ("BATCH_MAX_AGE_SECS", "1")];

/// A small generator for the moments of death: printed and repeatable.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

#[expect(clippy::disallowed_methods, reason = "the test's own knobs")]
fn knob(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_however_often_the_process_is_killed() {
    let kills = knob("CRASH_KILLS", 20);
    let seed = knob("CRASH_SEED", u64::from(std::process::id()) | 1);
    println!("CRASH_SEED={seed} CRASH_KILLS={kills}");
    let mut dice = Dice(seed);
    let world = World::start().await;
    let mut ledger = Ledger::create(world.directory());
    let mut load = Load::new(&world);
    for round in 0..kills {
        let mut server = world.serve(if round % 2 == 0 { &[] } else { BATCHING }).await;
        if round == 0 {
            world.fund(&server).await;
        }
        let moment = Duration::from_millis(30 + dice.roll(420));
        load.run_until_killed(&mut server, moment, &mut ledger).await;
    }
    let server = world.serve(BATCHING).await;
    load.repeat_unanswered(&server, &mut ledger).await;
    world.settle(&server, &ledger).await;
    server.stop().await;
    println!("{} acknowledgements in {kills} lives", ledger.len());
    assert!(ledger.len() as u64 > kills, "too little was acknowledged to prove anything");
    audit::store_is_clean(&world, &ledger);
    let anchored = audit::chain_holds_each_record_once(&world, &ledger).await;
    assert!(anchored.batches > 0, "nothing was anchored in a batch");
}
