//! Blocks that operators vouch for, over HTTP.

use patchproof::app::Settings;
use patchproof::types::{BlockHash, Checkpoint};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;

const PATH: [&str; 4] = ["v1", "admin", "headers", "checkpoints"];

async fn add(app: &TestApp, body: &Value) -> Answer {
    app.api_with("settings:write").call(Method::POST, &PATH).json(body).send().await
}

async fn remove(app: &TestApp, height: &str) -> Answer {
    let path = [&PATH[..], &[height]].concat();
    app.api_with("settings:write").call(Method::DELETE, &path).send().await
}

async fn until_followed(app: &TestApp, height: u32) {
    app.until("the chain is followed", async || {
        let tip = app.services.headers.trust().unwrap().tip;
        tip.filter(|tip| tip.height == height).map(|_| ())
    })
    .await;
}

#[tokio::test]
async fn what_the_chain_hangs_on_is_told_and_changed() {
    let app = TestApp::penniless().await;
    app.mine(3);
    until_followed(&app, 3).await;
    let listed = app.api().get(&PATH).await.expect(200);
    let tip = json!({ "height": 3, "hash": app.outside.block_at(3) });
    let nothing = json!({ "anchored": "genesis", "lowest": 0, "tip": tip, "checkpoints": [] });
    assert_eq!(listed, nothing);
    let hash = app.outside.block_at(2);
    let added = add(&app, &json!({ "height": 2, "hash": hash })).await;
    assert_eq!(added.header("cache-control"), Some("no-store"));
    let one = |height, hash, standing| json!({ "height": height, "hash": hash, "origin": "stored", "standing": standing });
    assert_eq!(added.expect(201)["checkpoints"], json!([one(2, hash, "linked")]));
    let ahead = add(&app, &json!({ "height": 9, "hash": hash })).await.expect(201);
    let both = json!([one(2, hash, "linked"), one(9, hash, "ahead")]);
    assert_eq!(ahead["checkpoints"], both);
    let app = app.restart().await;
    assert_eq!(app.api().get(&PATH).await.expect(200)["checkpoints"], both);
    let _ = remove(&app, "9").await.expect(200);
    assert_eq!(remove(&app, "2").await.expect(200), nothing);
    remove(&app, "2").await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn what_is_no_checkpoint_is_refused_and_so_is_a_key_without_the_scope() {
    let app = TestApp::penniless().await;
    let hash = "5a".repeat(32);
    add(&app, &json!({ "height": 1, "hash": "5a" })).await.invalid(&["hash"]);
    add(&app, &json!({ "height": -1, "hash": hash })).await.invalid(&["height"]);
    add(&app, &json!({ "height": 1 })).await.invalid(&["hash"]);
    assert_eq!(remove(&app, "one").await.status, 400);
    app.anonymous().get(&PATH).await.problem(401, "UNAUTHENTICATED");
    app.api_with("utxo:write").get(&PATH).await.problem(403, "FORBIDDEN");
}

#[tokio::test]
async fn a_checkpoint_of_the_configuration_is_not_removed_from_outside() {
    let vouched = Checkpoint { height: 1, hash: BlockHash::from_bytes([7; 32]) };
    let app = TestApp::with(|settings: &mut Settings| settings.checkpoints = vec![vouched]).await;
    // The endpoint's chain has another block, and is not followed.
    app.mine(2);
    app.until("readiness tells of it", async || {
        let report = app.anonymous().get(&["ready"]).await.json();
        let network = &report["dependencies"][2];
        network["detail"].as_str().is_some_and(|it| it.contains("vouched for")).then_some(())
    })
    .await;
    remove(&app, "1").await.problem(404, "NOT_FOUND");
    let listed = app.api().get(&PATH).await.expect(200);
    assert_eq!(listed["checkpoints"][0]["origin"], "environment");
    assert_ne!(listed["tip"]["height"], 2);
    // Without it the same chain is as good as any.
    let app = app.restart_with(|settings| settings.checkpoints.clear()).await;
    until_followed(&app, 2).await;
}
