//! Many records in one transaction: by request, by themselves, each with its own proof.

use std::time::Duration;

use patchproof::anchor::merkle::{InclusionProof, verify_inclusion};
use patchproof::anchor::payload::Payload;
use patchproof::app::Settings;
use patchproof::service::batches::{BatchPolicy, Route};
use patchproof::storage::records::records_of;
use patchproof::types::{Digest, Txid};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};

/// What is said where nothing waits, to the letter.
pub(crate) const NOTHING: &str = "No unanchored records found to process.";

/// Has registrations wait for a batch that nobody forms unasked.
pub(crate) fn batching(settings: &mut Settings) {
    let max_age = Duration::from_secs(3_600);
    settings.batching = BatchPolicy { route: Route::Batch, max_records: 100_000, max_age };
}

pub(crate) async fn anchor(app: &TestApp, body: Value) -> Answer {
    app.api().call(Method::POST, &["v1", "admin", "batch-anchor"]).json(&body).send().await
}

/// Registers a product that waits for a batch, and returns its record.
pub(crate) async fn register(app: &TestApp, uid: &str, owner: &Owner) -> String {
    let answer = app.api().registering(&registration(uid, owner)).send().await.expect(202);
    // Of two records of one millisecond neither is the older.
    app.outside.clock.advance(Duration::from_millis(2));
    answer["pendingId"].as_str().unwrap().to_owned()
}

/// Registers so many products of one owner.
pub(crate) async fn register_many(app: &TestApp, count: usize) -> Vec<String> {
    let mut uids = Vec::with_capacity(count);
    for number in 0..count {
        let uid = format!("TAG-{number}");
        register(app, &uid, &Owner::number(1)).await;
        uids.push(uid);
    }
    uids
}

pub(crate) fn txid_of(answer: &Value) -> Txid {
    answer["txid"].as_str().unwrap().parse().unwrap()
}

/// Returns what verification says of a product, and holds its proof against what the network has.
pub(crate) async fn proved(app: &TestApp, uid: &str, txid: Txid) -> Value {
    let told = app.anonymous().verify(uid).await.expect(200);
    assert_eq!(told["status"], "authentic", "{told}");
    let details = &told["verificationDetails"];
    assert_eq!(details["currentTxid"], txid.to_string());
    let on_chain = app.outside.simnet.node().transaction(&txid).unwrap().transaction().clone();
    let mut outputs = on_chain.outputs.iter();
    let payload = outputs.find_map(|output| Payload::from_script(&output.locking_script));
    let Some(Payload::Batch { root, tree_size, .. }) = payload else {
        unreachable!("no batch is on chain: {payload:?}")
    };
    let proof = &details["merkleProof"];
    assert_eq!(proof["treeSize"], tree_size);
    assert_eq!(proof["root"], root.to_string());
    let path: Vec<Digest> = serde_json::from_value(proof["path"].clone()).unwrap();
    let leaf_index = proof["leafIndex"].as_u64().unwrap();
    let commitment: Digest = details["commitment"].as_str().unwrap().parse().unwrap();
    let proof = InclusionProof { leaf_index, tree_size, path };
    assert_eq!(verify_inclusion(&commitment, &proof, &root), Ok(()), "{uid}");
    told
}

