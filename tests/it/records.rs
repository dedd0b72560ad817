//! Records that stopped: listed, and taken up again only where that anchors nothing twice.

use patchproof::simnet::{Fault, RECORDED_REFUSALS, RequestClass};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};
use crate::support::outside::Mood;

const LIST: [&str; 3] = ["v1", "admin", "records"];
const RECOVER: [&str; 4] = ["v1", "admin", "records", "recover"];

async fn list(app: &TestApp, query: &[(&str, &str)]) -> Answer {
    app.api().call(Method::GET, &LIST).query(query).send().await
}

async fn recover(app: &TestApp, body: Value) -> Answer {
    app.api().call(Method::POST, &RECOVER).json(&body).send().await
}

async fn accepted(app: &TestApp, uid: &str) -> String {
    let call = app.api().registering(&registration(uid, &Owner::number(1)));
    let answer = call.header("prefer", "respond-async").send().await.expect(202);
    answer["jobId"].as_str().unwrap().to_owned()
}

async fn until_stage(app: &TestApp, id: &str, stage: &str) {
    app.until(stage, async || {
        let state = app.anonymous().pending("registration", id).await.expect(200);
        (state["stage"] == stage).then_some(())
    })
    .await;
}

fn always_invalid() -> Fault {
    let (status, words) = RECORDED_REFUSALS[8];
    Fault::Refuse { status, body: words.to_owned() }
}

