//! Content that only the present owner opens, and each nonce once.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use insta::assert_json_snapshot;
use patchproof::crypto::{AeadKey, hkdf_sha256};
use patchproof::patch::message::transfer_message;
use patchproof::simnet::{Fault, Loss, RequestClass};
use patchproof::types::Txid;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};
use crate::support::redaction::redacted;

const UID: &str = "TAG-1";

async fn unlock(app: &TestApp, body: &Value) -> Answer {
    app.api().unlocking(UID, body).send().await
}

/// A product of owner 1 with content.
async fn with_content() -> (TestApp, Owner, Txid) {
    let app = TestApp::start().await;
    let ada = Owner::number(1);
    let txid = app.api().register(UID, &ada).await;
    let put = app.api().putting(UID, "text/plain; charset=utf-8", "the secret").send().await;
    assert_eq!(put.expect(200)["version"], 1);
    (app, ada, txid)
}

#[tokio::test]
async fn the_owner_opens_the_content_with_a_nonce() {
    let (app, ada, txid) = with_content().await;
    let segments = ["v1", "patches", UID, "unlock-challenge"];
    let challenge = app.anonymous().get(&segments).await;
    assert_eq!(challenge.header("cache-control"), Some("no-store"));
    let challenge = challenge.expect(200);
    let nonce = challenge["nonce"].as_str().unwrap();
    let answer = unlock(&app, &ada.opens(UID, txid, Some(nonce))).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.expect(200);
    assert_eq!(body["content"], "the secret");
    assert_eq!(body["txid"], txid.to_string());
    assert_json_snapshot!(redacted(json!([challenge, body])));
}

#[tokio::test]
async fn a_nonce_opens_once() {
    let (app, ada, txid) = with_content().await;
    let nonce = app.anonymous().challenge(UID).await;
    let body = ada.opens(UID, txid, Some(&nonce));
    let _ = unlock(&app, &body).await.expect(200);
    unlock(&app, &body).await.problem(403, "INVALID_SIGNATURE");
    let app = app.restart().await;
    unlock(&app, &body).await.problem(403, "INVALID_SIGNATURE");
}

