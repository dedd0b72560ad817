//! The passwordless login as owners and strangers use it; tests are named after the defects of the
//! predecessor that must not come back.

use std::time::Duration;

use futures_util::future::join_all;
use patchproof::auth::svd::{UserId, revoke_digest};
use patchproof::auth::token::TokenKeys;
use patchproof::crypto::{PublicKey, SecretKey, hmac_sha256, sha256_parts};
use patchproof::storage::check;
use patchproof::storage::used_challenges::used_challenge_count;
use patchproof::types::{Clock, Digest};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::{JWT_SECRET, TestApp};
use crate::support::clients::Owner;
use crate::support::outside::Mood;

pub(crate) const ADA: &str = "3f92107747fcccc58db83812";
pub(crate) const NOBODY: &str = "00000000000000000000dead";

pub(crate) async fn post(app: &TestApp, step: &str, body: &Value) -> Answer {
    app.anonymous().call(Method::POST, &["api", "svd", step]).json(body).send().await
}

pub(crate) async fn register(app: &TestApp, user: &str, owner: &Owner) -> Answer {
    post(app, "register", &json!({ "userId": user, "pmcHex": owner.key.public_key() })).await
}

pub(crate) async fn begin(app: &TestApp, user: &str) -> String {
    let begun = post(app, "begin", &json!({ "userId": user })).await.expect(200);
    begun["M"].as_str().unwrap().to_owned()
}

pub(crate) fn challenge(text: &str) -> patchproof::auth::svd::Challenge {
    let mut bytes = [0u8; 24];
    hex::decode_to_slice(text, &mut bytes).unwrap();
    patchproof::auth::svd::Challenge::from_bytes(bytes)
}

/// Signs a challenge as its user does: with the key of this challenge.
pub(crate) fn answer_of(user: &str, key: &SecretKey, given: &str) -> Value {
    let digest = challenge(given).digest();
    let signature = key.plus(&digest).unwrap().sign(&digest);
    json!({ "userId": user, "M": given, "signatureHex": signature })
}

/// Works out the secret as the user does, who knows the server's public key only.
fn users_secret(user_key: &SecretKey, server_key: &PublicKey, given: &str) -> [u8; 32] {
    let (raw, digest) = (hex::decode(given).unwrap(), challenge(given).digest());
    let x = user_key.plus(&digest).unwrap().shared_x(&server_key.plus(&digest).unwrap());
    let user_public = user_key.public_key().to_bytes();
    let salt = sha256_parts(&[&server_key.to_bytes(), &user_public, &raw]);
    hmac_sha256(&hmac_sha256(&salt, x.as_slice()), b"SVD-Session")
}

pub(crate) async fn log_in(app: &TestApp, user: &str, owner: &Owner) -> String {
    let given = begin(app, user).await;
    let done = post(app, "complete", &answer_of(user, &owner.key, &given)).await.expect(200);
    done["token"].as_str().unwrap().to_owned()
}

/// Asks something that only a valid token answers, and changes nothing: a transfer of nothing.
pub(crate) async fn use_token(app: &TestApp, token: &str) -> u16 {
    let segments = ["v1", "patches", &"0".repeat(64), "transfer-ownership"];
    let owner = Owner::number(1);
    let body = owner.hands_over("TAG", "0".repeat(64).parse().unwrap(), &owner.address());
    let call = app.api().call(Method::POST, &segments).bearer(token).json(&body);
    call.send().await.status
}

/// Counts what a login could leave behind; the background writes of its own.
pub(crate) fn login_rows(app: &TestApp) -> Vec<u64> {
    let rows = app.store.read(check).unwrap().rows;
    ["audit-1", "svd-keys-1", "used-challenges-1", "token-epochs-1"].map(|name| rows[name]).to_vec()
}

pub(crate) async fn with_ada() -> (TestApp, Owner) {
    let app = TestApp::penniless().await;
    let ada = Owner::number(1);
    let _ = register(&app, ADA, &ada).await.expect(201);
    (app, ada)
}

