//! The signer that this product brings, asked by its own client and by strangers.

use std::sync::Arc;

use patchproof::crypto::{PublicKey, SecretKey};
use patchproof::signer::{
    ExpectedKey, KeyPurpose, Keystore, KeystoreKey, KmsConfig, KmsSigner, MAX_BATCH, SecretDeriver,
    SignKind, SignRequest, Signer, SignerError, SignerServerConfig, SigningLog, signer_router,
    svd_kid,
};
use patchproof::types::{Clock, Digest, ManualClock, Timestamp};
use serde_json::{Value, json};
use url::Url;

use crate::stub::serve;

const API_KEY: &str = "a token of the signer";

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(Timestamp::from_secs(1_700_000_000)))
}

fn config() -> SignerServerConfig {
    SignerServerConfig::new(Keystore::generate(Timestamp::from_secs(0)), clock())
}

fn request(key: &str, byte: u8, kind: SignKind) -> SignRequest {
    SignRequest {
        key_identifier: key.to_owned(),
        sighash: Digest::from_bytes([byte; 32]),
        kind,
        expected: ExpectedKey::Any,
    }
}

async fn post(url: &Url, path: &str, token: Option<&str>, body: String) -> (u16, Value) {
    let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
    let mut request = client.post(url.join(path).unwrap()).body(body);
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(response.headers()["cache-control"], "no-store");
    if status >= 400 {
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
    (status, response.json().await.unwrap())
}

async fn code(url: &Url, body: Value) -> (u16, String) {
    let (status, answer) = post(url, "sign", None, body.to_string()).await;
    (status, answer["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn large_batches_are_signed_in_order_across_requests() {
    let config = config();
    let funding = config.keystore.get("funding").unwrap().public_key();
    let url = serve(signer_router(config)).await;
    let client = KmsSigner::new(KmsConfig::new(url)).unwrap();
    let requests: Vec<_> = (0..600u32)
        .map(|number| {
            let mut one = request("funding", 0, SignKind::Transaction);
            let mut bytes = [0u8; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            one.sighash = Digest::from_bytes(bytes);
            one.expected = ExpectedKey::Key(funding);
            one
        })
        .collect();
    let signatures = client.sign(&requests).await.unwrap();
    assert_eq!(signatures.len(), requests.len());
    for (signature, request) in signatures.iter().zip(&requests).step_by(97) {
        assert_eq!(funding.verify(&request.sighash, &signature.signature), Ok(()));
    }
}

#[tokio::test]
async fn a_unix_socket_serves_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signer.sock");
    let config = config();
    let issuer = config.keystore.get("issuer").unwrap().public_key();
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tokio::spawn(async move { axum::serve(listener, signer_router(config)).await });
    let url = Url::parse(&format!("unix://{}", path.display())).unwrap();
    let client = KmsSigner::new(KmsConfig::new(url)).unwrap();
    assert_eq!(client.public_key("issuer").await, Ok(Some(issuer)));
    assert_eq!(client.public_key("nobody").await, Ok(None));
    let signed = client.sign(&[request("issuer", 1, SignKind::Message)]).await.unwrap();
    assert_eq!(signed[0].public_key, issuer);
}

#[tokio::test]
async fn no_key_signs_for_the_other_use() {
    let url = serve(signer_router(config())).await;
    let client = KmsSigner::new(KmsConfig::new(url)).unwrap();
    for purpose in KeyPurpose::ALL {
        let own = purpose.kind();
        let other = match own {
            SignKind::Message => SignKind::Transaction,
            SignKind::Transaction => SignKind::Message,
        };
        let name = purpose.as_str();
        assert!(client.sign(&[request(name, 1, own)]).await.is_ok(), "{name}");
        let outcome = client.sign(&[request(name, 1, own), request(name, 1, other)]).await;
        assert!(matches!(outcome, Err(SignerError::Refused(_))), "{name}");
    }
}

#[tokio::test]
async fn requests_without_kind_are_a_matter_of_configuration() {
    let hash = "ab".repeat(32);
    let plain = json!({ "requests": [{ "keyIdentifier": "funding", "sighash": hash }] });
    let url = serve(signer_router(config())).await;
    assert_eq!(code(&url, plain.clone()).await.0, 200);
    let mut strict = config();
    strict.allow_unkinded = false;
    let url = serve(signer_router(strict)).await;
    assert_eq!(code(&url, plain).await, (403, "KEY_USE_REFUSED".to_owned()));
}

#[tokio::test]
async fn wrong_requests_are_refused_whole_and_nothing_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signed.log");
    let mut config = config();
    config.log = Some(SigningLog::open(&path).unwrap());
    let url = serve(signer_router(config)).await;
    let good = json!({ "keyIdentifier": "funding", "sighash": "ab".repeat(32) });
    let of = |second: Value| json!({ "requests": [good, second] });
    for (body, status, expected) in [
        (of(json!({ "keyIdentifier": "x", "sighash": "ab".repeat(32) })), 400, "UNKNOWN_KEY"),
        (of(json!({ "keyIdentifier": "issuer", "sighash": "ab" })), 400, "MALFORMED_REQUEST"),
        (of(json!({ "keyIdentifier": "issuer" })), 400, "MALFORMED_REQUEST"),
        (json!({ "requests": [] }), 400, "MALFORMED_REQUEST"),
        (json!([]), 400, "MALFORMED_REQUEST"),
        (json!({ "requests": vec![good.clone(); MAX_BATCH + 1] }), 413, "REQUEST_TOO_LARGE"),
        (json!({ "requests": [], "x": "y".repeat(300_000) }), 413, "REQUEST_TOO_LARGE"),
    ] {
        assert_eq!(code(&url, body).await, (status, expected.to_owned()));
    }
    let (_, problem) = post(
        &url,
        "sign",
        None,
        of(json!({ "keyIdentifier": "x", "sighash": "ab".repeat(32) })).to_string(),
    )
    .await;
    assert!(problem["detail"].as_str().unwrap().contains("\"x\""));
    assert_eq!(std::fs::read(&path).unwrap(), b"");
    assert_eq!(code(&url, json!({ "requests": vec![good.clone(); MAX_BATCH] })).await.0, 200);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), MAX_BATCH);
}

