//! Registering products.

use std::time::Duration;

use futures_util::future::join_all;
use insta::assert_json_snapshot;
use patchproof::simnet::{Fault, Loss, RequestClass};
use reqwest::Method;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::clients::{Owner, full_registration, registration};
use crate::support::redaction::redacted;

const SILENCE: Fault = Fault::DropRequest { loss: Loss::ConnectionClosed };

#[tokio::test]
async fn a_registration_that_the_network_takes_in_time_is_answered_201() {
    let app = TestApp::start().await;
    let answer = app.api().registering(&full_registration("TAG-1", &Owner::number(1))).send().await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("location"), None);
    assert_json_snapshot!(redacted(answer.expect(201)));
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn who_prefers_not_to_wait_is_told_at_once_where_to_look() {
    let app = TestApp::start().await;
    let call = app.api().registering(&registration("TAG-1", &Owner::number(1)));
    let answer = call.header("prefer", "respond-async").send().await;
    let accepted = answer.expect(202);
    let id = accepted["jobId"].as_str().unwrap();
    let location = format!("/v1/patches/pending/registration/{id}");
    assert_eq!(answer.header("location"), Some(location.as_str()));
    assert_eq!(answer.header("retry-after"), Some("1"));
    let confirmed = app
        .until("the record is confirmed", async || {
            let state = app.anonymous().pending("registration", id).await.expect(200);
            (state["status"] == "confirmed").then_some(state)
        })
        .await;
    assert_eq!(confirmed["uid_tag_id"], "TAG-1");
    assert_json_snapshot!(redacted(accepted));
}

#[tokio::test]
async fn an_operator_may_answer_everyone_at_once() {
    let app = TestApp::start_with(|settings| settings.http.answers_async = true).await;
    let answer = app.api().registering(&registration("TAG-1", &Owner::number(1))).send().await;
    assert_eq!(answer.expect(202)["uid_tag_id"], "TAG-1");
}

