//! Two endpoints of one network, and what each of them does wrong alone.

use std::time::Duration;

use patchproof::chain::EndpointName::{Arc, WhatsOnChain};
use patchproof::simnet::{Fault, FaultRule, Loss, Occurrence, RequestClass};
use patchproof::storage::transactions::expect_transaction;
use patchproof::types::{FeeRate, Satoshis};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{CALLBACK_TOKEN, COOL_DOWN, TestApp};
use crate::support::call::Call;
use crate::support::clients::{Owner, registration};

/// The longest delay that a test would ever notice; nobody waits for it.
const AN_HOUR_MS: u64 = 3_600_000;

async fn both() -> TestApp {
    TestApp::through(&[Arc, WhatsOnChain]).await
}

/// ARC's own words against the bytes, in the form that counts.
fn verdict() -> Fault {
    let body = json!({
        "type": "https://bitcoin-sv.github.io/arc/#/errors?id=_461", "title": "Malformed",
        "status": 461, "detail": "the scripts do not unlock", "txid": null, "extraInfo": "",
    });
    Fault::Refuse { status: 461, body: body.to_string() }
}

async fn register(app: &TestApp, tag: &str) {
    app.api().register(tag, &Owner::number(1)).await;
}

async fn until_mined(app: &TestApp, tag: &str) {
    app.until("it is mined", async || {
        let state = app.anonymous().verify(tag).await.expect(200);
        (state["verificationDetails"]["stage"] == "mined").then_some(())
    })
    .await;
}

async fn dependency(app: &TestApp, name: &str) -> Value {
    let ready = app.anonymous().get(&["ready"]).await.json();
    let all = ready["dependencies"].as_array().unwrap().clone();
    all.into_iter().find(|one| one["name"] == name).unwrap_or_default()
}

