//! Whoever changes what is stored is found out by verification, field by field.

use patchproof::anchor::commitment::{Salt, commit};
use patchproof::bitcoin::Address;
use patchproof::crypto::{SecretKey, sha256};
use patchproof::patch::record::Purpose;
use patchproof::storage::patches::patch;
use patchproof::storage::records::{expect_record, records_of};
use patchproof::storage::{Patch, StoreError, StoredRecord, WriteTx};
use patchproof::types::{Digest, Network};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::clients::{Owner, full_registration};

const UID: &str = "TAG-1";

/// A product with two events, both on the network.
async fn handed_over() -> TestApp {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let body = full_registration(UID, &ada);
    let answer = app.api().registering(&body).send().await.expect(201);
    let txid = answer["txid"].as_str().unwrap().parse().unwrap();
    app.api().transfer(UID, txid, &ada, &bob).await;
    // The answer that is about to become wrong is remembered.
    assert_eq!(app.anonymous().verify(UID).await.expect(200)["status"], "authentic");
    app
}

/// Changes an event behind the product's back.
async fn change_event(
    app: &TestApp,
    place: usize,
    change: impl Fn(&mut StoredRecord) + Send + 'static,
) {
    app.store
        .tamper(move |tx: &mut WriteTx<'_>| {
            let mut record = records_of(tx, UID)?.swap_remove(place);
            change(&mut record);
            tx.put_record(&record)
        })
        .await;
}

/// Changes the product's row behind the product's back.
async fn change_patch(app: &TestApp, change: impl Fn(&mut Patch) + Send + 'static) {
    app.store
        .tamper(move |tx: &mut WriteTx<'_>| {
            let mut found = patch(tx, UID)?.ok_or(StoreError::Missing { entity: "patch" })?;
            change(&mut found);
            tx.put_patch(&found)
        })
        .await;
}

async fn assert_compromised(app: &TestApp, what: &str) -> String {
    let state = app.anonymous().verify(UID).await.expect(200);
    assert_eq!(state["status"], "compromised", "{what}: {state}");
    let reason = state["verificationDetails"]["reason"].as_str().unwrap().to_owned();
    assert!(!reason.is_empty(), "{what}");
    reason
}

/// Returns every place in a document where a value stands.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(members) = value.as_object() else {
        return found.push(at.to_owned());
    };
    for (name, member) in members {
        leaves(member, &format!("{at}/{name}"), found);
    }
}

#[tokio::test]
async fn a_change_to_any_field_of_any_record_shows() {
    let app = handed_over().await;
    for place in 0..2 {
        let original = app.store.read(|tx| records_of(tx, UID)).unwrap().swap_remove(place);
        let document: Value = serde_json::from_slice(&original.canonical).unwrap();
        let mut fields = Vec::new();
        leaves(&document, "", &mut fields);
        assert!(fields.len() >= 16, "{fields:?}");
        for field in fields {
            let mut changed = document.clone();
            let value = changed.pointer_mut(&field).unwrap();
            *value = value.as_str().map_or(json!(2), |text| json!(format!("{text}x")));
            let canonical = changed.to_string().into_bytes();
            change_event(&app, place, move |record| record.canonical.clone_from(&canonical)).await;
            assert_compromised(&app, &format!("event {place}: {field}")).await;
            let whole = original.clone();
            change_event(&app, place, move |record| record.clone_from(&whole)).await;
        }
        let state = app.anonymous().verify(UID).await.expect(200);
        assert_eq!(state["status"], "authentic", "put back as it was");
    }
}

#[tokio::test]
async fn a_change_to_what_stands_beside_a_record_shows() {
    let app = handed_over().await;
    for place in 0..2 {
        let original = app.store.read(|tx| records_of(tx, UID)).unwrap().swap_remove(place);
        let other = app.store.read(|tx| records_of(tx, UID)).unwrap().swap_remove(1 - place);
        let changes: Vec<(&str, StoredRecord)> = vec![
            ("salt", StoredRecord { salt: Salt::from_bytes([9; 16]), ..original.clone() }),
            (
                "commitment",
                StoredRecord { commitment: Digest::from_bytes([9; 32]), ..original.clone() },
            ),
            ("signature", StoredRecord { issuer_signature: None, ..original.clone() }),
            (
                "signature of the other",
                StoredRecord {
                    issuer_signature: other.issuer_signature.clone(),
                    ..original.clone()
                },
            ),
            ("txid of the other", StoredRecord { txid: other.txid, ..original.clone() }),
            (
                "everything of the other",
                StoredRecord {
                    canonical: other.canonical.clone(),
                    salt: other.salt,
                    commitment: other.commitment,
                    issuer_signature: other.issuer_signature.clone(),
                    ..original.clone()
                },
            ),
        ];
        for (what, changed) in changes {
            change_event(&app, place, move |record| record.clone_from(&changed)).await;
            assert_compromised(&app, &format!("event {place}: {what}")).await;
            let (whole, beside) = (original.clone(), other.clone());
            change_event(&app, place, move |record| record.clone_from(&whole)).await;
            change_event(&app, 1 - place, move |record| record.clone_from(&beside)).await;
        }
    }
    assert_eq!(app.anonymous().verify(UID).await.expect(200)["status"], "authentic");
}

