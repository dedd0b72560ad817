//! Handing products on: who may, from which state, and how often.

use futures_util::future::join_all;
use insta::assert_json_snapshot;
use patchproof::bitcoin::Address;
use patchproof::patch::message::{message_digest, transfer_message, unlock_message};
use patchproof::simnet::{Fault, Loss, RequestClass};
use patchproof::types::{Digest, Network, Txid};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};
use crate::support::redaction::redacted;

const UID: &str = "TAG-1";
const SILENCE: Fault = Fault::DropRequest { loss: Loss::ConnectionClosed };

async fn transfer(app: &TestApp, txid: Txid, body: &Value) -> Answer {
    app.api().transferring(&txid.to_string(), body).send().await
}

#[tokio::test]
async fn a_transfer_that_the_network_takes_in_time_is_answered_200() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let txid = app.api().register(UID, &ada).await;
    let answer = transfer(&app, txid, &ada.hands_over(UID, txid, &bob.address())).await;
    let body = answer.expect(200);
    let details = &app.anonymous().verify(UID).await.expect(200)["verificationDetails"];
    assert_eq!(details["owner"], bob.address());
    assert_eq!(details["currentTxid"], body["newTxid"]);
    assert_json_snapshot!(redacted(body));
}

#[tokio::test]
async fn who_prefers_not_to_wait_finds_the_transfer_under_its_own_kind() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let txid = app.api().register(UID, &ada).await;
    let body = ada.hands_over(UID, txid, &bob.address());
    let call = app.api().transferring(&txid.to_string(), &body);
    let answer = call.header("prefer", "respond-async").send().await;
    let accepted = answer.expect(202);
    let id = accepted["jobId"].as_str().unwrap();
    assert_eq!(
        answer.header("location"),
        Some(format!("/v1/patches/pending/transfer/{id}").as_str())
    );
    app.until("the transfer is confirmed", async || {
        let state = app.anonymous().pending("transfer", id).await.expect(200);
        (state["status"] == "confirmed").then_some(())
    })
    .await;
    app.anonymous().pending("registration", id).await.problem(404, "NOT_FOUND");
    assert_json_snapshot!(redacted(accepted));
}

#[tokio::test]
async fn a_product_stays_authentic_through_ten_hands() {
    let app = TestApp::start().await;
    let mut txid = app.api().register(UID, &Owner::number(1)).await;
    for number in 1..=10 {
        let (from, to) = (Owner::number(number), Owner::number(number + 1));
        txid = app.api().transfer(UID, txid, &from, &to).await;
        if number % 3 == 0 {
            app.mine(1);
        }
        let state = app.anonymous().verify(UID).await.expect(200);
        assert_eq!(state["status"], "authentic", "{state}");
        assert_eq!(state["verificationDetails"]["owner"], to.address());
    }
    let history = app.anonymous().history(UID).await.expect(200);
    assert_eq!(history["events"].as_array().unwrap().len(), 11);
}

#[tokio::test]
async fn both_credentials_are_needed() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let txid = app.api().register(UID, &ada).await;
    let body = ada.hands_over(UID, txid, &bob.address());
    let path = txid.to_string();
    let segments = ["v1", "patches", path.as_str(), "transfer-ownership"];
    let token = app.token_of("ada");
    let bare = app.anonymous().call(Method::POST, &segments).json(&body);
    bare.send().await.problem(401, "UNAUTHENTICATED");
    let no_key = app.anonymous().call(Method::POST, &segments).bearer(&token).json(&body);
    no_key.send().await.problem(401, "UNAUTHENTICATED");
    let no_token = app.api().call(Method::POST, &segments).json(&body);
    no_token.send().await.problem(401, "UNAUTHENTICATED");
    for bad in ["x", "a.b.c", &token[..token.len() - 2], &format!("{token}x")] {
        let call = app.api().call(Method::POST, &segments).bearer(bad).json(&body);
        call.send().await.problem(401, "TOKEN_INVALID");
    }
    let narrow = app.api_with("pos").call(Method::POST, &segments).bearer(&token).json(&body);
    narrow.send().await.problem(403, "FORBIDDEN");
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn only_the_present_owner_hands_over() {
    let app = TestApp::start().await;
    let (ada, bob, eve) = (Owner::number(1), Owner::number(2), Owner::number(3));
    let txid = app.api().register(UID, &ada).await;
    let stolen = eve.hands_over(UID, txid, &eve.address());
    transfer(&app, txid, &stolen).await.problem(403, "NOT_OWNER");
    // Eve names Ada's key, but cannot sign with it.
    let mut forged = eve.hands_over(UID, txid, &eve.address());
    forged["currentOwnerPubKey"] = json!(ada.key.public_key());
    transfer(&app, txid, &forged).await.problem(403, "INVALID_SIGNATURE");
    let second = app.api().transfer(UID, txid, &ada, &bob).await;
    let late = ada.hands_over(UID, second, &eve.address());
    transfer(&app, second, &late).await.problem(403, "NOT_OWNER");
    assert_eq!(app.outside.transactions().len(), 2);
}

