//! What an operator watches: `/ready` and `doctor`, which must say the same, and the lines of the log.

use std::fs::File;
use std::io::copy;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::post_office::PostOffice;
use crate::program::{Running, ask, get, run};
use crate::world::World;

/// The longest that a cut may stay unseen.
const A_SECOND: Duration = Duration::from_secs(1);
const SETTINGS: &[(&str, &str)] = &[
    ("API_KEY", "canary-4f0f1c6b8e2d7a5934c1b0e8d6f2a7c3"),
    ("JWT_SECRET", "canary-9b1d7e3f5a2c8064b7d9e1f3a5c7092b"),
    ("MASTER_SECRET", "canary-2c4e6a8b0d1f3e5c7a9b8d6f4e2c0a1b"),
    ("CUSTODY_KEY_IDENTIFIER", "custody"),
    ("SMTP_HOST", "127.0.0.1"),
    ("EMAIL_FROM", "codes@shop.example"),
];
/// What both look at, under one name.
const BOTH: [&str; 7] = ["store", "signer", "network", "headers", "mail", "pool", "disk"];

/// A door to another server that can be shut: then nobody listens there any more.
struct Door {
    address: SocketAddr,
    is_shut: Arc<AtomicBool>,
    keeper: JoinHandle<()>,
}

impl Door {
    fn to(behind: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let is_shut = Arc::new(AtomicBool::new(false));
        let shut = Arc::clone(&is_shut);
        let keeper = spawn(move || {
            for visitor in listener.incoming().flatten() {
                if shut.load(Ordering::Acquire) {
                    return;
                }
                let host = TcpStream::connect(behind).unwrap();
                let ways = [(visitor.try_clone(), host.try_clone()), (Ok(host), Ok(visitor))];
                for (from, to) in ways {
                    let (mut from, mut to) = (from.unwrap(), to.unwrap());
                    spawn(move || {
                        drop(copy(&mut from, &mut to));
                        drop(to.shutdown(std::net::Shutdown::Write));
                    });
                }
            }
        });
        Self { address, is_shut, keeper }
    }

    fn shut(self) {
        self.is_shut.store(true, Ordering::Release);
        drop(TcpStream::connect(self.address));
        self.keeper.join().unwrap();
    }
}

fn url(server: &Running) -> String {
    server.url.strip_prefix("listening on ").unwrap().trim_end_matches('/').to_owned()
}

fn dependency(ready: &Value, name: &str) -> Value {
    let mut all = ready["dependencies"].as_array().unwrap().iter();
    all.find(|one| one["name"] == name).unwrap_or_else(|| unreachable!("{name}: {ready}")).clone()
}

/// Asks until a dependency is in a state, and returns how long that took and the whole answer.
#[track_caller]
fn until(url: &str, name: &str, state: &str) -> (Duration, Value) {
    let begun = Instant::now();
    loop {
        let (status, ready) = ask(url, "GET", "/ready", "", "");
        assert_eq!(status == 503, ready["status"] == "unavailable", "{status} {ready}");
        if dependency(&ready, name)["state"] == state {
            return (begun.elapsed(), ready);
        }
        assert!(begun.elapsed() < A_SECOND * 30, "{name} is not {state}: {ready}");
    }
}

/// Holds what `doctor` finds against what `/ready` says, name by name.
#[track_caller]
fn assert_agreed(world: &World, more: &[(&str, &str)], ready: &Value) {
    let look = |variables: &[(&str, &str)]| run(&["doctor", "--json"], &[variables, more].concat());
    let report = world.with_environment(look).json();
    for name in BOTH {
        let found = report["findings"].as_array().unwrap().iter();
        let levels = found.filter(|it| it["check"] == name).map(|it| it["level"].as_str().unwrap());
        let worst =
            levels.max_by_key(|level| ["ok", "warn", "fail"].iter().position(|it| it == level));
        let said = dependency(ready, name);
        // Nothing can be compared with a network that is away: doctor says so under its name.
        let worst = worst.or((name == "headers").then_some("ok"));
        assert_eq!(said["state"].as_str(), worst, "{name}: {said} {report:#}");
    }
}

#[test]
fn g2_a_cut_is_seen_within_a_second_and_doctor_says_the_same() {
    let mut world = World::start();
    let office = PostOffice::open();
    let door = Door::to(office.address);
    let port = door.address.port().to_string();
    let more = [SETTINGS, &[("SMTP_PORT", port.as_str())]].concat();
    let server = world.serve_with(&more);
    let url = url(&server);

    let (_, ready) = until(&url, "pool", "fail");
    assert_eq!(ready["status"], "degraded", "{ready}");
    assert_agreed(&world, &more, &ready);
    world.fund(3);
    world
        .with_environment(|variables| run(&["utxo", "sync"], &[variables, &more].concat()))
        .expect(0);
    let (_, ready) = until(&url, "pool", "warn");
    assert_eq!(ready["status"], "ok", "{ready}");
    for name in ["store", "signer", "network", "headers", "pool", "disk"] {
        let age = dependency(&ready, name)["ageSeconds"].as_u64().unwrap();
        assert!(age < 30, "{name} {ready}");
    }
    assert_agreed(&world, &more, &ready);

    door.shut();
    let (took, ready) = until(&url, "mail", "fail");
    assert!(took < A_SECOND, "mail: {took:?}");
    assert_eq!(ready["status"], "unavailable", "{ready}");
    assert_agreed(&world, &more, &ready);
    world.signer.kill();
    let (took, ready) = until(&url, "signer", "fail");
    assert!(took < A_SECOND, "signer: {took:?}");
    assert_agreed(&world, &more, &ready);
    world.simnet.kill();
    let (took, ready) = until(&url, "network", "fail");
    assert!(took < A_SECOND, "network: {took:?}");
    assert_agreed(&world, &more, &ready);
    assert!(!ready.to_string().contains("canary") && !ready.to_string().contains(&port), "{ready}");
}

#[test]
fn lines_of_a_log_that_nobody_reads_at_a_terminal_are_json() {
    let world = World::start();
    let path = world.folder.path().join("log");
    let more = [SETTINGS, &[("SMTP_PORT", "1"), ("LOG_LEVEL", "debug")]].concat();
    let server = world.with_environment(|variables| {
        let log = File::create(&path).unwrap();
        Running::start_logging(&["serve"], &[variables, &more[..]].concat(), log)
    });
    assert_eq!(get(&url(&server), "/health")["status"], "ok");
    assert!(server.stop().success());
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.lines().count() > 2, "{text}");
    for line in text.lines() {
        let said: Value = serde_json::from_str(line).unwrap_or_else(|_| unreachable!("{line}"));
        for member in ["timestamp", "level", "target", "message"] {
            assert!(said[member].is_string(), "{member}: {line}");
        }
    }
    let about_us = text.lines().filter(|line| line.contains("\"request_id\":"));
    assert!(about_us.count() > 0, "{text}");
}
