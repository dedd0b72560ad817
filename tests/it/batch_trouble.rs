//! Batches when things go wrong: the network, the signer, the process, the chain. Whatever happens,
//! one root has one transaction.

use std::time::Duration;

use patchproof::anchor::payload::Payload;
use patchproof::service::batches::BatchOutcome;
use patchproof::simnet::{Fault, Loss, RECORDED_REFUSALS, Reorganisation, RequestClass};
use patchproof::storage::StageName;
use patchproof::storage::jobs::expect_job;
use patchproof::types::{Clock, RecordId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::batch::{NOTHING, anchor, batching, proved, register, register_many, txid_of};
use crate::log::payload;
use crate::reorganisation::double_spend;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};
use crate::support::outside::Mood;

/// Answers at once, however far the batch has come.
fn impatient(settings: &mut patchproof::app::Settings) {
    batching(settings);
    settings.http.answers_async = true;
}

/// Waits until the one batch is at a stage.
async fn batch_at(app: &TestApp, id: RecordId, stage: StageName) {
    app.until("the batch is at its stage", async || {
        let job = app.store.read(|tx| expect_job(tx, id)).unwrap();
        (StageName::of(&job.stage) == stage).then_some(())
    })
    .await;
}

/// Waits until a product is authentic and returns its transaction.
async fn authentic(app: &TestApp, uid: &str) -> Value {
    app.until("the network has it", async || {
        let told = app.anonymous().verify(uid).await.expect(200);
        (told["status"] == "authentic").then_some(told)
    })
    .await
}

async fn all_share_one_transaction(app: &TestApp, uids: &[String]) {
    authentic(app, &uids[0]).await;
    let [txid] = app.outside.transactions()[..] else {
        unreachable!("not one transaction: {:?}", app.outside.transactions())
    };
    for uid in uids {
        proved(app, uid, txid).await;
    }
}

