//! The check of a proof bundle, offline, beside the bare signatures that are verified in it.

use std::time::Instant;

use patchproof::crypto::{PublicKey, SecretKey, Signature};
use patchproof::proof::{Bundle, Trust, Verdict, verify_bytes};
use patchproof::types::Digest;

use crate::processes::{World, get, get_text, post};
use crate::{Figure, median};

const UID: &str = "BUNDLED-1";
const ROUNDS: usize = 500;

pub(crate) fn measure() -> Vec<Figure> {
    let world = World::start("1s");
    world.fund(20);
    let server = world.serve();
    let text = bundle_of_a_product(&server.address);
    let bundle = Bundle::parse(text.as_bytes()).unwrap();
    let trust = Trust { issuers: bundle.issuers(), ..Trust::default() };
    assert_ne!(verify_bytes(text.as_bytes(), &trust).verdict, Verdict::Failed);
    let spends: usize = bundle.beef.iter().flat_map(|beef| &beef.transactions).count();
    let ours = timed(|| drop(verify_bytes(text.as_bytes(), &trust)));
    let key = SecretKey::from_bytes(&[3; 32]).unwrap();
    let digest = Digest::from_bytes([7; 32]);
    let (public, signature) = (key.public_key(), key.sign(&digest));
    let bare = timed(|| verify_one(&public, &digest, &signature));
    vec![Figure {
        name: format!("check of a bundle of {} bytes, {spends} transactions", text.len()),
        value: format!("{:.3} ms", ours / 1e3),
        beside: format!("one signature verified {bare:.1} µs"),
        ratio: None,
    }]
}

fn verify_one(key: &PublicKey, digest: &Digest, signature: &Signature) {
    key.verify(digest, signature).unwrap();
}

/// Returns the median time of a call in microseconds.
fn timed(mut call: impl FnMut()) -> f64 {
    let times = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        call();
        begun.elapsed().as_secs_f64() * 1e6
    });
    median(times.collect())
}

/// Registers a product, waits until it is in a block, and returns its bundle.
#[expect(clippy::disallowed_methods, reason = "nothing tells when a block is mined")]
fn bundle_of_a_product(address: &str) -> String {
    let health = get(address, "/v1/admin/utxo-health");
    let owner = health["funding"]["address"].as_str().unwrap();
    let body = format!(
        "{{\"product\":{{\"uid_tag_id\":\"{UID}\",\"name\":\"Jersey\"}},\"auth\":{{\"owner\":\"{owner}\"}}}}"
    );
    post(address, "/v1/patches", &body);
    loop {
        let text = get_text(address, &format!("/v1/patches/{UID}/proof"));
        if Bundle::parse(text.as_bytes()).is_ok_and(|bundle| bundle.is_complete()) {
            return text;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}
