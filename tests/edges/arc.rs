//! ARC over real HTTP: what is sent, in which form, and what is told of answers.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use patchproof::bitcoin::{Script, Transaction, TxOut};
use patchproof::chain::{
    ArcCallback, ArcClient, ArcConfig, ArcFlavor, BroadcastEndpoint, BroadcastOutcome, Broadcaster,
    ChainError, PolicySource, Submission, TransactionIndex, TransactionStatus,
};
use patchproof::types::{FeeRate, OutPoint, Satoshis, Txid};
use serde_json::{Value, json};
use url::Url;

use crate::network::transaction;
use crate::stub::{Asked, Stub, endless, html, json as answered, redirect, text};

const KEY: &str = "the-secret-key-of-arc";
const TOKEN: &str = "the-token-of-callbacks";

fn config(url: &Url) -> ArcConfig {
    let mut config = ArcConfig::new(url.clone());
    config.api_key = Some(KEY.to_owned());
    config
}

fn client(url: &Url) -> ArcClient {
    ArcClient::new(config(url)).unwrap()
}

fn sent() -> Transaction {
    transaction(OutPoint::new(Txid::from_bytes([1; 32]), 0))
}

fn spent() -> TxOut {
    let locking_script = Script::pay_to_public_key_hash(&[4; 20]);
    TxOut { value: Satoshis::from_const(500), locking_script }
}

fn seen(txid: Txid) -> Value {
    json!({ "txid": txid, "txStatus": "SEEN_ON_NETWORK", "status": 200, "extraInfo": "" })
}

async fn send(client: &ArcClient, spent: Option<&[TxOut]>) -> BroadcastOutcome {
    let (raw, txid) = (sent().to_bytes(), sent().txid());
    client.broadcast(Submission { txid, raw: &raw, spent }).await
}