#[tokio::test]
async fn a_signature_counts_for_one_purpose_product_state_and_receiver() {
    let app = TestApp::start().await;
    let (ada, bob, eve) = (Owner::number(1), Owner::number(2), Owner::number(3));
    let txid = app.api().register(UID, &ada).await;
    let other = app.api().register("TAG-2", &ada).await;
    let to = bob.address();
    let main = Address::of_key(&bob.key.public_key(), Network::Main).to_string();
    let message = transfer_message(UID, txid, &to);
    let mut reversed = message_digest(&message).to_bytes();
    reversed.reverse();
    let signatures = [
        ada.sign(&unlock_message(UID, txid, None)),
        ada.sign(&transfer_message("TAG-2", txid, &to)),
        ada.sign(&transfer_message(UID, other, &to)),
        ada.sign(&transfer_message(UID, txid, &eve.address())),
        ada.sign(&transfer_message(UID, txid, &main)),
        ada.sign(&message.replace(":\"transfer_ownership\"", ": \"transfer_ownership\"")),
        ada.sign(&format!("{message} ")),
        ada.key.sign(&Digest::from_bytes(reversed)).to_string(),
        bob.sign(&message),
    ];
    for (number, signature) in signatures.iter().enumerate() {
        let mut body = ada.hands_over(UID, txid, &to);
        body["currentOwnerSignature"] = json!(signature);
        let problem = transfer(&app, txid, &body).await.problem(403, "INVALID_SIGNATURE");
        assert!(problem.get("errors").is_none(), "{number}: {problem}");
    }
    assert_eq!(app.outside.transactions().len(), 2);
}

#[tokio::test]
async fn a_signature_has_one_form() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let txid = app.api().register(UID, &ada).await;
    let good = ada.hands_over(UID, txid, &bob.address());
    let der = good["currentOwnerSignature"].as_str().unwrap().to_owned();
    let mut forms = vec![
        String::new(),
        "30".to_owned(),
        "zz".repeat(70),
        der[..der.len() - 2].to_owned(),
        der[..der.len() - 1].to_owned(),
        format!("{der}00"),
        format!("{der}41"),
        format!("0x{der}"),
        format!(" {der}"),
        "00".repeat(64),
        "00".repeat(65),
        der.repeat(100),
        high_s(&der),
        padded_r(&der),
        "3006020100020100".to_owned(),
        "3006020101020100".to_owned(),
    ];
    forms.push(format!("3080{}", &der[4..]));
    for form in forms {
        let mut body = good.clone();
        body["currentOwnerSignature"] = json!(form);
        transfer(&app, txid, &body).await.problem(403, "INVALID_SIGNATURE");
    }
    assert_eq!(app.outside.transactions().len(), 1);
    let mut upper = good;
    upper["currentOwnerSignature"] = json!(der.to_uppercase());
    let _ = transfer(&app, txid, &upper).await.expect(200);
}

