//! The explorer's shapes, in good order.

use patchproof::bitcoin::{MerklePath, TscProof};
use patchproof::simnet::ScriptHash;
use patchproof::types::Txid;
use serde_json::json;

use crate::served::{Served, answer};

#[tokio::test]
async fn headers_and_tips_have_the_explorers_shape() {
    let served = Served::start().await;
    let mined = served.post_json("/sim/mine", json!({ "blocks": 12 })).await;
    let tip = mined["blocks"][11].as_str().unwrap().to_owned();
    let info = served.get_json("/v1/bsv/test/chain/info").await;
    let work = served.simnet.node().tip().chain_work().to_string();
    let median = served.simnet.node().median_time();
    assert_eq!(
        info,
        json!({
            "chain": "test", "blocks": 12, "headers": 12, "bestblockhash": tip,
            "difficulty": 4.656_542_373_906_925e-10, "mediantime": median,
            "verificationprogress": 1.0, "pruned": false, "chainwork": work,
        })
    );
    let header = served.get_json(&format!("/v1/bsv/test/block/{tip}/header")).await;
    assert_eq!(header, served.get_json("/v1/bsv/test/block/12/header").await);
    let block = served.simnet.node().tip().clone();
    let parent = served.simnet.node().block_at(11).unwrap().hash();
    let root = Txid::from_bytes(block.header().merkle_root.to_bytes());
    assert_eq!(
        header,
        json!({
            "hash": tip, "confirmations": 1, "size": block.size(), "height": 12,
            "version": 0x2000_0000, "versionHex": "20000000", "merkleroot": root,
            "time": block.header().time, "mediantime": median, "nonce": block.header().nonce,
            "bits": "207fffff", "difficulty": 4.656_542_373_906_925e-10, "chainwork": work,
            "previousblockhash": parent, "nTx": 1, "num_tx": 1,
        })
    );
    let below = served.get_json("/v1/bsv/main/block/11/header").await;
    assert_eq!((&below["nextblockhash"], &below["confirmations"]), (&json!(tip), &json!(2)));
    let first = served.get_json("/v1/bsv/test/block/0/header").await;
    assert_eq!(first.get("previousblockhash"), None);
    let last = served.get_json("/v1/bsv/test/block/headers").await;
    assert_eq!(last.as_array().map(Vec::len), Some(10));
    assert_eq!((&last[0], &last[1]), (&header, &below));
    for unknown in ["13".to_owned(), "0".repeat(64), "x".to_owned()] {
        let path = format!("/v1/bsv/test/block/{unknown}/header");
        assert_eq!(served.get(&path).await, answer(404, "Not Found"));
    }
    assert_eq!(served.get("/v1/bsv/stn/chain/info").await, answer(404, "Not Found"));
    let reorganised = served.post_json("/sim/reorg", json!({ "depth": 2 })).await;
    let tips = served.get_json("/v1/bsv/test/chain/tips").await;
    let active = reorganised["connected"][2].clone();
    assert_eq!(
        tips,
        json!([
            { "height": 13, "hash": active, "branchlen": 0, "status": "active" },
            { "height": 12, "hash": tip, "branchlen": 2, "status": "valid-fork" },
        ])
    );
    let stale = served.get_json(&format!("/v1/bsv/test/block/{tip}/header")).await;
    assert_eq!(stale["confirmations"], -1);
}

