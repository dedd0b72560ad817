//! An endpoint that swears that a transaction is in a block: nothing but a Merkle path that ends in a
//! header of our own best chain makes a record mined.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use patchproof::bitcoin::{BlockHeader, MerklePath, Transaction, merkle_path_of};
use patchproof::chain::{ChainError, ChainTip, ChainTracker, SpendStatus, TransactionStatus};
use patchproof::service::anchoring::AnchoringService;
use patchproof::simnet::{Filling, Reorganisation};
use patchproof::storage::StageName;
use patchproof::storage::jobs::jobs_in_stage;
use patchproof::storage::transactions::proof;
use patchproof::types::{BlockHash, Checkpoint, Clock, OutPoint, Txid};
use reqwest::Method;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::clients::Owner;

/// Says of every transaction that it is in a block, and hands out one path.
struct Liar {
    claim: Mutex<(MerklePath, BlockHash)>,
}

#[async_trait]
impl ChainTracker for Liar {
    async fn tip(&self) -> Result<ChainTip, ChainError> {
        Err(ChainError::Unreachable("not asked".into()))
    }

    async fn header_at(&self, _: u32) -> Result<Option<BlockHeader>, ChainError> {
        Ok(None)
    }

    async fn header(&self, _: BlockHash) -> Result<Option<BlockHeader>, ChainError> {
        Ok(None)
    }

    async fn statuses(&self, txids: &[Txid]) -> Result<Vec<TransactionStatus>, ChainError> {
        let (path, block) = self.claim.lock().unwrap().clone();
        Ok(vec![TransactionStatus::Mined { block, height: path.block_height() }; txids.len()])
    }

    async fn merkle_path(&self, _: Txid) -> Result<Option<(MerklePath, BlockHash)>, ChainError> {
        Ok(Some(self.claim.lock().unwrap().clone()))
    }

    async fn transaction(&self, _: Txid) -> Result<Option<Transaction>, ChainError> {
        Ok(None)
    }

    async fn spender(&self, _: OutPoint) -> Result<SpendStatus, ChainError> {
        Ok(SpendStatus::Unknown)
    }
}

/// Returns how many records became mined by what an endpoint claims.
async fn believed(app: &TestApp, path: &MerklePath, block: BlockHash) -> usize {
    let liar = Liar { claim: Mutex::new((path.clone(), block)) };
    let service = AnchoringService { tracker: Arc::new(liar), ..app.anchoring.clone() };
    service.look_for_mined(app.outside.clock.now()).await.unwrap()
}

fn count(app: &TestApp, stage: StageName) -> usize {
    app.store.read(|tx| jobs_in_stage(tx, stage, None, 10)).unwrap().len()
}

async fn until(app: &TestApp, stage: StageName) {
    app.until(stage.as_str(), async || (count(app, stage) == 1).then_some(())).await;
}

/// Waits until the chain is followed up to its tip, and returns the tip's height.
async fn until_followed(app: &TestApp) -> u32 {
    let height = app.outside.simnet.node().height();
    app.until("the chain is followed", async || {
        let tip = app.services.headers.trust().unwrap().tip;
        tip.filter(|tip| tip.height == height).map(|_| ())
    })
    .await;
    height
}

#[tokio::test]
async fn no_claim_makes_a_record_mined_that_does_not_end_in_a_block_of_our_best_chain() {
    let app = TestApp::start().await;
    app.mine(2);
    let txid = app.api().register("TAG-1", &Owner::number(1)).await;
    app.mine(1);
    until(&app, StageName::Mined).await;
    let stale_path = app.store.read(|tx| proof(tx, txid)).unwrap().unwrap();
    let height = stale_path.block_height();
    let stale_block = app.outside.block_at(height);
    // The block goes; the transaction waits again, while empty blocks come.
    let now = app.outside.clock.now();
    app.outside.simnet.node().reorganise(&Reorganisation::of_depth(1), now).unwrap();
    app.until("it is seen again", async || (count(&app, StageName::Seen) == 1).then_some(())).await;

    let best = app.outside.block_at(height);
    let other = Txid::from_bytes([9; 32]);
    let invented = merkle_path_of(&[other, txid], 1, height).unwrap();
    let elsewhere = merkle_path_of(&[other, txid], 1, height + 1).unwrap();
    let of_another = merkle_path_of(&[other], 0, height).unwrap();
    for (path, block, lie) in [
        (&stale_path, stale_block, "a true path of a block that has gone"),
        (&stale_path, best, "a true path of another block"),
        (&invented, best, "a path to no root"),
        (&elsewhere, best, "a path of another height"),
        (&of_another, best, "a path of another transaction"),
        (&stale_path, BlockHash::from_bytes([7; 32]), "a block that nobody has"),
    ] {
        assert_eq!(believed(&app, path, block).await, 0, "{lie}");
        assert_eq!(count(&app, StageName::Seen), 1, "{lie}");
    }

    app.mine(1);
    until(&app, StageName::Mined).await;
    assert_eq!(app.outside.transactions(), [txid]);
}

#[tokio::test]
async fn while_our_chain_contradicts_a_checkpoint_nothing_is_mined() {
    let app = TestApp::start().await;
    app.mine(2);
    until_followed(&app).await;
    let checkpoints = ["v1", "admin", "headers", "checkpoints"];
    let wrong = Checkpoint { height: 1, hash: BlockHash::from_bytes([7; 32]) };
    let body = json!({ "height": wrong.height, "hash": wrong.hash });
    let added = app.api().call(Method::POST, &checkpoints).json(&body).send().await.expect(201);
    assert_eq!(added["checkpoints"][0]["standing"], "contradicted", "{added}");
    let report = app
        .until("readiness tells of it", async || {
            let ready = app.anonymous().get(&["ready"]).await;
            (ready.status == 503).then(|| ready.json())
        })
        .await;
    assert_eq!(report["status"], "unavailable");
    let mut dependencies = report["dependencies"].as_array().unwrap().iter();
    let headers = dependencies.find(|it| it["name"] == "headers").unwrap();
    assert_eq!(headers["ok"], false);
    assert!(headers["detail"].as_str().unwrap().contains("height 1"), "{report}");

    // What is asked for is taken and sent; and an honest proof of its block counts for nothing.
    let txid = app.api().register("TAG-1", &Owner::number(1)).await;
    app.mine(1);
    let height = until_followed(&app).await;
    let block = app.outside.block_at(height);
    let honest = {
        let node = app.outside.simnet.node();
        let txids: Vec<Txid> =
            node.block(&block).unwrap().transactions().iter().map(|it| it.txid()).collect();
        let place = txids.iter().position(|it| *it == txid).unwrap();
        merkle_path_of(&txids, place, height).unwrap()
    };
    assert_eq!(believed(&app, &honest, block).await, 0);
    assert_eq!(count(&app, StageName::Seen), 1);

    let one = ["v1", "admin", "headers", "checkpoints", "1"];
    let _ = app.api().call(Method::DELETE, &one).send().await.expect(200);
    until(&app, StageName::Mined).await;
    app.until("readiness is content again", async || {
        let ready = app.anonymous().get(&["ready"]).await;
        (ready.status == 200).then_some(())
    })
    .await;
    let now = app.outside.clock.now();
    for _ in 0..5 {
        app.outside.simnet.node().mine_block(now, Filling::Nothing);
    }
    until(&app, StageName::Final).await;
}
