//! What was accepted before a backup and anchored after it: once the backup is restored, the transaction
//! on chain becomes the record's, and the record is not anchored a second time.

use std::path::Path;

use patchproof::anchor::lifecycle::Stage;
use patchproof::anchor::payload::Payload;
use patchproof::service::resync::{RestoreStatus, Standing};
use patchproof::storage::audit::audit_lines;
use patchproof::storage::jobs::expect_job;
use patchproof::storage::records::expect_record;
use patchproof::storage::utxos::expect_utxo;
use patchproof::types::{Digest, RecordId, Txid};
use patchproof::wallet::utxo::UtxoState;
use serde_json::{Value, json};

use crate::batch::{anchor, batching, proved, register_many};
use crate::restore::{accepted, backup, confirmed, is_fenced, release, restore, resynced};
use crate::support::app::TestApp;
use crate::support::clients::Owner;
use crate::support::outside::Mood;

/// How many transactions on the network carry a commitment, or the root of a batch.
pub(crate) fn carriers(app: &TestApp, wanted: Digest) -> Vec<Txid> {
    let node = app.outside.simnet.node();
    let carries = |txid: &Txid| {
        let known = node.transaction(txid).unwrap();
        known.transaction().outputs.iter().any(|output| {
            matches!(Payload::from_script(&output.locking_script),
                Some(Payload::Register(it) | Payload::Transfer(it) | Payload::Batch { root: it, .. })
                    if it == wanted)
        })
    };
    node.accepted().iter().copied().filter(carries).collect()
}

pub(crate) fn id_of(id: &str) -> RecordId {
    id.parse().unwrap()
}

pub(crate) fn commitment_of(app: &TestApp, id: &str) -> Digest {
    app.store.read(|tx| expect_record(tx, id_of(id))).unwrap().commitment
}

fn stage_of(app: &TestApp, id: &str) -> Stage {
    app.store.read(|tx| expect_job(tx, id_of(id))).unwrap().stage
}

/// Waits until a job has come to a stage.
pub(crate) async fn comes_to(app: &TestApp, id: &str, is_there: impl Fn(&Stage) -> bool) {
    app.until("the job is there", async || is_there(&stage_of(app, id)).then_some(())).await;
}

/// The state of the restored store once the fence has fallen by itself.
pub(crate) async fn freed(app: &TestApp) -> RestoreStatus {
    let status = resynced(app).await;
    assert_eq!(status.fence, None, "{:#?}", status.findings);
    assert!(!is_fenced(app).await);
    status
}

/// Waits until a product is authentic in a block, with the transaction that it had.
pub(crate) async fn authentic(app: &TestApp, uid: &str, txid: Txid) {
    app.until("it is in a block", async || {
        let told = app.anonymous().verify(uid).await.expect(200);
        let details = &told["verificationDetails"];
        let is_mined = details["stage"] == "mined" || details["stage"] == "final";
        let is_it = details["currentTxid"] == txid.to_string();
        (told["status"] == "authentic" && is_mined && is_it).then_some(())
    })
    .await;
}

/// A product whose registration has its statement signed, and its transaction only after the backup.
async fn outrun(folder: &Path) -> (TestApp, String, Digest, Txid) {
    let app = TestApp::start().await;
    app.outside.signer_is(Mood::StatementsOnly);
    let id = accepted(&app, "TAG-1").await;
    comes_to(&app, &id, |stage| *stage == Stage::Reserved).await;
    backup(&app, folder);
    app.outside.signer_is(Mood::Honest);
    confirmed(&app, &id).await;
    let commitment = commitment_of(&app, &id);
    let carrier = carriers(&app, commitment)[0];
    (app, id, commitment, carrier)
}

#[tokio::test]
async fn what_is_in_a_block_becomes_the_records_transaction_and_the_fence_falls() {
    let folder = tempfile::tempdir().unwrap();
    let (app, id, commitment, carrier) = outrun(folder.path()).await;
    app.mine(1);
    let app = restore(app, folder.path()).await;
    let status = freed(&app).await;
    assert_eq!(status.found, 1);
    assert_eq!(status.findings[0].standing, Standing::Adopted(id_of(&id)));
    for outpoint in &status.findings[0].finding.spends {
        let spent = app.store.read(|tx| expect_utxo(tx, *outpoint)).unwrap();
        assert_eq!(spent.state, UtxoState::Spent { by: carrier });
    }
    assert!(matches!(stage_of(&app, &id), Stage::Mined { txid, .. } if txid == carrier));
    let told = app.api().get(&["v1", "admin", "restore"]).await.expect(200);
    let told = &told["findings"][0];
    assert_eq!((&told["standing"], &told["adoptedFor"]), (&json!("adopted"), &json!(id)));
    let adopted = format!("{id} {carrier}");
    let said = app.store.read(|tx| {
        audit_lines(tx, u64::MAX, 2, 1_000, |it| {
            it.action == "restore.adopted" && it.subject == adopted
        })
    });
    assert_eq!(said.unwrap().0.len(), 1);
    authentic(&app, "TAG-1", carrier).await;
    // Its seal is there, too: the product can be handed on.
    app.api().transfer("TAG-1", carrier, &Owner::number(1), &Owner::number(2)).await;
    app.mine(7);
    comes_to(&app, &id, |stage| matches!(stage, Stage::Final { .. })).await;
    assert_eq!(carriers(&app, commitment), [carrier]);
    app.store.assert_clean();
}

