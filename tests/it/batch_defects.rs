//! What was wrong with the predecessor's batches, one test for each defect (E1 to E8), on the bytes
//! that the product itself puts on chain and gives out.

use std::time::Duration;

use patchproof::anchor::commitment::commit;
use patchproof::anchor::lifecycle::Stage;
use patchproof::anchor::merkle::{CommitmentTree, InclusionProof, TreeError, verify_inclusion};
use patchproof::crypto::sha256_parts;
use patchproof::simnet::{Fault, Loss, RequestClass};
use patchproof::storage::batches::{batch, batch_leaves, place_in_batch};
use patchproof::storage::jobs::expect_job;
use patchproof::storage::records::{expect_record, records_of};
use patchproof::storage::{StoreError, StoredBatch, StoredRecord};
use patchproof::types::{Clock, Digest, RecordId};
use serde_json::{Value, json};

use crate::batch::{NOTHING, anchor, batching, proved, register_many, txid_of};
use crate::support::app::TestApp;

/// An anchored batch as stored, with its records in the order of its leaves.
fn stored(app: &TestApp, uid: &str) -> (StoredBatch, Vec<StoredRecord>) {
    app.store
        .read(|tx| {
            let first = records_of(tx, uid)?.remove(0);
            let place = place_in_batch(tx, first.id)?.unwrap();
            let found = batch(tx, place.batch)?.unwrap();
            let leaves = batch_leaves(tx, found.id, 0..found.size)?;
            let records = leaves.iter().map(|leaf| expect_record(tx, leaf.record));
            let records = records.collect::<Result<Vec<_>, StoreError>>()?;
            Ok::<_, StoreError>((found, records))
        })
        .unwrap()
}

async fn anchored(count: usize) -> (TestApp, Value) {
    let app = TestApp::start_with(batching).await;
    register_many(&app, count).await;
    let done = anchor(&app, json!({})).await.expect(200);
    (app, done)
}

fn commitments(records: &[StoredRecord]) -> Vec<Digest> {
    records.iter().map(|record| record.commitment).collect()
}

#[tokio::test]
async fn e1_distinct_lists_of_leaves_have_distinct_roots() {
    let (app, _) = anchored(3).await;
    let (batch, records) = stored(&app, "TAG-0");
    let three = commitments(&records);
    assert_eq!(CommitmentTree::build(&three).unwrap().root(), batch.root);
    let doubled = [three.clone(), vec![three[2]]].concat();
    assert!(matches!(CommitmentTree::build(&doubled), Err(TreeError::Duplicate)));
    // Nor as others would compute it: the root of [a, b, c, c] with the last leaf doubled.
    let leaf = |digest: &Digest| sha256_parts(&[&[0], digest.as_bytes()]);
    let node = |left: [u8; 32], right: [u8; 32]| sha256_parts(&[&[1], &left, &right]);
    let left = node(leaf(&three[0]), leaf(&three[1]));
    let as_if_doubled = node(left, node(leaf(&three[2]), leaf(&three[2])));
    assert_ne!(batch.root.to_bytes(), as_if_doubled);
    assert_eq!(batch.root.to_bytes(), node(left, leaf(&three[2])), "a lone node is promoted");
}

#[tokio::test]
async fn e2_a_proof_says_leaf_index_and_tree_size_and_no_other_pair_verifies() {
    let (app, done) = anchored(7).await;
    let (batch, records) = stored(&app, "TAG-0");
    for (place, record) in records.iter().enumerate() {
        let told = proved(&app, record.uid.as_str(), txid_of(&done)).await;
        let proof = &told["verificationDetails"]["merkleProof"];
        let path: Vec<Digest> = serde_json::from_value(proof["path"].clone()).unwrap();
        assert_eq!(proof["leafIndex"], place);
        let given = InclusionProof { leaf_index: place as u64, tree_size: batch.size, path };
        assert_eq!(verify_inclusion(&record.commitment, &given, &batch.root), Ok(()));
        for other in (0..7).filter(|other| *other != place as u64) {
            let moved = InclusionProof { leaf_index: other, ..given.clone() };
            assert!(verify_inclusion(&record.commitment, &moved, &batch.root).is_err());
        }
    }
}

#[tokio::test]
async fn e3_an_inner_node_is_no_leaf() {
    let (app, done) = anchored(4).await;
    let (batch, records) = stored(&app, "TAG-0");
    let told = proved(&app, records[0].uid.as_str(), txid_of(&done)).await;
    let path = &told["verificationDetails"]["merkleProof"]["path"];
    let path: Vec<Digest> = serde_json::from_value(path.clone()).unwrap();
    let leaf = |digest: &Digest| sha256_parts(&[&[0], digest.as_bytes()]);
    let (left, right) = (leaf(&records[0].commitment), leaf(&records[1].commitment));
    let node = Digest::from_bytes(sha256_parts(&[&[1], &left, &right]));
    let raised = InclusionProof { leaf_index: 0, tree_size: 2, path: path[1..].to_vec() };
    assert!(verify_inclusion(&node, &raised, &batch.root).is_err());
}

#[tokio::test]
async fn e4_the_root_is_computed_again_from_the_bytes_that_are_stored() {
    let (app, _) = anchored(5).await;
    let (batch, records) = stored(&app, "TAG-0");
    let anew: Vec<Digest> =
        records.iter().map(|record| commit(&record.salt, &record.canonical)).collect();
    assert_eq!(CommitmentTree::build(&anew).unwrap().root(), batch.root);
}