#[tokio::test]
async fn a_network_that_is_silent_for_too_long_loses_nothing() {
    let patience = Duration::from_millis(50);
    let app = TestApp::start_with(|settings| settings.http.patience = patience).await;
    app.outside.break_always(RequestClass::Broadcast, SILENCE);
    let answer = app.api().registering(&registration("TAG-1", &Owner::number(1))).send().await;
    let id = answer.expect(202)["pendingId"].as_str().unwrap().to_owned();
    let state = app.anonymous().pending("registration", &id).await.expect(200);
    assert!(state["txid"].is_null() && state["certificateUrl"].is_null(), "{state}");
    app.outside.network_works();
    app.until("the record is confirmed", async || {
        let state = app.anonymous().pending("registration", &id).await.expect(200);
        (state["status"] == "confirmed").then_some(())
    })
    .await;
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn an_empty_pool_is_402_and_nothing_is_stored() {
    let app = TestApp::penniless().await;
    let body = registration("TAG-1", &Owner::number(1));
    app.api().registering(&body).send().await.problem(402, "INSUFFICIENT_FUNDS");
    assert_eq!(app.anonymous().verify("TAG-1").await.status, 404);
    let queued = app.api().registering(&body).header("prefer", "respond-async").send().await;
    let id = queued.expect(202)["jobId"].as_str().unwrap().to_owned();
    app.fund(1).await;
    app.until("money comes and the record goes on", async || {
        let state = app.anonymous().pending("registration", &id).await.expect(200);
        (state["status"] == "confirmed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_taken_tag_stays_with_its_first_owner() {
    let app = TestApp::start().await;
    let (first, second) = (Owner::number(1), Owner::number(2));
    app.outside.break_always(RequestClass::Broadcast, SILENCE);
    let waiting = app.api().registering(&registration("TAG-1", &first));
    let _ = waiting.header("prefer", "respond-async").send().await.expect(202);
    // Pending or final, the answer is the same.
    let other = registration("TAG-1", &second);
    let while_pending = app.api().registering(&other).send().await.problem(409, "UID_TAKEN");
    app.outside.network_works();
    app.until("the network has it", async || {
        let state = app.anonymous().verify("TAG-1").await.expect(200);
        (state["status"] == "authentic").then_some(())
    })
    .await;
    let when_final = app.api().registering(&other).send().await.problem(409, "UID_TAKEN");
    assert_eq!(while_pending["errors"], when_final["errors"]);
    let details = &app.anonymous().verify("TAG-1").await.expect(200)["verificationDetails"];
    assert_eq!(details["owner"], first.address());
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn of_64_registrations_of_one_tag_at_once_exactly_one_is_accepted() {
    let app = TestApp::start().await;
    let bodies: Vec<_> = (1..=64).map(|n| registration("TAG-1", &Owner::number(n))).collect();
    let answers = join_all(bodies.iter().map(|body| app.api().registering(body).send())).await;
    let mut accepted = answers.iter().zip(1..).filter(|(answer, _)| answer.status == 201);
    let (_, winner) = accepted.next().unwrap();
    assert!(accepted.next().is_none());
    for (answer, _) in answers.iter().zip(1..).filter(|(_, number)| *number != winner) {
        answer.problem(409, "UID_TAKEN");
    }
    let details = &app.anonymous().verify("TAG-1").await.expect(200)["verificationDetails"];
    assert_eq!(details["owner"], Owner::number(winner).address());
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn many_products_are_registered_at_once_with_a_transaction_each() {
    let app = TestApp::start().await;
    let owner = Owner::number(1);
    let bodies: Vec<_> = (0..40).map(|n| registration(&format!("TAG-{n}"), &owner)).collect();
    for answer in join_all(bodies.iter().map(|body| app.api().registering(body).send())).await {
        let _ = answer.expect(201);
    }
    assert_eq!(app.outside.transactions().len(), 40);
}

#[tokio::test]
async fn what_was_sent_is_what_is_on_record() {
    let app = TestApp::start().await;
    let body = full_registration("TAG-1", &Owner::number(1));
    let _ = app.api().registering(&body).send().await.expect(201);
    let record = &app.anonymous().verify("TAG-1").await.expect(200)["record"];
    assert_eq!(record["product"], body["product"]);
    assert_eq!(record["metadata"], body["metadata"]);
    assert_eq!(record["auth"]["owner"], body["auth"]["owner"]);
    assert_eq!(record["type"], "AUTHENTICATION_RECORD");
}

#[tokio::test]
async fn nothing_of_a_person_or_product_stands_on_chain() {
    let app = TestApp::start().await;
    let owner = Owner::number(1);
    let answer = app.api().registering(&full_registration("TAG-OF-ADA", &owner)).send().await;
    let txid = answer.expect(201)["txid"].as_str().unwrap().parse().unwrap();
    let raw = app.outside.simnet.node().transaction(&txid).unwrap().raw().clone();
    let holds = |bytes: &[u8]| raw.windows(bytes.len()).any(|window| window == bytes);
    for secret in ["TAG-OF-ADA", "Trikot", "jersey", "TR-7-L", "first line", "brand.example"] {
        assert!(!holds(secret.as_bytes()), "{secret}");
    }
    let key = owner.key.public_key();
    assert!(!holds(&key.to_bytes()) && !holds(&key.hash160()));
    assert!(!holds(owner.address().as_bytes()));
    assert!(holds(b"PatchProof"));
}

#[tokio::test]
async fn a_key_without_the_scope_registers_nothing() {
    let app = TestApp::start().await;
    let body = registration("TAG-1", &Owner::number(1));
    let anonymous = app.anonymous().call(Method::POST, &["v1", "patches"]).json(&body);
    anonymous.send().await.problem(401, "UNAUTHENTICATED");
    app.api_with("wrong").registering(&body).send().await.problem(401, "INVALID_API_KEY");
    for scope in ["pos", "unlock", "metrics:read", "utxo:write", "settings:write", "keys:write"] {
        app.api_with(scope).registering(&body).send().await.problem(403, "FORBIDDEN");
    }
    assert_eq!(app.anonymous().verify("TAG-1").await.status, 404);
    let _ = app.api_with("patches:write").registering(&body).send().await.expect(201);
}

#[tokio::test]
async fn the_host_header_decides_nothing() {
    let app = TestApp::start().await;
    let call = app.api().registering(&registration("TAG-1", &Owner::number(1)));
    let answer = call.header("host", "evil.example").send().await.expect(201);
    assert_eq!(answer["certificateUrl"], json!("https://proof.example/certificates/TAG-1"));
}
