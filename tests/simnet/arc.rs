//! ARC's face: every form of submission, ARC's words for the node's verdicts, faults of its own.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test that asked for it")]

use patchproof::bitcoin::{MerklePath, Script, Transaction, TxOut};
use patchproof::simnet::{Fault, FaultRule, Loss, RequestClass};
use patchproof::types::{OutPoint, Satoshis, Txid};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::served::{Answer, Served, answer};

/// Sends a body of a media type.
async fn send(served: &Served, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = served.client.post(format!("{}{path}", served.base)).header(CONTENT_TYPE, kind);
    let response = request.body(body).send().await.unwrap();
    Answer { status: response.status().as_u16(), body: response.text().await.unwrap() }
}

async fn send_json(served: &Served, body: &Value) -> (u16, Value) {
    let heard = send(served, "/v1/tx", "application/json", body.to_string()).await;
    (heard.status, serde_json::from_str(&heard.body).unwrap())
}

fn raw(transaction: &Transaction) -> Value {
    json!({ "rawTx": hex::encode(transaction.to_bytes()) })
}

/// The extended form; the outputs that are spent are those of [`Served::spend`].
fn extended(served: &Served, transaction: &Transaction, satoshis: u32) -> Vec<u8> {
    let locking_script = Script::pay_to_public_key_hash(served.address().hash160());
    let spent = TxOut { value: Satoshis::from_const(satoshis), locking_script };
    transaction.to_extended_bytes(&[spent]).unwrap()
}

