//! Logins completed over HTTP, each consumed durably, beside what libsecp256k1 alone does with the
//! same two operations; and whether the time of an answer tells who is registered.

use std::time::{Duration, Instant};

use patchproof::auth::svd::Challenge;
use patchproof::crypto::{PublicKey, SecretKey, Signature, svd_challenge_key};
use patchproof::types::Digest;
use serde_json::Value;

use crate::load::Connection;
use crate::login_service::AT_A_TIME;
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
    register(&server.address);
    let raw = raw_per_second();
    let with_proof = complete(&server.address, LOGINS / 4);
    world.signer = Process::start(&mut world.command(&["simnet", "--listen", "127.0.0.1:0"]));
    let without = complete(&server.address, LOGINS);
    let line = |name: &str, rate: f64| Figure {
        name: name.to_owned(),
        value: format!("{rate:.0}/s"),
        beside: format!("libsecp256k1 alone, tweak-add and verify, 2 threads {raw:.0}/s"),
        ratio: Some(rate / raw),
    };
    let (known, unknown) = medians(&server.address);
    drop((server, world));
    let alone = crate::login_service::complete(LOGINS);
    vec![
        line("logins completed over HTTP, 64 clients, signer away", without),
        line(&format!("the same without HTTP, {AT_A_TIME} at a time"), alone),
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

fn register(address: &str) {
    for number in 0..USERS {
        let key = secret(number).public_key();
        let body = format!("{{\"userId\":\"{}\",\"pmcHex\":\"{key}\"}}", user(number));
        post(address, "/api/svd/register", &body);
    }
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
fn complete(address: &str, count: usize) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bodies = runtime.block_on(prepare(address, count));
    let begun = Instant::now();
    let per_client = count.div_ceil(CLIENTS);
    let clients = bodies.chunks(per_client).map(|bodies| async move {
        let mut connection = Connection::open(address).await;
        for body in bodies {
            let status = connection.post("/api/svd/complete", body).await;
            assert_eq!(status, 200);
        }
    });
    runtime.block_on(futures_util::future::join_all(clients));
    count as f64 / begun.elapsed().as_secs_f64()
}

async fn prepare(address: &str, count: usize) -> Vec<String> {
    let mut connection = Connection::open(address).await;
    let mut bodies = Vec::with_capacity(count);
    for number in 0..count as u64 {
        let number = number % USERS;
        let name = user(number);
        let given = connection.post("/api/svd/begin", &format!("{{\"userId\":\"{name}\"}}")).await;
        assert_eq!(given, 200);
        let body: Value = serde_json::from_slice(connection.body()).unwrap();
        let given = body["M"].as_str().unwrap();
        let mut bytes = [0u8; 24];
        hex::decode_to_slice(given, &mut bytes).unwrap();
        let digest = Challenge::from_bytes(bytes).digest();
        let signature = secret(number).plus(&digest).unwrap().sign(&digest);
        bodies.push(format!(
            "{{\"userId\":\"{name}\",\"M\":\"{given}\",\"signatureHex\":\"{signature}\"}}"
        ));
    }
    bodies
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
