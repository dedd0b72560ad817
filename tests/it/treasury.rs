//! The pool looks after itself: split, sweep and what else operators ask for, and the money that many
//! requests at once have to share.

use std::time::Duration;

use insta::assert_json_snapshot;
use patchproof::bitcoin::Address;
use patchproof::simnet::{Fault, Loss, RequestClass};
use patchproof::storage::StageName;
use patchproof::storage::jobs::job_totals;
use patchproof::storage::utxos::list_utxos;
use patchproof::types::{Clock, Satoshis};
use patchproof::wallet::utxo::{Utxo, UtxoStatus};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};
use crate::support::outside::Mood;
use crate::support::redaction::redacted;

pub(crate) async fn maintain(app: &TestApp, body: Value) -> Answer {
    app.api().call(Method::POST, &["v1", "admin", "utxo-maintain"]).json(&body).send().await
}

pub(crate) fn outputs(app: &TestApp, status: UtxoStatus) -> Vec<Utxo> {
    app.store.read(|tx| list_utxos(tx, status, 1_000)).unwrap()
}

/// Brings money in at an address, in outputs of one amount.
pub(crate) async fn fund(app: &TestApp, address: &Address, amount: u32, count: u32) {
    app.outside.simnet.node().faucet(address, Satoshis::from_const(amount), count).unwrap();
    app.outside.simnet.mine();
    app.services.funding.sync("test", app.outside.clock.now()).await.unwrap();
    app.wake();
}

pub(crate) fn funding_address(app: &TestApp) -> Address {
    app.services.funding.keyring.funding.address
}

#[tokio::test]
async fn a_split_is_usable_at_once_and_says_what_it_did() {
    let app = TestApp::penniless().await;
    fund(&app, &funding_address(&app), 200_000, 1).await;
    let told = maintain(&app, json!({ "action": "split" })).await.expect(200);
    assert_json_snapshot!(redacted_maintenance(told));
    let available = outputs(&app, UtxoStatus::Available);
    assert_eq!(available.len(), 11, "ten of the useful size and the change: {available:?}");
    let again = maintain(&app, json!({ "action": "split" })).await.expect(200);
    assert_eq!(again["steps"][0]["txid"], Value::Null);
    assert_eq!(again["steps"][0]["reason"], "11 useful outputs are available, 10 are wanted");
    // The outputs pay for registrations before any block.
    app.api().register("TAG-1", &Owner::number(1)).await;
    app.mine(1);
    app.until("the split is in a block", async || {
        let mined = outputs(&app, UtxoStatus::Available);
        mined.iter().filter(|it| it.height.is_some()).count().ge(&10).then_some(())
    })
    .await;
}

fn redacted_maintenance(mut told: Value) -> Value {
    for step in told["steps"].as_array_mut().unwrap() {
        for input in step["inputs"].as_array_mut().unwrap() {
            input["outpoint"] = "[outpoint]".into();
        }
    }
    redacted(told)
}

#[tokio::test]
async fn a_dry_run_plans_the_same_and_changes_nothing() {
    let app = TestApp::penniless().await;
    fund(&app, &funding_address(&app), 200_000, 1).await;
    let before = outputs(&app, UtxoStatus::Available);
    let dry = maintain(&app, json!({ "action": "split", "dryRun": true })).await.expect(200);
    assert_eq!((&dry["dryRun"], &dry["steps"][0]["txid"]), (&json!(true), &Value::Null));
    assert_eq!(outputs(&app, UtxoStatus::Available), before);
    let real = maintain(&app, json!({ "action": "split" })).await.expect(200);
    for part in ["inputs", "outputs", "feeSatoshis", "feeRateSatPerKb"] {
        assert_eq!(dry["steps"][0][part], real["steps"][0][part], "{part}");
    }
}

#[tokio::test]
async fn dust_is_gathered_once_there_is_enough_of_it() {
    let app = TestApp::penniless().await;
    fund(&app, &funding_address(&app), 1_000, 20).await;
    let told = maintain(&app, json!({ "action": "sweep" })).await.expect(200);
    assert_eq!(told["steps"][0]["reason"], "20 outputs are dust, a sweep begins beyond 20");
    fund(&app, &funding_address(&app), 1_500, 1).await;
    let told = maintain(&app, json!({ "action": "sweep" })).await.expect(200);
    let step = &told["steps"][0];
    assert_eq!(step["inputs"].as_array().unwrap().len(), 21);
    let fee = step["feeSatoshis"].as_u64().unwrap();
    assert_eq!(step["outputs"][0]["satoshis"].as_u64().unwrap() + fee, 21_500);
    assert_eq!(outputs(&app, UtxoStatus::Available).len(), 1);
}

