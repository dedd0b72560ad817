//! A store restored from a backup that the chain has outrun: nothing leaves before the chain was asked,
//! and nothing is spent twice afterwards.

use std::fs;
use std::path::Path;

use patchproof::crypto::SecretKey;
use patchproof::service::resync::RestoreStatus;
use patchproof::storage::StoreOptions;
use patchproof::storage::backup::{
    BackupKey, BackupLock, Present, RestoreSource, stage, write_backup,
};
use patchproof::storage::utxos::expect_utxo;
use patchproof::types::{Clock, Txid};
use patchproof::wallet::utxo::UtxoState;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};

/// A backup of a running product.
pub(crate) fn backup(app: &TestApp, folder: &Path) {
    let secret = SecretKey::from_bytes(&[5; 32]).unwrap();
    let lock = BackupLock::Recipient(secret.public_key());
    let now = app.outside.clock.now();
    let made = app.store.read(|tx| write_backup(tx, Vec::new(), &lock, now, &mut |_| true));
    let (bytes, receipt) = made.unwrap();
    receipt.verify(&bytes[..]).unwrap();
    fs::write(folder.join("it.backup"), bytes).unwrap();
}

/// Stops the product and starts it anew on what the backup holds.
pub(crate) async fn restore(app: TestApp, folder: &Path) -> TestApp {
    let key = BackupKey::Identity(SecretKey::from_bytes(&[5; 32]).unwrap());
    let source = RestoreSource::open(&folder.join("it.backup"), || Ok(key)).unwrap();
    let now = app.outside.clock.now();
    let staged = stage(source, folder, now).unwrap();
    assert!(staged.report.is_clean(), "{:#?}", staged.report.violations);
    let present = Present::lock(folder).unwrap();
    present.refuse_foreign(&staged).unwrap();
    present.replace(staged, now).unwrap();
    app.restart_on(StoreOptions::in_directory(folder)).await
}

pub(crate) async fn resynced(app: &TestApp) -> RestoreStatus {
    app.until("the chain was asked about everything", async || {
        let status = app.services.resync.status().unwrap();
        let is_done = status.fence.as_ref().is_none_or(|fence| fence.resynced_at.is_some());
        is_done.then_some(status)
    })
    .await
}

pub(crate) async fn is_fenced(app: &TestApp) -> bool {
    let ready = app.anonymous().get(&["ready"]).await.expect(200);
    let dependencies = ready["dependencies"].as_array().unwrap().iter();
    dependencies.clone().any(|it| it["name"] == "fence" && it["ok"] == false)
}

/// Waits until the gauge says whether the store is fenced.
async fn is_gauged(app: &TestApp, line: &str) {
    app.until("the fence is gauged", async || {
        let answer = app.anonymous().get(&["metrics"]).await;
        answer.text().lines().any(|found| found == line).then_some(())
    })
    .await;
}

/// Says whether the console's overview tells of the fence.
async fn is_alarmed(app: &TestApp) -> bool {
    let overview = app.api().get(&["v1", "admin", "overview"]).await.expect(200);
    overview["alerts"].as_array().unwrap().iter().any(|it| it["code"] == "fenced")
}

pub(crate) async fn accepted(app: &TestApp, uid: &str) -> String {
    let call = app.api().registering(&registration(uid, &Owner::number(1)));
    let answer = call.header("prefer", "respond-async").send().await.expect(202);
    answer["jobId"].as_str().unwrap().to_owned()
}

pub(crate) async fn confirmed(app: &TestApp, id: &str) {
    app.until("the record is on the network", async || {
        let state = app.anonymous().pending("registration", id).await.expect(200);
        (state["status"] == "confirmed").then_some(())
    })
    .await;
}

pub(crate) async fn release(app: &TestApp) -> Value {
    let path = ["v1", "admin", "restore", "release"];
    app.api().call(Method::POST, &path).json(&json!({})).send().await.expect(200)
}

