//! How deep blocks may go: up to seven a record goes back and out again by itself, beyond that an
//! operator is asked first.

use patchproof::app::Settings;
use patchproof::config::InitialSettings;
use patchproof::service::headers::Advance;
use patchproof::service::settings::RuntimeSettings;
use patchproof::simnet::{Fault, Loss, Reorganisation, RequestClass};
use patchproof::storage::StageName;
use patchproof::storage::jobs::jobs_in_stage;
use patchproof::storage::stale_proofs::stale_proofs;
use patchproof::types::{BlockHash, Clock, RecordId, SettingName, SettingValues, Txid};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};

const UID: &str = "TAG-1";

async fn registered(app: &TestApp) -> (String, Txid) {
    let answer = app.api().registering(&registration(UID, &Owner::number(1))).send().await;
    let answer = answer.expect(201);
    let txid = answer["txid"].as_str().unwrap().parse().unwrap();
    (answer["pendingId"].as_str().unwrap().to_owned(), txid)
}

async fn details_at(app: &TestApp, stage: &str) -> Value {
    app.until(stage, async || {
        let state = app.anonymous().verify(UID).await.expect(200);
        (state["verificationDetails"]["stage"] == stage).then_some(state)
    })
    .await
}

fn block_of(state: &Value) -> BlockHash {
    state["verificationDetails"]["block"]["hash"].as_str().unwrap().parse().unwrap()
}

fn reorganise(app: &TestApp, plan: &Reorganisation) {
    let now = app.outside.clock.now();
    app.outside.simnet.node().reorganise(plan, now).unwrap();
    app.wake();
}

fn history(app: &TestApp, txid: Txid) -> Vec<BlockHash> {
    let stale = app.store.read(|tx| stale_proofs(tx, txid)).unwrap();
    for (_, proof) in &stale {
        assert!(proof.parse().unwrap().contains(&txid));
    }
    stale.into_iter().map(|(block, _)| block).collect()
}

async fn metric(app: &TestApp, name: &str) -> String {
    let text = app.anonymous().get(&["metrics"]).await.text().to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().to_owned()
}

/// Registers a product and mines so many blocks, the first of which holds it.
async fn buried(app: &TestApp, depth: u32) -> (String, Txid, BlockHash) {
    app.mine(2);
    let (id, txid) = registered(app).await;
    app.mine(depth);
    let stage = if depth >= 6 { "final" } else { "mined" };
    let state = details_at(app, stage).await;
    assert_eq!(state["verificationDetails"]["block"]["confirmations"], depth);
    (id, txid, block_of(&state))
}

async fn goes_back_and_out_again(depth: u32, is_returned: bool) {
    let app = TestApp::start().await;
    let (_, txid, first) = buried(&app, depth).await;
    // Nobody takes the transaction again for now, so that the step back can be seen.
    let silence = Fault::DropRequest { loss: Loss::ConnectionClosed };
    app.outside.break_always(RequestClass::Broadcast, silence);
    app.outside.break_always(RequestClass::Status, Fault::Unavailable);
    let drop = if is_returned { vec![] } else { vec![txid] };
    reorganise(&app, &Reorganisation { drop, ..Reorganisation::of_depth(depth) });
    let back = details_at(&app, "broadcast").await;
    assert_eq!(back["verificationDetails"]["block"], json!(null), "depth {depth}");
    assert_eq!(history(&app, txid), [first]);
    app.store.assert_clean();

    app.outside.network_works();
    let seen = details_at(&app, "seen").await;
    assert_eq!(seen["verificationDetails"]["currentTxid"], txid.to_string());
    app.mine(1);
    let again = details_at(&app, "mined").await;
    assert_eq!(again["status"], "authentic");
    assert_eq!(again["verificationDetails"]["currentTxid"], txid.to_string());
    assert_ne!(block_of(&again), first);
    assert_eq!(history(&app, txid), [first], "what proved it once is kept");
    assert_eq!(app.outside.transactions(), [txid], "the same transaction, and no other");
    app.mine(5);
    details_at(&app, "final").await;
    assert_eq!(metric(&app, "reorganisation_depth ").await, depth.to_string());
}