#[tokio::test]
async fn a_payment_is_seen_waiting_then_mined_then_proved() {
    let served = Served::start().await;
    let funding = served.fund(1).await;
    let transaction = served.spend(funding, 0, 9_900);
    let (txid, raw) = (transaction.txid(), hex::encode(transaction.to_bytes()));
    let path = |end: &str| format!("/v1/bsv/test/tx/{txid}/{end}");
    assert_eq!(served.status(txid).await, json!({ "txid": txid, "error": "unknown" }));
    assert_eq!(served.get(&path("hex")).await, answer(404, "Not Found"));
    assert_eq!(served.get(&path("proof/tsc")).await, answer(200, "null"));
    let accepted = served.broadcast(&transaction).await.unwrap();
    assert_eq!(accepted, answer(200, format!("\"{txid}\"")));
    assert_eq!(served.status(txid).await, json!({ "txid": txid }));
    assert_eq!(served.get(&path("hex")).await, answer(200, raw));
    assert_eq!(served.get(&path("proof/tsc")).await, answer(200, "null"));
    let again = served.broadcast(&transaction).await.unwrap();
    assert_eq!(again, answer(400, "unexpected response code 500: 257: txn-already-known"));
    served.post_json("/sim/mine", json!({})).await;
    let block = served.simnet.node().tip().clone();
    assert_eq!(
        served.status(txid).await,
        json!({
            "txid": txid, "blockhash": block.hash(), "blockheight": 2,
            "blocktime": block.header().time, "confirmations": 1,
        })
    );
    let [proof]: [TscProof; 1] =
        serde_json::from_str(&served.get(&path("proof/tsc")).await.body).unwrap();
    assert_eq!(proof.target, block.hash());
    let merkle_path = MerklePath::from_tsc(&proof, &txid, 2).unwrap();
    assert_eq!(merkle_path.compute_root(&txid), Ok(block.header().merkle_root));
    let mined = served.broadcast(&transaction).await.unwrap();
    let words = "unexpected response code 500: transaction already in block chain";
    assert_eq!(mined, answer(400, words));
}

#[tokio::test]
async fn transaction_details_and_spends_have_the_explorers_shape() {
    let served = Served::start().await;
    let funding = served.fund(2).await;
    let transaction = served.spend(funding, 1, 9_900);
    let txid = transaction.txid();
    let spent = |vout: &str| format!("/v1/bsv/test/tx/{funding}/{vout}/spent");
    assert_eq!(served.get(&spent("1")).await, answer(404, "Not Found"), "known and unspent");
    served.broadcast(&transaction).await.unwrap();
    let by = served.get_json(&spent("1")).await;
    assert_eq!(by, json!({ "txid": txid, "vin": 0, "status": "unconfirmed" }));
    served.post_json("/sim/mine", json!({})).await;
    let by = served.get_json(&spent("1")).await;
    assert_eq!(by, json!({ "txid": txid, "vin": 0, "status": "confirmed" }));
    assert_eq!(served.get(&spent("0")).await.status, 404);
    assert_eq!(served.get(&spent("9")).await.status, 400, "no such output");
    let data = format!("/v1/bsv/test/tx/{txid}/0/spent");
    assert_eq!(served.get(&data).await.status, 400, "data is never spent");
    let unknown = format!("/v1/bsv/test/tx/{}/0/spent", "1".repeat(64));
    assert_eq!(served.get(&unknown).await.status, 400);
    let block = served.simnet.node().tip().clone();
    let info = served.get_json(&format!("/v1/bsv/test/tx/hash/{txid}")).await;
    assert_eq!(
        info,
        json!({
            "txid": txid, "hash": txid, "version": 1, "size": transaction.to_bytes().len(),
            "locktime": 0,
            "vin": [{
                "txid": funding, "vout": 1, "sequence": u32::MAX,
                "scriptSig": { "hex": hex::encode(transaction.inputs[0].unlocking_script.as_bytes()) },
            }],
            "vout": [
                { "value": 0.0, "n": 0, "scriptPubKey": {
                    "hex": hex::encode(transaction.outputs[0].locking_script.as_bytes()),
                    "type": "nulldata",
                } },
                { "value": 0.000_099, "n": 1, "scriptPubKey": {
                    "hex": hex::encode(transaction.outputs[1].locking_script.as_bytes()),
                    "type": "pubkeyhash", "addresses": [served.address().to_string()],
                } },
            ],
            "blockhash": block.hash(), "confirmations": 1, "time": block.header().time,
            "blocktime": block.header().time, "blockheight": 2,
        })
    );
    let coinbase = block.transactions()[0].txid();
    let info = served.get_json(&format!("/v1/bsv/test/tx/hash/{coinbase}")).await;
    assert!(info["vin"][0]["coinbase"].is_string());
}

