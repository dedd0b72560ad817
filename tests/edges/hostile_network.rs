//! An endpoint that answers wrongly, slowly, or not at all.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use patchproof::chain::{
    BroadcastOutcome, Broadcaster, ChainError, ChainTracker, Submission, UtxoSource, WhatsOnChain,
    WhatsOnChainConfig,
};
use patchproof::types::{BlockHash, Network, Txid};
use serde_json::json;

use crate::network::{ADDRESS, API_KEY, client, header_answer, transaction, vector};
use crate::stub::{self, Stub, endless, html, redirect, serve_raw, text};

const TXID: Txid = Txid::from_bytes([0xab; 32]);
const SENT: Submission<'_> = Submission { txid: TXID, raw: b"raw", spent: None };

fn is_unknown(outcome: &BroadcastOutcome) -> bool {
    matches!(outcome, BroadcastOutcome::Unknown { .. })
}

#[tokio::test]
async fn a_success_that_is_none_teaches_nothing() {
    let other = Txid::from_bytes([1; 32]);
    for body in [other.to_string(), "{}".to_owned(), String::new(), "<html>".to_owned()] {
        let stub = Stub::start(move |_, _| text(200, &body)).await;
        let outcome = client(&stub.url).broadcast(SENT).await;
        assert!(is_unknown(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_broadcast_is_sent_once_whatever_happens_to_its_answer() {
    let stub = Stub::start(|_, _| None).await;
    let mut config = WhatsOnChainConfig::new(stub.url.clone(), Network::Test);
    config.timeout = Duration::from_millis(400);
    let outcome = WhatsOnChain::new(config).unwrap().broadcast(SENT).await;
    assert!(is_unknown(&outcome), "{outcome:?}");
    assert_eq!(stub.asked().len(), 1);

    let (url, count) = serve_raw(b"").await;
    assert!(is_unknown(&client(&url).broadcast(SENT).await));
    assert_eq!(*count.lock().unwrap(), 1);

    let stub = Stub::start(|_, _| {
        Some((StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3")], "slowly").into_response())
    })
    .await;
    let outcome = client(&stub.url).broadcast(SENT).await;
    let reason = "HTTP 429: slowly".to_owned();
    assert_eq!(outcome, BroadcastOutcome::Unknown { reason, retry_after_ms: Some(3_000) });
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn verdicts_are_passed_on_without_the_api_key() {
    let words = format!("unexpected response code 500: 64: dust {API_KEY}");
    let stub = Stub::start(move |_, _| text(400, &words)).await;
    let outcome = client(&stub.url).broadcast(SENT).await;
    let reason = "unexpected response code 500: 64: dust ***".to_owned();
    assert_eq!(outcome, BroadcastOutcome::Invalid { reason });
    assert!(!format!("{:?}", client(&stub.url)).contains(API_KEY));
}

#[tokio::test]
async fn an_empty_or_strange_list_of_outputs_is_an_error_or_really_empty() {
    let stub = Stub::start(|_, _| text(200, "[]")).await;
    assert_eq!(client(&stub.url).unspent(ADDRESS).await, Ok(Vec::new()));
    for body in ["", "{}", "null", "\"\"", "{\"result\":[{\"tx_pos\":0}]}", "{\"result\":[{\"tx"] {
        let stub = Stub::start(move |_, _| text(200, body)).await;
        let outcome = client(&stub.url).unspent(ADDRESS).await;
        assert!(matches!(outcome, Err(ChainError::Malformed(_))), "{body}");
    }
    let stub = Stub::start(|_, _| html()).await;
    assert!(client(&stub.url).unspent(ADDRESS).await.is_err());
    assert!(client(&stub.url).unspent("../chain/info").await.is_err());
}

#[tokio::test]
async fn half_a_list_is_never_taken_for_a_whole_one() {
    let whole = json!({ "address": ADDRESS, "result": [], "error": "" });
    // Each of: the second page, the unconfirmed half, the confirmed half fails.
    for failing in ["token=", "/unconfirmed/unspent", "/confirmed/unspent"] {
        let whole = whole.clone();
        let stub = Stub::start(move |number, asked| {
            if asked.target.contains(failing) {
                text(429, "Too Many Requests")
            } else if failing == "token=" {
                let mut page = whole.clone();
                page["nextPageToken"] = json!(number.to_string());
                stub::json(&page)
            } else if asked.target.ends_with("/all") {
                text(404, "Not Found")
            } else {
                stub::json(&whole)
            }
        })
        .await;
        let outcome = client(&stub.url).unspent(ADDRESS).await;
        let expected = ChainError::RateLimited { retry_after_ms: None };
        assert_eq!(outcome, Err(expected), "{failing}");
    }
    let stub = Stub::start(|_, _| text(404, "Not Found")).await;
    assert!(client(&stub.url).unspent(ADDRESS).await.is_err(), "no list at all");
    let stub = Stub::start(move |_, _| {
        stub::json(&json!({ "address": ADDRESS, "result": [], "nextPageToken": "same" }))
    })
    .await;
    assert!(client(&stub.url).unspent(ADDRESS).await.is_err(), "pages in a circle");
}

#[tokio::test]
async fn temporary_failures_are_asked_about_again_within_patience() {
    let hash = BlockHash::from_bytes([1; 32]);
    let stub = Stub::start(move |number, _| match number {
        0 => text(502, "<html>"),
        1 => text(429, "Too Many Requests"),
        _ => stub::json(&json!({ "chain": "test", "blocks": 1, "bestblockhash": hash })),
    })
    .await;
    assert_eq!(client(&stub.url).tip().await.unwrap().hash, hash);

    let stub = Stub::start(|_, _| {
        Some((StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3600")]).into_response())
    })
    .await;
    let outcome = client(&stub.url).tip().await;
    let expected = ChainError::RateLimited { retry_after_ms: Some(3_600_000) };
    assert_eq!(outcome, Err(expected));
    assert_eq!(stub.asked().len(), 1, "an hour is more patience than there is");

    let (url, count) =
        serve_raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"blocks\":").await;
    assert!(matches!(client(&url).tip().await, Err(ChainError::Unreachable(_))));
    assert_eq!(*count.lock().unwrap(), 3);
}

#[tokio::test]
async fn redirects_and_endless_answers_are_refused() {
    let target = Stub::start(|_, _| text(200, "[]")).await;
    let to = target.url.clone();
    let stub = Stub::start(move |_, _| redirect(&to)).await;
    assert!(is_unknown(&client(&stub.url).broadcast(SENT).await));
    assert!(matches!(client(&stub.url).unspent(ADDRESS).await, Err(ChainError::Malformed(_))));
    assert!(target.asked().is_empty());

    let stub = Stub::start(|_, _| endless()).await;
    assert!(matches!(client(&stub.url).unspent(ADDRESS).await, Err(ChainError::Malformed(_))));
    assert!(is_unknown(&client(&stub.url).broadcast(SENT).await));
}

#[tokio::test]
async fn what_does_not_have_the_identifier_asked_for_is_refused() {
    let other = transaction(patchproof::types::OutPoint::new(TXID, 0));
    let stub = Stub::start(move |_, asked| {
        if asked.target.ends_with("/hex") {
            text(200, &hex::encode(other.to_bytes()))
        } else {
            stub::json(&header_answer())
        }
    })
    .await;
    let client = client(&stub.url);
    assert!(matches!(client.transaction(TXID).await, Err(ChainError::Malformed(_))));
    assert!(client.header(BlockHash::from_bytes([1; 32])).await.is_err());
    assert!(client.header_at(7).await.is_err());
}

#[tokio::test]
async fn an_endpoint_of_the_other_network_is_noticed() {
    let hash = BlockHash::from_bytes([1; 32]);
    let stub = Stub::start(move |_, _| {
        stub::json(&json!({ "chain": "main", "blocks": 1, "bestblockhash": hash }))
    })
    .await;
    assert!(matches!(client(&stub.url).tip().await, Err(ChainError::Malformed(_))));
}

#[tokio::test]
async fn a_proof_that_ends_elsewhere_is_refused() {
    let txid: Txid = vector()["woc_tsc_body"][0]["txOrId"].as_str().unwrap().parse().unwrap();
    let spoils: [(&str, serde_json::Value); 4] = [
        ("index", json!(5)),
        ("nodes", json!(["*", "*", "*"])),
        ("nodes", json!([])),
        ("txOrId", json!("ab".repeat(32))),
    ];
    for (field, value) in spoils {
        let stub = Stub::start(move |_, asked| {
            let mut proofs = vector()["woc_tsc_body"].clone();
            proofs[0][field] = value.clone();
            let is_proof = asked.target.ends_with("/proof/tsc");
            stub::json(&if is_proof { proofs } else { header_answer() })
        })
        .await;
        let outcome = client(&stub.url).merkle_path(txid).await;
        assert!(matches!(outcome, Err(ChainError::Malformed(_))), "{field}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_proof_is_nothing_while_there_is_none_or_its_block_is_gone() {
    let txid: Txid = vector()["woc_tsc_body"][0]["txOrId"].as_str().unwrap().parse().unwrap();
    for body in ["null", "[]"] {
        let stub = Stub::start(move |_, _| text(200, body)).await;
        assert_eq!(client(&stub.url).merkle_path(txid).await, Ok(None), "{body}");
    }
    let stub = Stub::start(|_, asked| {
        if asked.target.ends_with("/proof/tsc") {
            stub::json(&vector()["woc_tsc_body"])
        } else {
            let mut header = header_answer();
            header["confirmations"] = json!(-1);
            stub::json(&header)
        }
    })
    .await;
    assert_eq!(client(&stub.url).merkle_path(txid).await, Ok(None));
}