/// Returns the other signature that is as good to mathematics: n - s.
fn high_s(der: &str) -> String {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36,
        0x41, 0x41,
    ];
    let bytes = hex::decode(der).unwrap();
    let r_length = usize::from(bytes[3]);
    let (r, s) = (&bytes[4..4 + r_length], &bytes[6 + r_length..]);
    let mut low = [0; 32];
    low[32 - s.len().min(32)..].copy_from_slice(&s[s.len().saturating_sub(32)..]);
    let mut borrow = 0;
    let mut high = [0; 32];
    for at in (0..32).rev() {
        let difference = i16::from(ORDER[at]) - i16::from(low[at]) - borrow;
        borrow = i16::from(difference < 0);
        high[at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    let (r, s) = (hex::encode(r), hex::encode(high));
    format!("30{:02x}02{:02x}{r}022100{s}", r_length + 37, r_length)
}

/// Returns the same numbers with a zero in front of r that need not be there.
fn padded_r(der: &str) -> String {
    let bytes = hex::decode(der).unwrap();
    let rest = hex::encode(&bytes[4..]);
    format!("30{:02x}02{:02x}00{rest}", bytes[1] + 1, bytes[3] + 1)
}

#[tokio::test]
async fn keys_addresses_and_transactions_are_read_strictly() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let txid = app.api().register(UID, &ada).await;
    let good = ada.hands_over(UID, txid, &bob.address());
    let key = good["currentOwnerPubKey"].as_str().unwrap().to_owned();
    for bad in [
        "",
        "02ff",
        &key[..64],
        &format!("{key}00"),
        &format!("04{}", "11".repeat(64)),
        &format!("06{}", "11".repeat(64)),
        &format!("05{}", &key[2..]),
        &"00".repeat(33),
        "00",
        &format!("02{}", "ff".repeat(32)),
        &format!("02{}", "00".repeat(31) + "05"),
        "not a key",
    ] {
        let mut body = good.clone();
        body["currentOwnerPubKey"] = json!(bad);
        transfer(&app, txid, &body).await.invalid(&["currentOwnerPubKey"]);
    }
    let main = Address::of_key(&bob.key.public_key(), Network::Main).to_string();
    for bad in
        ["", &main, "2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc", "mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8"]
    {
        let mut body = good.clone();
        body["newOwnerAddress"] = json!(bad);
        transfer(&app, txid, &body).await.invalid(&["newOwnerAddress"]);
    }
    transfer(&app, txid, &ada.hands_over(UID, txid, &ada.address()))
        .await
        .invalid(&["newOwnerAddress"]);
    let hex = txid.to_string();
    for bad in
        [&hex[1..], &format!("{hex}0"), "x", UID, &"g".repeat(64), &format!(" {}", &hex[1..])]
    {
        app.api().transferring(bad, &good).send().await.invalid(&["txid"]);
    }
    for field in ["newOwnerAddress", "currentOwnerPubKey", "currentOwnerSignature"] {
        for value in [json!(null), json!(1), json!([]), json!({})] {
            let mut body = good.clone();
            body[field] = value;
            transfer(&app, txid, &body).await.invalid(&[field]);
        }
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        transfer(&app, txid, &body).await.invalid(&[field]);
    }
    let mut more = good;
    more["nonce"] = json!("x");
    transfer(&app, txid, &more).await.invalid(&["nonce"]);
    assert_eq!(app.outside.transactions().len(), 1);
}

#[tokio::test]
async fn a_transaction_that_carries_no_event_is_404() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let _ = app.api().register(UID, &ada).await;
    let unknown = Txid::from_bytes([7; 32]);
    let body = ada.hands_over(UID, unknown, &bob.address());
    transfer(&app, unknown, &body).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_signature_of_an_earlier_state_is_worth_nothing_even_when_its_owner_is_back() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    let first = app.api().register(UID, &ada).await;
    let captured = ada.hands_over(UID, first, &bob.address());
    let second = app.api().transfer(UID, first, &ada, &bob).await;
    transfer(&app, first, &captured).await.problem(409, "STATE_CONFLICT");
    let third = app.api().transfer(UID, second, &bob, &ada).await;
    // Ada owns it again, but of another state than the one she signed.
    transfer(&app, first, &captured).await.problem(409, "STATE_CONFLICT");
    transfer(&app, third, &captured).await.problem(403, "INVALID_SIGNATURE");
    assert_eq!(app.outside.transactions().len(), 3);
    let details = &app.anonymous().verify(UID).await.expect(200)["verificationDetails"];
    assert_eq!(details["owner"], ada.address());
}

