//! Is it authentic: what anyone is told, and never anything older than the truth.

use insta::assert_json_snapshot;
use patchproof::simnet::{Fault, Loss, RequestClass};
use reqwest::Method;
use serde_json::json;

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, full_registration, registration};
use crate::support::redaction::redacted;

const UID: &str = "TAG-1";
const SILENCE: Fault = Fault::DropRequest { loss: Loss::ConnectionClosed };

async fn verify_knowing(app: &TestApp, uid: &str, tag: &str) -> Answer {
    let call = app.anonymous().call(Method::GET, &["v1", "patches", "verify", uid]);
    call.header("if-none-match", tag).send().await
}

#[tokio::test]
async fn a_registered_product_is_authentic_with_all_that_proves_it() {
    let app = TestApp::start().await;
    let body = full_registration(UID, &Owner::number(1));
    let _ = app.api().registering(&body).send().await.expect(201);
    let answer = app.anonymous().verify(UID).await;
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert_json_snapshot!(redacted(answer.expect(200)));
}

#[tokio::test]
async fn a_mined_product_names_its_block_with_a_merkle_path() {
    let app = TestApp::start().await;
    app.api().register(UID, &Owner::number(1)).await;
    app.mine(1);
    let mined = app
        .until("it is mined", async || {
            let state = app.anonymous().verify(UID).await.expect(200);
            (state["verificationDetails"]["stage"] == "mined").then_some(state)
        })
        .await;
    let block = &mined["verificationDetails"]["block"];
    let height = u32::try_from(block["height"].as_u64().unwrap()).unwrap();
    assert_eq!(block["hash"], app.outside.block_at(height).to_string());
    assert_eq!(block["confirmations"], 1);
    app.mine(4);
    app.until("five confirmations", async || {
        let state = app.anonymous().verify(UID).await.expect(200);
        (state["verificationDetails"]["block"]["confirmations"] == 5).then_some(())
    })
    .await;
    app.mine(1);
    let last = app
        .until("it is final", async || {
            let state = app.anonymous().verify(UID).await.expect(200);
            (state["verificationDetails"]["stage"] == "final").then_some(state)
        })
        .await;
    assert_eq!(last["verificationDetails"]["block"]["confirmations"], 6);
    assert_eq!(last["status"], "authentic");
    assert_json_snapshot!(redacted(last["verificationDetails"].clone()));
}

#[tokio::test]
async fn what_the_network_has_not_taken_is_pending() {
    let app = TestApp::start().await;
    app.outside.break_always(RequestClass::Broadcast, SILENCE);
    let call = app.api().registering(&registration(UID, &Owner::number(1)));
    let _ = call.header("prefer", "respond-async").send().await.expect(202);
    let state = app.anonymous().verify(UID).await.expect(200);
    assert_eq!(state["status"], "pending");
    assert_eq!(state["verificationDetails"]["currentTxid"], json!(null));
    assert_eq!(state["verificationDetails"]["block"], json!(null));
    assert_eq!(app.anonymous().history(UID).await.expect(200)["events"][0]["txid"], json!(null));
}

#[tokio::test]
async fn what_nobody_registered_is_not_found_and_so_is_what_nobody_can() {
    let app = TestApp::start().await;
    let long = "x".repeat(2000);
    for uid in ["TAG-1", "no", "", "a\u{0}b", "verify", "\u{202e}abc", "cafe\u{301}", &long] {
        if uid.is_empty() {
            continue;
        }
        let answer = app.anonymous().verify(uid).await;
        assert_eq!((answer.status, answer.text()), (404, "{\"status\":\"not_found\"}"), "{uid}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    app.anonymous().history("TAG-1").await.problem(404, "NOT_FOUND");
    app.anonymous().history("no").await.invalid(&["uid_tag_id"]);
    // Found a moment later, it is found.
    app.api().register("TAG-1", &Owner::number(1)).await;
    assert_eq!(app.anonymous().verify("TAG-1").await.status, 200);
}

#[tokio::test]
async fn who_has_the_answer_is_not_sent_it_again_until_it_changes() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let txid = app.api().register(UID, &ada).await;
    let first = app.anonymous().verify(UID).await;
    let tag = first.header("etag").unwrap().to_owned();
    let known = verify_knowing(&app, UID, &tag).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    assert_eq!(known.header("etag"), Some(tag.as_str()));
    assert_eq!(verify_knowing(&app, UID, &format!("\"x\", W/{tag}")).await.status, 304);
    assert_eq!(verify_knowing(&app, UID, "\"x\"").await.status, 200);
    app.api().transfer(UID, txid, &ada, &bob).await;
    let changed = verify_knowing(&app, UID, &tag).await;
    assert_eq!(changed.expect(200)["verificationDetails"]["owner"], bob.address());
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    let history = app.anonymous().history(UID).await;
    let tag = history.header("etag").unwrap().to_owned();
    let segments = ["v1", "patches", UID, "history"];
    let call = app.anonymous().call(Method::GET, &segments).header("if-none-match", &tag);
    assert_eq!(call.send().await.status, 304);
}

#[tokio::test]
async fn an_acknowledged_change_is_seen_by_the_very_next_question() {
    let app = TestApp::start().await;
    let mut txid = app.api().register(UID, &Owner::number(1)).await;
    for number in 1..=20 {
        let (from, to) = (Owner::number(number), Owner::number(number + 1));
        // Fill the memory with the answer that is about to become wrong.
        let before = app.anonymous().verify(UID).await.expect(200);
        assert_eq!(before["verificationDetails"]["owner"], from.address());
        txid = app.api().transfer(UID, txid, &from, &to).await;
        let after = app.anonymous().verify(UID).await.expect(200);
        assert_eq!(after["verificationDetails"]["owner"], to.address());
        assert_eq!(after["verificationDetails"]["currentTxid"], txid.to_string());
    }
}

#[tokio::test]
async fn a_verdict_outlives_a_restart() {
    let app = TestApp::start().await;
    app.api().register(UID, &Owner::number(1)).await;
    let before = app.anonymous().verify(UID).await;
    let app = app.restart().await;
    let after = app.anonymous().verify(UID).await;
    assert_eq!(before.text(), after.text());
    assert_eq!(before.header("etag"), after.header("etag"));
}

#[tokio::test]
async fn history_tells_every_event_oldest_first() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let first = app.api().register(UID, &ada).await;
    let second = app.api().transfer(UID, first, &ada, &bob).await;
    let history = app.anonymous().history(UID).await.expect(200);
    let events = history["events"].as_array().unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|event| (event["type"].as_str().unwrap(), event["txid"].clone()))
        .collect();
    let expected =
        [("register", json!(first.to_string())), ("transfer", json!(second.to_string()))];
    assert_eq!(told, expected);
    assert_eq!(events[1]["prev_txid"], first.to_string());
    assert_eq!(
        (&events[0]["owner"], &events[1]["owner"]),
        (&json!(ada.address()), &json!(bob.address()))
    );
    assert_json_snapshot!(redacted(history));
}
