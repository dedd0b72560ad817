//! Every recorded answer has its class; what is not in ARC's own form teaches nothing.

use serde_json::{Value, json};

use super::*;
use crate::types::BlockHash;

const TXID: Txid = Txid::from_bytes([0xab; 32]);

fn recorded() -> Value {
    let text = include_str!("../../../tests/vectors/anchoring/arc_answers.json");
    serde_json::from_str(text).unwrap()
}

fn class(outcome: &BroadcastOutcome) -> &'static str {
    match outcome {
        BroadcastOutcome::Accepted => "accepted",
        BroadcastOutcome::AlreadyKnown => "already",
        BroadcastOutcome::Unknown { .. } => "condition",
        BroadcastOutcome::Conflict { .. } => "conflict",
        BroadcastOutcome::Invalid { .. } => "verdict",
        BroadcastOutcome::FeeTooLow { .. } => "verdict_fee",
        BroadcastOutcome::Orphan { .. } => "ambiguous",
    }
}

/// What a class of the recorded table means for a broadcast.
fn meaning(recorded: &str) -> &str {
    match recorded {
        "seen" => "accepted",
        "mined" | "final" => "already",
        "pending"
        | "reorged"
        | "bug"
        | "config"
        | "unknown_tx"
        | "resubmit_as_EF_or_BEEF"
        | "resubmit_other_form" => "condition",
        other => other,
    }
}

fn with_status(word: &str) -> Value {
    json!({
        "txid": TXID, "txStatus": word, "status": 200, "title": "OK", "extraInfo": "",
        "blockHash": "", "blockHeight": 0, "merklePath": null, "competingTxs": null,
        "timestamp": "2026-11-01T00:00:00.123456789Z",
    })
}

fn error(status: u16, title: &str) -> Value {
    json!({
        "type": format!("https://bitcoin-sv.github.io/arc/#/errors?id=_{status}"),
        "title": title, "status": status, "detail": "what it means", "instance": null,
        "txid": TXID, "extraInfo": "",
    })
}

fn classify(http: u16, body: &Value) -> BroadcastOutcome {
    classify_arc(http, &body.to_string(), TXID)
}

#[test]
fn every_recorded_status_has_its_class() {
    for known in recorded()["tx_status"].as_array().unwrap() {
        let (word, expected) = (known["s"].as_str().unwrap(), known["class"].as_str().unwrap());
        for http in [200, 202] {
            assert_eq!(class(&classify(http, &with_status(word))), meaning(expected), "{word}");
        }
        assert_eq!(class(&classify(500, &with_status(word))), "condition", "{word} in a 500");
    }
    assert_eq!(class(&classify(200, &with_status("SOMETHING_NEW"))), "condition");
}

#[test]
fn every_recorded_error_has_its_class_as_a_status_and_inside_a_success() {
    for known in recorded()["errors"].as_array().unwrap() {
        let status = u16::try_from(known["status"].as_u64().unwrap()).unwrap();
        let expected = meaning(known["class"].as_str().unwrap());
        let body = error(status, known["title"].as_str().unwrap());
        assert_eq!(class(&classify(status, &body)), expected, "{known}");
        assert_eq!(class(&classify(200, &body)), expected, "{known} in a 200");
    }
}

#[test]
fn a_refusal_counts_only_in_arcs_own_form_and_about_our_transaction() {
    for status in [422, 461, 462, 465, 466] {
        for body in ["", "<html>", "{}", "[]", "null", "\"461\""] {
            assert_eq!(class(&classify_arc(status, body, TXID)), "condition", "{status} {body}");
        }
        let other = error(status + 1000, "another status inside");
        assert_eq!(class(&classify(status, &other)), "condition");
        let mut foreign = error(status, "about another");
        foreign["txid"] = json!(Txid::from_bytes([1; 32]));
        assert_eq!(class(&classify(status, &foreign)), "condition");
        foreign["txid"] = Value::Null;
        assert_ne!(class(&classify(status, &foreign)), "condition");
    }
}

#[test]
fn a_success_counts_only_with_our_txid() {
    let mut answer = with_status("SEEN_ON_NETWORK");
    assert_eq!(class(&classify(200, &answer)), "accepted");
    for txid in [json!(Txid::from_bytes([1; 32])), json!("zz"), json!(""), Value::Null] {
        answer["txid"] = txid;
        assert_eq!(class(&classify(200, &answer)), "condition", "{answer}");
    }
}