#[tokio::test]
async fn a_process_that_ends_after_each_step_ends_in_one_root_transaction() {
    let app = TestApp::with(impatient).await;
    let uids = register_many(&app, 3).await;
    anchor(&app, json!({})).await.problem(402, "INSUFFICIENT_FUNDS");
    assert_eq!(app.services.batches.waiting().unwrap(), 3, "a refused request forms nothing");
    let app = app.restart().await;

    // Formed, not paid for.
    let now = app.outside.clock.now();
    let formed = app.services.batches.anchor(10, Duration::ZERO, "test", now).await.unwrap();
    let BatchOutcome::Formed(formed) = formed else { unreachable!("nothing was formed") };
    batch_at(&app, formed.id, StageName::Accepted).await;
    let app = app.restart().await;
    assert_eq!(app.services.batches.waiting().unwrap(), 0, "the batch is formed once");

    // Paid for, not signed.
    app.outside.signer_is(Mood::Down);
    app.fund(3).await;
    batch_at(&app, formed.id, StageName::Reserved).await;
    app.outside.signer_is(Mood::Honest);
    app.outside.network_is_down();
    let app = app.restart().await;

    // Signed and stored, never heard.
    batch_at(&app, formed.id, StageName::Signed).await;
    let app = app.restart().await;
    app.outside.network_works();
    all_share_one_transaction(&app, &uids).await;

    // On the network.
    let app = app.restart().await;
    app.mine(1);
    all_share_one_transaction(&app, &uids).await;
    assert_eq!(anchor(&app, json!({})).await.expect(200)["message"], NOTHING);
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_sent_again_as_it_is() {
    let app = TestApp::start_with(impatient).await;
    let uids = register_many(&app, 2).await;
    app.outside
        .break_once(RequestClass::Broadcast, Fault::LoseAnswer { loss: Loss::ConnectionClosed });
    assert_eq!(anchor(&app, json!({})).await.status, 202);
    all_share_one_transaction(&app, &uids).await;
}

#[tokio::test]
async fn a_batch_that_could_not_be_stored_leaves_its_records_waiting() {
    let app = TestApp::start_with(impatient).await;
    let uids = register_many(&app, 2).await;
    app.disk().set_full(true);
    let refused = anchor(&app, json!({})).await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    app.disk().set_full(false);
    let formed = app
        .until("the disk takes writes again", async || {
            let answer = anchor(&app, json!({})).await;
            (answer.status == 202).then(|| answer.json())
        })
        .await;
    assert_eq!(formed["processed"], 2);
    all_share_one_transaction(&app, &uids).await;
}

#[tokio::test]
async fn a_block_that_goes_takes_every_member_back_and_brings_it_again() {
    let app = TestApp::start_with(batching).await;
    let uids = register_many(&app, 3).await;
    let txid = txid_of(&anchor(&app, json!({})).await.expect(200));
    let stage_of = async |uid: &str, stage: &str| {
        app.until(stage, async || {
            let told = app.anonymous().verify(uid).await.expect(200);
            (told["verificationDetails"]["stage"] == stage).then_some(told)
        })
        .await
    };
    app.mine(1);
    for uid in &uids {
        let told = stage_of(uid, "mined").await;
        assert!(told["verificationDetails"]["block"]["merklePath"].is_string());
    }
    app.outside
        .break_always(RequestClass::Broadcast, Fault::DropRequest { loss: Loss::ConnectionClosed });
    app.outside.break_always(RequestClass::Status, Fault::Unavailable);
    let now = app.outside.clock.now();
    app.outside.simnet.node().reorganise(&Reorganisation::of_depth(1), now).unwrap();
    for uid in &uids {
        let told = stage_of(uid, "broadcast").await;
        assert_eq!(told["verificationDetails"]["block"], Value::Null, "never silently");
    }
    app.outside.network_works();
    app.mine(1);
    for uid in &uids {
        stage_of(uid, "mined").await;
        proved(&app, uid, txid).await;
    }
    assert_eq!(app.outside.transactions(), [txid]);
}

#[tokio::test]
async fn a_batch_whose_money_is_spent_elsewhere_for_good_is_anchored_anew_with_the_same_root() {
    let app = TestApp::start_with(batching).await;
    app.mine(2);
    let uids = register_many(&app, 3).await;
    let first = txid_of(&anchor(&app, json!({})).await.expect(200));
    let root =
        proved(&app, "TAG-0", first).await["verificationDetails"]["merkleProof"]["root"].clone();
    let said = payload(&app, &first);
    assert!(matches!(said, Payload::Batch { log: Some(_), .. }), "{said:?}");
    app.mine(1);
    app.until("it is mined", async || {
        let told = app.anonymous().verify("TAG-0").await.expect(200);
        (told["verificationDetails"]["stage"] == "mined").then_some(())
    })
    .await;
    let thief = double_spend(&app, first);
    let plan = Reorganisation { replacements: vec![thief], ..Reorganisation::of_depth(1) };
    let now = app.outside.clock.now();
    app.outside.simnet.node().reorganise(&plan, now).unwrap();
    app.until("the other transaction is noticed", async || {
        let told = app.anonymous().verify("TAG-0").await.expect(200);
        (told["verificationDetails"]["stage"] == "held").then_some(())
    })
    .await;
    // A transfer that stands on the first transaction dies with it.
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let body = ada.hands_over("TAG-1", first, &bob.address());
    let refused = app.api().transferring(&first.to_string(), &body).send().await;
    refused.problem(409, "STATE_CONFLICT");
    app.mine(6);
    let second = app
        .until("another transaction carries the batch", async || {
            let told = app.anonymous().verify("TAG-0").await.expect(200);
            let details = &told["verificationDetails"];
            let txid = details["currentTxid"].as_str()?.parse().unwrap();
            (details["stage"] == "seen" && txid != first).then_some(txid)
        })
        .await;
    for uid in &uids {
        let told = proved(&app, uid, second).await;
        assert_eq!(told["verificationDetails"]["merkleProof"]["root"], root);
    }
    assert_eq!(payload(&app, &second), said, "and with the same state of the log");
    app.api().transfer("TAG-1", second, &ada, &bob).await;
    let gone = app.api().transferring(&first.to_string(), &body).send().await;
    gone.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn what_stands_upon_a_dead_batch_dies_first_and_custody_goes_back() {
    // One output pays for all: the transfer spends what the batch gives back.
    let app = TestApp::with(batching).await;
    app.fund(1).await;
    app.mine(2);
    register_many(&app, 2).await;
    let first = txid_of(&anchor(&app, json!({})).await.expect(200));
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    app.api().transfer("TAG-1", first, &ada, &bob).await;
    app.mine(1);
    app.until("both are mined", async || {
        let told = app.anonymous().verify("TAG-1").await.expect(200);
        (told["verificationDetails"]["stage"] == "mined").then_some(())
    })
    .await;
    let thief = double_spend(&app, first);
    let plan = Reorganisation { replacements: vec![thief], ..Reorganisation::of_depth(1) };
    let now = app.outside.clock.now();
    app.outside.simnet.node().reorganise(&plan, now).unwrap();
    app.mine(8);
    app.fund(4).await;
    app.until("the batch has another transaction", async || {
        let told = app.anonymous().verify("TAG-0").await.expect(200);
        let txid = told["verificationDetails"]["currentTxid"].as_str()?.to_owned();
        (told["status"] == "authentic" && txid != first.to_string()).then_some(())
    })
    .await;
    app.until("the product is its first owner's again", async || {
        let told = app.anonymous().verify("TAG-1").await.expect(200);
        let details = &told["verificationDetails"];
        (told["status"] == "authentic" && details["owner"] == ada.address()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_record_that_the_signer_refuses_does_not_hold_up_the_others() {
    let app = TestApp::start_with(batching).await;
    register(&app, "TAG-0", &Owner::number(1)).await;
    app.outside.signer_is(Mood::Refusing);
    anchor(&app, json!({})).await.problem(503, "SIGNER_UNAVAILABLE");
    assert_eq!(app.services.batches.waiting().unwrap(), 1);
    app.outside.signer_is(Mood::Honest);
    let body = registration("TAG-1", &Owner::number(1));
    assert_eq!(app.api().registering(&body).send().await.status, 202);
    let done = anchor(&app, json!({})).await.expect(200);
    assert_eq!(done["processed"], 2);
}

#[tokio::test]
async fn a_batch_that_was_refused_for_good_begins_anew_once_its_transaction_is_proved_dead() {
    let app = TestApp::with(impatient).await;
    app.fund(1).await;
    let refused = register(&app, "TAG-0", &Owner::number(1)).await;
    register(&app, "TAG-1", &Owner::number(1)).await;
    let (status, words) = RECORDED_REFUSALS[8];
    let refusal = Fault::Refuse { status, body: words.to_owned() };
    app.outside.break_always(RequestClass::Broadcast, refusal);
    assert_eq!(anchor(&app, json!({})).await.status, 202);
    app.until("it is refused", async || {
        let state = app.anonymous().pending("registration", &refused).await.expect(200);
        (state["status"] == "failed").then_some(())
    })
    .await;
    app.outside.network_works();
    let recover = async |body: Value| {
        let path = ["v1", "admin", "records", "recover"];
        app.api().call(Method::POST, &path).json(&body).send().await.expect(200)
    };
    let left = recover(json!({ "stage": "failed" })).await;
    assert_eq!((&left["recovered"], &left["items"][0]["id"]), (&json!(0), &json!(refused)));
    // There is one output: the next batch spends what the refused one would have spent.
    register(&app, "TAG-2", &Owner::number(1)).await;
    assert_eq!(anchor(&app, json!({})).await.expect(202)["processed"], 1);
    authentic(&app, "TAG-2").await;
    app.mine(6);
    app.until("the refused one is proved dead", async || {
        let done = recover(json!({ "id": refused })).await;
        (done["recovered"] == 1).then_some(())
    })
    .await;
    let told = authentic(&app, "TAG-1").await;
    let txid = told["verificationDetails"]["currentTxid"].as_str().unwrap().parse().unwrap();
    proved(&app, "TAG-0", txid).await;
    assert_eq!(app.outside.transactions().len(), 2);
}