fn body_of(asked: &Asked) -> Vec<u8> {
    hex::decode(asked.json()["rawTx"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_transaction_goes_out_extended_if_what_it_spends_is_known() {
    let stub = Stub::start(|_, _| answered(&seen(sent().txid()))).await;
    let client = client(&stub.url);
    assert_eq!(send(&client, Some(&[spent()])).await, BroadcastOutcome::Accepted);
    assert_eq!(send(&client, None).await, BroadcastOutcome::Accepted);
    assert_eq!(send(&client, Some(&[])).await, BroadcastOutcome::Accepted);
    let asked = stub.asked();
    let extended = Transaction::parse_extended(&body_of(&asked[0])).unwrap();
    assert_eq!(extended, (sent(), vec![spent()]));
    assert_eq!(body_of(&asked[1]), sent().to_bytes());
    assert_eq!(body_of(&asked[2]), sent().to_bytes(), "one output is missing");
    let headers = &asked[0].headers;
    assert_eq!(asked[0].target, "/v1/tx");
    assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(
        (&headers["x-waitfor"], &headers["x-maxtimeout"]),
        (&"SEEN_ON_NETWORK".parse().unwrap(), &"5".parse().unwrap())
    );
    assert!(!headers.contains_key("x-callbackurl"));
}

#[tokio::test]
async fn paths_follow_the_flavor_and_callbacks_are_asked_for_if_wanted() {
    let stub = Stub::start(|_, _| answered(&seen(sent().txid()))).await;
    let with_v1 = stub.url.join("v1/").unwrap();
    let mut arcade = config(&stub.url);
    arcade.flavor = ArcFlavor::Arcade;
    arcade.timeout = Duration::from_millis(1_500);
    let url = "https://proof.example/v1/arc/callback".to_owned();
    arcade.callback = Some(ArcCallback { url: url.clone(), token: Some(TOKEN.to_owned()) });
    assert_eq!(send(&client(&with_v1), None).await, BroadcastOutcome::Accepted);
    assert_eq!(send(&ArcClient::new(arcade).unwrap(), None).await, BroadcastOutcome::Accepted);
    let asked = stub.asked();
    assert_eq!((asked[0].target.as_str(), asked[1].target.as_str()), ("/v1/tx", "/tx"));
    let headers = &asked[1].headers;
    assert_eq!(
        (headers["x-callbackurl"].to_str().unwrap(), headers["x-callbacktoken"].to_str().unwrap()),
        (url.as_str(), TOKEN)
    );
    assert_eq!(headers["x-maxtimeout"], "1");
}

#[tokio::test]
async fn conditions_are_told_from_answers_and_are_sent_once() {
    let attempt = async |stub: &Stub, timeout| {
        let mut config = config(&stub.url);
        config.timeout = timeout;
        let raw = sent().to_bytes();
        let submission = Submission { txid: sent().txid(), raw: &raw, spent: None };
        ArcClient::new(config).unwrap().attempt(submission).await
    };
    let second = Duration::from_secs(5);
    for status in [401, 403, 429, 500, 503] {
        let stub = Stub::start(move |_, _| {
            let status = StatusCode::from_u16(status).unwrap();
            let body = seen(sent().txid()).to_string();
            Some((status, [("retry-after", "7")], body).into_response())
        })
        .await;
        let heard = attempt(&stub, second).await;
        assert!(heard.is_condition, "{status}");
        let is_unknown =
            matches!(heard.outcome, BroadcastOutcome::Unknown { retry_after_ms: Some(7_000), .. });
        assert!(is_unknown, "{status}");
        assert_eq!(stub.asked().len(), 1);
    }
    let silent = Stub::start(|_, _| None).await;
    assert!(attempt(&silent, Duration::from_millis(200)).await.is_condition);
    assert_eq!(silent.asked().len(), 1);
    for strange in [html, endless] {
        let stub = Stub::start(move |_, _| strange()).await;
        let heard = attempt(&stub, second).await;
        assert!(matches!(heard.outcome, BroadcastOutcome::Unknown { .. }));
    }
    let elsewhere = Stub::start(|_, _| answered(&seen(sent().txid()))).await;
    let target = elsewhere.url.clone();
    let stub = Stub::start(move |_, _| redirect(&target)).await;
    attempt(&stub, second).await;
    assert_eq!(elsewhere.asked().len(), 0, "no redirect is followed");
}

#[tokio::test]
async fn no_secret_comes_back_in_words() {
    let detail = format!("{KEY} and {TOKEN}");
    let refused = json!({ "status": 461, "title": "Malformed", "detail": detail, "extraInfo": "" });
    let stub = Stub::start(move |_, _| text(461, &refused.to_string())).await;
    let mut config = config(&stub.url);
    let url = "https://proof.example/v1/arc/callback".to_owned();
    config.callback = Some(ArcCallback { url, token: Some(TOKEN.to_owned()) });
    let client = ArcClient::new(config).unwrap();
    let outcome = send(&client, None).await;
    assert!(matches!(outcome, BroadcastOutcome::Invalid { .. }), "{outcome:?}");
    let told = format!("{outcome:?} {client:?}");
    assert!(!told.contains(KEY) && !told.contains(TOKEN), "{told}");
    let mut bad = ArcConfig::new(stub.url.clone());
    bad.api_key = Some("line\nbreak".to_owned());
    assert!(ArcClient::new(bad).is_err());
    assert!(ArcClient::new(ArcConfig::new("ftp://arc.example".parse().unwrap())).is_err());
}

#[tokio::test]
async fn statuses_and_the_policy_are_read_and_failures_are_no_answers() {
    let known = sent().txid();
    let stub = Stub::start(move |_, asked| match asked.target.as_str() {
        "/v1/policy" => {
            answered(&json!({ "policy": { "miningFee": { "satoshis": 3, "bytes": 7 } } }))
        }
        target if target.ends_with(&known.to_string()) => answered(&seen(known)),
        _ => text(404, "{}"),
    })
    .await;
    let other = Txid::from_bytes([9; 32]);
    let found = TransactionIndex::statuses(&client(&stub.url), &[other, known]).await;
    assert_eq!(found, Ok(vec![TransactionStatus::Unknown, TransactionStatus::InMempool]));
    assert_eq!(client(&stub.url).fee_rate().await, FeeRate::from_sat_per_kb(429));
    let down = Stub::start(|_, _| text(503, "")).await;
    let told = TransactionIndex::statuses(&client(&down.url), &[known]).await;
    assert!(matches!(told, Err(ChainError::Unreachable(_))), "{told:?}");
    assert_eq!(client(&down.url).fee_rate().await, None);
}
