//! An endpoint that behaves, in every form that it may answer in.

use std::time::Duration;

use patchproof::bitcoin::{Script, Transaction, TxIn, TxOut};
use patchproof::chain::{
    BroadcastOutcome, Broadcaster, ChainTracker, SpendStatus, Submission, TransactionStatus,
    UtxoSource, WhatsOnChain, WhatsOnChainConfig,
};
use patchproof::types::{BlockHash, Network, OutPoint, Satoshis, Txid};
use serde_json::{Value, json};
use url::Url;

use crate::stub::{self, Stub, text};

pub(crate) const ADDRESS: &str = "mfiys8khKnDQNo5AMWwggYfBKDvYfYpvFD";
pub(crate) const API_KEY: &str = "the-secret-key-of-the-network";

pub(crate) fn client(url: &Url) -> WhatsOnChain {
    let mut config = WhatsOnChainConfig::new(url.join("v1/bsv/test").unwrap(), Network::Test);
    config.api_key = Some(API_KEY.to_owned());
    config.retry_delay = Duration::from_millis(1);
    config.requests_per_second = None;
    WhatsOnChain::new(config).unwrap()
}

pub(crate) fn transaction(previous: OutPoint) -> Transaction {
    let input = TxIn { previous, unlocking_script: Script::default(), sequence: u32::MAX };
    let value = Satoshis::from_const(1);
    let outputs = vec![
        TxOut { value, locking_script: Script::pay_to_public_key_hash(&[3; 20]) },
        TxOut { value: Satoshis::ZERO, locking_script: Script::data(&[b"PatchProof"]) },
    ];
    Transaction { version: 1, inputs: vec![input], outputs, lock_time: 0 }
}

pub(crate) fn vector() -> Value {
    serde_json::from_str(include_str!("../vectors/anchoring/tsc_testnet.json")).unwrap()
}

/// The recorded header in the form of `/block/{hash or height}/header`.
pub(crate) fn header_answer() -> Value {
    let known = vector()["header"].clone();
    json!({
        "hash": known["hash"], "confirmations": 12, "size": 1000, "height": known["height"],
        "version": known["version"], "versionHex": "20000000",
        "merkleroot": known["merkleRoot"], "time": known["time"], "mediantime": known["time"],
        "nonce": known["nonce"], "bits": "1d00ffff", "difficulty": 1,
        "previousblockhash": known["previousHash"], "num_tx": 8,
    })
}