#[test]
fn a_rejection_means_no_more_than_the_nodes_words_in_it() {
    for (words, expected) in [
        ("", "verdict"),
        ("something nobody has seen", "verdict"),
        ("mandatory-script-verify-flag-failed (...)", "verdict"),
        ("64: too-long-mempool-chain", "condition"),
        ("66: mempool full", "condition"),
        ("66: mempool min fee not met", "verdict_fee"),
        ("258: txn-mempool-conflict", "conflict"),
        ("Missing inputs", "ambiguous"),
        ("ORPHAN", "ambiguous"),
        ("257: txn-already-known", "condition"),
    ] {
        let mut answer = with_status("REJECTED");
        answer["extraInfo"] = json!(words);
        assert_eq!(class(&classify(200, &answer)), expected, "{words}");
    }
    for word in ["SEEN_ON_NETWORK", "RECEIVED"] {
        let mut answer = with_status(word);
        answer["extraInfo"] = json!("in the ORPHAN pool");
        assert_eq!(class(&classify(200, &answer)), "ambiguous", "{word}");
    }
    let mut answer = with_status("DOUBLE_SPEND_ATTEMPTED");
    answer["competingTxs"] = json!(["ee".repeat(32)]);
    let outcome = classify(200, &answer);
    assert!(matches!(outcome, BroadcastOutcome::Conflict { reason } if reason.contains("eeee")));
}

/// The path of a block of one transaction: its root is the txid.
fn lone_path(height: u32, txid: Txid) -> String {
    let mut bytes = vec![0xfe];
    bytes.extend_from_slice(&height.to_le_bytes());
    bytes.extend_from_slice(&[1, 1, 0, 2]);
    bytes.extend_from_slice(&txid.to_bytes());
    hex::encode(bytes)
}

#[test]
fn heights_come_from_the_path_and_a_path_must_be_about_the_transaction() {
    let block = BlockHash::from_bytes([9; 32]);
    let mut answer = with_status("MINED");
    answer["blockHash"] = json!(block);
    answer["blockHeight"] = json!(736_228);
    let read = |answer: &Value| read_report(&answer.to_string(), TXID);
    let unproved = read(&answer).unwrap();
    assert_eq!(unproved, Report { status: TransactionStatus::InMempool, path: None });
    answer["merklePath"] = json!(lone_path(1_582_420, TXID));
    let report = read(&answer).unwrap();
    assert_eq!(report.status, TransactionStatus::Mined { block, height: 1_582_420 });
    assert_eq!(report.path.unwrap().block_height(), 1_582_420);
    for bad in ["zz".to_owned(), "00".to_owned(), lone_path(7, Txid::from_bytes([1; 32]))] {
        answer["merklePath"] = json!(bad);
        assert!(matches!(read(&answer), Err(ChainError::Malformed(_))), "{bad}");
    }
    for word in ["RECEIVED", "REJECTED", "MINED_IN_STALE_BLOCK", "DOUBLE_SPEND_ATTEMPTED", "X"] {
        let report = read(&with_status(word)).unwrap();
        assert_eq!(report, Report { status: TransactionStatus::Unknown, path: None }, "{word}");
    }
    for body in ["", "<html>", "{}", "[]", &error(461, "no status").to_string()] {
        assert!(read_report(body, TXID).is_err(), "{body}");
    }
}

#[test]
fn policies_are_read_or_are_none() {
    let policy = |fee: Value| {
        let body =
            json!({ "timestamp": "x", "policy": { "maxtxsizepolicy": 1, "miningFee": fee } });
        read_policy(&body.to_string()).map(FeeRate::sat_per_kb)
    };
    assert_eq!(policy(json!({ "satoshis": 1, "bytes": 1000 })), Some(1));
    assert_eq!(policy(json!({ "satoshis": 250, "bytes": 1000 })), Some(250));
    for absurd in [
        json!({ "satoshis": 1, "bytes": 0 }),
        json!({ "satoshis": -1, "bytes": 1000 }),
        json!({ "satoshis": 1.5, "bytes": 1000 }),
        json!({ "satoshis": u64::MAX, "bytes": 1 }),
        json!({ "satoshis": "100", "bytes": 1000 }),
        json!({}),
        Value::Null,
    ] {
        assert_eq!(policy(absurd.clone()), None, "{absurd}");
    }
    assert_eq!(read_policy("<html>"), None);
}