#[tokio::test]
async fn the_records_that_wait_share_one_transaction_and_have_a_proof_each() {
    let app = TestApp::start_with(batching).await;
    let first = register(&app, "TAG-0", &Owner::number(1)).await;
    let uids = ["TAG-0", "TAG-1", "TAG-2"];
    register(&app, "TAG-1", &Owner::number(2)).await;
    register(&app, "TAG-2", &Owner::number(3)).await;
    let waiting = app.anonymous().pending("registration", &first).await.expect(200);
    assert_eq!((&waiting["status"], &waiting["txid"]), (&json!("pending"), &Value::Null));
    let waiting = app.anonymous().verify("TAG-0").await.expect(200);
    assert_eq!(waiting["status"], "pending");

    let done = anchor(&app, json!({})).await.expect(200);
    assert_eq!(done["success"], true);
    assert_eq!((&done["processed"], &done["updated"]), (&json!(3), &json!(3)));
    let txid = txid_of(&done);
    for (place, uid) in uids.iter().enumerate() {
        let told = proved(&app, uid, txid).await;
        assert_eq!(told["verificationDetails"]["merkleProof"]["leafIndex"], place, "oldest first");
    }
    let again = anchor(&app, json!({})).await.expect(200);
    assert_eq!(again, json!({ "success": true, "message": NOTHING, "processed": 0 }));
    assert_eq!(app.outside.transactions(), [txid]);
    let confirmed = app.anonymous().pending("registration", &first).await.expect(200);
    assert_eq!(confirmed["status"], "confirmed");
    assert_eq!(confirmed["txid"], txid.to_string());

    app.mine(6);
    app.until("all are final", async || {
        for uid in uids {
            let told = proved(&app, uid, txid).await;
            if told["verificationDetails"]["stage"] != "final" {
                return None;
            }
        }
        Some(())
    })
    .await;
}

#[tokio::test]
async fn batches_of_1_2_3_and_257_records_prove_every_one_of_them() {
    for size in [1, 2, 3, 257] {
        let app = TestApp::start_with(batching).await;
        let uids = register_many(&app, size).await;
        let done = anchor(&app, json!({ "limit": 1_000 })).await.expect(200);
        assert_eq!(done["processed"], size);
        for uid in &uids {
            proved(&app, uid, txid_of(&done)).await;
        }
        assert_eq!(app.outside.transactions().len(), 1, "{size}");
    }
}