/// Looks at the chain until our own headers have grown with it.
async fn until_height(app: &TestApp, height: u32) {
    app.until("the headers are followed", async || {
        let head = app.store.read(patchproof::storage::headers::chain_head).unwrap();
        head.is_some_and(|head| head.height >= height).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_the_signer_held_up_is_listed_and_taken_up_again() {
    let app = TestApp::start().await;
    app.outside.signer_is(Mood::Refusing);
    let ids = [accepted(&app, "TAG-1").await, accepted(&app, "TAG-2").await];
    for id in &ids {
        until_stage(&app, id, "held").await;
    }
    let page = list(&app, &[("stage", "held"), ("limit", "1")]).await.expect(200);
    assert_eq!(page["items"][0]["id"], ids[0]);
    assert_eq!(page["items"][0]["recoverable"], true);
    assert!(page["items"][0]["problem"].is_string());
    let cursor = page["nextCursor"].as_str().unwrap();
    let page = list(&app, &[("stage", "held"), ("cursor", cursor)]).await.expect(200);
    assert_eq!((&page["items"][0]["id"], &page["nextCursor"]), (&json!(ids[1]), &Value::Null));

    let plan = recover(&app, json!({ "stage": "held", "dryRun": true })).await.expect(200);
    assert_eq!((&plan["recovered"], &plan["dryRun"]), (&json!(2), &json!(true)));
    until_stage(&app, &ids[0], "held").await;
    app.outside.signer_is(Mood::Honest);
    let one = recover(&app, json!({ "id": ids[0] })).await.expect(200);
    assert_eq!((&one["recovered"], &one["items"][0]["stage"]), (&json!(1), &json!("held")));
    until_stage(&app, &ids[0], "seen").await;
    until_stage(&app, &ids[1], "held").await;
    assert_eq!(recover(&app, json!({ "stage": "held" })).await.expect(200)["recovered"], 1);
    until_stage(&app, &ids[1], "seen").await;
    assert_eq!(app.outside.transactions().len(), 2);
    let again = recover(&app, json!({ "id": ids[0] })).await.expect(200);
    assert_eq!(again["recovered"], 0);
    assert!(again["items"][0]["reason"].as_str().unwrap().contains("under way or done"), "{again}");
}

#[tokio::test]
async fn a_failed_registration_begins_anew_only_when_its_transaction_is_proved_dead() {
    let app = TestApp::penniless().await;
    app.fund(1).await;
    app.outside.break_always(RequestClass::Broadcast, always_invalid());
    let failed = accepted(&app, "TAG-1").await;
    until_stage(&app, &failed, "failed").await;
    app.outside.network_works();
    let left = recover(&app, json!({ "stage": "failed" })).await.expect(200);
    assert_eq!(left["recovered"], 0, "a refusal proves nothing: {left}");
    let reason = left["items"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("could anchor the record twice"), "{reason}");

    // There was one output: whatever comes next spends what the refused transaction spends.
    let other = accepted(&app, "TAG-2").await;
    until_stage(&app, &other, "seen").await;
    app.mine(1);
    until_stage(&app, &other, "mined").await;
    assert_eq!(recover(&app, json!({ "id": failed })).await.expect(200)["recovered"], 0);
    app.mine(5);
    until_stage(&app, &other, "final").await;
    let height = app.outside.simnet.node().height();
    until_height(&app, height).await;
    let plan = recover(&app, json!({ "id": failed, "dryRun": true })).await.expect(200);
    assert_eq!(plan["recovered"], 1, "{plan}");
    until_stage(&app, &failed, "failed").await;
    assert_eq!(recover(&app, json!({ "id": failed })).await.expect(200)["recovered"], 1);
    until_stage(&app, &failed, "seen").await;
    app.mine(1);
    until_stage(&app, &failed, "mined").await;
    assert_eq!(app.outside.transactions().len(), 2);
    assert_eq!(app.anonymous().verify("TAG-1").await.expect(200)["status"], "authentic");
}

#[tokio::test]
async fn a_failed_transfer_waits_for_its_owner() {
    let app = TestApp::start().await;
    let (from, to) = (Owner::number(1), Owner::number(2));
    let txid = app.api().register("TAG-1", &from).await;
    app.outside.break_always(RequestClass::Broadcast, always_invalid());
    let body = from.hands_over("TAG-1", txid, &to.address());
    let call = app.api().transferring(&txid.to_string(), &body);
    let _ = call.header("prefer", "respond-async").send().await.expect(202);
    let page = app
        .until("it failed", async || {
            let page = list(&app, &[("stage", "failed")]).await.expect(200);
            page["items"].get(0).is_some().then_some(page)
        })
        .await;
    let item = &page["items"][0];
    assert_eq!((&item["purpose"], &item["recoverable"]), (&json!("transfer"), &json!(false)));
    assert!(item["reason"].as_str().unwrap().contains("its owner signs a new one"), "{item}");
    app.outside.network_works();
    let left = recover(&app, json!({ "id": item["id"] })).await.expect(200);
    assert_eq!(left["recovered"], 0);
    app.api().transfer("TAG-1", txid, &from, &to).await;
}

#[tokio::test]
async fn requests_are_read_strictly_and_need_a_key() {
    let app = TestApp::penniless().await;
    let unknown = "01890a5d-ac96-774b-bcce-b302099a8057";
    for (body, field) in [
        (json!({}), "id"),
        (json!({ "id": "x" }), "id"),
        (json!({ "id": unknown, "stage": "held" }), "stage"),
        (json!({ "stage": "seen" }), "stage"),
        (json!({ "all": true }), "all"),
    ] {
        recover(&app, body).await.invalid(&[field]);
    }
    recover(&app, json!({ "id": unknown })).await.problem(404, "NOT_FOUND");
    list(&app, &[("stage", "gone")]).await.invalid(&["stage"]);
    list(&app, &[("stage", "held"), ("limit", "0")]).await.invalid(&["limit"]);
    list(&app, &[("stage", "held"), ("cursor", "x")]).await.invalid(&["cursor"]);
    app.anonymous().get(&LIST).await.problem(401, "UNAUTHENTICATED");
    let body = json!({ "stage": "held" });
    let refused = app.api_with("pos").call(Method::POST, &RECOVER).json(&body).send().await;
    refused.problem(403, "FORBIDDEN");
}