#[tokio::test]
async fn what_was_signed_is_in_the_log_before_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signed.log");
    let mut config = config();
    config.log = Some(SigningLog::open(&path).unwrap());
    let client = KmsSigner::new(KmsConfig::new(serve(signer_router(config)).await)).unwrap();
    let signed = client.sign(&[request("custody", 3, SignKind::Transaction)]).await.unwrap();
    let line: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let hash = patchproof::crypto::sha256(&signed[0].signature.to_der());
    assert_eq!(
        line,
        json!({
            "time": "2023-11-14T22:13:20.000Z",
            "keyIdentifier": "custody",
            "kind": "transaction",
            "sighash": "03".repeat(32),
            "signatureSha256": hex::encode(hash),
        })
    );
}

#[tokio::test]
async fn without_the_token_only_health_answers() {
    let mut config = config();
    config.api_key = Some(API_KEY.to_owned());
    let url = serve(signer_router(config)).await;
    let body = json!({ "requests": [{ "keyIdentifier": "issuer", "sighash": "ab".repeat(32) }] });
    let near = format!("Bearer {API_KEY}x");
    for token in [None, Some(API_KEY), Some("Bearer"), Some("Bearer "), Some(near.as_str())] {
        for path in ["sign", "svd/derive-secret"] {
            let (status, problem) = post(&url, path, token, body.to_string()).await;
            assert_eq!((status, &problem["code"]), (401, &json!("UNAUTHORIZED")), "{token:?}");
        }
    }
    let token = format!("bearer {API_KEY}");
    assert_eq!(post(&url, "sign", Some(&token), body.to_string()).await.0, 200);
    let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
    let status = |path: &str| client.get(url.join(path).unwrap()).send();
    assert_eq!(status("keys").await.unwrap().status(), 401);
    assert_eq!(status("health").await.unwrap().status(), 200);
    assert_eq!(status("nothing").await.unwrap().status(), 404);
    assert_eq!(status("sign").await.unwrap().status(), 405);
}

#[tokio::test]
async fn keys_are_listed_with_their_addresses() {
    let url = serve(signer_router(config())).await;
    let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
    let keys: Value =
        client.get(url.join("keys").unwrap()).send().await.unwrap().json().await.unwrap();
    let keys = keys.as_array().unwrap();
    assert_eq!(keys.len(), KeyPurpose::ALL.len());
    assert_eq!(keys[0]["keyIdentifier"], "issuer");
    assert_eq!(keys[0]["purpose"], "issuer");
    assert!(keys[0]["addressMain"].as_str().unwrap().starts_with('1'));
    assert!(keys[0]["addressTest"].as_str().unwrap().starts_with(['m', 'n']));
}

#[tokio::test]
async fn derived_secrets_match_the_vectors() {
    let text = include_str!("../vectors/svd-owner.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    for vector in vectors["svd"].as_array().unwrap() {
        let field = |name: &str| vector[name].as_str().unwrap();
        let secret: [u8; 32] = hex::decode(field("pmsPrivHex")).unwrap().try_into().unwrap();
        let secret = SecretKey::from_bytes(&secret).unwrap();
        let server_key = secret.public_key();
        let key = KeystoreKey::new("svd", KeyPurpose::Svd, secret, Timestamp::from_secs(0));
        let keystore = Keystore::from_keys(vec![key]).unwrap();
        let url = serve(signer_router(SignerServerConfig::new(keystore, clock()))).await;
        let client = KmsSigner::new(KmsConfig::new(url.clone())).unwrap();
        let challenge: [u8; 24] = hex::decode(field("M")).unwrap().try_into().unwrap();
        let user_key: PublicKey = field("pmcHex").parse().unwrap();
        let derived = client.derive_secret(&challenge, &user_key).await.unwrap();
        assert_eq!(hex::encode(derived.secret), field("sharedSecretHex"));
        assert_eq!(derived.kid, svd_kid(&server_key));
        for body in [
            json!({ "Mhex": "00", "pmcHex": user_key }),
            json!({ "Mhex": field("M"), "pmcHex": format!("02{}", "f".repeat(64)) }),
            json!({ "Mhex": field("M") }),
        ] {
            let (status, _) = post(&url, "svd/derive-secret", None, body.to_string()).await;
            assert_eq!(status, 400, "{body}");
        }
    }
}

#[test]
fn the_kid_is_taken_from_the_text_of_the_key() {
    let key: PublicKey =
        "02d230b4fb84c814fc055326261290dd132f03648200abcfabf3b75d232249455a".parse().unwrap();
    let digest = patchproof::crypto::sha256(key.to_string().as_bytes());
    assert_eq!(svd_kid(&key), format!("svd-{}", &hex::encode(digest)[..16]));
}