#[tokio::test]
async fn an_owner_logs_in_and_the_token_says_what_the_contract_promises() {
    let (app, ada) = with_ada().await;
    let begun = post(&app, "begin", &json!({ "userId": ADA })).await;
    assert_eq!(begun.header("cache-control"), Some("no-store"));
    let begun = begun.expect(200);
    assert_eq!(begun["pmcHex"], json!(ada.key.public_key()));
    let given = begun["M"].as_str().unwrap();
    let done = post(&app, "complete", &answer_of(ADA, &ada.key, given)).await;
    assert_eq!(done.header("cache-control"), Some("no-store"));
    let token = done.expect(200)["token"].as_str().unwrap().to_owned();
    let keys = TokenKeys::new(JWT_SECRET, None).unwrap();
    let claims = keys.claims(&token, app.outside.clock.now()).unwrap();
    let digest = challenge(given).digest();
    let cnf = claims.cnf.unwrap();
    assert_eq!(claims.sub, ADA);
    assert_eq!(claims.jti, hex::encode(digest.as_bytes()));
    assert_eq!(cnf.msha256, claims.jti);
    assert_eq!((claims.exp - claims.iat, claims.iat - claims.nbf), (600, 30));
    // The owner can tell that the server's key took part: both work out the same secret.
    let server = app.outside.keystore.get("svd").unwrap().public_key();
    let shared = users_secret(&ada.key, &server, given);
    let user: UserId = ADA.parse().unwrap();
    let proof = patchproof::auth::svd::svd_proof(user, &digest, &shared);
    assert_eq!(cnf.svd_proof, Some(hex::encode(proof)));
    assert_eq!(use_token(&app, &token).await, 404);
}

#[tokio::test]
async fn a3_strangers_cannot_cancel_or_crowd_out_a_login() {
    let (app, ada) = with_ada().await;
    let given = begin(&app, ADA).await;
    let mut others = Vec::new();
    for _ in 0..200 {
        others.push(begin(&app, ADA).await);
    }
    let junk = json!({ "userId": ADA, "M": given, "signatureHex": "3006020101020101" });
    post(&app, "complete", &junk).await.problem(401, "SVD_INVALID_SIGNATURE");
    let _ = post(&app, "complete", &answer_of(ADA, &ada.key, &given)).await.expect(200);
    let _ = post(&app, "complete", &answer_of(ADA, &ada.key, &others[0])).await.expect(200);
}

#[tokio::test]
async fn a4_failures_and_beginnings_write_nothing() {
    let (app, ada) = with_ada().await;
    let before = login_rows(&app);
    let given = begin(&app, ADA).await;
    let mut made_up = given.clone();
    made_up.replace_range(20..22, if &given[20..22] == "00" { "01" } else { "00" });
    for (body, status, code) in [
        (answer_of(ADA, &Owner::number(2).key, &given), 401, "SVD_INVALID_SIGNATURE"),
        (answer_of(NOBODY, &ada.key, &given), 400, "SVD_BAD_CHALLENGE"),
        (answer_of(ADA, &ada.key, &made_up), 400, "SVD_BAD_CHALLENGE"),
        (json!({"userId": ADA, "M": "00", "signatureHex": "00"}), 400, "SVD_BAD_CHALLENGE"),
        (json!({"userId": ADA, "M": given, "signatureHex": "zz"}), 401, "SVD_INVALID_SIGNATURE"),
        (json!({"userId": ADA, "M": given, "signatureHex": ""}), 401, "SVD_INVALID_SIGNATURE"),
    ] {
        post(&app, "complete", &body).await.problem(status, code);
    }
    assert_eq!(login_rows(&app), before);
    assert_eq!(app.store.read(used_challenge_count).unwrap(), 0);
    let _ = post(&app, "complete", &answer_of(ADA, &ada.key, &given)).await.expect(200);
    assert_eq!(app.store.read(used_challenge_count).unwrap(), 1);
}

