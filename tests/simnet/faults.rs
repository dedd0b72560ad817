//! The fault menu: what is sent and what is heard when things go wrong.

use patchproof::bitcoin::{MerklePath, TscProof};
use patchproof::simnet::{Fault, Loss, RECORDED_REFUSALS, RequestClass};
use patchproof::types::Txid;
use serde_json::{Value, json};

use crate::served::{Served, answer};

#[tokio::test]
async fn broadcasts_go_wrong_as_told() {
    let served = Served::start().await;
    let funding = served.fund(8).await;
    let transactions: Vec<_> = (0..8).map(|vout| served.spend(funding, vout, 9_900)).collect();
    let arrived =
        async |vout: usize| served.status(transactions[vout].txid()).await.get("error").is_none();
    for (vout, loss) in [(0, Loss::ConnectionClosed), (1, Loss::BadGateway)] {
        served.fault(Fault::DropRequest { loss }, RequestClass::Broadcast);
        let heard = served.broadcast(&transactions[vout]).await;
        assert_eq!(heard.ok().map(|heard| heard.status), [None, Some(502)][vout]);
        assert!(!arrived(vout).await);
    }
    for (vout, loss) in [(2, Loss::ConnectionClosed), (3, Loss::GatewayTimeout)] {
        served.fault(Fault::LoseAnswer { loss }, RequestClass::Broadcast);
        let heard = served.broadcast(&transactions[vout]).await;
        assert_eq!(heard.ok().map(|heard| heard.status), [None, Some(504)][vout - 2]);
        assert!(arrived(vout).await);
    }
    served.fault(Fault::DeliverTwice, RequestClass::Broadcast);
    let heard = served.broadcast(&transactions[4]).await.unwrap();
    assert_eq!(heard, answer(400, "unexpected response code 500: 257: txn-already-known"));
    assert!(arrived(4).await);
    served.fault(Fault::WrongTxid, RequestClass::Broadcast);
    let heard = served.broadcast(&transactions[5]).await.unwrap();
    assert_eq!((heard.status, heard.body.len()), (200, 66));
    assert_ne!(heard.body, format!("\"{}\"", transactions[5].txid()));
    assert!(arrived(5).await);
    for (status, body) in RECORDED_REFUSALS {
        let fault = Fault::Refuse { status, body: body.to_owned() };
        served.fault(fault, RequestClass::Broadcast);
        assert_eq!(served.broadcast(&transactions[6]).await.unwrap(), answer(status, body));
        assert!(!arrived(6).await);
    }
    served.fault(Fault::Delay { delay_ms: 1 }, RequestClass::Broadcast);
    assert_eq!(served.broadcast(&transactions[6]).await.unwrap().status, 200);
    served.fault(Fault::Html, RequestClass::Broadcast);
    assert_eq!(served.broadcast(&transactions[7]).await.unwrap().status, 200);
    assert!(!arrived(7).await, "a proxy's page is no success");
}

#[tokio::test]
async fn a_late_answer_does_not_make_the_request_late() {
    let served = Served::start().await;
    let funding = served.fund(1).await;
    let transaction = served.spend(funding, 0, 9_900);
    served.fault(Fault::Delay { delay_ms: 3_600_000 }, RequestClass::Broadcast);
    let (arrival, arrived) = tokio::sync::oneshot::channel();
    let mut arrival = Some(arrival);
    served.simnet.node().record_to(Box::new(move |_| {
        arrival.take().map(|arrival| arrival.send(()));
    }));
    tokio::select! {
        heard = served.broadcast(&transaction) => panic!("{heard:?} came at once"),
        arrived = arrived => arrived.unwrap(),
    }
    assert_eq!(served.status(transaction.txid()).await, json!({ "txid": transaction.txid() }));
}

