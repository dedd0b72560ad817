//! Logins completed over HTTP, each consumed durably, beside what libsecp256k1 alone does with the
//! same two operations; and whether the time of an answer tells who is registered.

use std::cell::Cell;
use std::time::{Duration, Instant};

use patchproof::auth::svd::{CHALLENGE_BYTES, Challenge};
use patchproof::crypto::{PublicKey, SecretKey, Signature, svd_challenge_key};
use patchproof::types::Digest;
use serde_json::Value;

use crate::load::{Connection, request};
use crate::login_inside::{AT_A_TIME, Inside};
use crate::processes::{Process, World, post};
use crate::{Figure, median};

pub(crate) const USERS: u64 = 200;
const LOGINS: usize = 60_000;
const CLIENTS: usize = 64;
/// Pairs of a known and an unknown user whose answers are timed.
const PAIRS: usize = 2_000;
const RAW: Duration = Duration::from_secs(3);

/// Measures with the signer's proof and without.
pub(crate) fn measure() -> Vec<Figure> {
    let mut world = World::start("2s");
    let server = world.serve();
    for number in 0..USERS {
        post(&server.address, "/api/svd/register", &registration(number));
    }
    let inside = Inside::start(&world);
    let raw = raw_per_second();
    let with_proof = complete(&server.address, CLIENTS, LOGINS / 4);
    world.signer = Process::start(&mut world.command(&["simnet", "--listen", "127.0.0.1:0"]));
    let few = complete(&server.address, CLIENTS, LOGINS);
    let without = complete(&server.address, AT_A_TIME, LOGINS);
    let line = |name: &str, rate: f64| Figure {
        name: name.to_owned(),
        value: format!("{rate:.0}/s"),
        beside: format!("libsecp256k1 alone, tweak-add and verify, 2 threads {raw:.0}/s"),
        ratio: Some(rate / raw),
    };
    let (known, unknown) = medians(&server.address);
    drop(server);
    let (route, service) = (inside.by_the_route(LOGINS), inside.by_the_service(LOGINS));
    vec![
        line(&format!("logins completed over HTTP, {AT_A_TIME} clients, signer away"), without),
        line(&format!("the same with {CLIENTS} clients"), few),
        line(&format!("the route without sockets, {AT_A_TIME} requests at a time"), route),
        line(&format!("the service behind the route, {AT_A_TIME} logins at a time"), service),
        line("logins completed, 64 clients, each with the signer's proof", with_proof),
        Figure {
            name: format!("begin, median of {PAIRS} pairs, known user"),
            value: format!("{known:.1} µs"),
            beside: format!("unknown user {unknown:.1} µs"),
            ratio: Some(known / unknown),
        },
    ]
}

pub(crate) fn user(number: u64) -> String {
    format!("{number:024x}")
}

pub(crate) fn secret(number: u64) -> SecretKey {
    let mut bytes = [3u8; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    SecretKey::from_bytes(&bytes).unwrap()
}

/// Returns the body that registers a user.
pub(crate) fn registration(number: u64) -> String {
    let key = secret(number).public_key();
    format!("{{\"userId\":\"{}\",\"pmcHex\":\"{key}\"}}", user(number))
}

/// What libsecp256k1 alone does of one login, on as many threads as there are cores.
fn raw_per_second() -> f64 {
    let (key, challenge) = (secret(1).public_key(), [5u8; 24]);
    let digest = Challenge::from_bytes(challenge).digest();
    let signature = secret(1).plus(&digest).unwrap().sign(&digest);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let work = move || -> u64 { raw_until(key, challenge, digest, signature) };
    let all: Vec<_> = (0..threads).map(|_| std::thread::spawn(work)).collect();
    let count: u64 = all.into_iter().map(|thread| thread.join().unwrap()).sum();
    count as f64 / RAW.as_secs_f64()
}

fn raw_until(key: PublicKey, challenge: [u8; 24], digest: Digest, signature: Signature) -> u64 {
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < RAW {
        for _ in 0..100 {
            let once = svd_challenge_key(&key, &challenge).unwrap();
            once.verify(&digest, &signature).unwrap();
        }
        count += 100;
    }
    count
}

/// Answers challenges that were asked for and signed before, and returns logins per second.
fn complete(address: &str, clients: usize, count: usize) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let requests = runtime.block_on(prepare(address, count));
    let begun = Instant::now();
    // In the order in which they were begun, as people answer.
    let next = Cell::new(0);
    let (requests, next) = (&requests, &next);
    let clients = (0..clients).map(|_| async move {
        let mut connection = Connection::open(address).await;
        while let Some(request) = requests.get(next.replace(next.get() + 1)) {
            assert_eq!(connection.send(request).await, 200);
        }
    });
    runtime.block_on(futures_util::future::join_all(clients));
    count as f64 / begun.elapsed().as_secs_f64()
}

async fn prepare(address: &str, count: usize) -> Vec<Vec<u8>> {
    let mut connection = Connection::open(address).await;
    let mut requests = Vec::with_capacity(count);
    for number in 0..count as u64 {
        let number = number % USERS;
        let body = format!("{{\"userId\":\"{}\"}}", user(number));
        assert_eq!(connection.post("/api/svd/begin", &body).await, 200);
        let body: Value = serde_json::from_slice(connection.body()).unwrap();
        let given = body["M"].as_str().unwrap();
        let body = answer(number, given);
        requests.push(request(address, "/api/svd/complete", &body));
    }
    requests
}

/// Returns the body that answers a user's challenge, given in hexadecimal.
pub(crate) fn answer(number: u64, challenge: &str) -> String {
    let mut bytes = [0u8; CHALLENGE_BYTES];
    hex::decode_to_slice(challenge, &mut bytes).unwrap();
    let digest = Challenge::from_bytes(bytes).digest();
    let signature = secret(number).plus(&digest).unwrap().sign(&digest);
    format!(
        "{{\"userId\":\"{}\",\"M\":\"{challenge}\",\"signatureHex\":\"{signature}\"}}",
        user(number)
    )
}

/// Returns the median times of `begin` for known and unknown users, asked in turns, in microseconds.
fn medians(address: &str) -> (f64, f64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = Connection::open(address).await;
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for pair in 0..PAIRS as u64 {
            let mut both = [(true, pair % USERS), (false, pair + 1_000_000)];
            // Whoever comes second finds the caches as the first left them: they take turns.
            both.rotate_left((pair % 2) as usize);
            for (is_known, number) in both {
                let body = format!("{{\"userId\":\"{}\"}}", user(number));
                let begun = Instant::now();
                assert_eq!(connection.post("/api/svd/begin", &body).await, 200);
                let took = begun.elapsed().as_secs_f64() * 1_000_000.0;
                if is_known { known.push(took) } else { unknown.push(took) }
            }
        }
        (median(known), median(unknown))
    })
}