#[tokio::test]
async fn a5_a_challenge_counts_once_even_after_a_restart() {
    let (app, ada) = with_ada().await;
    let given = begin(&app, ADA).await;
    let body = answer_of(ADA, &ada.key, &given);
    let answers = join_all((0..64).map(|_| post(&app, "complete", &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.problem(409, "SVD_REPLAYED");
    }
    // Nothing is in memory then.
    let app = app.restart().await;
    post(&app, "complete", &body).await.problem(409, "SVD_REPLAYED");
}

#[tokio::test]
async fn a5_a_challenge_given_out_before_a_restart_is_good_after_it() {
    let (app, ada) = with_ada().await;
    let given = begin(&app, ADA).await;
    let app = app.restart().await;
    let _ = post(&app, "complete", &answer_of(ADA, &ada.key, &given)).await.expect(200);
}

#[tokio::test]
async fn a6_no_challenge_outlives_its_time() {
    let (app, ada) = with_ada().await;
    let given = begin(&app, ADA).await;
    app.outside.clock.advance(Duration::from_secs(181));
    let late = post(&app, "complete", &answer_of(ADA, &ada.key, &given)).await;
    late.problem(400, "SVD_EXPIRED");
    app.outside.clock.advance(Duration::from_secs(24 * 3600));
    let late = post(&app, "complete", &answer_of(ADA, &ada.key, &given)).await;
    late.problem(400, "SVD_EXPIRED");
}

#[tokio::test]
async fn a7_an_unknown_user_looks_like_a_known_one() {
    let (app, ada) = with_ada().await;
    let known = post(&app, "begin", &json!({ "userId": ADA })).await;
    let unknown = post(&app, "begin", &json!({ "userId": NOBODY })).await;
    let names = |answer: &Answer| -> Vec<String> {
        let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(names(&known), names(&unknown));
    assert_eq!(known.body.len(), unknown.body.len());
    let (known, unknown) = (known.expect(200), unknown.expect(200));
    let fields = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&known), fields(&unknown));
    let again = post(&app, "begin", &json!({ "userId": NOBODY })).await.expect(200);
    assert_eq!(again["pmcHex"], unknown["pmcHex"]);
    // Answers of both are refused in the same words.
    let wrong = Owner::number(9);
    let given = [known["M"].as_str().unwrap(), unknown["M"].as_str().unwrap()];
    let first = post(&app, "complete", &answer_of(ADA, &wrong.key, given[0])).await;
    let second = post(&app, "complete", &answer_of(NOBODY, &wrong.key, given[1])).await;
    let said = |answer: &Answer| {
        let mut problem = answer.problem(401, "SVD_INVALID_SIGNATURE");
        problem["requestId"] = Value::Null;
        problem
    };
    assert_eq!(said(&first), said(&second));
    let _token = log_in(&app, ADA, &ada).await;
}

#[tokio::test]
async fn a11_c11_only_the_canonical_form_of_a_signature_counts() {
    let (app, ada) = with_ada().await;
    let given = begin(&app, ADA).await;
    let body = answer_of(ADA, &ada.key, &given);
    let low = hex::decode(body["signatureHex"].as_str().unwrap()).unwrap();
    let mut trailing = low.clone();
    trailing.push(0);
    let twin = high_twin(&low);
    for bad in [twin, trailing] {
        let mut changed = body.clone();
        changed["signatureHex"] = hex::encode(bad).into();
        post(&app, "complete", &changed).await.problem(401, "SVD_INVALID_SIGNATURE");
    }
    let metrics = app.anonymous().get(&["metrics"]).await;
    let count = metrics.text().lines().find(|line| line.starts_with("svd_malleable_reject_total{"));
    assert!(count.unwrap().ends_with(" 1"), "{count:?}");
    let _ = post(&app, "complete", &body).await.expect(200);
}

/// Returns the other signature that matches the same message: the one with high S.
fn high_twin(der: &[u8]) -> Vec<u8> {
    const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let order = hex::decode(ORDER).unwrap();
    let r_length = usize::from(der[3]);
    let (r, s) = (&der[4..4 + r_length], &der[6 + r_length..]);
    let mut padded = [0u8; 32];
    padded[32 - s.len()..].copy_from_slice(s);
    let (mut high, mut borrow) = ([0u8; 32], 0i16);
    for index in (0..32).rev() {
        let digit = i16::from(order[index]) - i16::from(padded[index]) - borrow;
        borrow = i16::from(digit < 0);
        high[index] = u8::try_from(digit.rem_euclid(256)).unwrap();
    }
    let s = [&[0u8][..], &high].concat();
    let body = [&[2, der[3]][..], r, &[2, 33], &s].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

#[tokio::test]
async fn a12_a_login_does_not_die_with_the_signer() {
    let (app, ada) = with_ada().await;
    app.outside.signer_is(Mood::Down);
    let token = log_in(&app, ADA, &ada).await;
    let keys = TokenKeys::new(JWT_SECRET, None).unwrap();
    let claims = keys.claims(&token, app.outside.clock.now()).unwrap();
    assert_eq!(claims.cnf.unwrap().svd_proof, None);
    app.outside.signer_is(Mood::Honest);
    app.outside.clock.advance(Duration::from_secs(11));
    let token = log_in(&app, ADA, &ada).await;
    let claims = keys.claims(&token, app.outside.clock.now()).unwrap();
    assert!(claims.cnf.unwrap().svd_proof.is_some());
}

#[tokio::test]
async fn a13_a_failing_disk_is_said_and_issues_no_token() {
    let (app, ada) = with_ada().await;
    let given = begin(&app, ADA).await;
    app.disk().set_broken(true);
    let body = answer_of(ADA, &ada.key, &given);
    assert_eq!(post(&app, "complete", &body).await.status, 503);
    app.disk().set_broken(false);
    let answer = app
        .until("the store takes writes again", async || {
            Some(post(&app, "complete", &body).await).filter(|answer| answer.status != 503)
        })
        .await;
    // The challenge was not used up by the failure.
    let _ = answer.expect(200);
}

#[tokio::test]
async fn a14_hexadecimal_is_read_in_either_case() {
    let (app, ada) = with_ada().await;
    let given = begin(&app, &ADA.to_uppercase()).await;
    let mut body = answer_of(ADA, &ada.key, &given);
    for field in ["userId", "M", "signatureHex"] {
        body[field] = body[field].as_str().unwrap().to_uppercase().into();
    }
    let _ = post(&app, "complete", &body).await.expect(200);
    post(&app, "complete", &body).await.problem(409, "SVD_REPLAYED");
}

#[tokio::test]
async fn g10_the_canary_tries_everything_and_stores_nothing() {
    let (app, _) = with_ada().await;
    let canary = async |key: &str| app.api_with(key).get(&["api", "svd", "canary"]).await;
    app.anonymous().get(&["api", "svd", "canary"]).await.problem(401, "UNAUTHENTICATED");
    canary("pos").await.problem(403, "FORBIDDEN");
    let before = login_rows(&app);
    let report = canary("metrics:read").await.expect(200);
    assert_eq!(report["ok"], true);
    let steps: Vec<&str> =
        report["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["challenge", "signature", "refusal", "store", "token", "signer"]);
    assert!(report["steps"].as_array().unwrap().iter().all(|step| step["ok"] == true));
    assert_eq!(login_rows(&app), before);
    app.outside.signer_is(Mood::Down);
    let report = canary("metrics:read").await.expect(200);
    assert_eq!(report["steps"][5]["ok"], false);
}

#[tokio::test]
async fn g11_the_age_of_challenges_that_come_back_is_observed() {
    let (app, ada) = with_ada().await;
    let observed = async || {
        let metrics = app.anonymous().get(&["metrics"]).await;
        let is_ours = |line: &&str| line.starts_with("svd_challenge_age_seconds");
        let lines = metrics.text().lines().filter(is_ours);
        let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        let [mut count, mut sum] = [0.0, 0.0];
        for line in lines {
            if line.starts_with("svd_challenge_age_seconds_count{") {
                count += value(line);
            } else if line.starts_with("svd_challenge_age_seconds_sum{") {
                sum += value(line);
            }
        }
        (count, sum)
    };
    assert_eq!(observed().await, (0.0, 0.0));
    let given = begin(&app, ADA).await;
    app.outside.clock.advance(Duration::from_secs(40));
    let _ = post(&app, "complete", &answer_of(ADA, &ada.key, &given)).await.expect(200);
    let (count, sum) = observed().await;
    // A challenge carries whole seconds, and the clock goes on between the steps.
    assert!((count - 1.0).abs() < 0.5 && (40.0..43.0).contains(&sum), "{count} {sum}");
}

#[tokio::test]
async fn the_server_names_its_key() {
    let (app, _) = with_ada().await;
    let answer = app.anonymous().get(&["api", "svd", "kid"]).await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let key = app.outside.keystore.get("svd").unwrap().public_key();
    assert_eq!(answer.expect(200)["kid"], patchproof::signer::svd_kid(&key));
    let app = app.restart_with(|settings| settings.login.kid = Some("svd-mine".into())).await;
    let answer = app.anonymous().get(&["api", "svd", "kid"]).await;
    assert_eq!(answer.expect(200)["kid"], "svd-mine");
}

#[tokio::test]
async fn signatures_over_anything_else_than_the_challenge_are_refused() {
    let (app, ada) = with_ada().await;
    let given = begin(&app, ADA).await;
    let digest = challenge(&given).digest();
    let user = ADA.parse().unwrap();
    let raw = Digest::from_bytes(patchproof::crypto::sha256(given.as_bytes()));
    for signature in [
        ada.key.sign(&digest),
        ada.key.plus(&digest).unwrap().sign(&raw),
        ada.key.sign(&revoke_digest(user, &challenge(&given))),
    ] {
        let body = json!({ "userId": ADA, "M": given, "signatureHex": signature });
        post(&app, "complete", &body).await.problem(401, "SVD_INVALID_SIGNATURE");
    }
}