/// Rewrites an event as another issuer would: every part of it agrees with every other.
fn reissue(record: &mut StoredRecord, key: &SecretKey, change: impl Fn(&mut Value)) {
    let mut document: Value = serde_json::from_slice(&record.canonical).unwrap();
    document["auth"]["issuer"] = json!(key.public_key());
    change(&mut document);
    record.canonical = document.to_string().into_bytes();
    record.commitment = commit(&record.salt, &record.canonical);
    let digest = Digest::from_bytes(sha256(&record.canonical));
    record.issuer_signature = Some((&key.sign(&digest)).into());
}

#[tokio::test]
async fn another_issuers_signature_is_worth_nothing_however_well_it_fits() {
    let app = handed_over().await;
    let forger = SecretKey::from_bytes(&[66; 32]).unwrap();
    change_event(&app, 0, move |record| reissue(record, &forger, |_| {})).await;
    let reason = assert_compromised(&app, "other issuer").await;
    // The transaction on chain commits to the true record, which is found out first.
    assert!(reason.contains("commits to something else"), "{reason}");
    let forger = SecretKey::from_bytes(&[66; 32]).unwrap();
    change_event(&app, 0, move |record| {
        reissue(record, &forger, |_| {});
        record.txid = None;
    })
    .await;
    let reason = assert_compromised(&app, "other issuer, no transaction").await;
    assert!(reason.contains("not one this operator trusts"), "{reason}");
}

#[tokio::test]
async fn even_the_issuer_cannot_change_what_stands_on_chain() {
    let app = handed_over().await;
    let issuer = app.outside.keystore.get("issuer").unwrap().clone();
    change_event(&app, 0, move |record| {
        let mut document: Value = serde_json::from_slice(&record.canonical).unwrap();
        document["product"]["name"] = json!("a better name");
        record.canonical = document.to_string().into_bytes();
        record.commitment = commit(&record.salt, &record.canonical);
        let digest = Digest::from_bytes(sha256(&record.canonical));
        record.issuer_signature = Some((&issuer.sign(&digest)).into());
    })
    .await;
    let reason = assert_compromised(&app, "the issuer").await;
    assert!(reason.contains("commits to something else"), "{reason}");
}

#[tokio::test]
async fn a_change_to_the_products_row_shows() {
    let app = handed_over().await;
    let original = app.store.read(|tx| patch(tx, UID)).unwrap().unwrap();
    let events = app.store.read(|tx| records_of(tx, UID)).unwrap();
    let thief = Address::of_key(&Owner::number(9).key.public_key(), Network::Test);
    let first = events[0].clone();
    let changes: Vec<(&str, Patch)> = vec![
        ("owner", Patch { owner: thief, ..original.clone() }),
        ("head", Patch { head: first.id, ..original.clone() }),
        ("transaction", Patch { current_txid: first.txid, ..original.clone() }),
        ("no transaction", Patch { current_txid: None, ..original.clone() }),
        ("pending", Patch { pending: Some(original.head), ..original.clone() }),
        (
            "all of the first event",
            Patch { head: first.id, current_txid: first.txid, ..original.clone() },
        ),
    ];
    for (what, changed) in changes {
        change_patch(&app, move |found| found.clone_from(&changed)).await;
        let state = app.anonymous().verify(UID).await.expect(200);
        assert_eq!(state["status"], "compromised", "{what}: {state}");
        let whole = original.clone();
        change_patch(&app, move |found| found.clone_from(&whole)).await;
    }
    assert_eq!(app.anonymous().verify(UID).await.expect(200)["status"], "authentic");
}

#[tokio::test]
async fn a_registration_cannot_be_passed_off_as_a_transfer_or_the_other_way_round() {
    let app = handed_over().await;
    let (first, second) = {
        let mut events = app.store.read(|tx| records_of(tx, UID)).unwrap();
        let second = events.pop().unwrap();
        (events.pop().unwrap(), second)
    };
    // The two change places.
    app.store
        .tamper(move |tx: &mut WriteTx<'_>| {
            tx.put_record(&StoredRecord { position: 1, ..first.clone() })?;
            tx.put_record(&StoredRecord { position: 0, ..second.clone() })
        })
        .await;
    assert_compromised(&app, "swapped").await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_compromised_and_nothing_breaks() {
    let app = handed_over().await;
    for bytes in
        [&b""[..], b"{}", b"null", b"\xff\xfe", b"[1,2", b"{\"type\":\"AUTHENTICATION_RECORD\"}"]
    {
        change_event(&app, 0, move |record| record.canonical = bytes.to_vec()).await;
        let reason = assert_compromised(&app, "unreadable").await;
        assert_eq!(reason, "a stored record cannot be read");
        let history = app.anonymous().history(UID).await;
        assert_eq!(history.status, 200, "{}", history.text());
    }
}

#[tokio::test]
async fn another_products_record_is_no_record_of_this_one() {
    let app = handed_over().await;
    app.api().register("TAG-2", &Owner::number(2)).await;
    let other = app.store.read(|tx| records_of(tx, "TAG-2")).unwrap().remove(0);
    change_event(&app, 0, move |record| {
        *record = StoredRecord { id: record.id, uid: record.uid.clone(), ..other.clone() };
    })
    .await;
    let reason = assert_compromised(&app, "another product").await;
    assert!(reason.contains("belongs elsewhere"), "{reason}");
    let purpose = app.store.read(|tx| {
        let id = records_of(tx, UID)?[0].id;
        expect_record(tx, id).map(|record| record.purpose)
    });
    assert_eq!(purpose.unwrap(), Purpose::RegisterPatch);
}