#[tokio::test]
async fn of_128_transfers_of_one_state_at_once_exactly_one_wins() {
    let app = TestApp::start().await;
    let ada = Owner::number(1);
    let txid = app.api().register(UID, &ada).await;
    let receivers: Vec<String> = (2..=129).map(|number| Owner::number(number).address()).collect();
    let bodies: Vec<Value> = receivers.iter().map(|to| ada.hands_over(UID, txid, to)).collect();
    let answers = join_all(bodies.iter().map(|body| transfer(&app, txid, body))).await;
    let winners: Vec<usize> =
        (0..answers.len()).filter(|index| answers[*index].status == 200).collect();
    assert_eq!(winners.len(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.problem(409, "STATE_CONFLICT");
    }
    let details = &app.anonymous().verify(UID).await.expect(200)["verificationDetails"];
    assert_eq!(details["owner"], *receivers[winners[0]]);
    assert_eq!(app.outside.transactions().len(), 2);
}

#[tokio::test]
async fn while_a_transfer_is_under_way_nothing_else_happens_to_the_product() {
    let app = TestApp::start().await;
    let (ada, bob, eve) = (Owner::number(1), Owner::number(2), Owner::number(3));
    let txid = app.api().register(UID, &ada).await;
    app.outside.break_always(RequestClass::Broadcast, SILENCE);
    let body = ada.hands_over(UID, txid, &bob.address());
    let call = app.api().transferring(&txid.to_string(), &body);
    let id = call.header("prefer", "respond-async").send().await.expect(202)["jobId"].clone();
    let second = ada.hands_over(UID, txid, &eve.address());
    transfer(&app, txid, &second).await.problem(409, "STATE_CONFLICT");
    let state = app.anonymous().verify(UID).await.expect(200);
    assert_eq!(state["status"], "authentic");
    assert_eq!(state["verificationDetails"]["owner"], ada.address());
    assert_eq!(state["verificationDetails"]["isTransferPending"], true);
    app.outside.network_works();
    app.until("the transfer is confirmed", async || {
        let state = app.anonymous().pending("transfer", id.as_str().unwrap()).await.expect(200);
        (state["status"] == "confirmed").then_some(())
    })
    .await;
    let state = app.anonymous().verify(UID).await.expect(200);
    assert_eq!(state["verificationDetails"]["isTransferPending"], false);
    assert_eq!(state["verificationDetails"]["owner"], bob.address());
}

#[tokio::test]
async fn a_registration_that_is_not_on_the_network_yet_cannot_be_handed_on() {
    let app = TestApp::start().await;
    let (ada, bob) = (Owner::number(1), Owner::number(2));
    app.outside.break_always(RequestClass::Broadcast, SILENCE);
    let call = app.api().registering(&registration(UID, &ada));
    let _ = call.header("prefer", "respond-async").send().await.expect(202);
    let txid = app
        .until("the transaction is signed", async || {
            let found = app.store.read(|tx| patchproof::storage::records::records_of(tx, UID));
            found.unwrap()[0].txid
        })
        .await;
    let body = ada.hands_over(UID, txid, &bob.address());
    transfer(&app, txid, &body).await.problem(409, "STATE_CONFLICT");
}

#[tokio::test]
async fn a_transfer_that_the_network_refuses_for_good_leaves_the_product_where_it_was() {
    let app = TestApp::start().await;
    let (ada, bob, eve) = (Owner::number(1), Owner::number(2), Owner::number(3));
    let txid = app.api().register(UID, &ada).await;
    let words = "unexpected response code 500: 64: bad-txns-too-many-sigops".to_owned();
    app.outside.break_always(RequestClass::Broadcast, Fault::Refuse { status: 400, body: words });
    let answer = transfer(&app, txid, &ada.hands_over(UID, txid, &bob.address())).await;
    let id = answer.expect(202)["jobId"].as_str().unwrap().to_owned();
    let failed = app.anonymous().pending("transfer", &id).await.expect(200);
    assert_eq!((&failed["status"], &failed["txid"]), (&json!("failed"), &json!(null)));
    assert!(failed["error"].as_str().unwrap().contains("too-many-sigops"), "{failed}");
    let state = app.anonymous().verify(UID).await.expect(200);
    assert_eq!(state["status"], "authentic", "{state}");
    assert_eq!(state["verificationDetails"]["owner"], ada.address());
    app.outside.network_works();
    let moved = app.api().transfer(UID, txid, &ada, &eve).await;
    let details = app.anonymous().verify(UID).await.expect(200);
    assert_eq!(details["status"], "authentic", "{details}");
    assert_eq!(details["verificationDetails"]["currentTxid"], moved.to_string());
}
