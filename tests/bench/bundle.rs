//! The check of a proof bundle, offline, beside the bare signatures that are verified in it.

use std::time::{Duration, Instant};

use patchproof::auth::token::TokenKeys;
use patchproof::bitcoin::Address;
use patchproof::crypto::{PublicKey, SecretKey, Signature};
use patchproof::patch::message::{message_digest, transfer_message};
use patchproof::proof::{Bundle, Trust, Verdict, verify_bytes};
use patchproof::types::{Clock, Digest, Network, SystemClock};

use crate::processes::{JWT_SECRET, World, get_text, post, post_as};
use crate::{Figure, median};

const UID: &str = "BUNDLED-1";
const ROUNDS: usize = 500;
/// How often the product changes hands for the second figure.
const TRANSFERS: usize = 50;

pub(crate) fn measure() -> Vec<Figure> {
    let world = World::start("1s");
    world.fund(200);
    let server = world.serve();
    let owners: Vec<SecretKey> = (0..=TRANSFERS).map(|_| SecretKey::generate()).collect();
    let mut txid = register(&server.address, &owners[0]);
    let first = measure_bundle(&bundle_of(&server.address, 1));
    let token = token();
    for pair in owners.windows(2) {
        txid = hand_on(&server.address, &token, &txid, [&pair[0], &pair[1]]);
    }
    let last = measure_bundle(&bundle_of(&server.address, TRANSFERS + 1));
    vec![first, last]
}

fn measure_bundle(text: &str) -> Figure {
    let bundle = Bundle::parse(text.as_bytes()).unwrap();
    let trust = Trust { issuers: bundle.issuers(), ..Trust::default() };
    assert_ne!(verify_bytes(text.as_bytes(), &trust).verdict, Verdict::Failed);
    let spends: usize = bundle.beef.iter().flat_map(|beef| &beef.transactions).count();
    let ours = timed(|| drop(verify_bytes(text.as_bytes(), &trust)));
    let key = SecretKey::from_bytes(&[3; 32]).unwrap();
    let digest = Digest::from_bytes([7; 32]);
    let (public, signature) = (key.public_key(), key.sign(&digest));
    let bare = timed(|| verify_one(&public, &digest, &signature));
    let (events, bytes) = (bundle.records.len(), text.len());
    Figure {
        name: format!("check of a bundle: {events} events, {bytes} bytes, {spends} transactions"),
        value: format!("{:.3} ms", ours / 1e3),
        beside: format!("one signature verified {bare:.1} µs"),
        ratio: None,
    }
}

fn token() -> String {
    let keys = TokenKeys::new(JWT_SECRET.as_bytes(), None).unwrap();
    let day = Duration::from_secs(24 * 3600);
    keys.issue("owner", SystemClock.now(), day, &[7; 16]).unwrap()
}

fn address_of(owner: &SecretKey) -> Address {
    Address::of_key(&owner.public_key(), Network::Test)
}

/// Registers the product and returns its transaction.
fn register(address: &str, owner: &SecretKey) -> String {
    let owner = address_of(owner);
    let body = format!(
        "{{\"product\":{{\"uid_tag_id\":\"{UID}\",\"name\":\"Jersey\"}},\"auth\":{{\"owner\":\"{owner}\"}}}}"
    );
    let answer = post(address, "/v1/patches", &body);
    answer["txid"].as_str().unwrap().to_owned()
}

/// Hands the product on and returns the new transaction.
fn hand_on(address: &str, token: &str, txid: &str, owners: [&SecretKey; 2]) -> String {
    let [from, to] = owners;
    let new_owner = address_of(to).to_string();
    let message = transfer_message(UID, txid.parse().unwrap(), &new_owner);
    let signature = from.sign(&message_digest(&message));
    let body = serde_json::json!({
        "newOwnerAddress": new_owner,
        "currentOwnerPubKey": from.public_key().to_string(),
        "currentOwnerSignature": signature.to_string(),
    });
    let path = format!("/v1/patches/{txid}/transfer-ownership");
    let answer = post_as(address, &path, &body.to_string(), token);
    answer["newTxid"].as_str().unwrap().to_owned()
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

/// Waits until all events of the product are in blocks, and returns its bundle.
#[expect(clippy::disallowed_methods, reason = "nothing tells when a block is mined")]
fn bundle_of(address: &str, events: usize) -> String {
    loop {
        let text = get_text(address, &format!("/v1/patches/{UID}/proof"));
        let is_whole = |bundle: Bundle| bundle.is_complete() && bundle.records.len() == events;
        if Bundle::parse(text.as_bytes()).is_ok_and(is_whole) {
            return text;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
