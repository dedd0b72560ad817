//! What happens to the pool unasked: many requests at once, reorganisations, thieves, money that ends.

use std::time::Duration;

use patchproof::simnet::Reorganisation;
use patchproof::storage::StageName;
use patchproof::storage::jobs::{expect_job, job_totals};
use patchproof::types::{Clock, Satoshis, Txid};
use patchproof::wallet::builder::Spend;
use patchproof::wallet::operation::{PlannedOutput, build_operation};
use patchproof::wallet::policy::PoolPolicySource;
use patchproof::wallet::utxo::{Utxo, UtxoStatus};
use serde_json::{Value, json};

use crate::reorganisation::double_spend;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};
use crate::treasury::{fund, funding_address, maintain, outputs};

#[tokio::test]
async fn two_hundred_at_once_share_a_pool_of_ten() {
    let app = TestApp::with(|settings| {
        settings.schedule.interval = Some(Duration::from_secs(600));
    })
    .await;
    app.fund(10).await;
    let owner = Owner::number(1);
    let bodies: Vec<Value> =
        (0..200).map(|number| registration(&format!("TAG-{number}"), &owner)).collect();
    let calls = bodies.iter().map(|body| app.api().registering(body).send());
    let mining = async {
        app.until("all are on the network", async || {
            app.outside.simnet.mine();
            (app.outside.transactions().len() == 200).then_some(())
        })
        .await;
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(calls), mining);
    for answer in answers {
        let _ = answer.expect(201);
    }
    assert_eq!(app.outside.transactions().len(), 200);
}

#[tokio::test]
async fn h8_a_pool_that_shrinks_is_split_without_being_told() {
    let app = TestApp::with(|settings| {
        settings.schedule.interval = Some(Duration::from_secs(600));
    })
    .await;
    fund(&app, &funding_address(&app), 100_000, 1).await;
    app.until("it was split", async || {
        (outputs(&app, UtxoStatus::Available).len() >= 10).then_some(())
    })
    .await;
    let status = app.api().get(&["v1", "admin", "utxo-maintain"]).await.expect(200);
    assert_eq!(status["last"]["requestedBy"], "scheduler");
    assert!(status["nextRunAt"].is_string() && status["lastSplitAt"].is_string(), "{status}");
}

#[tokio::test]
async fn a_policy_that_changes_counts_from_the_next_run() {
    let (sender, receiver) = tokio::sync::watch::channel(10u64);
    let app = TestApp::start_with(move |settings| {
        let base = settings.pool.current();
        settings.pool = PoolPolicySource::new(move || patchproof::wallet::policy::PoolPolicy {
            min_utxo_count: *receiver.borrow(),
            ..base
        });
    })
    .await;
    let enough = maintain(&app, json!({ "action": "split" })).await.expect(200);
    assert_eq!(enough["steps"][0]["txid"], Value::Null);
    sender.send_replace(30);
    let split = maintain(&app, json!({ "action": "split" })).await.expect(200);
    assert!(split["steps"][0]["txid"].is_string(), "{split}");
}

#[tokio::test]
async fn a_split_goes_back_and_out_again_with_its_block() {
    let app = TestApp::penniless().await;
    fund(&app, &funding_address(&app), 200_000, 1).await;
    app.mine(8);
    let told = maintain(&app, json!({ "action": "split" })).await.expect(200);
    assert!(told["steps"][0]["txid"].is_string());
    app.mine(1);
    let height = |app: &TestApp| {
        let available = outputs(app, UtxoStatus::Available);
        available.first().and_then(|it| it.height)
    };
    let first = app.until("it is in a block", async || height(&app)).await;
    let txid: Txid = told["steps"][0]["txid"].as_str().unwrap().parse().unwrap();
    let plan = Reorganisation { drop: vec![txid], ..Reorganisation::of_depth(1) };
    let now = app.outside.clock.now();
    app.outside.simnet.node().reorganise(&plan, now).unwrap();
    app.until("it is in another block", async || {
        app.outside.simnet.mine();
        height(&app).filter(|height| *height != first)
    })
    .await;
}

#[tokio::test]
async fn an_operation_whose_input_is_spent_for_good_by_another_fails_and_is_not_planned_again() {
    let app = TestApp::penniless().await;
    fund(&app, &funding_address(&app), 90_000, 2).await;
    app.mine(2);
    let named: Vec<String> =
        outputs(&app, UtxoStatus::Available).iter().map(|it| it.outpoint.to_string()).collect();
    let told = maintain(&app, json!({ "action": "sweep", "outpoints": named })).await.expect(200);
    let txid: Txid = told["steps"][0]["txid"].as_str().unwrap().parse().unwrap();
    app.mine(1);
    let thief = double_spend(&app, txid);
    let plan = Reorganisation { replacements: vec![thief], ..Reorganisation::of_depth(1) };
    let now = app.outside.clock.now();
    app.outside.simnet.node().reorganise(&plan, now).unwrap();
    app.mine(7);
    let stage = async |wanted: StageName| {
        let totals = app.store.read(job_totals).unwrap();
        totals.contains(&(wanted, 1)).then_some(())
    };
    app.until("it has failed", async || stage(StageName::Failed).await).await;
    // The input that the other one did not spend is back; nothing was signed in its place.
    app.until("the other input is back", async || {
        (outputs(&app, UtxoStatus::Available).iter().any(|it| it.value.get() == 90_000))
            .then_some(())
    })
    .await;
    let spent = outputs(&app, UtxoStatus::Spent);
    assert_eq!(spent.len(), 1, "{spent:?}");
    assert!(outputs(&app, UtxoStatus::Locked).is_empty());
}

