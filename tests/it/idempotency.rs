//! A request that is sent again under its Idempotency-Key has one effect and one answer.

use std::time::Duration;

use patchproof::simnet::{Fault, Loss, RequestClass};
use patchproof::wallet::utxo::UtxoStatus;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::answer::Answer;
use crate::support::app::{FULL_KEY, OTHER_KEY, TestApp};
use crate::support::clients::{ApiClient, Owner, registration};

const SILENCE: Fault = Fault::DropRequest { loss: Loss::ConnectionClosed };

async fn register(client: ApiClient<'_>, key: &str, body: &Value) -> Answer {
    client.registering(body).header("idempotency-key", key).send().await
}

#[track_caller]
fn assert_same(first: &Answer, second: &Answer) {
    assert_eq!((first.status, first.text()), (second.status, second.text()));
    for name in ["location", "retry-after", "content-type"] {
        assert_eq!(first.header(name), second.header(name), "{name}");
    }
}

/// Waits until a tag is accepted, anchored or not.
async fn accepted(app: &TestApp, uid: &str) {
    app.until(uid, async || (app.anonymous().verify(uid).await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn the_same_request_gets_the_same_bytes() {
    let app = TestApp::start().await;
    let body = registration("TAG-1", &Owner::number(1));
    let first = register(app.api(), "order-1", &body).await;
    let _ = first.expect(201);
    app.mine(1);
    for _ in 0..3 {
        assert_same(&first, &register(app.api(), "order-1", &body).await);
    }
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn an_answer_that_was_202_stays_202() {
    let app = TestApp::start().await;
    let body = registration("TAG-1", &Owner::number(1));
    let call = app.api().registering(&body).header("idempotency-key", "order-1");
    let first = call.header("prefer", "respond-async").send().await;
    let id = first.expect(202)["jobId"].as_str().unwrap().to_owned();
    app.until("it is confirmed", async || {
        let state = app.anonymous().pending("registration", &id).await.expect(200);
        (state["status"] == "confirmed").then_some(())
    })
    .await;
    assert_same(&first, &register(app.api(), "order-1", &body).await);
}

#[tokio::test]
async fn another_request_under_the_same_key_is_422() {
    let app = TestApp::start().await;
    let owner = Owner::number(1);
    let _ = register(app.api(), "order-1", &registration("TAG-1", &owner)).await.expect(201);
    let other = register(app.api(), "order-1", &registration("TAG-2", &owner)).await;
    other.problem(422, "IDEMPOTENCY_MISMATCH");
    // Other bytes are another request, whatever they mean.
    let spaced = registration("TAG-1", &owner).to_string().replace(':', ": ");
    let call = app.api().call(Method::POST, &["v1", "patches"]).text(spaced);
    call.header("idempotency-key", "order-1").send().await.problem(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(app.anonymous().verify("TAG-2").await.status, 404);
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn a_key_belongs_to_its_credential() {
    let app = TestApp::start().await;
    let owner = Owner::number(1);
    let _ = register(app.api(), "order-1", &registration("TAG-1", &owner)).await.expect(201);
    let other = app.api_with(OTHER_KEY);
    let _ = register(other, "order-1", &registration("TAG-2", &owner)).await.expect(201);
    assert_eq!(app.outside.transactions().len(), 2);
}

#[tokio::test]
async fn a_request_that_is_being_worked_on_is_409_until_it_is_answered() {
    let app = TestApp::start().await;
    let body = registration("TAG-1", &Owner::number(1));
    app.outside.break_always(RequestClass::Broadcast, SILENCE);
    let first = register(app.api(), "order-1", &body);
    let meanwhile = async {
        accepted(&app, "TAG-1").await;
        let second = register(app.api(), "order-1", &body).await;
        second.problem(409, "IDEMPOTENCY_IN_FLIGHT");
        assert!(second.header("retry-after").is_some());
        let other = register(app.api(), "order-1", &registration("TAG-2", &Owner::number(1))).await;
        other.problem(422, "IDEMPOTENCY_MISMATCH");
        app.outside.network_works();
    };
    let (first, ()) = tokio::join!(first, meanwhile);
    let _ = first.expect(201);
    assert_same(&first, &register(app.api(), "order-1", &body).await);
}

#[tokio::test]
async fn answers_survive_a_restart() {
    let app = TestApp::start().await;
    let body = registration("TAG-1", &Owner::number(1));
    let first = register(app.api(), "order-1", &body).await;
    let _ = first.expect(201);
    let app = app.restart().await;
    assert_same(&first, &register(app.api(), "order-1", &body).await);
    let other = register(app.api(), "order-1", &registration("TAG-2", &Owner::number(1))).await;
    other.problem(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn a_request_that_a_restart_cut_off_is_answered_from_its_record() {
    let patience = Duration::from_secs(3600);
    let app = TestApp::start_with(|settings| {
        settings.http.patience = patience;
        settings.http.limits.request_timeout = Duration::from_millis(200);
    })
    .await;
    let body = registration("TAG-1", &Owner::number(1));
    app.outside.break_always(RequestClass::Broadcast, SILENCE);
    // The edge gives up on the request; the work behind it would go on, but for the restart.
    register(app.api(), "order-1", &body).await.problem(503, "OVERLOADED");
    register(app.api(), "order-1", &body).await.problem(409, "IDEMPOTENCY_IN_FLIGHT");
    let app = app.restart_with(|settings| settings.http.patience = Duration::ZERO).await;
    app.outside.network_works();
    app.until("the network has it", async || {
        let state = app.anonymous().verify("TAG-1").await.expect(200);
        (state["status"] == "authentic").then_some(())
    })
    .await;
    let again = register(app.api(), "order-1", &body).await;
    assert_eq!(again.expect(201)["uid_tag_id"], "TAG-1");
    assert_same(&again, &register(app.api(), "order-1", &body).await);
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_finds_its_answer_later() {
    let app = TestApp::start().await;
    let body = registration("TAG-1", &Owner::number(1)).to_string();
    app.outside.break_always(RequestClass::Broadcast, SILENCE);
    let address = (app.base.host_str().unwrap(), app.base.port().unwrap());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST /v1/patches HTTP/1.1\r\nHost: a\r\nX-Api-Key: {FULL_KEY}\r\nIdempotency-Key: k-1\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    accepted(&app, "TAG-1").await;
    drop(stream);
    app.outside.network_works();
    let repeat = || app.api().call(Method::POST, &["v1", "patches"]).text(body.clone());
    let answer = app
        .until("the answer is stored", async || {
            let answer = repeat().header("idempotency-key", "k-1").send().await;
            (answer.status != 409).then_some(answer)
        })
        .await;
    assert_eq!(answer.expect(201)["uid_tag_id"], "TAG-1");
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn an_answer_that_could_not_be_stored_is_made_anew() {
    let patience = Duration::from_millis(300);
    let app = TestApp::start_with(|settings| settings.http.patience = patience).await;
    let body = registration("TAG-1", &Owner::number(1));
    app.outside.break_always(RequestClass::Broadcast, SILENCE);
    let first = register(app.api(), "order-1", &body);
    let meanwhile = async {
        accepted(&app, "TAG-1").await;
        app.disk().set_full(true);
    };
    let (first, ()) = tokio::join!(first, meanwhile);
    first.problem(503, "STORAGE_FULL");
    app.disk().set_full(false);
    app.outside.network_works();
    app.until("the network has it", async || {
        let state = app.anonymous().verify("TAG-1").await;
        (state.status == 200 && state.json()["status"] == "authentic").then_some(())
    })
    .await;
    let again = register(app.api(), "order-1", &body).await;
    assert_eq!(again.expect(201)["uid_tag_id"], "TAG-1");
    assert_same(&again, &register(app.api(), "order-1", &body).await);
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let app = TestApp::start().await;
    let owner = Owner::number(1);
    let mut wrong = registration("TAG-1", &owner);
    wrong["product"]["name"] = json!("");
    register(app.api(), "order-1", &wrong).await.invalid(&["product.name"]);
    let _ = register(app.api(), "order-1", &registration("TAG-1", &owner)).await.expect(201);
    // So does a refusal by the state of things.
    let taken = registration("TAG-1", &Owner::number(2));
    register(app.api(), "order-2", &taken).await.problem(409, "UID_TAKEN");
    let _ = register(app.api(), "order-2", &registration("TAG-2", &owner)).await.expect(201);
}

#[tokio::test]
async fn a_repeated_request_needs_no_money() {
    let app = TestApp::start().await;
    let body = registration("TAG-1", &Owner::number(1));
    let first = register(app.api(), "order-1", &body).await;
    let _ = first.expect(201);
    let spend_all = |tx: &mut patchproof::storage::WriteTx<'_>| {
        for status in [UtxoStatus::Available, UtxoStatus::Unconfirmed, UtxoStatus::Locked] {
            for utxo in patchproof::storage::utxos::list_utxos(tx, status, 1000)? {
                tx.remove_utxo(utxo.outpoint)?;
            }
        }
        Ok(())
    };
    app.store.tamper(spend_all).await;
    let other = registration("TAG-2", &Owner::number(1));
    register(app.api(), "order-2", &other).await.problem(402, "INSUFFICIENT_FUNDS");
    assert_same(&first, &register(app.api(), "order-1", &body).await);
}

#[tokio::test]
async fn after_a_day_a_key_is_new() {
    let app = TestApp::start().await;
    let body = registration("TAG-1", &Owner::number(1));
    let first = register(app.api(), "order-1", &body).await;
    let _ = first.expect(201);
    app.outside.clock.advance(Duration::from_secs(24 * 3600 - 60));
    assert_same(&first, &register(app.api(), "order-1", &body).await);
    app.outside.clock.advance(Duration::from_secs(61));
    register(app.api(), "order-1", &body).await.problem(409, "UID_TAKEN");
    let other = registration("TAG-2", &Owner::number(1));
    let second = register(app.api(), "order-1", &other).await;
    let _ = second.expect(201);
    assert_same(&second, &register(app.api(), "order-1", &other).await);
}

#[tokio::test]
async fn a_key_is_1_to_255_visible_characters() {
    let app = TestApp::start().await;
    let owner = Owner::number(1);
    let (longest, too_long) = ("k".repeat(255), "k".repeat(256));
    for bad in ["", " ", "a b", "żółw", "a\tb", &too_long] {
        register(app.api(), bad, &registration("TAG-1", &owner))
            .await
            .invalid(&["Idempotency-Key"]);
    }
    let call = app.api().registering(&registration("TAG-1", &owner));
    let twice = call.header("idempotency-key", "a").header("idempotency-key", "a");
    twice.send().await.invalid(&["Idempotency-Key"]);
    let first = register(app.api(), &longest, &registration("TAG-1", &owner)).await;
    let _ = first.expect(201);
    assert_same(&first, &register(app.api(), &longest, &registration("TAG-1", &owner)).await);
}

#[tokio::test]
async fn a_hundred_repetitions_with_lost_answers_make_one_transaction() {
    let app = TestApp::start().await;
    let body = registration("TAG-1", &Owner::number(1));
    app.outside.break_once(RequestClass::Broadcast, Fault::LoseAnswer { loss: Loss::BadGateway });
    let calls = (0..100).map(|_| register(app.api(), "order-1", &body));
    let answers = futures_util::future::join_all(calls).await;
    let good: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert!(!good.is_empty(), "{:?}", answers.iter().map(|a| a.text()).collect::<Vec<_>>());
    for answer in &answers {
        match answer.status {
            201 => assert_same(good[0], answer),
            _ => drop(answer.problem(409, "IDEMPOTENCY_IN_FLIGHT")),
        }
    }
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn a_transfer_is_repeated_as_safely_as_a_registration() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let txid = app.api().register("TAG-1", &ada).await;
    let body = ada.hands_over("TAG-1", txid, &bob.address());
    let transfer = async |body: &Value| {
        let call = app.api().transferring(&txid.to_string(), body);
        call.header("idempotency-key", "move-1").send().await
    };
    let first = transfer(&body).await;
    let _ = first.expect(200);
    assert_same(&first, &transfer(&body).await);
    let other = ada.hands_over("TAG-1", txid, &Owner::number(3).address());
    transfer(&other).await.problem(422, "IDEMPOTENCY_MISMATCH");
    // Without the key it is a second transfer of a state that has gone.
    let bare = app.api().transferring(&txid.to_string(), &body).send().await;
    bare.problem(409, "STATE_CONFLICT");
    assert_eq!(app.outside.transactions().len(), 2);
}
