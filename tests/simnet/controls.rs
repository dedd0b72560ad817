//! The controls, and blocks that come by themselves.

use std::sync::Arc;
use std::time::Duration;

use patchproof::bitcoin::BlockHeader;
use patchproof::simnet::{Command, Simnet, SimnetConfig};
use patchproof::types::{ChainProfile, ManualClock};
use serde_json::json;

use crate::served::{NOW, Served, answer};

#[tokio::test]
async fn raw_headers_link_and_carry_work() {
    let served = Served::start().await;
    served.post_json("/sim/mine", json!({ "blocks": 5 })).await;
    let lines = served.get("/sim/headers?from=0&count=100").await.body;
    let headers: Vec<BlockHeader> = lines
        .lines()
        .map(|line| BlockHeader::parse(&hex::decode(line).unwrap()).unwrap())
        .collect();
    assert_eq!(headers.len(), 6);
    for pair in headers.windows(2) {
        assert_eq!(pair[1].previous, pair[0].hash());
        pair[1].check_work(ChainProfile::Simulated).unwrap();
    }
    assert_eq!(served.get("/sim/headers?from=4&count=1").await.body.lines().count(), 1);
}

#[tokio::test]
async fn the_controls_reorganise_evict_and_list() {
    let served = Served::start().await;
    let funding = served.fund(1).await;
    let first = served.spend(funding, 0, 9_900);
    let second = served.spend(funding, 0, 9_000);
    served.broadcast(&first).await.unwrap();
    served.post_json("/sim/mine", json!({})).await;
    let moved = served.post_json("/sim/reorg", json!({ "depth": 1 })).await;
    assert_eq!(moved["dropped"], json!([]));
    assert_eq!(served.status(first.txid()).await, json!({ "txid": first.txid() }));
    let evicted = served.post_json("/sim/evict", json!({ "txid": first.txid() })).await;
    assert_eq!(evicted, json!({ "evicted": [first.txid()] }));
    assert_eq!(served.status(first.txid()).await["error"], "unknown");
    served.broadcast(&first).await.unwrap();
    served.post_json("/sim/mine", json!({})).await;
    let raw = hex::encode(second.to_bytes());
    let request = json!({ "depth": 1, "replacements": [raw] });
    let replaced = served.post_json("/sim/reorg", request).await;
    assert_eq!(replaced["dropped"], json!([first.txid()]));
    let listed = served.get_json("/sim/transactions?after=1&limit=5").await;
    let block = replaced["connected"][0].clone();
    let (first_raw, height) = (hex::encode(first.to_bytes()), 4);
    assert_eq!(
        listed,
        json!([
            { "number": 2, "txid": first.txid(), "hex": first_raw, "state": "dropped",
              "block": null, "height": null },
            { "number": 3, "txid": second.txid(), "hex": raw, "state": "mined",
              "block": block, "height": height },
        ])
    );
    let info = served.get_json("/sim/info").await;
    assert_eq!((&info["height"], &info["mempool"]), (&json!(5), &json!(0)));
    assert_eq!(info["totals"]["reorganisations"], 2);
    let deep = served.post("/sim/reorg", json!({ "depth": 99 })).await;
    assert_eq!(deep.status, 400);
    assert!(deep.body.contains("99 blocks cannot be taken off a chain of height 5"));
    let priced = served.post("/sim/policy", json!({ "minFeeSatPerKb": 900_000 })).await;
    assert_eq!(priced.status, 204);
    let cheap = served.broadcast(&served.spend(second.txid(), 1, 8_900)).await.unwrap();
    // Its amount is not the one the key signs for, but the fee is looked at first.
    assert_eq!(cheap, answer(400, "unexpected response code 500: 66: mempool min fee not met"));
    let wrong = json!({ "address": "nobody", "satoshis": 1 });
    assert_eq!(served.post("/sim/faucet", wrong).await.status, 400);
}

#[tokio::test]
async fn blocks_come_by_themselves_until_told_to_stop() {
    let simnet = Simnet::new(&SimnetConfig::default(), Arc::new(ManualClock::new(NOW)));
    let (blocks, mut mined) = tokio::sync::mpsc::unbounded_channel();
    simnet.node().record_to(Box::new(move |command| {
        if let Command::Mine { block, .. } = command {
            blocks.send(*block).unwrap();
        }
    }));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let miner = simnet.clone();
    let interval = Duration::from_millis(1);
    let task = tokio::spawn(async move { miner.mine_periodically(interval, stopped).await });
    for _ in 0..3 {
        mined.recv().await.unwrap();
    }
    stop.send(true).unwrap();
    task.await.unwrap();
    assert!(simnet.node().height() >= 3);
}