#[tokio::test]
async fn what_somebody_else_spent_is_found_out_by_a_sync() {
    let app = TestApp::start().await;
    let thief = stolen(&app, &outputs(&app, UtxoStatus::Available)[0]);
    app.outside.simnet.submit(&thief).unwrap();
    let told = maintain(&app, json!({ "action": "sync" })).await.expect(200);
    assert_eq!(told["steps"][0]["sync"]["spentElsewhere"], 1, "{told}");
    // Set aside at once, spent when nothing can undo it.
    assert_eq!(outputs(&app, UtxoStatus::Unconfirmed).len(), 1);
    assert!(outputs(&app, UtxoStatus::Spent).is_empty());
    app.mine(7);
    app.until("it is spent for good", async || {
        let _ = maintain(&app, json!({ "action": "sync" })).await.expect(200);
        (outputs(&app, UtxoStatus::Spent).len() == 1).then_some(())
    })
    .await;
    let report = app.store.read(patchproof::storage::check).unwrap();
    assert!(report.ledger.spent_elsewhere > 0 && report.is_clean(), "{report:?}");
}

/// Spends an output with the key that can, to somebody who is not us.
fn stolen(app: &TestApp, output: &Utxo) -> Vec<u8> {
    let spend = Spend {
        outpoint: output.outpoint,
        value: output.value,
        key_hash: output.key_hash,
        key_identifier: output.key_identifier.clone(),
    };
    let value = output.value.checked_sub(Satoshis::from_const(500)).unwrap();
    let thief = PlannedOutput { value, key_hash: [6; 20] };
    let unsigned = build_operation(vec![spend], &[thief], Satoshis::from_const(1_000)).unwrap();
    let (_, sighash) = unsigned.signature_requests().remove(0);
    let key = app.outside.keystore.get(&output.key_identifier).unwrap();
    unsigned.sign(&[(key.sign(&sighash), key.public_key())]).unwrap().raw
}

#[tokio::test]
async fn looking_at_a_wanting_pool_has_it_looked_after_where_that_is_wished() {
    let app = TestApp::with(|settings| settings.http.maintains_on_health = true).await;
    fund(&app, &funding_address(&app), 100_000, 1).await;
    let _ = app.api().get(&["v1", "admin", "utxo-health"]).await.expect(200);
    app.until("it was split", async || {
        (outputs(&app, UtxoStatus::Available).len() >= 10).then_some(())
    })
    .await;
}

/// Waits until `/ready` warns with a text, or until it does so no more.
async fn until_warned(app: &TestApp, text: &str, wanted: bool) {
    app.until(text, async || {
        let told = app.anonymous().get(&["ready"]).await.expect(200);
        let warnings = told["warnings"].as_array().cloned().unwrap_or_default();
        let is_told = warnings.iter().any(|it| it.as_str().unwrap().contains(text));
        (is_told == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_reached_cap_is_said_where_operators_look() {
    let app = TestApp::start_with(|settings| {
        settings.anchoring.caps.per_day = Some(Satoshis::from_const(1));
    })
    .await;
    let call = app.api().registering(&registration("TAG-1", &Owner::number(1)));
    let accepted = call.header("prefer", "respond-async").send().await.expect(202);
    until_warned(&app, "no room for another record", true).await;
    let health = app.api().get(&["v1", "admin", "utxo-health"]).await.expect(200);
    assert_eq!(health["runway"]["capped"], true);
    let id = accepted["pendingId"].as_str().unwrap().parse().unwrap();
    let told = app
        .until("the job says why it waits", async || {
            app.store.read(|tx| expect_job(tx, id)).unwrap().problem
        })
        .await;
    assert!(told.contains("MAX_FEE_PER_DAY_SATS"), "{told}");
    assert_eq!(app.outside.transactions().len(), 0);
}

#[tokio::test]
async fn a_runway_that_gets_short_is_said_until_there_is_money_again() {
    let app = TestApp::penniless().await;
    fund(&app, &funding_address(&app), 1_000, 1).await;
    app.api().register("TAG-1", &Owner::number(1)).await;
    let runway =
        async || app.api().get(&["v1", "admin", "utxo-health"]).await.expect(200)["runway"].clone();
    let young = runway().await;
    assert_eq!((&young["daysLeft"], young["reason"].is_string()), (&Value::Null, true));
    app.outside.clock.advance(Duration::from_secs(86_400));
    assert!(runway().await["daysLeft"].as_u64().unwrap() < 7);
    until_warned(&app, "more days at the rate", true).await;
    fund(&app, &funding_address(&app), 50_000, 1).await;
    until_warned(&app, "more days at the rate", false).await;
    let text = app.anonymous().get(&["metrics"]).await.text().to_owned();
    for name in ["pool_runway_days ", "oldest_unanchored_seconds 0", "locked_satoshis{reason="] {
        assert!(text.contains(name), "{name}");
    }
}