#[tokio::test]
async fn unspent_outputs_are_listed_with_what_waits() {
    let served = Served::start().await;
    let funding = served.fund(2).await;
    let transaction = served.spend(funding, 0, 9_900);
    served.broadcast(&transaction).await.unwrap();
    let (txid, address) = (transaction.txid(), served.address().to_string());
    let result = json!([
        { "height": 1, "tx_pos": 0, "tx_hash": funding, "value": 10_000,
          "isSpentInMempoolTx": true, "status": "confirmed" },
        { "height": 1, "tx_pos": 1, "tx_hash": funding, "value": 10_000,
          "isSpentInMempoolTx": false, "status": "confirmed" },
        { "height": 0, "tx_pos": 1, "tx_hash": txid, "value": 9_900,
          "isSpentInMempoolTx": false, "status": "unconfirmed" },
    ]);
    let listed = served.get_json(&format!("/v1/bsv/test/address/{address}/unspent/all")).await;
    assert_eq!(listed, json!({ "address": address, "result": result, "error": "" }));
    let script = ScriptHash::of(&served.address().locking_script()).to_string();
    let listed = served.get_json(&format!("/v1/bsv/test/script/{script}/unspent/all")).await;
    assert_eq!(listed, json!({ "script": script, "result": result, "error": "" }));
    let bare = served.get_json(&format!("/v1/bsv/test/address/{address}/unspent")).await;
    assert_eq!(
        bare,
        json!([
            { "height": 1, "tx_pos": 1, "tx_hash": funding, "value": 10_000 },
            { "height": 0, "tx_pos": 1, "tx_hash": txid, "value": 9_900 },
        ])
    );
    let path = format!("/v1/bsv/test/address/{address}/confirmed/balance");
    assert_eq!(served.get_json(&path).await, json!({ "confirmed": 20_000 }));
    let foreign = served.get(&format!("/v1/bsv/main/address/{address}/unspent/all")).await;
    assert_eq!(foreign.status, 400);
    assert_eq!(served.get("/v1/bsv/test/script/zz/unspent/all").await.status, 400);
}

#[tokio::test]
async fn long_lists_come_in_pages_that_neither_skip_nor_repeat() {
    let served = Served::start().await;
    let funding = served.fund(2_500).await;
    let path = format!("/v1/bsv/test/address/{}/unspent/all", served.address());
    let (mut seen, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let query = if token.is_empty() { String::new() } else { format!("?token={token}") };
        let page = served.get_json(&format!("{path}{query}")).await;
        let items = page["result"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["tx_pos"].as_u64().unwrap()));
        pages += 1;
        if pages == 1 {
            // An output of the page before goes away: the next page must not shift.
            served.broadcast(&served.spend(funding, 3, 9_900)).await.unwrap();
            served.post_json("/sim/mine", json!({})).await;
        }
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(pages, 3);
    // The change of the spend, at place 1 of its own transaction, comes last.
    assert_eq!(seen.pop(), Some(1));
    seen.sort_unstable();
    assert_eq!(seen, (0..2_500).collect::<Vec<u64>>());
    assert_eq!(served.get(&format!("{path}?token=nonsense")).await.status, 400);
}

#[tokio::test]
async fn refusals_and_bad_requests_are_answered_as_the_explorer_does() {
    let served = Served::start().await;
    let funding = served.fund(1).await;
    served.broadcast(&served.spend(funding, 0, 9_900)).await.unwrap();
    let conflict = served.broadcast(&served.spend(funding, 0, 9_800)).await.unwrap();
    let words = "unexpected response code 500: 258: txn-mempool-conflict";
    assert_eq!(conflict, answer(400, words));
    for nonsense in ["", "zz", "00"] {
        let heard = served.post("/v1/bsv/test/tx/raw", json!({ "txhex": nonsense })).await;
        assert_eq!(heard, answer(400, "unexpected response code 500: TX decode failed"));
    }
    let txids = vec!["1".repeat(64); 21];
    let many = served.post("/v1/bsv/test/txs/status", json!({ "txids": txids })).await;
    assert_eq!(many.status, 400);
    let odd = served.post_json("/v1/bsv/test/txs/status", json!({ "txids": ["odd"] })).await;
    assert_eq!(odd, json!([{ "txid": "odd", "error": "unknown" }]));
    let totals = served.get_json("/sim/info").await["totals"].clone();
    assert_eq!((&totals["submitted"], &totals["refused"]), (&json!(4), &json!(3)));
}
