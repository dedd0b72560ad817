//! Is it alive, can it work: each dependency by name, and what goes on without it.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};
use crate::support::outside::Mood;

async fn ready(app: &TestApp) -> (u16, Value) {
    let answer = app.anonymous().get(&["ready"]).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    (answer.status, answer.json())
}

/// Waits until readiness says a word, and returns the whole report with its status.
async fn until_ready_is(app: &TestApp, word: &str) -> (u16, Value) {
    app.until(word, async || {
        let (status, report) = ready(app).await;
        (report["status"] == word).then_some((status, report))
    })
    .await
}

fn dependency<'a>(report: &'a Value, name: &str) -> &'a Value {
    let all = report["dependencies"].as_array().unwrap();
    all.iter().find(|dependency| dependency["name"] == name).unwrap()
}

#[tokio::test]
async fn everything_works() {
    let app = TestApp::start().await;
    app.api().register("TAG-1", &Owner::number(1)).await;
    let (status, mut report) = until_ready_is(&app, "ok").await;
    assert_eq!(status, 200);
    for dependency in report["dependencies"].as_array_mut().unwrap() {
        let times = [dependency["lastSuccess"].take(), dependency["ageSeconds"].take()];
        // Nobody has sent a mail yet.
        let is_mail = dependency["name"] == "mail";
        assert_eq!(times.iter().all(Value::is_null), is_mail, "{dependency} {times:?}");
    }
    assert_json_snapshot!(report);
    for path in ["health", "livez"] {
        assert_eq!(app.anonymous().get(&[path]).await.expect(200), json!({ "status": "ok" }));
    }
}

#[tokio::test]
async fn an_operator_is_told_that_there_are_no_seals() {
    let app = TestApp::with(|settings| settings.keys.custody = None).await;
    let (_, report) = ready(&app).await;
    let warnings = report["warnings"].as_array().unwrap();
    assert!(warnings[0].as_str().unwrap().contains("CUSTODY_KEY_IDENTIFIER"), "{report}");
}

#[tokio::test]
async fn g2_a_signer_that_is_away_is_named_and_nothing_is_lost() {
    let app = TestApp::start().await;
    app.outside.signer_is(Mood::Down);
    let call = app.api().registering(&registration("TAG-1", &Owner::number(1)));
    let _ = call.header("prefer", "respond-async").send().await.expect(202);
    let (status, report) = until_ready_is(&app, "unavailable").await;
    assert_eq!(status, 503);
    assert_eq!(dependency(&report, "signer")["ok"], false);
    assert_eq!(dependency(&report, "network")["ok"], true);
    assert_eq!(dependency(&report, "store")["ok"], true);
    app.outside.signer_is(Mood::Honest);
    until_ready_is(&app, "ok").await;
    app.until("the record went on", async || {
        let state = app.anonymous().verify("TAG-1").await.expect(200);
        (state["status"] == "authentic").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_signer_that_goes_away_while_nobody_needs_it_is_noticed_and_so_is_its_return() {
    let app = TestApp::start().await;
    app.outside.signer_is(Mood::Down);
    // Nobody signs anything; an answer of long ago says nothing about now.
    app.outside.clock.advance(std::time::Duration::from_secs(60));
    let (_, report) = until_ready_is(&app, "unavailable").await;
    assert_eq!(dependency(&report, "signer")["ok"], false);
    app.outside.signer_is(Mood::Honest);
    until_ready_is(&app, "ok").await;
}

#[tokio::test]
async fn g2_a_network_that_is_away_is_named_and_nothing_is_lost() {
    let app = TestApp::start().await;
    app.outside.network_is_down();
    let (status, report) = until_ready_is(&app, "unavailable").await;
    assert_eq!(status, 503);
    assert_eq!(dependency(&report, "network")["ok"], false);
    assert_eq!(dependency(&report, "signer")["ok"], true);
    let call = app.api().registering(&registration("TAG-1", &Owner::number(1)));
    let _ = call.header("prefer", "respond-async").send().await.expect(202);
    app.outside.network_works();
    until_ready_is(&app, "ok").await;
    app.until("the record went on", async || {
        let state = app.anonymous().verify("TAG-1").await.expect(200);
        (state["status"] == "authentic").then_some(())
    })
    .await;
}

#[tokio::test]
async fn g2_a_full_disk_refuses_what_is_new_and_reads_go_on() {
    let app = TestApp::start().await;
    let owner = Owner::number(1);
    app.api().register("TAG-1", &owner).await;
    let before = app.anonymous().verify("TAG-1").await.text().to_owned();
    app.disk().set_full(true);
    let refused = app.api().registering(&registration("TAG-2", &owner)).send().await;
    refused.problem(503, "STORAGE_FULL");
    assert!(refused.header("retry-after").is_some());
    let (status, report) = ready(&app).await;
    assert_eq!((status, &report["status"]), (503, &json!("storage_full")));
    assert_eq!(dependency(&report, "store")["ok"], false);
    assert_eq!(app.anonymous().get(&["health"]).await.status, 200);
    assert_eq!(app.anonymous().verify("TAG-1").await.text(), before);
    assert_eq!(app.anonymous().history("TAG-1").await.status, 200);
    assert_eq!(app.api().get(&["v1", "admin", "patches"]).await.status, 200);
    assert_eq!(app.anonymous().verify("TAG-2").await.status, 404);
    let put = app.api().putting("TAG-1", "text/plain", "x").send().await;
    put.problem(503, "STORAGE_FULL");
    let challenge = app.anonymous().get(&["v1", "patches", "TAG-1", "unlock-challenge"]).await;
    challenge.problem(503, "STORAGE_FULL");
    app.disk().set_full(false);
    app.until("writes are taken again", async || {
        let answer = app.api().registering(&registration("TAG-2", &owner)).send().await;
        (answer.status == 201).then_some(())
    })
    .await;
    until_ready_is(&app, "ok").await;
}

#[tokio::test]
async fn g2_a_failing_disk_is_unavailable_and_recovers_without_a_restart() {
    let app = TestApp::start().await;
    let owner = Owner::number(1);
    app.api().register("TAG-1", &owner).await;
    app.disk().set_broken(true);
    let refused = app.api().registering(&registration("TAG-2", &owner)).send().await;
    refused.problem(503, "STORAGE_UNAVAILABLE");
    let (status, report) = ready(&app).await;
    assert_eq!((status, &report["status"]), (503, &json!("unavailable")));
    assert_eq!(app.anonymous().verify("TAG-1").await.status, 200);
    app.disk().set_broken(false);
    app.until("writes are taken again", async || {
        let answer = app.api().registering(&registration("TAG-2", &owner)).send().await;
        (answer.status == 201).then_some(())
    })
    .await;
    until_ready_is(&app, "ok").await;
}