#[tokio::test]
async fn either_endpoint_carries_everything_alone() {
    for broken in [Arc, WhatsOnChain] {
        let app = both().await;
        match broken {
            Arc => app.outside.break_arc(RequestClass::Broadcast, Fault::Unavailable),
            WhatsOnChain => app.outside.break_always(RequestClass::Broadcast, Fault::Unavailable),
        }
        let (first, second) = (Owner::number(1), Owner::number(2));
        let txid = app.api().register("TAG", &first).await;
        app.api().transfer("TAG", txid, &first, &second).await;
        app.mine(1);
        until_mined(&app, "TAG").await;
        assert_eq!(app.outside.transactions().len(), 2);
    }
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_left_alone_and_shown() {
    let app = both().await;
    assert_eq!(dependency(&app, "arc").await["ok"], true);
    app.outside.break_arc(RequestClass::Broadcast, Fault::Unavailable);
    for number in 0..8 {
        register(&app, &format!("TAG-{number}")).await;
    }
    assert_eq!(app.outside.simnet.arc_faults().struck(), 5, "then it was left alone");
    let shown = dependency(&app, "arc").await;
    assert_eq!(shown["ok"], false, "{shown}");
    assert!(shown["detail"].as_str().unwrap().contains("503"), "{shown}");
    assert_eq!(dependency(&app, "whatsonchain").await["ok"], true);
    app.until("the gauge shows it", async || {
        let text = app.anonymous().get(&["metrics"]).await.text().to_owned();
        text.contains("endpoint_state{endpoint=\"arc\"} 2").then_some(())
    })
    .await;
    app.outside.network_works();
    app.outside.clock.advance(COOL_DOWN);
    register(&app, "TAG-AFTER").await;
    assert_eq!(dependency(&app, "arc").await["ok"], true);
}

#[tokio::test]
async fn a_silent_endpoint_costs_no_more_than_the_bound() {
    let app = both().await;
    app.outside.break_arc(RequestClass::Broadcast, Fault::Delay { delay_ms: AN_HOUR_MS });
    register(&app, "TAG").await;
    app.mine(1);
    until_mined(&app, "TAG").await;
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn a_wrong_verdict_of_one_releases_nothing_and_fails_nothing() {
    for order in [[Arc, WhatsOnChain], [WhatsOnChain, Arc]] {
        let app = TestApp::through(&order).await;
        app.outside.break_arc(RequestClass::Broadcast, verdict());
        register(&app, "TAG").await;
        app.mine(1);
        until_mined(&app, "TAG").await;
        assert_eq!(app.outside.transactions().len(), 1, "the same bytes all along");
    }
}

#[tokio::test]
async fn lost_answers_of_both_make_no_second_transaction() {
    let app = both().await;
    let lost = || Fault::LoseAnswer { loss: Loss::ConnectionClosed };
    app.outside.break_arc(RequestClass::Broadcast, lost());
    app.outside.break_always(RequestClass::Broadcast, lost());
    let body = registration("TAG", &Owner::number(1));
    let call = app.api().registering(&body).header("prefer", "respond-async");
    let _ = call.send().await.expect(202);
    // Every answer to a broadcast is lost for good: it is found by looking.
    app.mine(1);
    app.until("the network has it", async || (app.outside.transactions().len() == 1).then_some(()))
        .await;
    app.mine(1);
    until_mined(&app, "TAG").await;
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn a_pause_that_an_endpoint_asks_for_is_kept() {
    let app = both().await;
    let slow_down = Fault::RateLimited { retry_after_secs: Some(1_800) };
    app.outside.break_arc(RequestClass::Broadcast, slow_down);
    for number in 0..4 {
        register(&app, &format!("TAG-{number}")).await;
    }
    assert_eq!(app.outside.simnet.arc_faults().struck(), 1);
    app.outside.clock.advance(Duration::from_secs(1_801));
    register(&app, "TAG-AFTER").await;
    assert_eq!(app.outside.simnet.arc_faults().struck(), 2);
}

#[tokio::test]
async fn records_wait_while_both_are_down_and_recover() {
    let app = both().await;
    app.outside.break_arc(RequestClass::Broadcast, Fault::Unavailable);
    app.outside.break_always(RequestClass::Broadcast, Fault::Unavailable);
    let body = registration("TAG", &Owner::number(1));
    let call = app.api().registering(&body).header("prefer", "respond-async");
    let id = call.send().await.expect(202)["jobId"].as_str().unwrap().to_owned();
    app.until("both are left alone", async || {
        let arc = dependency(&app, "arc").await["ok"] == false;
        (arc && dependency(&app, "whatsonchain").await["ok"] == false).then_some(())
    })
    .await;
    let state = app.anonymous().pending("registration", &id).await.expect(200);
    assert_eq!((&state["stage"], app.outside.transactions().len()), (&json!("broadcast"), 0));
    app.outside.network_works();
    app.until("the network has it", async || {
        app.outside.clock.advance(COOL_DOWN);
        (app.outside.transactions().len() == 1).then_some(())
    })
    .await;
    app.mine(1);
    until_mined(&app, "TAG").await;
}

#[tokio::test]
async fn what_one_endpoint_cannot_tell_the_other_does_and_forgeries_are_none() {
    let app = both().await;
    app.outside.break_always(RequestClass::Status, Fault::Unavailable);
    app.outside.break_always(RequestClass::Proof, Fault::Unavailable);
    register(&app, "TAG-1").await;
    app.mine(1);
    until_mined(&app, "TAG-1").await;
    app.outside.break_arc(RequestClass::Status, Fault::ForgeProof);
    register(&app, "TAG-2").await;
    app.mine(2);
    let asked = app.outside.simnet.arc_faults().struck();
    app.until("it has been asked about again and again", async || {
        (app.outside.simnet.arc_faults().struck() > asked + 5).then_some(())
    })
    .await;
    let state = app.anonymous().verify("TAG-2").await.expect(200);
    assert_eq!(state["verificationDetails"]["stage"], "seen", "{state}");
    app.outside.network_works();
    until_mined(&app, "TAG-2").await;
}

#[tokio::test]
async fn transactions_pay_what_the_network_asks_for() {
    let app = both().await;
    let hundred = FeeRate::from_sat_per_kb(100).unwrap();
    let mut number = 0;
    app.until("the published fee is paid", async || {
        number += 1;
        let txid = app.api().register(&format!("TAG-{number}"), &Owner::number(1)).await;
        let stored = app.store.read(|tx| expect_transaction(tx, txid)).unwrap();
        // The size is estimated with the longest signatures.
        let most = stored.fee.checked_sub(hundred.fee_for(stored.raw.len())).ok()?;
        (most <= Satoshis::from_const(1)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_endpoints_of_many_faults_get_everything_through_once() {
    let app = both().await;
    let rule = |fault, class, share| FaultRule {
        fault,
        class: Some(class),
        occurrence: Occurrence::PerMille(share),
        skip: 0,
    };
    let lost = Fault::LoseAnswer { loss: Loss::ConnectionClosed };
    let never = Fault::DropRequest { loss: Loss::GatewayTimeout };
    let slow = Fault::RateLimited { retry_after_secs: Some(0) };
    // So rare that no endpoint ever fails five times in a row, and rests for longer than a test waits.
    for fault in [lost, never, slow, verdict(), Fault::WrongTxid, Fault::Html, Fault::DeliverTwice]
    {
        app.outside.simnet.arc_faults().add(rule(fault.clone(), RequestClass::Broadcast, 40));
        app.outside.simnet.faults().add(rule(fault, RequestClass::Broadcast, 40));
    }
    for class in [RequestClass::Status, RequestClass::Proof] {
        app.outside.simnet.faults().add(rule(Fault::Unavailable, class, 200));
        app.outside.simnet.arc_faults().add(rule(Fault::ForgeProof, class, 200));
    }
    let owner = Owner::number(1);
    let bodies: Vec<_> = (0..20).map(|n| registration(&format!("TAG-{n}"), &owner)).collect();
    let calls = bodies.iter().map(|body| app.api().registering(body).send());
    for answer in futures_util::future::join_all(calls).await {
        let _ = answer.expect(201);
    }
    app.mine(1);
    for number in 0..20 {
        until_mined(&app, &format!("TAG-{number}")).await;
    }
    assert_eq!(app.outside.transactions().len(), 20);
}

fn report<'a>(app: &'a TestApp, token: Option<&str>) -> Call<'a> {
    let call = app.anonymous().call(Method::POST, &["v1", "arc", "callback"]);
    let call = call.json(&json!({ "txStatus": "MINED" }));
    match token {
        Some(token) => call.bearer(token),
        None => call,
    }
}

#[tokio::test]
async fn reports_are_taken_from_whoever_has_the_token() {
    let app = both().await;
    assert_eq!(report(&app, Some(CALLBACK_TOKEN)).send().await.status, 204);
    report(&app, Some("another")).send().await.problem(401, "TOKEN_INVALID");
    report(&app, None).send().await.problem(401, "TOKEN_INVALID");
    let deaf = TestApp::penniless().await;
    report(&deaf, Some(CALLBACK_TOKEN)).send().await.problem(404, "NOT_FOUND");
}
