//! The public list of what the operator committed to: everything on chain, nothing about products.

use std::time::Duration;

use patchproof::anchor::payload::Payload;
use patchproof::simnet::Reorganisation;
use patchproof::types::{Clock, Txid};
use reqwest::Method;
use serde_json::{Value, json};

use crate::batch::{anchor, batching, register_many, txid_of};
use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::Owner;

async fn page(app: &TestApp, query: &[(&str, &str)]) -> Answer {
    app.anonymous().call(Method::GET, &["v1", "anchors"]).query(query).send().await
}

async fn items(app: &TestApp, query: &[(&str, &str)]) -> Vec<Value> {
    page(app, query).await.expect(200)["items"].as_array().unwrap().clone()
}

/// Returns what stands on chain in a transaction: the commitment, and of how many records.
fn on_chain(app: &TestApp, txid: &Value) -> (String, u64) {
    let txid: Txid = txid.as_str().unwrap().parse().unwrap();
    let carrier = app.outside.simnet.node().transaction(&txid).unwrap().transaction().clone();
    let mut outputs = carrier.outputs.iter();
    let found = outputs.find_map(|output| Payload::from_script(&output.locking_script));
    match found.unwrap() {
        Payload::Register(digest) | Payload::Transfer(digest) => (digest.to_string(), 1),
        Payload::Batch { root, tree_size, .. } => (root.to_string(), tree_size),
    }
}

#[tokio::test]
async fn the_list_is_empty_before_anything_is_anchored() {
    let app = TestApp::start_with(batching).await;
    register_many(&app, 2).await;
    let told = page(&app, &[]).await.expect(200);
    assert_eq!(told, json!({ "items": [], "nextCursor": null }), "what waits is on no chain");
}

#[tokio::test]
async fn everything_on_chain_is_listed_with_what_stands_there_and_no_product() {
    let app = TestApp::start_with(batching).await;
    let uids = register_many(&app, 3).await;
    let batch = txid_of(&anchor(&app, json!({})).await.expect(200));
    app.outside.clock.advance(Duration::from_millis(2));
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let moved = app.api().transfer(&uids[1], batch, &ada, &bob).await;
    app.outside.clock.advance(Duration::from_millis(2));
    let split = json!({ "action": "split", "minUtxoCount": 30 });
    app.api().call(Method::POST, &["v1", "admin", "utxo-maintain"]).json(&split).send().await;

    let listed = items(&app, &[]).await;
    let told: Vec<_> = listed.iter().map(|it| (&it["kind"], &it["txid"], &it["size"])).collect();
    let expected = [
        (&json!("transfer"), &json!(moved), &json!(1)),
        (&json!("batch"), &json!(batch), &json!(3)),
    ];
    assert_eq!(told, expected, "newest first; what moves money only is not there");
    for anchor in &listed {
        let (commitment, size) = on_chain(&app, &anchor["txid"]);
        assert_eq!((&anchor["commitment"], &anchor["size"]), (&json!(commitment), &json!(size)));
        assert_eq!(anchor["block"], Value::Null);
    }
    let batches = items(&app, &[("kind", "batch")]).await;
    assert_eq!(batches, listed[1..]);

    app.mine(2);
    let mined = app
        .until("both are in a block", async || {
            let listed = items(&app, &[]).await;
            listed.iter().all(|it| it["block"].is_object()).then_some(listed)
        })
        .await;
    let block = &mined[1]["block"];
    let height = u32::try_from(block["height"].as_u64().unwrap()).unwrap();
    assert_eq!(block["hash"], app.outside.block_at(height).to_string());
    assert_eq!((&block["confirmations"], &mined[1]["status"]), (&json!(2), &json!("confirmed")));
    let text = page(&app, &[]).await.text().to_owned();
    let first = app.anonymous().history(&uids[0]).await.expect(200);
    for secret in [uids[0].as_str(), &ada.address(), &bob.address()] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert!(first.to_string().contains(&batch.to_string()));
}

#[tokio::test]
async fn a_reorganisation_shows_in_the_list_at_once() {
    let app = TestApp::start().await;
    app.api().register("TAG-1", &Owner::number(1)).await;
    app.mine(1);
    let of_block = async || {
        let listed = items(&app, &[]).await;
        listed.first().and_then(|it| it["block"]["hash"].as_str().map(String::from))
    };
    let first = app.until("it is in a block", of_block).await;
    let now = app.outside.clock.now();
    app.outside.simnet.node().reorganise(&Reorganisation::of_depth(1), now).unwrap();
    app.wake();
    app.until("it is in another block, in none, or on its way again", async || {
        (of_block().await.as_deref() != Some(&first)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_repetition() {
    let app = TestApp::start().await;
    let mut expected = Vec::new();
    for number in 0..5 {
        let txid = app.api().register(&format!("TAG-{number}"), &Owner::number(1)).await;
        expected.insert(0, json!(txid));
        app.outside.clock.advance(Duration::from_millis(2));
    }
    let (mut cursor, mut seen) = (None::<String>, Vec::new());
    loop {
        let mut query = vec![("limit", "2")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let answer = page(&app, &query).await;
        let told = answer.expect(200);
        seen.extend(told["items"].as_array().unwrap().iter().map(|it| it["txid"].clone()));
        assert_eq!(answer.header("link").is_some(), told["nextCursor"].is_string());
        cursor = told["nextCursor"].as_str().map(String::from);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn questions_that_make_no_sense_name_what_is_wrong() {
    let app = TestApp::start().await;
    page(&app, &[("limit", "0")]).await.invalid(&["limit"]);
    page(&app, &[("limit", "201")]).await.invalid(&["limit"]);
    page(&app, &[("kind", "registration")]).await.invalid(&["kind"]);
    page(&app, &[("cursor", "xyz")]).await.invalid(&["cursor"]);
    page(&app, &[("cursor", &"00".repeat(32))]).await.invalid(&["cursor"]);
}

#[tokio::test]
async fn the_list_is_a_page_for_people_that_names_no_product_and_runs_nothing() {
    let app = TestApp::start().await;
    let look = async |query: &[(&str, &str)]| {
        app.anonymous().call(Method::GET, &["anchors"]).query(query).send().await
    };
    let empty = look(&[]).await;
    assert!(empty.text().contains("Nothing was anchored yet"), "{}", empty.text());
    for number in 0..3 {
        app.api().register(&format!("TAG-{number}"), &Owner::number(1)).await;
        app.outside.clock.advance(Duration::from_millis(2));
    }
    let first = look(&[("limit", "2"), ("lang", "de")]).await;
    assert_eq!((first.status, first.header("content-language")), (200, Some("de")));
    assert!(first.header("content-security-policy").unwrap().contains("default-src 'none'"));
    let listed = items(&app, &[]).await;
    for (place, anchor) in listed.iter().enumerate() {
        let txid = anchor["txid"].as_str().unwrap();
        assert_eq!(first.text().contains(&format!(">{txid}<")), place < 2, "{place}");
    }
    assert!(!first.text().contains("TAG-") && !first.text().contains("<script"));
    let cursor = listed[1]["txid"].as_str().unwrap();
    assert!(first.text().contains(&format!("cursor={cursor}")), "{}", first.text());
    let rest = look(&[("limit", "2"), ("cursor", cursor)]).await;
    assert!(rest.text().contains(listed[2]["txid"].as_str().unwrap()));
    look(&[("kind", "x")]).await.invalid(&["kind"]);
}