#[tokio::test]
async fn e5_a_record_has_one_route_and_is_confirmed_only_with_its_transaction() {
    let app = TestApp::start_with(|settings| {
        batching(settings);
        settings.http.answers_async = true;
    })
    .await;
    register_many(&app, 3).await;
    app.outside.network_is_down();
    assert_eq!(anchor(&app, json!({})).await.status, 202);
    let later = app.outside.clock.now().plus(Duration::from_secs(86_400));
    let due = app.anchoring.due_work(later, 100, |_| false).unwrap();
    let all = [due.prepare, due.submit, due.look].concat();
    let (batch, records) = stored(&app, "TAG-0");
    assert!(all.iter().all(|id| *id == batch.id), "no record is due beside its batch: {all:?}");
    assert!(records.iter().all(|record| record.seal.is_none()));
    let told = app.anonymous().verify("TAG-0").await.expect(200);
    assert_eq!(told["status"], "pending", "not confirmed, and not unknown: {told}");
    app.outside.network_works();
    app.until("the network has it", async || {
        let told = app.anonymous().verify("TAG-0").await.expect(200);
        (told["status"] == "authentic").then_some(())
    })
    .await;
    let [txid] = app.outside.transactions()[..] else { unreachable!("more than one went out") };
    for uid in ["TAG-0", "TAG-1", "TAG-2"] {
        proved(&app, uid, txid).await;
    }
}

#[tokio::test]
async fn e6_every_state_of_a_batched_record_has_a_name_that_clients_know() {
    let (app, _) = anchored(2).await;
    let (batch, records) = stored(&app, "TAG-0");
    let read = |id: RecordId| app.store.read(|tx| expect_job(tx, id)).unwrap();
    let (own, shared) = (read(records[0].id), read(batch.id));
    assert!(matches!(own.stage, Stage::Seen { .. }));
    assert_eq!(own.stage, shared.stage, "a member's stage is its batch's and stored nowhere else");
    let id = records[0].id.to_string();
    let told = app.anonymous().pending("registration", &id).await.expect(200);
    assert_eq!(told["status"], "confirmed");
}

#[tokio::test]
async fn e7_a_batch_whose_broadcast_failed_goes_out_later() {
    let app = TestApp::start_with(|settings| {
        batching(settings);
        settings.http.answers_async = true;
    })
    .await;
    let uids = register_many(&app, 2).await;
    app.outside
        .break_always(RequestClass::Broadcast, Fault::DropRequest { loss: Loss::GatewayTimeout });
    assert_eq!(anchor(&app, json!({})).await.status, 202);
    let told = app.anonymous().verify(&uids[0]).await.expect(200);
    assert_eq!(told["status"], "pending");
    assert_eq!(anchor(&app, json!({})).await.expect(200)["message"], NOTHING);
    app.outside.network_works();
    app.until("the network has it", async || {
        let told = app.anonymous().verify(&uids[1]).await.expect(200);
        (told["status"] == "authentic").then_some(())
    })
    .await;
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn e8_leaves_root_and_signed_bytes_are_stored_before_anything_leaves() {
    let app = TestApp::start_with(|settings| {
        batching(settings);
        settings.http.answers_async = true;
    })
    .await;
    let uids = register_many(&app, 3).await;
    app.outside
        .break_always(RequestClass::Broadcast, Fault::LoseAnswer { loss: Loss::ConnectionClosed });
    assert_eq!(anchor(&app, json!({})).await.status, 202);
    // The network has taken it, and nobody here has heard so when the process ends.
    app.until("the network has it", async || {
        (!app.outside.transactions().is_empty()).then_some(())
    })
    .await;
    let app = app.restart().await;
    let (batch, records) = stored(&app, "TAG-0");
    assert_eq!(CommitmentTree::build(&commitments(&records)).unwrap().root(), batch.root);
    assert_eq!(
        anchor(&app, json!({})).await.expect(200)["processed"],
        0,
        "not the same rows again"
    );
    app.outside.network_works();
    app.until("it is heard", async || {
        let told = app.anonymous().verify(&uids[0]).await.expect(200);
        (told["status"] == "authentic").then_some(())
    })
    .await;
    let [txid] = app.outside.transactions()[..] else { unreachable!("more than one went out") };
    for uid in &uids {
        proved(&app, uid, txid).await;
    }
}

#[tokio::test]
async fn a_leaf_that_was_changed_in_the_store_shows() {
    let (app, _) = anchored(3).await;
    let (found, records) = stored(&app, "TAG-0");
    let (id, record) = (found.id, records[1].id);
    app.store
        .tamper(move |tx| {
            let place = patchproof::storage::BatchPlace { batch: id, index: 1 };
            let commitment = Digest::from_bytes([9; 32]);
            tx.put_batch_leaf(place, patchproof::storage::BatchLeaf { record, commitment })?;
            tx.touch_batches();
            Ok(())
        })
        .await;
    for uid in ["TAG-0", "TAG-2"] {
        let told = app.anonymous().verify(uid).await.expect(200);
        assert_eq!(told["status"], "compromised", "{uid}: {told}");
    }
}
