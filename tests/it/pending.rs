//! Records on their way, as their clients poll them.

use insta::assert_json_snapshot;
use patchproof::simnet::{Fault, Loss, RequestClass};
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};
use crate::support::outside::Mood;
use crate::support::redaction::redacted;

const SILENCE: Fault = Fault::DropRequest { loss: Loss::ConnectionClosed };

async fn accepted(app: &TestApp, uid: &str) -> String {
    let call = app.api().registering(&registration(uid, &Owner::number(1)));
    let answer = call.header("prefer", "respond-async").send().await.expect(202);
    assert_eq!(answer["jobId"], answer["pendingId"]);
    answer["pendingId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_record_goes_from_pending_over_anchoring_to_confirmed() {
    let app = TestApp::start().await;
    app.outside.signer_is(Mood::Down);
    let id = accepted(&app, "TAG-1").await;
    let waiting = app.anonymous().pending("registration", &id).await;
    assert_eq!(waiting.header("cache-control"), Some("no-store"));
    let waiting = waiting.expect(200);
    assert_eq!((&waiting["status"], &waiting["stage"]), (&json!("pending"), &json!("accepted")));
    app.outside.break_always(RequestClass::Broadcast, SILENCE);
    app.outside.signer_is(Mood::Honest);
    let anchoring = app
        .until("it is signed", async || {
            let state = app.anonymous().pending("registration", &id).await.expect(200);
            (state["stage"] == "broadcast").then_some(state)
        })
        .await;
    assert_eq!(anchoring["status"], "anchoring");
    assert_eq!(anchoring["txid"], json!(null), "not before the network has it");
    app.outside.network_works();
    let confirmed = app
        .until("it is seen", async || {
            let state = app.anonymous().pending("registration", &id).await.expect(200);
            (state["stage"] == "seen").then_some(state)
        })
        .await;
    assert_eq!(confirmed["status"], "confirmed");
    assert!(confirmed["updated_at"].as_str() > confirmed["created_at"].as_str());
    assert_json_snapshot!(redacted(json!([waiting, anchoring, confirmed])));
}

#[tokio::test]
async fn an_operator_may_want_more_confirmations() {
    let app = TestApp::start_with(|settings| settings.confirmed_at_depth = 2).await;
    let id = accepted(&app, "TAG-1").await;
    let status_at = async |stage: &str| {
        app.until(stage, async || {
            let state = app.anonymous().pending("registration", &id).await.expect(200);
            (state["stage"] == stage).then_some(state["status"].clone())
        })
        .await
    };
    assert_eq!(status_at("seen").await, "anchoring");
    app.mine(1);
    assert_eq!(status_at("mined").await, "anchoring");
    app.mine(1);
    app.until("two confirmations", async || {
        let state = app.anonymous().pending("registration", &id).await.expect(200);
        (state["status"] == "confirmed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn kinds_are_kept_apart_and_strangers_are_not_found() {
    let app = TestApp::start().await;
    let id = accepted(&app, "TAG-1").await;
    app.anonymous().pending("transfer", &id).await.problem(404, "NOT_FOUND");
    let (upper, braces) = (id.to_uppercase(), format!("{{{id}}}"));
    let bare = id.replace('-', "");
    for bad in [
        "01890000-0000-7000-8000-000000000000",
        "00000000-0000-0000-0000-000000000000",
        "not-an-id",
        "TAG-1",
        &braces,
        &bare,
        &format!("{id}0"),
        &format!("{id}\u{0}"),
    ] {
        app.anonymous().pending("registration", bad).await.problem(404, "NOT_FOUND");
    }
    // A UUID is the same in either case (RFC 9562).
    assert_eq!(
        app.anonymous().pending("registration", &upper).await.expect(200)["id"],
        id.as_str()
    );
    app.anonymous().pending("deletion", &id).await.problem(404, "NOT_FOUND");
}