#[tokio::test]
async fn a_broadcast_sends_the_bytes_as_they_are_and_the_key_in_its_header() {
    let sent = transaction(OutPoint::new(Txid::from_bytes([1; 32]), 0));
    let txid = sent.txid();
    let stub = Stub::start(move |_, _| text(200, &format!("\"{txid}\"\n"))).await;
    let outcome =
        client(&stub.url).broadcast(Submission { txid, raw: &sent.to_bytes(), spent: None }).await;
    assert_eq!(outcome, BroadcastOutcome::Accepted);
    let asked = stub.asked();
    assert_eq!(asked[0].target, "/v1/bsv/test/tx/raw");
    assert_eq!(asked[0].json(), json!({ "txhex": hex::encode(sent.to_bytes()) }));
    assert_eq!(asked[0].headers["woc-api-key"], API_KEY);
    assert_eq!(asked[0].headers["accept"], "text/plain");
    assert!(!asked[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn tip_and_headers_are_read() {
    let header = header_answer();
    let hash: BlockHash = header["hash"].as_str().unwrap().parse().unwrap();
    let stub = Stub::start(move |_, asked| match asked.target.as_str() {
        "/v1/bsv/test/chain/info" => {
            stub::json(&json!({ "chain": "test", "blocks": 1_661_398, "bestblockhash": hash }))
        }
        "/v1/bsv/test/block/1661398/header" => stub::json(&header),
        other if other.contains(&hash.to_string()) => stub::json(&header),
        _ => text(404, "Not Found"),
    })
    .await;
    let client = client(&stub.url);
    let tip = client.tip().await.unwrap();
    assert_eq!((tip.height, tip.hash), (1_661_398, hash));
    assert_eq!(client.header_at(tip.height).await.unwrap().unwrap().hash(), hash);
    assert_eq!(client.header_at(tip.height + 1).await, Ok(None));
    assert_eq!(client.header(hash).await.unwrap().unwrap().hash(), hash);
    assert_eq!(client.headers(tip.height, 5).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_recorded_proof_becomes_a_path_to_the_root_of_its_block() {
    let txid: Txid = vector()["woc_tsc_body"][0]["txOrId"].as_str().unwrap().parse().unwrap();
    let stub = Stub::start(|_, asked| {
        let is_proof = asked.target.ends_with("/proof/tsc");
        stub::json(&if is_proof { vector()["woc_tsc_body"].clone() } else { header_answer() })
    })
    .await;
    let client = client(&stub.url);
    let (path, block) = client.merkle_path(txid).await.unwrap().unwrap();
    let header = client.header(block).await.unwrap().unwrap();
    assert_eq!(path.compute_root(&txid), Ok(header.merkle_root));
    assert_eq!(path.block_height(), 1_661_398);
}

#[tokio::test]
async fn statuses_are_asked_for_in_batches_of_20_and_keep_their_order() {
    let txids: Vec<_> = (0..45).map(|byte| Txid::from_bytes([byte; 32])).collect();
    let block = BlockHash::from_bytes([7; 32]);
    let known = txids[40];
    let stub = Stub::start(move |_, asked| {
        let asked = asked.json()["txids"].as_array().unwrap().clone();
        let answer = |txid: &Value| {
            if *txid == json!(known) {
                json!({ "txid": txid, "blockhash": block, "blockheight": 9, "confirmations": 1 })
            } else {
                json!({ "txid": txid, "error": "unknown" })
            }
        };
        stub::json(&asked.iter().rev().map(answer).collect())
    })
    .await;
    let statuses = client(&stub.url).statuses(&txids).await.unwrap();
    assert_eq!(stub.asked().len(), 3);
    assert_eq!(statuses.len(), 45);
    assert_eq!(statuses[40], TransactionStatus::Mined { block, height: 9 });
    assert!(statuses[..40].iter().all(|status| *status == TransactionStatus::Unknown));
}

#[tokio::test]
async fn outputs_are_collected_from_all_pages() {
    let item = |byte: u8, height: i64| {
        json!({
            "height": height, "tx_pos": 0, "tx_hash": Txid::from_bytes([byte; 32]), "value": 10,
            "isSpentInMempoolTx": false, "status": "confirmed",
        })
    };
    let stub = Stub::start(move |number, asked| match number {
        0 => {
            assert_eq!(asked.target, format!("/v1/bsv/test/address/{ADDRESS}/unspent/all"));
            stub::json(&json!({
                "address": ADDRESS, "result": [item(1, 5)], "error": "", "nextPageToken": "a+b/c=",
            }))
        }
        _ => {
            assert!(asked.target.ends_with("/unspent/all?token=a%2Bb%2Fc%3D"), "{}", asked.target);
            stub::json(&json!({
                "address": ADDRESS, "result": [item(1, 5), item(2, 0)], "error": "",
            }))
        }
    })
    .await;
    let outputs = client(&stub.url).unspent(ADDRESS).await.unwrap();
    let heights: Vec<_> = outputs.iter().map(|output| output.height).collect();
    assert_eq!(heights, [Some(5), None]);
}

#[tokio::test]
async fn older_lists_are_read_where_the_joint_one_is_missing() {
    let item = |byte: u8, height: i64| {
        let hash = Txid::from_bytes([byte; 32]);
        json!({ "height": height, "tx_pos": 1, "tx_hash": hash, "value": 10 })
    };
    let stub = Stub::start(move |_, asked| {
        if asked.target.ends_with("/unconfirmed/unspent") {
            stub::json(&json!({ "address": ADDRESS, "result": [item(1, 0)], "error": "" }))
        } else if asked.target.ends_with("/confirmed/unspent") {
            stub::json(&json!([item(1, 8), item(2, 9)]))
        } else {
            text(404, "Not Found")
        }
    })
    .await;
    let outputs = client(&stub.url).unspent(ADDRESS).await.unwrap();
    let heights: Vec<_> = outputs.iter().map(|output| output.height).collect();
    assert_eq!(heights, [Some(8), Some(9)]);
}

#[tokio::test]
async fn a_spender_counts_only_if_it_spends_and_unspent_only_if_it_exists() {
    let parent = transaction(OutPoint::new(Txid::from_bytes([1; 32]), 0));
    let child = transaction(OutPoint::new(parent.txid(), 0));
    let spent = OutPoint::new(parent.txid(), 0);
    let (parent_txid, child_txid) = (parent.txid(), child.txid());
    let stub = Stub::start(move |_, asked| {
        let path = asked.target.strip_prefix("/v1/bsv/test/tx/").unwrap();
        let (txid, rest) = path.split_once('/').unwrap();
        match (txid, rest) {
            (txid, "hex") if txid == parent_txid.to_string() => {
                text(200, &hex::encode(parent.to_bytes()))
            }
            (txid, "hex") if txid == child_txid.to_string() => {
                text(200, &hex::encode(child.to_bytes()))
            }
            (txid, "0/spent") if txid == parent_txid.to_string() => {
                stub::json(&json!({ "txid": child_txid, "vin": 0 }))
            }
            // A lie: the child does not spend this one.
            (txid, "7/spent") if txid == parent_txid.to_string() => {
                stub::json(&json!({ "txid": child_txid, "vin": 0 }))
            }
            (_, "9/spent") => text(400, "Bad Request"),
            _ => text(404, "Not Found"),
        }
    })
    .await;
    let client = client(&stub.url);
    assert_eq!(client.spender(spent).await, Ok(SpendStatus::SpentBy(child_txid)));
    let of = |txid, vout| client.spender(OutPoint::new(txid, vout));
    assert_eq!(of(child_txid, 0).await, Ok(SpendStatus::Unspent));
    assert_eq!(of(child_txid, 1).await, Ok(SpendStatus::Unknown), "data is not spendable");
    assert_eq!(of(child_txid, 2).await, Ok(SpendStatus::Unknown), "no such output");
    assert_eq!(of(child_txid, 9).await, Ok(SpendStatus::Unknown));
    assert_eq!(of(Txid::from_bytes([9; 32]), 0).await, Ok(SpendStatus::Unknown));
    assert!(of(parent_txid, 7).await.is_err());
}
