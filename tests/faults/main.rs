//! Registrations while the network misbehaves: it drops, delays and refuses one request in five, and
//! every now and then it takes blocks back; the server is killed once in between. In the end each registration is in exactly one
//! transaction, every fee lies between floor and cap, and no satoshi is missing.
//!
//! `FAULTS_RECORDS` sets how many are registered (2,000 unless set), `FAULTS_REORGANISE_SECS` how often
//! blocks are taken back (2 unless set). `tests/run --full` registers 10,000 with one
//! reorganisation a minute.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "../crash/audit.rs"]
mod audit;
#[path = "../crash/ledger.rs"]
mod ledger;
mod load;
mod money;
#[path = "../crash/processes.rs"]
mod processes;
mod weather;

use std::time::{Duration, Instant};

use ledger::Ledger;
use processes::World;
use weather::Weather;

#[expect(clippy::disallowed_methods, reason = "the test's own knobs")]
fn knob(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_registration_is_anchored_once_whatever_the_network_does() {
    let records = knob("FAULTS_RECORDS", 2_000);
    let period = Duration::from_secs(knob("FAULTS_REORGANISE_SECS", 2));
    let world = World::start().await;
    let mut server = world.serve(&[]).await;
    world.fund(&server).await;
    money::fix_the_rate(&world, &server).await;

    let begun = Instant::now();
    let weather = Weather::begin(&world, period).await;
    let mut ledger = Ledger::create(world.directory());
    load::register_all(&world, &server, records, &mut ledger).await;
    assert_eq!(ledger.len() as u64, records, "every registration is acknowledged");
    // Whatever is half done, done and not heard of, or in a block that will leave: the rest of the way
    // is gone by another process.
    server.kill();
    weather.strike(&world).await;
    let server = world.serve(&[]).await;
    load::wait_until_seen(&world, &server, &ledger).await;
    let seen = weather.end(&world).await;
    println!("{records} records taken by the network in {:.0?}: {seen}", begun.elapsed());
    seen.assert_it_stormed();

    world.settle(&server, &ledger).await;
    server.stop().await;
    audit::store_is_clean(&world, &ledger);
    let anchored = audit::chain_holds_each_record_once(&world, &ledger).await;
    assert_eq!(
        (anchored.records, anchored.batches),
        (records, 0),
        "one transaction for each registration"
    );
    money::is_conserved(&world);
    money::fees_are_in_bounds(&world).await;
}