fn said(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    body["txStatus"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_transaction_is_taken_in_every_form() {
    let served = Served::start().await;
    let funding = served.fund(8).await;
    let transactions: Vec<_> = (0..8).map(|vout| served.spend(funding, vout, 9_900)).collect();
    let hex_of = |n: usize| hex::encode(transactions[n].to_bytes());
    let ef_of = |n: usize| extended(&served, &transactions[n], 10_000);
    let octets = "application/octet-stream";
    for heard in [
        send(&served, "/v1/tx", "text/plain", hex_of(0)).await,
        send(&served, "/v1/tx", "text/plain; charset=utf-8", hex::encode(ef_of(1))).await,
        send(&served, "/v1/tx", octets, transactions[2].to_bytes()).await,
        send(&served, "/v1/tx", octets, ef_of(3)).await,
        send(&served, "/v1/tx", "application/json", raw(&transactions[4]).to_string()).await,
    ] {
        assert_eq!((heard.status, said(&heard.body).as_str()), (200, "SEEN_ON_NETWORK"));
    }
    let heard = send(&served, "/arcade/tx", octets, ef_of(5)).await;
    assert_eq!((heard.status, said(&heard.body).as_str()), (202, "SEEN_ON_NETWORK"));
    let both = [transactions[6].to_bytes(), transactions[7].to_bytes()].concat();
    let heard = send(&served, "/v1/txs", octets, both).await;
    let all: Value = serde_json::from_str(&heard.body).unwrap();
    for n in [0, 1] {
        assert_eq!(all[n]["txid"], json!(transactions[6 + n].txid()));
    }
    let twice = format!("{}\n{}\n", hex_of(6), hex_of(7));
    assert_eq!(send(&served, "/v1/txs", "text/plain", twice).await.status, 200);
    let list = json!([raw(&transactions[6])]).to_string();
    assert_eq!(send(&served, "/v1/txs", "application/json", list).await.status, 200);
    assert_eq!(served.simnet.node().mempool_len(), 8);
    for (kind, body) in [("text/plain", "zz"), ("application/json", "{}"), ("text/html", "00")] {
        assert_eq!(send(&served, "/v1/tx", kind, body).await.status, 400, "{kind}");
    }
    assert_eq!(send(&served, "/v1/tx", "text/plain", "00").await.status, 463);
}

#[tokio::test]
async fn verdicts_come_in_arcs_words() {
    let served = Served::start().await;
    let funding = served.fund(4).await;
    let first = served.spend(funding, 0, 9_900);
    let (status, body) = send_json(&served, &raw(&first)).await;
    assert_eq!((status, &body["txStatus"]), (200, &json!("SEEN_ON_NETWORK")));
    let (_, again) = send_json(&served, &raw(&first)).await;
    assert_eq!(again["txStatus"], "SEEN_ON_NETWORK");
    let (status, conflict) = send_json(&served, &raw(&served.spend(funding, 0, 9_800))).await;
    assert_eq!((status, &conflict["txStatus"]), (200, &json!("DOUBLE_SPEND_ATTEMPTED")));
    assert_eq!(conflict["competingTxs"], json!([first.txid()]));
    let (status, cheap) = send_json(&served, &raw(&served.spend(funding, 1, 10_000))).await;
    assert_eq!(
        (status, &cheap["status"], &cheap["title"]),
        (465, &json!(465), &json!("Fee too low"))
    );
    let nowhere = served.spend(Txid::from_bytes([9; 32]), 0, 9_900);
    assert_eq!(send_json(&served, &raw(&nowhere)).await.0, 460);
    let as_extended = json!({ "rawTx": hex::encode(extended(&served, &nowhere, 10_000)) });
    let (status, orphan) = send_json(&served, &as_extended).await;
    assert_eq!((status, &orphan["txStatus"]), (200, &json!("SEEN_IN_ORPHAN_MEMPOOL")));
    let mut unsigned = served.spend(funding, 2, 9_900);
    unsigned.inputs[0].unlocking_script = Script::default();
    assert_eq!(send_json(&served, &raw(&unsigned)).await.0, 461);
    let lying = extended(&served, &served.spend(funding, 3, 9_900), 10_001);
    assert_eq!(send_json(&served, &json!({ "rawTx": hex::encode(lying) })).await.0, 461);
}

#[tokio::test]
async fn what_became_of_a_transaction_is_told_with_its_path() {
    let served = Served::start().await;
    let transaction = served.spend(served.fund(1).await, 0, 9_900);
    let txid = transaction.txid();
    let path = format!("/v1/tx/{txid}");
    assert_eq!(served.get(&path).await.status, 404);
    send_json(&served, &raw(&transaction)).await;
    assert_eq!(served.get_json(&path).await["txStatus"], "SEEN_ON_NETWORK");
    served.simnet.mine();
    let mined = served.get_json(&path).await;
    assert_eq!(mined["txStatus"], "MINED");
    let bytes = hex::decode(mined["merklePath"].as_str().unwrap()).unwrap();
    let proof = MerklePath::parse(&bytes).unwrap();
    let height = served.simnet.node().height();
    assert_eq!((proof.block_height(), &mined["blockHeight"]), (height, &json!(height)));
    let root = served.simnet.node().tip().header().merkle_root;
    assert_eq!(proof.compute_root(&txid), Ok(root));
    let policy = served.get_json("/v1/policy").await;
    assert_eq!(policy["policy"]["miningFee"], json!({ "satoshis": 100, "bytes": 1000 }));
    assert_eq!(served.get_json("/arcade/policy").await["policy"], policy["policy"]);
    assert_eq!(served.get_json("/v1/health").await["healthy"], true);
}

#[tokio::test]
async fn faults_strike_one_face_only() {
    let served = Served::start().await;
    let funding = served.fund(4).await;
    let transactions: Vec<_> = (0..4).map(|vout| served.spend(funding, vout, 9_900)).collect();
    let add = |fault| {
        let rule = FaultRule::once(fault, RequestClass::Broadcast);
        served.simnet.arc_faults().add(rule);
    };
    add(Fault::Unavailable);
    assert_eq!(served.broadcast(&transactions[0]).await.unwrap().status, 200);
    let json = "application/json";
    let body = |n: usize| raw(&transactions[n]).to_string();
    assert_eq!(send(&served, "/v1/tx", json, body(1)).await, answer(503, ""));
    add(Fault::LoseAnswer { loss: Loss::BadGateway });
    assert_eq!(send(&served, "/v1/tx", json, body(1)).await.status, 502);
    let has = |n: usize| served.simnet.node().standing(&transactions[n].txid()).is_some();
    assert!(has(1), "only the answer was lost");
    add(Fault::DropRequest { loss: Loss::BadGateway });
    assert_eq!(send(&served, "/v1/tx", json, body(2)).await.status, 502);
    assert!(!has(2));
    add(Fault::WrongTxid);
    let (_, wrong) = send_json(&served, &raw(&transactions[3])).await;
    assert_ne!(wrong["txid"], json!(transactions[3].txid()));
    assert!(has(3));
    let rule = json!({ "fault": { "kind": "unavailable" }, "class": "broadcast" });
    served.post_json("/sim/faults?face=arc", rule).await;
    let info = served.get_json("/sim/info").await;
    assert_eq!(
        (info["faults"].as_array().unwrap().len(), &info["arcFaults"][0]["class"]),
        (0, &json!("broadcast"))
    );
    let outpoint = OutPoint::new(funding, 2);
    assert_eq!(served.simnet.node().spender(&outpoint), None);
}
