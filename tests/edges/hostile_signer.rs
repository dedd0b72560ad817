//! A signer that answers wrongly, slowly, or not at all.

use std::time::Duration;

use patchproof::crypto::{PublicKey, SecretKey, Signature};
use patchproof::signer::{
    ExpectedKey, KmsConfig, KmsSigner, SignKind, SignRequest, Signer, SignerError,
};
use patchproof::types::Digest;
use serde_json::{Value, json};
use url::Url;

use crate::stub::{self, Asked, Stub, endless, html, redirect, serve_raw, text};

const API_KEY: &str = "the-secret-key-of-the-signer";

fn key() -> SecretKey {
    SecretKey::from_bytes(&[5; 32]).unwrap()
}

fn requests(count: u8) -> Vec<SignRequest> {
    let request = |byte| SignRequest {
        key_identifier: "funding".to_owned(),
        sighash: Digest::from_bytes([byte; 32]),
        kind: SignKind::Transaction,
        expected: ExpectedKey::Hash160(key().public_key().hash160()),
    };
    (0..count).map(request).collect()
}

fn client(url: &Url) -> KmsSigner {
    let mut config = KmsConfig::new(url.clone());
    config.api_key = Some(API_KEY.to_owned());
    config.retry_delay = Duration::from_millis(1);
    KmsSigner::new(config).unwrap()
}

fn entry(key: &SecretKey, sighash: &Digest) -> Value {
    json!({ "signatureHex": key.sign(sighash), "pubKeyHex": key.public_key() })
}

fn honest(asked: &Asked) -> Vec<Value> {
    let body = asked.json();
    let hashes = body["requests"].as_array().unwrap().iter().map(|one| &one["sighash"]);
    hashes.map(|hash| entry(&key(), &hash.as_str().unwrap().parse().unwrap())).collect()
}

/// The second form of a signature: S replaced by the order of the curve less S.
fn high_s(signature: &Signature) -> String {
    const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let der = signature.to_der();
    let r_end = 4 + usize::from(der[3]);
    let s = &der[r_end + 2..];
    let mut high = [0u8; 33];
    high[1..].copy_from_slice(&hex::decode(ORDER).unwrap());
    let mut borrow = 0i16;
    for (place, digit) in high.iter_mut().rev().enumerate() {
        let taken = s.len().checked_sub(place + 1).map_or(0, |index| i16::from(s[index]));
        let left = i16::from(*digit) - taken - borrow;
        borrow = i16::from(left < 0);
        *digit = u8::try_from(left.rem_euclid(256)).unwrap();
    }
    let r = &der[2..r_end];
    let length = u8::try_from(r.len() + 2 + high.len()).unwrap();
    hex::encode([&[0x30, length], r, &[0x02, 33], &high].concat())
}

#[tokio::test]
async fn a_request_has_the_form_of_the_contract() {
    let stub = Stub::start(|_, asked| stub::json(&json!({ "signatures": honest(asked) }))).await;
    let signatures = client(&stub.url).sign(&requests(2)).await.unwrap();
    assert_eq!(signatures[1].signature, key().sign(&Digest::from_bytes([1; 32])));
    let asked = stub.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].target, "/sign");
    assert_eq!(asked[0].headers["authorization"], format!("Bearer {API_KEY}"));
    let first = json!({
        "keyIdentifier": "funding", "sighash": "00".repeat(32), "kind": "transaction",
    });
    assert_eq!(asked[0].json()["requests"][0], first);
}