#[tokio::test]
async fn named_outputs_are_swept_and_those_in_use_refused() {
    let app = TestApp::start().await;
    let names: Vec<String> = outputs(&app, UtxoStatus::Available)
        .iter()
        .take(3)
        .map(|it| it.outpoint.to_string())
        .collect();
    let body = json!({ "action": "sweep", "outpoints": names });
    let told = maintain(&app, body.clone()).await.expect(200);
    assert_eq!(told["steps"][0]["inputs"].as_array().unwrap().len(), 3);
    let refused = maintain(&app, body).await.problem(409, "STATE_CONFLICT");
    assert!(refused["detail"].as_str().unwrap().ends_with("is spent, not available"));
    for wrong in ["x", "00:1"] {
        let body = json!({ "action": "sweep", "outpoints": [wrong] });
        maintain(&app, body).await.invalid(&["outpoints"]);
    }
}

#[tokio::test]
async fn change_goes_home_and_elsewhere_only_when_that_is_said() {
    let app = TestApp::penniless().await;
    let change = app.services.funding.keyring.change.address;
    fund(&app, &change, 9_000, 3).await;
    let stranger = Owner::number(9).address();
    let body = json!({
        "action": "sweep-change", "changeAddress": change.to_string(), "changeKeyId": "change",
        "destinationAddress": stranger,
    });
    maintain(&app, body.clone()).await.invalid(&["destinationAddress"]);
    let custody = app.services.funding.keyring.custody.as_ref().unwrap().address.to_string();
    let sealed = json!({
        "action": "sweep-change", "destinationAddress": custody, "allowForeignDestination": true,
    });
    maintain(&app, sealed).await.invalid(&["destinationAddress"]);
    let other = json!({ "action": "sweep-change", "changeKeyId": "funding" });
    maintain(&app, other).await.invalid(&["changeKeyId"]);
    let home = json!({ "action": "sweep-change", "changeAddress": change.to_string() });
    let told = maintain(&app, home.clone()).await.expect(200);
    assert_eq!(told["steps"][0]["outputs"][0]["address"], funding_address(&app).to_string());
    let nothing = maintain(&app, home).await.expect(200);
    assert_eq!(nothing["steps"][0]["reason"], "there is nothing to sweep");
    fund(&app, &change, 9_000, 2).await;
    let mut withdrawal = body;
    withdrawal["allowForeignDestination"] = true.into();
    let told = maintain(&app, withdrawal).await.expect(200);
    assert_eq!(told["steps"][0]["outputs"][0]["address"], stranger);
    let report = app.store.read(patchproof::storage::check).unwrap();
    assert!(report.ledger.paid_out > 0 && report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn one_run_goes_on_at_a_time_and_the_last_is_remembered() {
    let app = TestApp::penniless().await;
    fund(&app, &funding_address(&app), 200_000, 1).await;
    let silence = Fault::DropRequest { loss: Loss::ConnectionClosed };
    app.outside.break_always(RequestClass::Broadcast, silence);
    let status = async || app.api().get(&["v1", "admin", "utxo-maintain"]).await.expect(200);
    assert_eq!(status().await["last"], Value::Null);
    let first = maintain(&app, json!({ "action": "split" }));
    let second = async {
        app.until("the first runs", async || {
            (status().await["running"]["action"] == "split").then_some(())
        })
        .await;
        let refused = maintain(&app, json!({ "action": "sync" })).await;
        refused.problem(409, "MAINTENANCE_RUNNING");
        app.outside.network_works();
    };
    let (first, ()) = tokio::join!(first, second);
    let told = first.expect(200);
    assert!(told["steps"][0]["txid"].is_string(), "{told}");
    let status = status().await;
    assert_eq!(status["running"], Value::Null);
    assert_eq!(status["last"]["result"], told);
    assert_eq!(status["last"]["requestedBy"], "key-for-everything");
}

#[tokio::test]
async fn a_repeated_request_is_answered_again_and_not_done_again() {
    let app = TestApp::start().await;
    let send = async |count: u32| {
        let call = app.api().call(Method::POST, &["v1", "admin", "utxo-maintenance"]);
        let body = json!({ "action": "split", "count": count });
        call.header("idempotency-key", "key-1").json(&body).send().await
    };
    let told = send(3).await.expect(200);
    assert!(told["steps"][0]["txid"].is_string(), "{told}");
    assert_eq!(send(3).await.expect(200), told);
    send(4).await.problem(422, "IDEMPOTENCY_MISMATCH");
}

#[tokio::test]
async fn a_body_is_read_strictly() {
    let app = TestApp::start().await;
    for (body, field) in [
        (json!({ "action": "burn" }), "action"),
        (json!({ "count": 0 }), "count"),
        (json!({ "count": 250 }), "count"),
        (json!({ "sizeSatoshis": 0 }), "sizeSatoshis"),
        (json!({ "limit": 0 }), "limit"),
        (json!({ "changeAddress": "nobody" }), "changeAddress"),
        (json!({ "dryrun": true }), "dryrun"),
    ] {
        maintain(&app, body).await.invalid(&[field]);
    }
    for (key, status) in [("pos", 403), ("utxo:write", 200)] {
        let client = app.api_with(key);
        let call = client.call(Method::POST, &["v1", "admin", "utxo-maintain"]).json(&json!({}));
        assert_eq!(call.send().await.status, status);
    }
}

#[tokio::test]
async fn leases_are_taken_back_by_age_and_only_where_nothing_is_signed() {
    let app = TestApp::start().await;
    let owner = Owner::number(1);
    let silence = Fault::DropRequest { loss: Loss::ConnectionClosed };
    app.outside.break_always(RequestClass::Broadcast, silence);
    let call = app.api().registering(&registration("TAG-1", &owner));
    let _ = call.header("prefer", "respond-async").send().await.expect(202);
    app.until("it is signed", async || {
        let totals = app.store.read(job_totals).unwrap();
        totals.contains(&(StageName::Signed, 1)).then_some(())
    })
    .await;
    app.outside.signer_is(Mood::Down);
    let split = maintain(&app, json!({ "action": "split", "count": 2, "wait": false })).await;
    let split = split.expect(200);
    assert_eq!(split["steps"][0]["txid"], Value::Null);
    let young = maintain(&app, json!({ "action": "unlock-stale" })).await.expect(200);
    assert_eq!(young["dryRun"], true);
    assert!(young["steps"][0]["leases"].as_array().unwrap().iter().all(|it| it["freed"] == false));
    let now = json!({ "action": "unlock-stale", "olderThanMins": 0, "dryRun": false });
    let told = maintain(&app, now).await.expect(200);
    let leases = told["steps"][0]["leases"].as_array().unwrap();
    assert_eq!(leases.len(), 2, "{told}");
    for lease in leases {
        let is_split = lease["jobId"] == split["steps"][0]["operationId"];
        assert_eq!(lease["freed"], is_split, "{lease}");
    }
    assert_eq!(outputs(&app, UtxoStatus::Locked).len(), 1);
}

#[tokio::test]
async fn at_the_cap_of_the_day_nothing_new_is_signed_until_tomorrow() {
    let app = TestApp::start_with(|settings| {
        settings.anchoring.caps.per_day = Some(Satoshis::from_const(200));
        settings.http.patience = Duration::ZERO;
    })
    .await;
    let owner = Owner::number(1);
    for uid in ["TAG-1", "TAG-2", "TAG-3"] {
        let _ = app.api().registering(&registration(uid, &owner)).send().await.expect(202);
    }
    let health = async || app.api().get(&["v1", "admin", "utxo-health"]).await.expect(200);
    let sent = || app.outside.transactions().len();
    app.until("the first is sent", async || (sent() == 1).then_some(())).await;
    app.until("the others are told", async || {
        let said = health().await;
        (said["runway"]["oldestUnanchoredSeconds"].is_u64() && sent() == 1).then_some(())
    })
    .await;
    let fees = health().await["runway"]["feesTodaySatoshis"].as_u64().unwrap();
    assert!((1..=200).contains(&fees), "{fees}");
    for _ in 0..50 {
        app.wake();
        tokio::task::yield_now().await;
    }
    assert_eq!(sent(), 1);
    app.outside.clock.advance(Duration::from_secs(86_400));
    app.until("the next day has come", async || (sent() == 2).then_some(())).await;
}
