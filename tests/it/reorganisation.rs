//! Blocks that go: a record steps back in the open, and out again.

use patchproof::bitcoin::{SIGHASH_ALL_FORKID, Script, SighashCache, Transaction, TxIn, TxOut};
use patchproof::simnet::{Fault, Loss, Reorganisation, RequestClass};
use patchproof::types::{Clock, Satoshis, Txid};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::clients::Owner;

const UID: &str = "TAG-1";

fn reorganise(app: &TestApp, plan: &Reorganisation) {
    let now = app.outside.clock.now();
    app.outside.simnet.node().reorganise(plan, now).unwrap();
    app.wake();
}

async fn details_at(app: &TestApp, stage: &str) -> Value {
    app.until(stage, async || {
        let state = app.anonymous().verify(UID).await.expect(200);
        (state["verificationDetails"]["stage"] == stage).then_some(state)
    })
    .await
}

async fn pending(app: &TestApp, id: &str) -> Value {
    app.anonymous().pending("registration", id).await.expect(200)
}

/// Registers the product and returns its record and transaction.
async fn registered(app: &TestApp) -> (String, Txid) {
    let body = crate::support::clients::registration(UID, &Owner::number(1));
    let answer = app.api().registering(&body).send().await.expect(201);
    let txid = answer["txid"].as_str().unwrap().parse().unwrap();
    (answer["pendingId"].as_str().unwrap().to_owned(), txid)
}

#[tokio::test]
async fn a_record_whose_block_goes_steps_back_and_is_mined_again_elsewhere() {
    let app = TestApp::start().await;
    app.mine(2);
    let (id, txid) = registered(&app).await;
    app.mine(2);
    let mined = details_at(&app, "mined").await;
    let first_block = mined["verificationDetails"]["block"]["hash"].clone();
    assert_eq!(pending(&app, &id).await["status"], "confirmed");
    let tag = app.anonymous().verify(UID).await.header("etag").unwrap().to_owned();

    // Nobody takes the transaction again for now, so that the step back can be seen.
    let silence = Fault::DropRequest { loss: Loss::ConnectionClosed };
    app.outside.break_always(RequestClass::Broadcast, silence);
    app.outside.break_always(RequestClass::Status, Fault::Unavailable);
    reorganise(&app, &Reorganisation::of_depth(2));
    let back = details_at(&app, "broadcast").await;
    assert_eq!(back["verificationDetails"]["block"], json!(null));
    assert_eq!(pending(&app, &id).await["status"], "anchoring");
    assert_ne!(app.anonymous().verify(UID).await.header("etag"), Some(tag.as_str()));
    let history = app.anonymous().history(UID).await.expect(200);
    assert!(history["events"][0].get("block").is_none(), "{history}");

    app.outside.network_works();
    details_at(&app, "seen").await;
    assert_eq!(pending(&app, &id).await["status"], "confirmed");
    app.mine(1);
    let again = details_at(&app, "mined").await;
    assert_eq!(again["status"], "authentic");
    assert_ne!(again["verificationDetails"]["block"]["hash"], first_block);
    assert_eq!(again["verificationDetails"]["currentTxid"], txid.to_string());
    assert_eq!(app.outside.transactions(), [txid], "the same transaction, and no other");
}