#[tokio::test]
async fn of_128_uses_of_one_nonce_at_once_one_succeeds() {
    let (app, ada, txid) = with_content().await;
    let nonce = app.anonymous().challenge(UID).await;
    let body = ada.opens(UID, txid, Some(&nonce));
    let answers = join_all((0..128).map(|_| unlock(&app, &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.problem(403, "INVALID_SIGNATURE");
    }
}

#[tokio::test]
async fn a_wrong_guess_burns_no_nonce() {
    let (app, ada, txid) = with_content().await;
    let nonce = app.anonymous().challenge(UID).await;
    let eve = Owner::number(3);
    unlock(&app, &eve.opens(UID, txid, Some(&nonce))).await.problem(403, "NOT_OWNER");
    let mut forged = eve.opens(UID, txid, Some(&nonce));
    forged["ownerPubKey"] = json!(ada.key.public_key());
    unlock(&app, &forged).await.problem(403, "INVALID_SIGNATURE");
    let mut damaged = ada.opens(UID, txid, Some(&nonce));
    for field in ["wrappedKeyB64", "wrapIvB64", "ciphertextB64", "cipherIvB64"] {
        damaged[field] = json!("AAAA");
    }
    unlock(&app, &damaged).await.invalid(&["ciphertextB64"]);
    let _ = unlock(&app, &ada.opens(UID, txid, Some(&nonce))).await.expect(200);
}

#[tokio::test]
async fn a_nonce_belongs_to_its_product_and_dies_after_two_minutes() {
    let (app, ada, txid) = with_content().await;
    app.api().register("TAG-2", &ada).await;
    let other = app.anonymous().challenge("TAG-2").await;
    unlock(&app, &ada.opens(UID, txid, Some(&other))).await.problem(403, "INVALID_SIGNATURE");
    for unknown in ["", "x", "00000000000000000000000000000000", &"00".repeat(15), &"zz".repeat(16)]
    {
        let body = ada.opens(UID, txid, Some(unknown));
        unlock(&app, &body).await.problem(403, "INVALID_SIGNATURE");
    }
    let (old, fresh) = (app.anonymous().challenge(UID).await, app.anonymous().challenge(UID).await);
    app.outside.clock.advance(Duration::from_secs(115));
    let _ = unlock(&app, &ada.opens(UID, txid, Some(&fresh))).await.expect(200);
    app.outside.clock.advance(Duration::from_secs(5));
    unlock(&app, &ada.opens(UID, txid, Some(&old))).await.problem(403, "INVALID_SIGNATURE");
}

#[tokio::test]
async fn without_a_nonce_the_predecessors_message_opens_unless_the_operator_says_no() {
    let (app, ada, txid) = with_content().await;
    let body = ada.opens(UID, txid, None);
    assert_eq!(unlock(&app, &body).await.expect(200)["content"], "the secret");
    let app = app.restart_with(|settings| settings.unlock_requires_nonce = true).await;
    unlock(&app, &body).await.invalid(&["nonce"]);
    let nonce = app.anonymous().challenge(UID).await;
    let _ = unlock(&app, &ada.opens(UID, txid, Some(&nonce))).await.expect(200);
    // The old message with a nonce beside it is not a message with that nonce.
    let mut mixed = body;
    mixed["nonce"] = json!(app.anonymous().challenge(UID).await);
    unlock(&app, &mixed).await.problem(403, "INVALID_SIGNATURE");
}

#[tokio::test]
async fn only_the_present_owner_opens_and_a_past_one_no_more() {
    let (app, ada, first) = with_content().await;
    let bob = Owner::number(2);
    let early = bob.opens(UID, first, None);
    unlock(&app, &early).await.problem(403, "NOT_OWNER");
    let captured = ada.opens(UID, first, None);
    let second = app.api().transfer(UID, first, &ada, &bob).await;
    unlock(&app, &captured).await.problem(403, "NOT_OWNER");
    unlock(&app, &ada.opens(UID, second, None)).await.problem(403, "NOT_OWNER");
    // What Bob signed before it was his counts for no later state.
    unlock(&app, &early).await.problem(403, "INVALID_SIGNATURE");
    assert_eq!(
        unlock(&app, &bob.opens(UID, second, None)).await.expect(200)["content"],
        "the secret"
    );
    let transfer = json!({
        "ownerPubKey": bob.key.public_key(),
        "ownerSignature": bob.sign(&transfer_message(UID, second, &ada.address())),
    });
    unlock(&app, &transfer).await.problem(403, "INVALID_SIGNATURE");
}

#[tokio::test]
async fn a_clients_own_ciphertexts_are_opened_as_the_predecessor_did() {
    let (app, ada, txid) = with_content().await;
    let wrapping = hkdf_sha256(&[7; 32], UID.as_bytes(), b"patchproof-unlock-key");
    let wrapped = AeadKey::new(wrapping).seal(&[42; 32], b"");
    let cipher = AeadKey::new([42; 32]).seal("kept by the client".as_bytes(), b"");
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let mut body = ada.opens(UID, txid, None);
    body["wrapIvB64"] = json!(base64(&wrapped[..12]));
    body["wrappedKeyB64"] = json!(base64(&wrapped[12..]));
    body["cipherIvB64"] = json!(base64(&cipher[..12]));
    body["ciphertextB64"] = json!(base64(&cipher[12..]));
    let opened = unlock(&app, &body).await.expect(200);
    assert_eq!(opened["content"], "kept by the client");
    for field in ["wrapIvB64", "wrappedKeyB64", "cipherIvB64", "ciphertextB64"] {
        let mut less = body.clone();
        less.as_object_mut().unwrap().remove(field);
        unlock(&app, &less).await.invalid(&["wrappedKeyB64"]);
        for bad in ["", "!", "AA==", &base64(&[0; 11]), &base64(&[0; 48])] {
            let mut damaged = body.clone();
            damaged[field] = json!(bad);
            unlock(&app, &damaged).await.invalid(&["ciphertextB64"]);
        }
    }
    // The key of another product opens nothing.
    let other = app.api().register("TAG-2", &ada).await;
    let mut moved = ada.opens("TAG-2", other, None);
    for field in ["wrapIvB64", "wrappedKeyB64", "cipherIvB64", "ciphertextB64"] {
        moved[field] = body[field].clone();
    }
    app.api().unlocking("TAG-2", &moved).send().await.invalid(&["ciphertextB64"]);
}

#[tokio::test]
async fn content_is_replaced_up_to_a_mebibyte() {
    let (app, ada, txid) = with_content().await;
    let largest = vec![b'.'; 1 << 20];
    let put = app.api().putting(UID, "text/plain", largest.clone()).send().await;
    assert_eq!(put.expect(200)["version"], 2);
    let opened = unlock(&app, &ada.opens(UID, txid, None)).await.expect(200);
    assert_eq!(opened["content"].as_str().map(str::len), Some(1 << 20));
    let larger = [&largest[..], b"."].concat();
    app.api().putting(UID, "text/plain", larger).send().await.problem(413, "PAYLOAD_TOO_LARGE");
    let bytes: Vec<u8> = (0..=255).collect();
    let put = app.api().putting(UID, "image/png", bytes.clone()).send().await;
    assert_eq!(put.expect(200)["version"], 3);
    let opened = unlock(&app, &ada.opens(UID, txid, None)).await.expect(200);
    assert_eq!(opened["contentType"], "image/png");
    assert_eq!(opened["contentEncoding"], "base64");
    assert_eq!(STANDARD.decode(opened["content"].as_str().unwrap()).unwrap(), bytes);
    let empty = app.api().putting(UID, "text/plain", "").send().await;
    assert_eq!(empty.expect(200)["version"], 4);
    assert_eq!(unlock(&app, &ada.opens(UID, txid, None)).await.expect(200)["content"], "");
}

#[tokio::test]
async fn content_lies_encrypted_and_opens_only_as_what_it_was_put() {
    let (app, ada, txid) = with_content().await;
    let stored = app.store.read(|tx| patchproof::storage::contents::content(tx, UID)).unwrap();
    let stored = stored.unwrap();
    assert!(!stored.sealed.windows(6).any(|window| window == b"secret"));
    for change in ["flip", "version", "other tag"] {
        let mut changed = stored.clone();
        match change {
            "flip" => *changed.sealed.last_mut().unwrap() ^= 1,
            "version" => changed.version += 1,
            _ => {}
        }
        let uid = if change == "other tag" { "TAG-2" } else { UID };
        let owner_txid =
            if change == "other tag" { app.api().register(uid, &ada).await } else { txid };
        app.store.tamper(move |tx| tx.put_content(uid, &changed)).await;
        let answer = app.api().unlocking(uid, &ada.opens(uid, owner_txid, None)).send().await;
        assert!(answer.status >= 400, "{change}: {}", answer.text());
        assert!(!answer.text().contains("secret"));
    }
}

#[tokio::test]
async fn a_product_without_content_is_unlocked_with_nothing_in_it() {
    let app = TestApp::start().await;
    let ada = Owner::number(1);
    let txid = app.api().register(UID, &ada).await;
    let opened = unlock(&app, &ada.opens(UID, txid, None)).await.expect(200);
    assert_eq!(opened["authorized"], true);
    assert!(opened.get("content").is_none());
}

#[tokio::test]
async fn what_is_not_there_is_404_and_credentials_are_asked_for() {
    let app = TestApp::start().await;
    let ada = Owner::number(1);
    let nobody = ada.opens(UID, Txid::from_bytes([1; 32]), None);
    unlock(&app, &nobody).await.problem(404, "NOT_FOUND");
    app.api().putting(UID, "text/plain", "x").send().await.problem(404, "NOT_FOUND");
    let challenge = ["v1", "patches", UID, "unlock-challenge"];
    app.anonymous().get(&challenge).await.problem(404, "NOT_FOUND");
    let silence = Fault::DropRequest { loss: Loss::ConnectionClosed };
    app.outside.break_always(RequestClass::Broadcast, silence);
    let call = app.api().registering(&registration(UID, &ada));
    let _ = call.header("prefer", "respond-async").send().await.expect(202);
    unlock(&app, &nobody).await.problem(404, "NOT_FOUND");
    for (method, last) in [(Method::POST, "unlock-content"), (Method::PUT, "content")] {
        let segments = ["v1", "patches", UID, last];
        let bare = app.anonymous().call(method.clone(), &segments).json(&nobody);
        bare.send().await.problem(401, "UNAUTHENTICATED");
        let narrow = app.api_with("patches:write").call(method, &segments).json(&nobody);
        narrow.send().await.problem(403, "FORBIDDEN");
    }
}

#[tokio::test]
async fn the_body_of_an_unlock_is_read_strictly() {
    let (app, ada, txid) = with_content().await;
    let good = ada.opens(UID, txid, Some(&app.anonymous().challenge(UID).await));
    let fields = ["ownerPubKey", "ownerSignature", "nonce", "wrappedKeyB64", "ciphertextB64"];
    for field in fields {
        for value in [json!(null), json!(1), json!([]), json!({}), json!(true)] {
            let mut body = good.clone();
            body[field] = value;
            unlock(&app, &body).await.invalid(&[field]);
        }
    }
    for field in ["ownerPubKey", "ownerSignature"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        unlock(&app, &body).await.invalid(&[field]);
    }
    let mut more = good.clone();
    more["txid"] = json!(txid);
    unlock(&app, &more).await.invalid(&["txid"]);
    let items = json!([good["ownerPubKey"], good["ownerSignature"], good["nonce"]]);
    unlock(&app, &items).await.invalid(&[""]);
}