#[tokio::test]
async fn a_backup_that_the_chain_has_outrun_is_fenced_until_somebody_has_read_what_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let first = app.api().register("TAG-1", &ada).await;
    let kept = app.api().register("TAG-2", &ada).await;
    app.mine(1);
    backup(&app, folder.path());
    // What the backup does not know: one in a block, one still waiting, a third on top of it.
    let handed = app.api().transfer("TAG-1", first, &ada, &bob).await;
    app.mine(1);
    let lost: Vec<Txid> =
        vec![app.api().register("TAG-3", &ada).await, app.api().register("TAG-4", &ada).await];
    let sent = app.outside.transactions();
    assert_eq!(sent.len(), 5);

    let app = restore(app, folder.path()).await;
    assert!(is_fenced(&app).await);
    let waiting = accepted(&app, "TAG-5").await;
    let status = resynced(&app).await;
    let found: Vec<Txid> = status.findings.iter().map(|it| it.finding.txid).collect();
    for txid in [handed, lost[0], lost[1]] {
        assert!(found.contains(&txid), "{txid} is in {found:?}");
    }
    assert_eq!(found.len(), 3);
    let transfer =
        status.findings.iter().map(|it| &it.finding).find(|it| it.txid == handed).unwrap();
    assert_eq!((transfer.products.as_slice(), transfer.says.len()), (&["TAG-1".to_owned()][..], 1));
    assert!(transfer.height.is_some());
    for outpoint in &transfer.spends {
        let output = app.store.read(|tx| expect_utxo(tx, *outpoint)).unwrap();
        assert_eq!(output.state, UtxoState::Spent { by: handed });
    }
    assert!(is_fenced(&app).await, "there are conflicts");
    is_gauged(&app, "store_fenced 1").await;
    assert!(is_alarmed(&app).await);
    let shown = app.api().get(&["v1", "admin", "restore"]).await.expect(200);
    assert_eq!((&shown["fenced"], &shown["found"]), (&json!(true), &json!(3)));
    let refused = app.api().call(Method::POST, &["v1", "admin", "utxo-maintain"]);
    refused.json(&json!({ "action": "split" })).send().await.problem(409, "STATE_CONFLICT");
    assert_eq!(app.outside.transactions(), sent, "nothing was sent");

    assert_eq!(release(&app).await["fenced"], json!(false));
    assert!(!is_fenced(&app).await);
    is_gauged(&app, "store_fenced 0").await;
    assert!(!is_alarmed(&app).await);
    let metrics = app.anonymous().get(&["metrics"]).await;
    assert!(!metrics.text().contains("\"fence\""), "nothing that is gone stays down");
    confirmed(&app, &waiting).await;
    assert_eq!(app.outside.transactions().len(), sent.len() + 1, "one new, none twice");
    // Who owns it stands in a record that is lost; the other product goes on.
    let again = ada.hands_over("TAG-1", first, &bob.address());
    let call = app.api().transferring(&first.to_string(), &again);
    call.send().await.problem(409, "STATE_CONFLICT");
    app.api().transfer("TAG-2", kept, &ada, &bob).await;
    app.mine(7);
    app.store.assert_clean();
}

#[tokio::test]
async fn a_backup_that_the_chain_agrees_with_is_free_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::start().await;
    app.api().register("TAG-1", &Owner::number(1)).await;
    app.mine(1);
    backup(&app, folder.path());
    let app = restore(app, folder.path()).await;
    let status = resynced(&app).await;
    assert_eq!((status.found, status.fence), (0, None));
    app.api().register("TAG-2", &Owner::number(1)).await;
    let path = ["v1", "admin", "restore", "release"];
    let again = app.api().call(Method::POST, &path).json(&json!({})).send().await;
    again.problem(409, "STATE_CONFLICT");
}

#[tokio::test]
async fn a_network_that_does_not_answer_leaves_the_fence_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::start().await;
    app.mine(1);
    backup(&app, folder.path());
    app.outside.network_is_down();
    let app = restore(app, folder.path()).await;
    let id = accepted(&app, "TAG-1").await;
    app.until("the network was asked", async || {
        let reason = app.services.resync.status().unwrap().reason?;
        reason.contains("did not answer").then_some(())
    })
    .await;
    let path = ["v1", "admin", "restore", "release"];
    let early = app.api().call(Method::POST, &path).json(&json!({})).send().await;
    early.problem(409, "STATE_CONFLICT");
    assert!(app.outside.transactions().is_empty());
    app.outside.network_works();
    confirmed(&app, &id).await;
}