#[tokio::test]
async fn every_wrong_answer_is_refused_whole_and_not_asked_for_again() {
    type Spoil = fn(&mut Vec<Value>);
    let spoils: [(&str, Spoil); 10] = [
        ("permuted", |all| all.swap(0, 1)),
        ("fewer", |all| drop(all.pop())),
        ("more", |all| all.push(all[0].clone())),
        ("none", Vec::clear),
        ("twice the same", |all| all[1] = all[0].clone()),
        ("other key", |all| {
            let other = SecretKey::from_bytes(&[6; 32]).unwrap();
            all[1] = entry(&other, &Digest::from_bytes([1; 32]));
        }),
        ("other key under the right name", |all| {
            let other = SecretKey::from_bytes(&[6; 32]).unwrap();
            all[1]["signatureHex"] = json!(other.sign(&Digest::from_bytes([1; 32])));
        }),
        ("other hash", |all| all[1] = entry(&key(), &Digest::from_bytes([9; 32]))),
        ("bad DER", |all| all[1]["signatureHex"] = json!("3006020101020101ff")),
        ("uncompressed key", |all| all[1]["pubKeyHex"] = json!(format!("04{}", "1".repeat(128)))),
    ];
    for (name, spoil) in spoils {
        let stub = Stub::start(move |_, asked| {
            let mut all = honest(asked);
            spoil(&mut all);
            stub::json(&json!({ "signatures": all }))
        })
        .await;
        let outcome = client(&stub.url).sign(&requests(2)).await;
        assert!(matches!(outcome, Err(SignerError::Untrustworthy(_))), "{name}: {outcome:?}");
        assert_eq!(stub.asked().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_high_s_is_handed_on_low() {
    let stub = Stub::start(|_, asked| {
        let mut all = honest(asked);
        let signature = key().sign(&Digest::from_bytes([0; 32]));
        all[0]["signatureHex"] = json!(high_s(&signature));
        stub::json(&json!(all))
    })
    .await;
    let signatures = client(&stub.url).sign(&requests(1)).await.unwrap();
    assert_eq!(signatures[0].signature, key().sign(&Digest::from_bytes([0; 32])));
}

#[tokio::test]
async fn a_page_of_markup_or_broken_json_is_no_answer() {
    for body in ["", "{\"signatures\":[{\"signatureHex\":\"30", "null", "<html>"] {
        let stub = Stub::start(move |_, _| text(200, body)).await;
        let outcome = client(&stub.url).sign(&requests(1)).await;
        assert!(matches!(outcome, Err(SignerError::Untrustworthy(_))), "{body}");
    }
    let stub = Stub::start(|_, _| html()).await;
    let outcome = client(&stub.url).public_key("issuer").await;
    assert!(matches!(outcome, Err(SignerError::Untrustworthy(_))));
}

#[tokio::test]
async fn temporary_failures_are_asked_about_again() {
    let stub = Stub::start(|number, asked| match number {
        0 => text(500, "oops"),
        1 => text(429, "slowly"),
        _ => stub::json(&json!(honest(asked))),
    })
    .await;
    assert!(client(&stub.url).sign(&requests(1)).await.is_ok());
    assert_eq!(stub.asked().len(), 3);

    let stub = Stub::start(|_, _| text(503, r#"{"detail":"sealed"}"#)).await;
    let outcome = client(&stub.url).sign(&requests(1)).await;
    assert_eq!(outcome, Err(SignerError::Unavailable("HTTP 503: sealed".to_owned())));
    assert_eq!(stub.asked().len(), 3);
}

#[tokio::test]
async fn refusals_are_final_and_never_repeat_the_api_key() {
    let echo = format!(r#"{{"detail":"key {API_KEY} may not sign this"}}"#);
    let stub = Stub::start(move |_, _| text(403, &echo)).await;
    let Err(SignerError::Refused(text)) = client(&stub.url).sign(&requests(1)).await else {
        unreachable!("a 403 is a refusal");
    };
    assert!(text.contains("may not sign this") && !text.contains(API_KEY), "{text}");
    assert_eq!(stub.asked().len(), 1);
    assert!(!format!("{:?}", client(&stub.url)).contains(API_KEY));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Stub::start(|_, asked| stub::json(&json!(honest(asked)))).await;
    let to = target.url.clone();
    let stub = Stub::start(move |_, _| redirect(&to)).await;
    let outcome = client(&stub.url).sign(&requests(1)).await;
    assert!(matches!(outcome, Err(SignerError::Refused(_))), "{outcome:?}");
    assert!(target.asked().is_empty());
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let stub = Stub::start(|_, _| endless()).await;
    let outcome = client(&stub.url).sign(&requests(1)).await;
    assert!(matches!(outcome, Err(SignerError::Untrustworthy(_))), "{outcome:?}");
}

#[tokio::test]
async fn silence_ends_by_the_time_out() {
    let stub = Stub::start(|_, _| None).await;
    let mut config = KmsConfig::new(stub.url.clone());
    config.timeout = Duration::from_millis(400);
    config.retry_delay = Duration::from_millis(1);
    let outcome = KmsSigner::new(config).unwrap().sign(&requests(1)).await;
    assert_eq!(outcome, Err(SignerError::Unavailable("no answer within 400 ms".to_owned())));
    assert_eq!(stub.asked().len(), 3);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again() {
    let torn = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"signatures\":[";
    for answer in [&b""[..], torn] {
        let (url, count) = serve_raw(answer).await;
        let outcome = client(&url).sign(&requests(1)).await;
        assert!(matches!(outcome, Err(SignerError::Unavailable(_))), "{outcome:?}");
        assert_eq!(*count.lock().unwrap(), 3);
    }
}

#[tokio::test]
async fn a_signer_that_is_not_there_is_unavailable_and_its_address_stays_out_of_the_text() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://user:password@127.0.0.1:{port}/sign");
    let mut config = KmsConfig::new(url.parse().unwrap());
    config.retry_delay = Duration::from_millis(1);
    let outcome = KmsSigner::new(config).unwrap().sign(&requests(1)).await;
    let Err(SignerError::Unavailable(text)) = outcome else {
        unreachable!("nobody listens");
    };
    assert!(!text.contains("password") && !text.contains("user"), "{text}");
}

#[tokio::test]
async fn nothing_to_sign_is_not_asked_about() {
    let stub = Stub::start(|_, _| html()).await;
    assert_eq!(client(&stub.url).sign(&[]).await, Ok(Vec::new()));
    assert!(stub.asked().is_empty());
}

#[tokio::test]
async fn a_signer_that_cannot_list_keys_knows_none() {
    let stub = Stub::start(|_, _| text(404, "no such route")).await;
    assert_eq!(client(&stub.url).public_key("issuer").await, Ok(None));
    let listed: PublicKey = key().public_key();
    let twice = json!({ "keyIdentifier": "issuer", "publicKey": listed });
    let stub = Stub::start(move |_, _| stub::json(&json!([twice, twice]))).await;
    let outcome = client(&stub.url).public_key("issuer").await;
    assert!(matches!(outcome, Err(SignerError::Untrustworthy(_))));
}