#[tokio::test]
async fn what_waits_for_a_block_is_adopted_as_seen_and_its_change_pays_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let (app, id, commitment, carrier) = outrun(folder.path()).await;
    let app = restore(app, folder.path()).await;
    freed(&app).await;
    assert_eq!(stage_of(&app, &id), Stage::Seen { txid: carrier });
    for number in 2..5 {
        app.api().register(&format!("TAG-{number}"), &Owner::number(1)).await;
    }
    app.store.assert_clean();
    app.mine(1);
    authentic(&app, "TAG-1", carrier).await;
    assert_eq!(carriers(&app, commitment), [carrier]);
    app.store.assert_clean();
}

#[tokio::test]
async fn what_the_issuer_had_not_signed_is_adopted_once_the_statement_is_signed() {
    for mined in [0, 1] {
        let folder = tempfile::tempdir().unwrap();
        let app = TestApp::start().await;
        app.outside.signer_is(Mood::Down);
        let id = accepted(&app, "TAG-1").await;
        backup(&app, folder.path());
        app.outside.signer_is(Mood::Honest);
        confirmed(&app, &id).await;
        app.mine(mined);
        let sent = app.outside.transactions();
        app.outside.signer_is(Mood::StatementsOnly);
        let app = restore(app, folder.path()).await;
        freed(&app).await;
        confirmed(&app, &id).await;
        app.outside.signer_is(Mood::Honest);
        app.mine(1);
        authentic(&app, "TAG-1", sent[0]).await;
        let status = app.services.resync.status().unwrap();
        assert_eq!(status.findings[0].standing, Standing::Adopted(id_of(&id)));
        assert_eq!(app.outside.transactions(), sent);
        app.store.assert_clean();
    }
}

#[tokio::test]
async fn a_transfer_that_is_adopted_moves_custody_and_the_product_is_not_disputed() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::start().await;
    let (ada, bob, eve) = (Owner::number(1), Owner::number(2), Owner::number(3));
    let first = app.api().register("TAG-1", &ada).await;
    app.mine(1);
    app.outside.signer_is(Mood::StatementsOnly);
    let body = ada.hands_over("TAG-1", first, &bob.address());
    let call = app.api().transferring(&first.to_string(), &body);
    let answer = call.header("prefer", "respond-async").send().await.expect(202);
    let id = answer["jobId"].as_str().unwrap().to_owned();
    comes_to(&app, &id, |stage| *stage == Stage::Reserved).await;
    backup(&app, folder.path());
    app.outside.signer_is(Mood::Honest);
    comes_to(&app, &id, |stage| matches!(stage, Stage::Seen { .. })).await;
    app.mine(1);
    let handed = carriers(&app, commitment_of(&app, &id))[0];

    let app = restore(app, folder.path()).await;
    let status = freed(&app).await;
    assert_eq!(status.findings[0].standing, Standing::Adopted(id_of(&id)));
    assert_eq!(status.findings[0].finding.products, ["TAG-1"]);
    authentic(&app, "TAG-1", handed).await;
    app.api().transfer("TAG-1", handed, &bob, &eve).await;
    app.mine(7);
    comes_to(&app, &id, |stage| matches!(stage, Stage::Final { .. })).await;
    assert_eq!(carriers(&app, commitment_of(&app, &id)), [handed]);
    app.store.assert_clean();
}

#[tokio::test]
async fn a_product_that_was_handed_on_after_what_is_adopted_stays_disputed() {
    let folder = tempfile::tempdir().unwrap();
    let (app, id, _, carrier) = outrun(folder.path()).await;
    let (ada, bob, eve) = (Owner::number(1), Owner::number(2), Owner::number(3));
    let handed = app.api().transfer("TAG-1", carrier, &ada, &bob).await;
    app.mine(1);
    let app = restore(app, folder.path()).await;
    let status = resynced(&app).await;
    assert!(is_fenced(&app).await, "who owns it now is lost");
    let standing = |txid: Txid| {
        status.findings.iter().find(|it| it.finding.txid == txid).unwrap().standing.clone()
    };
    assert_eq!(standing(carrier), Standing::Adopted(id_of(&id)));
    assert!(matches!(standing(handed), Standing::Conflict(advice) if advice.contains("is lost")));
    release(&app).await;
    let body = ada.hands_over("TAG-1", carrier, &eve.address());
    let call = app.api().transferring(&carrier.to_string(), &body);
    call.send().await.problem(409, "STATE_CONFLICT");
    app.mine(7);
    comes_to(&app, &id, |stage| matches!(stage, Stage::Final { .. })).await;
    app.store.assert_clean();
}

#[tokio::test]
async fn a_batch_that_was_formed_before_and_anchored_after_is_adopted_with_its_members() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::start_with(batching).await;
    let uids = register_many(&app, 3).await;
    app.outside.signer_is(Mood::StatementsOnly);
    anchor(&app, json!({})).await;
    backup(&app, folder.path());
    app.outside.signer_is(Mood::Honest);
    app.until("the batch is on the network", async || {
        let told = app.anonymous().verify(&uids[0]).await.expect(200);
        (told["status"] == "authentic").then_some(())
    })
    .await;
    app.mine(1);
    let sent = app.outside.transactions();
    assert_eq!(sent.len(), 1);
    let app = restore(app, folder.path()).await;
    let status = freed(&app).await;
    assert!(matches!(status.findings[0].standing, Standing::Adopted(_)), "{:#?}", status.findings);
    for uid in &uids {
        proved(&app, uid, sent[0]).await;
    }
    let again: Value = anchor(&app, json!({})).await.expect(200);
    assert_eq!(again["processed"], 0);
    app.mine(7);
    assert_eq!(app.outside.transactions(), sent);
    app.store.assert_clean();
}