#[tokio::test]
async fn up_to_seven_blocks_a_record_goes_back_and_out_again() {
    for depth in 1..=7 {
        goes_back_and_out_again(depth, true).await;
    }
}

#[tokio::test]
async fn so_it_does_when_the_network_has_forgotten_its_transaction() {
    for depth in 1..=7 {
        goes_back_and_out_again(depth, false).await;
    }
}

/// Takes eight blocks off, and waits until the record in them is held.
async fn held(app: &TestApp) -> (RecordId, Txid, BlockHash) {
    let (id, txid, first) = buried(app, 8).await;
    reorganise(app, &Reorganisation { drop: vec![txid], ..Reorganisation::of_depth(8) });
    let state = app
        .until("the record is held", async || {
            let state = app.anonymous().pending("registration", &id).await.expect(200);
            (state["stage"] == "held").then_some(state)
        })
        .await;
    assert!(state["error"].as_str().unwrap().contains("deeper than 7 blocks"), "{state}");
    (id.parse().unwrap(), txid, first)
}

#[tokio::test]
async fn beyond_seven_blocks_nothing_is_sent_before_an_operator_says_so() {
    let app = TestApp::start().await;
    let (id, txid, first) = held(&app).await;
    let report = app
        .until("readiness tells of it", async || {
            let report = app.anonymous().get(&["ready"]).await.expect(200);
            (report["status"] == "degraded").then_some(report)
        })
        .await;
    let headers = report["dependencies"].as_array().unwrap().iter();
    let headers = headers.clone().find(|it| it["name"] == "headers").unwrap();
    assert!(headers["detail"].as_str().unwrap().contains("1 records are held"), "{report}");
    app.until("the metrics tell of it", async || {
        (metric(&app, "records_held ").await == "1").then_some(())
    })
    .await;
    assert_eq!(metric(&app, "reorganisation_depth ").await, "8");
    assert_eq!(history(&app, txid), [first]);
    let pool = app.api().get(&["v1", "admin", "utxo-health"]).await.expect(200);
    assert_eq!(pool["db"]["unconfirmed"]["count"], 1, "nothing stands upon its change: {pool}");
    app.store.assert_clean();
    // A day of looking changes nothing.
    app.mine(3);
    app.outside.clock.advance(std::time::Duration::from_secs(86_400));
    let height = app.outside.simnet.node().height();
    app.until("the chain was followed meanwhile", async || {
        let trust = app.services.headers.trust().unwrap();
        (trust.tip.unwrap().height == height).then_some(())
    })
    .await;
    assert!(!app.outside.simnet.node().mempool_txids().contains(&txid));

    app.anchoring.recover(id, "operator", app.outside.clock.now()).await.unwrap();
    details_at(&app, "seen").await;
    app.mine(1);
    let again = details_at(&app, "mined").await;
    assert_eq!(again["status"], "authentic");
    assert_eq!(app.outside.transactions(), [txid], "the same transaction, and no other");
    app.until("readiness is content again", async || {
        let report = app.anonymous().get(&["ready"]).await.expect(200);
        (report["status"] == "ok").then_some(())
    })
    .await;
    let pool = app.api().get(&["v1", "admin", "utxo-health"]).await.expect(200);
    assert_eq!(pool["db"]["unconfirmed"]["count"], 0, "{pool}");
}

#[tokio::test]
async fn a_held_record_that_is_mined_again_without_us_needs_no_operator() {
    let app = TestApp::start().await;
    let (_, txid, first) = held(&app).await;
    let raw = {
        let node = app.outside.simnet.node();
        node.transaction(&txid).unwrap().raw().to_vec()
    };
    app.outside.simnet.node().submit(&raw).unwrap();
    app.mine(1);
    let again = details_at(&app, "mined").await;
    assert_eq!(again["status"], "authentic");
    assert_ne!(block_of(&again), first);
}