#[tokio::test]
async fn a_transaction_that_the_network_forgot_is_sent_again() {
    let app = TestApp::start().await;
    app.mine(2);
    let (_, txid) = registered(&app).await;
    app.mine(1);
    details_at(&app, "mined").await;
    reorganise(&app, &Reorganisation { drop: vec![txid], ..Reorganisation::of_depth(1) });
    app.until("the network has it again", async || {
        app.outside.simnet.node().mempool_txids().contains(&txid).then_some(())
    })
    .await;
    app.mine(1);
    details_at(&app, "mined").await;
    // So is one that was thrown out while it waited.
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let moved = app.api().transfer(UID, txid, &ada, &bob).await;
    app.outside.simnet.node().drop_from_mempool(&moved);
    app.until("the network has it again", async || {
        app.outside.simnet.node().mempool_txids().contains(&moved).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_whole_custody_chain_comes_through_a_reorganisation() {
    let app = TestApp::start().await;
    app.mine(1);
    let mut txid = app.api().register(UID, &Owner::number(1)).await;
    for number in 1..=4 {
        app.mine(1);
        txid =
            app.api().transfer(UID, txid, &Owner::number(number), &Owner::number(number + 1)).await;
    }
    app.mine(1);
    details_at(&app, "mined").await;
    reorganise(&app, &Reorganisation::of_depth(5));
    app.mine(1);
    let state = details_at(&app, "mined").await;
    assert_eq!(state["status"], "authentic");
    assert_eq!(state["verificationDetails"]["owner"], Owner::number(5).address());
    app.until("every event is in a block", async || {
        let history = app.anonymous().history(UID).await.expect(200);
        let events = history["events"].as_array().unwrap();
        events.iter().all(|event| event["stage"] == "mined").then_some(())
    })
    .await;
    assert_eq!(app.outside.transactions().len(), 5);
}

#[tokio::test]
async fn blocks_that_change_nothing_for_a_record_leave_it_alone() {
    let app = TestApp::start().await;
    let (id, _) = registered(&app).await;
    app.mine(6);
    details_at(&app, "final").await;
    let before = pending(&app, &id).await;
    reorganise(&app, &Reorganisation::of_depth(2));
    app.mine(1);
    let height = app.outside.simnet.node().height();
    app.until("the new branch is followed", async || {
        let state = app.anonymous().verify(UID).await.expect(200);
        let block = &state["verificationDetails"]["block"];
        let top = block["height"].as_u64().unwrap() + block["confirmations"].as_u64().unwrap() - 1;
        (top == u64::from(height)).then_some(())
    })
    .await;
    assert_eq!(pending(&app, &id).await, before);
}

/// Spends the first input of a transaction of ours to somewhere else, with the key that can.
pub(crate) fn double_spend(app: &TestApp, txid: Txid) -> Vec<u8> {
    let node = app.outside.simnet.node();
    let ours = node.transaction(&txid).unwrap().transaction().clone();
    let spent = ours.inputs[0].previous;
    let parent = node.transaction(&spent.txid).unwrap().transaction().clone();
    let output = parent.outputs[usize::try_from(spent.vout).unwrap()].clone();
    let hash = output.locking_script.as_public_key_hash().unwrap();
    let keys = app.outside.keystore.keys();
    let key = keys.iter().find(|key| key.public_key().hash160() == hash).unwrap();
    let value = output.value.checked_sub(Satoshis::from_const(500)).unwrap();
    let input = TxIn { previous: spent, unlocking_script: Script::default(), sequence: u32::MAX };
    let elsewhere = TxOut { value, locking_script: output.locking_script.clone() };
    let mut transaction =
        Transaction { version: 1, inputs: vec![input], outputs: vec![elsewhere], lock_time: 0 };
    let digest =
        SighashCache::new(&transaction).sighash(0, &output.locking_script, output.value).unwrap();
    transaction.inputs[0].unlocking_script =
        Script::unlock_public_key_hash(&key.sign(&digest), SIGHASH_ALL_FORKID, &key.public_key());
    transaction.to_bytes()
}

#[tokio::test]
async fn a_record_whose_money_is_spent_elsewhere_for_good_is_anchored_anew() {
    let app = TestApp::start().await;
    app.mine(2);
    let (id, first) = registered(&app).await;
    app.mine(1);
    details_at(&app, "mined").await;
    let thief = double_spend(&app, first);
    let plan = Reorganisation { replacements: vec![thief], ..Reorganisation::of_depth(1) };
    reorganise(&app, &plan);
    app.until("the other transaction is noticed", async || {
        let state = pending(&app, &id).await;
        (state["stage"] == "held").then_some(state)
    })
    .await;
    let state = pending(&app, &id).await;
    assert_eq!(state["status"], "anchoring");
    assert!(state["error"].as_str().unwrap().contains("spends one of the inputs"), "{state}");
    // Not before the other one is buried for good is ours given up.
    app.mine(6);
    let anew = app
        .until("another transaction carries the record", async || {
            let state = pending(&app, &id).await;
            (state["status"] == "confirmed").then_some(state)
        })
        .await;
    assert_ne!(anew["txid"], first.to_string());
    app.mine(1);
    let state = details_at(&app, "mined").await;
    assert_eq!(state["status"], "authentic", "{state}");
    assert_eq!(state["verificationDetails"]["currentTxid"], anew["txid"]);
}