#[tokio::test]
async fn reads_go_wrong_as_told() {
    let served = Served::start().await;
    let funding = served.fund(1).await;
    let transaction = served.spend(funding, 0, 9_900);
    let (txid, address) = (transaction.txid(), served.address().to_string());
    served.broadcast(&transaction).await.unwrap();
    served.post_json("/sim/mine", json!({})).await;
    let unspent = format!("/v1/bsv/test/address/{address}/unspent/all");
    let good = served.get_json(&unspent).await;
    served.fault(Fault::EmptyList, RequestClass::Unspent);
    assert_eq!(served.get(&unspent).await, answer(200, "[]"));
    served.fault(Fault::Html, RequestClass::Unspent);
    assert!(served.get(&unspent).await.body.starts_with("<html>"));
    served.fault(Fault::ErrorInside, RequestClass::Unspent);
    assert_eq!(served.get_json(&unspent).await, json!({ "error": "internal error" }));
    served.fault(Fault::Unavailable, RequestClass::Unspent);
    assert_eq!(served.get(&unspent).await, answer(503, ""));
    let retry_after_secs = Some(7);
    served.fault(Fault::RateLimited { retry_after_secs }, RequestClass::Unspent);
    let limited = served.client.get(format!("{}{unspent}", served.base)).send().await.unwrap();
    assert_eq!(
        (limited.status().as_u16(), &limited.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    served.fault(Fault::DropRequest { loss: Loss::ConnectionClosed }, RequestClass::Unspent);
    let closed = served.client.get(format!("{}{unspent}", served.base)).send().await;
    assert!(closed.is_err(), "the connection breaks before any answer");
    assert_eq!(served.get_json(&unspent).await, good, "and then all is well again");

    let proof_path = format!("/v1/bsv/test/tx/{txid}/proof/tsc");
    served.fault(Fault::ForgeProof, RequestClass::Proof);
    let forged = served.get_json(&proof_path).await;
    let genuine = served.get_json(&proof_path).await;
    assert_ne!(forged, genuine);
    let root = |proof: &Value| {
        let proof: TscProof = serde_json::from_value(proof[0].clone()).unwrap();
        MerklePath::from_tsc(&proof, &txid, 2).unwrap().compute_root(&txid).unwrap()
    };
    let merkle_root = served.simnet.node().tip().header().merkle_root;
    assert_eq!((root(&genuine), root(&forged) == merkle_root), (merkle_root, false));
    let stranger = Txid::from_bytes([9; 32]);
    served.fault(Fault::ForgeStatus, RequestClass::Status);
    assert_eq!(served.status(stranger).await["blockheight"], 2);
    assert_eq!(served.status(stranger).await["error"], "unknown");
}

#[tokio::test]
async fn a_lagging_index_shows_the_chain_as_it_was() {
    let served = Served::start().await;
    let funding = served.fund(1).await;
    let transaction = served.spend(funding, 0, 9_900);
    let txid = transaction.txid();
    served.broadcast(&transaction).await.unwrap();
    let address = served.address().to_string();
    let unspent = format!("/v1/bsv/test/address/{address}/unspent/all");
    served.post_json("/sim/mine", json!({ "blocks": 3 })).await;
    let rule = json!({ "fault": { "kind": "lag", "blocks": 3 }, "occurrence": "always" });
    let added = served.post_json("/sim/faults", rule).await;
    assert_eq!(added["faults"][0]["fault"], json!({ "kind": "lag", "blocks": 3 }));
    assert_eq!(served.get_json("/v1/bsv/test/chain/info").await["blocks"], 1);
    assert_eq!(served.get("/v1/bsv/test/block/2/header").await.status, 404);
    assert_eq!(served.status(txid).await, json!({ "txid": txid }));
    assert_eq!(served.get(&format!("/v1/bsv/test/tx/{txid}/proof/tsc")).await.body, "null");
    let spent = served.get(&format!("/v1/bsv/test/tx/{funding}/0/spent")).await;
    assert_eq!(spent.status, 404);
    let stale = served.get_json(&unspent).await["result"].clone();
    assert_eq!(
        stale,
        json!([{ "height": 1, "tx_pos": 0, "tx_hash": funding, "value": 10_000,
                 "isSpentInMempoolTx": false, "status": "confirmed" }])
    );
    let cleared = served.client.delete(format!("{}/sim/faults", served.base)).send().await;
    assert_eq!(cleared.unwrap().status(), 204);
    assert_eq!(served.status(txid).await["blockheight"], 2);
    assert_eq!(served.get_json(&unspent).await["result"][0]["tx_hash"], json!(txid));
}
