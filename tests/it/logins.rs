//! Many logins at once, honest ones among replays and junk: every honest one gets in, nothing else.
//!
//! `LOGINS` says how many there are in all; a fifth are replays of answers that were taken, a fifth
//! is junk, and a tenth as many users share the rest.

use futures_util::stream::{self, StreamExt};
use patchproof::auth::svd::Challenge;
use patchproof::crypto::SecretKey;
use patchproof::storage::check;
use serde_json::{Value, json};

use crate::login::{post, register};
use crate::support::app::TestApp;
use crate::support::clients::Owner;

/// Requests that are under way at a time.
const AT_ONCE: usize = 256;

#[expect(clippy::disallowed_methods, reason = "how much a test does is told from outside")]
fn logins() -> usize {
    let said = std::env::var("LOGINS").ok().and_then(|text| text.parse().ok());
    said.unwrap_or(if cfg!(debug_assertions) { 1_000 } else { 10_000 })
}

/// What a request is, and so how it must be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Honest,
    Replay,
    Junk,
}

fn user_id(number: usize) -> String {
    format!("{number:024x}")
}

fn owner(number: usize) -> Owner {
    let mut bytes = [1u8; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    Owner { key: SecretKey::from_bytes(&bytes).unwrap() }
}

async fn answered(app: &TestApp, number: usize) -> Value {
    let user = user_id(number);
    let begun = post(app, "begin", &json!({ "userId": user })).await.expect(200);
    let mut bytes = [0u8; 24];
    hex::decode_to_slice(begun["M"].as_str().unwrap(), &mut bytes).unwrap();
    let digest = Challenge::from_bytes(bytes).digest();
    let signature = owner(number).key.plus(&digest).unwrap().sign(&digest);
    json!({ "userId": user, "M": begun["M"], "signatureHex": signature })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_replay_is_accepted_and_no_honest_login_is_lost() {
    let app = TestApp::penniless().await;
    let (all, honest) = (logins(), logins() * 3 / 5);
    let users = (all / 10).max(1);
    let registered = stream::iter(0..users).map(|number| {
        let app = &app;
        async move { register(app, &user_id(number), &owner(number)).await.status }
    });
    let registered: Vec<u16> = registered.buffer_unordered(AT_ONCE).collect().await;
    assert!(registered.iter().all(|status| *status == 201));
    let answers = stream::iter(0..honest).map(|number| answered(&app, number % users));
    let answers: Vec<Value> = answers.buffered(AT_ONCE).collect().await;

    // Each answer that is repeated comes twice at about the same time; either may be the first.
    let mut requests: Vec<(Kind, usize, Value)> = Vec::new();
    for (index, answer) in answers.iter().enumerate() {
        requests.push((Kind::Honest, index, answer.clone()));
        if index % 3 == 0 {
            requests.push((Kind::Replay, index, answer.clone()));
        }
        if index % 3 == 1 {
            let mut junk = answer.clone();
            junk["signatureHex"] = answers[(index + 1) % honest]["signatureHex"].clone();
            requests.push((Kind::Junk, index, junk));
        }
    }
    let results = stream::iter(requests).map(|(kind, index, body)| {
        let app = &app;
        async move { (kind, index, post(app, "complete", &body).await) }
    });
    let results: Vec<_> = results.buffer_unordered(AT_ONCE).collect().await;
    let mut taken = vec![0u32; honest];
    for (kind, index, answer) in &results {
        match kind {
            Kind::Honest | Kind::Replay if answer.status == 200 => taken[*index] += 1,
            Kind::Honest | Kind::Replay => {
                answer.problem(409, "SVD_REPLAYED");
            }
            // The honest answer to the same challenge may have been taken before.
            Kind::Junk => assert!(matches!(answer.status, 401 | 409), "{}", answer.text()),
        }
    }
    assert!(taken.iter().all(|count| *count == 1), "each answer counts exactly once");
    // Long after, and with nothing left in memory.
    let app = app.restart().await;
    let late = stream::iter(&answers).map(|body| {
        let app = &app;
        async move { post(app, "complete", body).await.status }
    });
    let late: Vec<u16> = late.buffer_unordered(AT_ONCE).collect().await;
    assert!(late.iter().all(|status| *status == 409), "a replay was accepted after a restart");
    assert!(app.store.read(check).unwrap().is_clean());
}