#[tokio::test]
async fn a_crash_before_the_records_were_told_does_not_hide_how_deep_it_was() {
    let app = TestApp::start().await;
    let (id, txid, _) = buried(&app, 8).await;
    let app = app.restart_with(|settings| settings.periods.chain = std::time::Duration::MAX).await;
    let headers = app.services.headers.clone();
    // The first round of the background is over, and there will be no other.
    while app.services.readiness.observations.network().last_success.is_none() {
        tokio::task::yield_now().await;
    }
    let now = app.outside.clock.now();
    let plan = Reorganisation { drop: vec![txid], ..Reorganisation::of_depth(8) };
    app.outside.simnet.node().reorganise(&plan, now).unwrap();
    // The new branch is stored, and the process ends before any record hears of it.
    let advance = headers.follow().await.unwrap();
    assert!(matches!(advance, Advance::Changed { depth: 8, .. }), "{advance:?}");
    let a_second = std::time::Duration::from_secs(1);
    let app = app.restart_with(|settings| settings.periods.chain = a_second).await;
    app.until("the record is held", async || {
        let state = app.anonymous().pending("registration", &id).await.expect(200);
        (state["stage"] == "held").then_some(())
    })
    .await;
}

/// Registers a product and hands it on twice, a block for each; returns the transactions.
async fn handed_on_twice(app: &TestApp) -> Vec<Txid> {
    app.mine(1);
    let mut txids = vec![app.api().register(UID, &Owner::number(1)).await];
    for number in 1..=2 {
        app.mine(1);
        let (from, to) = (Owner::number(number), Owner::number(number + 1));
        txids.push(app.api().transfer(UID, txids[txids.len() - 1], &from, &to).await);
    }
    app.mine(1);
    details_at(app, "mined").await;
    txids
}

async fn until_all_are(app: &TestApp, stage: StageName) -> Vec<RecordId> {
    app.until(stage.as_str(), async || {
        let jobs = app.store.read(|tx| jobs_in_stage(tx, stage, None, 10)).unwrap();
        (jobs.len() == 3).then(|| jobs.iter().map(|job| job.id).collect())
    })
    .await
}

async fn a_whole_custody_chain_is_held_and_recovered(min_confirmations: u32) {
    let change = |settings: &mut Settings| {
        let confirmations = u64::from(min_confirmations);
        let values =
            SettingValues::default().with(SettingName::UtxoMinConfirmations, confirmations);
        let initial = InitialSettings { values, ..InitialSettings::default() };
        settings.anchoring.runtime = RuntimeSettings::new(initial);
    };
    let app = TestApp::start_with(change).await;
    let txids = handed_on_twice(&app).await;
    app.mine(5);
    until_all_are(&app, StageName::Final).await;
    reorganise(&app, &Reorganisation { drop: txids.clone(), ..Reorganisation::of_depth(8) });
    let held = until_all_are(&app, StageName::Held).await;
    app.store.assert_clean();
    let state = app.anonymous().verify(UID).await.expect(200);
    assert_eq!(state["verificationDetails"]["owner"], Owner::number(3).address());
    // The newest first: it cannot be taken before those that it stands upon.
    for id in held.into_iter().rev() {
        app.anchoring.recover(id, "operator", app.outside.clock.now()).await.unwrap();
        app.wake();
        app.store.assert_clean();
    }
    until_all_are(&app, StageName::Seen).await;
    app.store.assert_clean();
    app.mine(1);
    until_all_are(&app, StageName::Mined).await;
    let again = app.anonymous().verify(UID).await.expect(200);
    assert_eq!(again["status"], "authentic");
    assert_eq!(again["verificationDetails"]["currentTxid"], txids[2].to_string());
    assert_eq!(app.outside.transactions(), txids, "the same transactions, and no others");
    for txid in txids {
        assert_eq!(history(&app, txid).len(), 1);
    }
}

#[tokio::test]
async fn a_whole_custody_chain_waits_for_an_operator_and_goes_out_again() {
    for min_confirmations in [0, 1] {
        a_whole_custody_chain_is_held_and_recovered(min_confirmations).await;
    }
}
