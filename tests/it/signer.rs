//! A signer that is away, refuses, or lies.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};
use crate::support::outside::Mood;

const UID: &str = "TAG-1";

async fn pending(app: &TestApp, id: &str) -> Value {
    app.anonymous().pending("registration", id).await.expect(200)
}

#[tokio::test]
async fn a_signer_that_answers_wrongly_is_not_believed_and_the_record_is_held() {
    for mood in [Mood::OtherHash, Mood::OneMissing, Mood::Refusing] {
        let app = TestApp::start().await;
        app.outside.signer_is(mood);
        // The request waits for the record and is told as soon as it is held.
        let answer = app.api().registering(&registration(UID, &Owner::number(1))).send().await;
        let id = answer.expect(202)["jobId"].as_str().unwrap().to_owned();
        let state = pending(&app, &id).await;
        assert_eq!(
            (&state["status"], &state["stage"]),
            (&json!("anchoring"), &json!("held")),
            "{mood:?}"
        );
        let advice = state["error"].as_str().unwrap();
        assert!(advice.contains("check its keys and its log"), "{advice}");
        assert!(app.outside.transactions().is_empty());
        let state = app.anonymous().verify(UID).await.expect(200);
        assert_eq!(state["status"], "pending");
        assert_eq!(state["verificationDetails"]["stage"], "held");
    }
}

#[tokio::test]
async fn a_signer_that_lies_once_is_asked_again() {
    let app = TestApp::start().await;
    app.outside.signer_is(Mood::OtherHash);
    let call = app.api().registering(&registration(UID, &Owner::number(1)));
    let answer = call.header("prefer", "respond-async").send().await.expect(202);
    let id = answer["jobId"].as_str().unwrap();
    app.outside.signer_is(Mood::Honest);
    app.until("it is confirmed or held", async || {
        let state = pending(&app, id).await;
        (state["status"] == "confirmed").then_some(())
    })
    .await;
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn a_signer_that_is_away_for_long_holds_nothing_and_loses_nothing() {
    let app = TestApp::start().await;
    app.outside.signer_is(Mood::Down);
    let owner = Owner::number(1);
    let mut ids = Vec::new();
    for number in 0..5 {
        let call = app.api().registering(&registration(&format!("TAG-{number}"), &owner));
        let answer = call.header("prefer", "respond-async").send().await.expect(202);
        ids.push(answer["jobId"].as_str().unwrap().to_owned());
    }
    // Far more often than a liar would be forgiven.
    app.until("many attempts", async || {
        let id = ids[0].parse().unwrap();
        let job = app.store.read(|tx| patchproof::storage::jobs::expect_job(tx, id)).unwrap();
        (job.attempts > 8).then_some(())
    })
    .await;
    assert_eq!(pending(&app, &ids[0]).await["status"], "pending");
    let app = app.restart_with(|_| {}).await;
    app.outside.signer_is(Mood::Honest);
    for id in &ids {
        app.until("it is confirmed", async || {
            (pending(&app, id).await["status"] == "confirmed").then_some(())
        })
        .await;
    }
    assert_eq!(app.outside.transactions().len(), 5);
}

#[tokio::test]
async fn reading_needs_no_signer() {
    let app = TestApp::start().await;
    app.api().register(UID, &Owner::number(1)).await;
    app.outside.signer_is(Mood::Down);
    assert_eq!(app.anonymous().verify(UID).await.expect(200)["status"], "authentic");
    let app = app.restart().await;
    assert_eq!(app.anonymous().verify(UID).await.expect(200)["status"], "authentic");
}