#[tokio::test]
async fn a_limit_takes_the_oldest_and_may_stand_in_query_or_body() {
    let app = TestApp::start_with(batching).await;
    let uids = register_many(&app, 5).await;
    let done = anchor(&app, json!({ "limit": 2 })).await.expect(200);
    assert_eq!(done["processed"], 2);
    proved(&app, &uids[1], txid_of(&done)).await;
    let left = app.anonymous().verify(&uids[2]).await.expect(200);
    assert_eq!(left["status"], "pending");
    let path = ["v1", "admin", "batch-anchor"];
    let by_query = app.api().call(Method::POST, &path).query(&[("limit", "1")]).send().await;
    assert_eq!(by_query.expect(200)["processed"], 1);
    let bare = app.api().call(Method::POST, &path).send().await.expect(200);
    assert_eq!(bare["processed"], 2, "no body at all, as clients of the predecessor send it");
    for wrong in [json!({ "limit": 0 }), json!({ "limit": 1_001 })] {
        anchor(&app, wrong).await.invalid(&["limit"]);
    }
    anchor(&app, json!({ "limits": 5 })).await.problem(400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn of_two_requests_at_once_one_forms_the_batch() {
    let app = TestApp::start_with(batching).await;
    register_many(&app, 20).await;
    let (one, two) = tokio::join!(anchor(&app, json!({})), anchor(&app, json!({})));
    let (one, two) = (one.expect(200), two.expect(200));
    let (done, idle) = if one["processed"] == 20 { (one, two) } else { (two, one) };
    assert_eq!(done["processed"], 20);
    assert_eq!(idle["message"], NOTHING);
    assert_eq!(app.outside.transactions(), [txid_of(&done)]);
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer_and_forms_no_second_batch() {
    let app = TestApp::start_with(batching).await;
    register_many(&app, 2).await;
    let ask = |limit: u64| {
        let call = app.api().call(Method::POST, &["v1", "admin", "batch-anchor"]);
        call.header("idempotency-key", "round-1").json(&json!({ "limit": limit })).send()
    };
    let first = ask(1).await.expect(200);
    assert_eq!(ask(1).await.expect(200), first);
    ask(2).await.problem(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn a_batch_forms_by_itself_when_enough_records_wait() {
    let app = TestApp::start_with(|settings| {
        batching(settings);
        settings.batching.max_records = 4;
    })
    .await;
    let uids = register_many(&app, 9).await;
    let txids = app
        .until("two batches are formed", async || {
            let txids = app.outside.transactions();
            (txids.len() == 2).then_some(txids)
        })
        .await;
    let mut in_batches = 0;
    for uid in &uids[..8] {
        app.until("the network has it", async || {
            let told = app.anonymous().verify(uid).await.expect(200);
            (told["status"] == "authentic").then_some(())
        })
        .await;
        in_batches += 1;
    }
    assert_eq!(in_batches, 8);
    let last = app.anonymous().verify(&uids[8]).await.expect(200);
    assert_eq!(last["status"], "pending", "one alone waits on");
    assert_eq!(app.outside.transactions(), txids);
}

#[tokio::test]
async fn a_batch_forms_by_itself_when_the_oldest_record_has_waited_long_enough() {
    let app = TestApp::start_with(batching).await;
    let uids = register_many(&app, 2).await;
    app.outside.clock.advance(Duration::from_secs(3_599));
    app.wake();
    assert!(app.outside.transactions().is_empty());
    app.outside.clock.advance(Duration::from_secs(2));
    register(&app, "TAG-9", &Owner::number(1)).await;
    app.until("a batch is formed", async || {
        let told = app.anonymous().verify(&uids[0]).await.expect(200);
        (told["status"] == "authentic").then_some(())
    })
    .await;
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn records_keep_the_route_that_they_were_accepted_for() {
    let app = TestApp::start_with(batching).await;
    register(&app, "TAG-BATCH", &Owner::number(1)).await;
    let app = app.restart_with(|settings| settings.batching.route = Route::Direct).await;
    let direct = app.api().register("TAG-DIRECT", &Owner::number(1)).await;
    let done = anchor(&app, json!({})).await.expect(200);
    assert_eq!(done["processed"], 1, "only the one that was accepted for a batch");
    proved(&app, "TAG-BATCH", txid_of(&done)).await;
    let told = app.anonymous().verify("TAG-DIRECT").await.expect(200);
    assert_eq!(told["verificationDetails"]["currentTxid"], direct.to_string());
    assert!(told["verificationDetails"].get("merkleProof").is_none());
    assert_eq!(anchor(&app, json!({})).await.expect(200)["message"], NOTHING);
}

fn seal_of(app: &TestApp, uid: &str, position: usize) -> bool {
    app.store.read(|tx| records_of(tx, uid)).unwrap()[position].seal.is_some()
}

#[tokio::test]
async fn products_of_a_batch_are_handed_on_each_by_its_own_owners_signature() {
    let app = TestApp::start_with(batching).await;
    let (ada, bob, eve) = (Owner::number(1), Owner::number(2), Owner::number(3));
    let uids = register_many(&app, 5).await;
    register(&app, "TAG-EVE", &eve).await;
    let before = app.api().transferring(
        &"0".repeat(64),
        &ada.hands_over("TAG-0", Txid::from_bytes([0; 32]), &bob.address()),
    );
    before.send().await.problem(404, "NOT_FOUND");
    let txid = txid_of(&anchor(&app, json!({})).await.expect(200));

    // The transaction names six products; the signature says which one.
    let moved = app.api().transfer("TAG-3", txid, &ada, &bob).await;
    assert_ne!(moved, txid);
    let told = app.anonymous().verify("TAG-3").await.expect(200);
    assert_eq!(told["status"], "authentic", "{told}");
    assert_eq!(told["verificationDetails"]["owner"], bob.address());
    assert!(!seal_of(&app, "TAG-3", 0) && seal_of(&app, "TAG-3", 1), "the first transfer seals");
    for uid in uids.iter().filter(|uid| *uid != "TAG-3") {
        let told = proved(&app, uid, txid).await;
        assert_eq!(told["verificationDetails"]["owner"], ada.address());
    }
    // The seal is spent by the next one.
    app.api().transfer("TAG-3", moved, &bob, &eve).await;
    let history = app.anonymous().history("TAG-3").await.expect(200);
    assert_eq!(history["events"][0]["merkle_proof"]["treeSize"], 6);
    assert_eq!(history["events"].as_array().unwrap().len(), 3);

    let transferring =
        async |body: &Value| app.api().transferring(&txid.to_string(), body).send().await;
    // Replayed, superseded, a stranger's, over another tag, over one that is not his.
    let replayed = ada.hands_over("TAG-3", txid, &bob.address());
    transferring(&replayed).await.problem(409, "STATE_CONFLICT");
    let superseded = ada.hands_over("TAG-3", txid, &eve.address());
    transferring(&superseded).await.problem(409, "STATE_CONFLICT");
    let stranger = Owner::number(9).hands_over("TAG-1", txid, &bob.address());
    transferring(&stranger).await.problem(403, "NOT_OWNER");
    let other = ada.hands_over("TAG-OTHER", txid, &bob.address());
    transferring(&other).await.problem(403, "INVALID_SIGNATURE");
    let not_his = ada.hands_over("TAG-EVE", txid, &bob.address());
    transferring(&not_his).await.problem(403, "INVALID_SIGNATURE");

    // With the tag named, the same rules hold.
    let mut named = ada.hands_over("TAG-1", txid, &bob.address());
    named["uid_tag_id"] = json!("TAG-2");
    transferring(&named).await.problem(403, "INVALID_SIGNATURE");
    named["uid_tag_id"] = json!("TAG-NEVER");
    transferring(&named).await.problem(404, "NOT_FOUND");
    named["uid_tag_id"] = json!("TAG-1");
    assert_eq!(transferring(&named).await.status, 200);
}

#[tokio::test]
async fn an_owner_of_very_many_products_of_a_batch_says_which_one_he_hands_on() {
    let app = TestApp::start_with(|settings| {
        batching(settings);
        settings.batching.max_records = 1_002;
    })
    .await;
    let uids = register_many(&app, 1_002).await;
    let txid = app
        .until("the batch is on the network", async || {
            let told = app.anonymous().verify(&uids[0]).await.expect(200);
            told["verificationDetails"]["currentTxid"].as_str().map(|it| it.parse().unwrap())
        })
        .await;
    // Tried in the order of the tags: TAG-999 is the last of them.
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let mut body = ada.hands_over("TAG-999", txid, &bob.address());
    let refused = app.api().transferring(&txid.to_string(), &body).send().await;
    refused.invalid(&["uid_tag_id"]);
    body["uid_tag_id"] = json!("TAG-999");
    assert_eq!(app.api().transferring(&txid.to_string(), &body).send().await.status, 200);
    // One that is found in time needs no name.
    app.api().transfer("TAG-0", txid, &ada, &bob).await;
}

#[tokio::test]
async fn operators_see_the_records_that_wait_for_a_batch() {
    let app = TestApp::start_with(batching).await;
    register_many(&app, 3).await;
    let page = async |cursor: Option<&str>| {
        let call = app.api().call(Method::GET, &["v1", "admin", "records"]);
        let mut query = vec![("stage", "accepted"), ("limit", "2")];
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        call.query(&query).send().await.expect(200)
    };
    let tags = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| item["uid_tag_id"].as_str().unwrap().to_owned()).collect()
    };
    let first = page(None).await;
    assert_eq!(tags(&first), ["TAG-0", "TAG-1"]);
    assert_eq!(first["items"][0]["recoverable"], false, "nothing is wrong with them");
    let second = page(first["nextCursor"].as_str()).await;
    assert_eq!((tags(&second), &second["nextCursor"]), (vec!["TAG-2".to_owned()], &Value::Null));
    let _ = anchor(&app, json!({})).await.expect(200);
    assert!(tags(&page(None).await).is_empty());
}
