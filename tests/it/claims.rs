//! Claims at a point of sale: a customer claims, the shop that owns the product signs it over, once.

use std::time::Duration;

use futures_util::future::join_all;
use patchproof::patch::message::transfer_message;
use patchproof::storage::claims::claim_count;
use patchproof::types::Txid;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::{FULL_KEY, TestApp};
use crate::support::clients::{Owner, registration};

const UID: &str = "TAG-1";

/// A shop with a product on the shelf, a till of its own and a customer.
pub(crate) struct Counter {
    pub(crate) app: TestApp,
    pub(crate) shop: Owner,
    pub(crate) customer: Owner,
    pub(crate) till: String,
    pub(crate) txid: Txid,
}

impl Counter {
    pub(crate) async fn open() -> Self {
        let app = TestApp::start().await;
        let (shop, customer) = (Owner::number(1), Owner::number(2));
        let txid = app.api().register(UID, &shop).await;
        let till = till_of(&app, &shop).await;
        Self { app, shop, customer, till, txid }
    }

    pub(crate) async fn file(&self, customer: &Owner) -> Answer {
        let intent = claim_of(&self.app, customer, UID).await;
        file(&self.app, &intent).await
    }

    /// Has the customer's claim filed and returns its identifier.
    pub(crate) async fn claim(&self) -> String {
        let filed = self.file(&self.customer).await.expect(201);
        filed["claimId"].as_str().unwrap().to_owned()
    }

    pub(crate) fn approval(&self, claim: &str) -> Value {
        let message = transfer_message(UID, self.txid, &self.customer.address());
        json!({
            "claimId": claim,
            "currentOwnerPubKey": self.shop.key.public_key(),
            "currentOwnerSignature": self.shop.sign(&message),
        })
    }

    pub(crate) async fn approve(&self, body: &Value) -> Answer {
        approve(&self.app, &self.till, body).await
    }

    pub(crate) async fn owner(&self) -> String {
        let state = self.app.anonymous().verify(UID).await.expect(200);
        state["verificationDetails"]["owner"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn till_of(app: &TestApp, shop: &Owner) -> String {
    let body = json!({ "name": "till", "scopes": ["pos"], "shop": shop.address() });
    let call = app.api_with(FULL_KEY).call(Method::POST, &["v1", "admin", "keys"]);
    call.json(&body).send().await.expect(201)["key"].as_str().unwrap().to_owned()
}

/// Asks for a nonce and signs a claim with it.
pub(crate) async fn claim_of(app: &TestApp, customer: &Owner, uid: &str) -> Value {
    let given = app.anonymous().get(&["v1", "pos", "claim-challenge", uid]).await.expect(200);
    let (ts, nonce) = (given["ts"].as_i64().unwrap(), given["nonce"].as_str().unwrap());
    let address = customer.address();
    let message = format!("PATCHPROOF_CLAIM|uid:{uid}|addr:{address}|ts:{ts}|nonce:{nonce}");
    json!({
        "uid_tag_id": uid,
        "newOwnerAddress": address,
        "newOwnerPubKey": customer.key.public_key(),
        "newOwnerSignature": customer.sign(&message),
        "ts": ts,
        "nonce": nonce,
    })
}

pub(crate) async fn file(app: &TestApp, intent: &Value) -> Answer {
    let call = app.anonymous().call(Method::POST, &["v1", "pos", "claim-intent"]);
    call.json(intent).send().await
}

async fn approve(app: &TestApp, key: &str, body: &Value) -> Answer {
    let call = app.api_with(key).call(Method::POST, &["v1", "pos", "claim-approve"]);
    call.json(body).send().await
}

async fn status(app: &TestApp, key: Option<&str>, claim: &str) -> Answer {
    let segments = ["v1", "pos", "claim-status", claim];
    match key {
        Some(key) => app.api_with(key).get(&segments).await,
        None => app.anonymous().get(&segments).await,
    }
}

#[tokio::test]
async fn c20_a_claimed_product_becomes_the_customers_and_stays_authentic() {
    let counter = Counter::open().await;
    let filed = counter.file(&counter.customer).await;
    let body = filed.expect(201);
    let claim = body["claimId"].as_str().unwrap().to_owned();
    assert_eq!(body["status"], "pending");
    assert_eq!(filed.header("location"), Some(format!("/v1/pos/claim-status/{claim}").as_str()));
    // The till learns from the status what it has to sign.
    let shown = status(&counter.app, Some(&counter.till), &claim).await.expect(200);
    let message = transfer_message(UID, counter.txid, &counter.customer.address());
    assert_eq!(shown["message"], message);
    let body = counter.approve(&counter.approval(&claim)).await.expect(200);
    assert_eq!(counter.owner().await, counter.customer.address());
    let shown = status(&counter.app, None, &claim).await.expect(200);
    assert_eq!(shown["status"], "approved");
    let id = shown["pendingId"].as_str().unwrap();
    let pending = counter.app.anonymous().pending("transfer", id).await.expect(200);
    assert_eq!((&pending["status"], &pending["txid"]), (&json!("confirmed"), &body["newTxid"]));
    let state = counter.app.anonymous().verify(UID).await.expect(200);
    assert_eq!(state["status"], "authentic", "{state}");
}

#[tokio::test]
async fn c21_a_till_moves_what_its_shop_owns_and_nothing_else() {
    let counter = Counter::open().await;
    let claim = counter.claim().await;
    let approval = counter.approval(&claim);
    // Neither the key that may everything nor another shop's.
    approve(&counter.app, FULL_KEY, &approval).await.problem(403, "FORBIDDEN");
    let stranger = till_of(&counter.app, &Owner::number(9)).await;
    approve(&counter.app, &stranger, &approval).await.problem(403, "NOT_OWNER");
    // A stolen till key signs nothing: the shop's own key does.
    let thief = Owner::number(8);
    let mut forged = approval.clone();
    let message = transfer_message(UID, counter.txid, &counter.customer.address());
    forged["currentOwnerSignature"] = thief.sign(&message).into();
    counter.approve(&forged).await.problem(403, "INVALID_SIGNATURE");
    forged["currentOwnerPubKey"] = thief.key.public_key().to_string().into();
    counter.approve(&forged).await.problem(403, "NOT_OWNER");
    // A signature for another address is none for this claim.
    let elsewhere = transfer_message(UID, counter.txid, &thief.address());
    let mut turned = approval.clone();
    turned["currentOwnerSignature"] = counter.shop.sign(&elsewhere).into();
    counter.approve(&turned).await.problem(403, "INVALID_SIGNATURE");
    assert_eq!(counter.owner().await, counter.shop.address());
    // What a customer has bought, the shop cannot move again.
    let _ = counter.approve(&approval).await.expect(200);
    let again = counter.file(&thief).await.expect(201);
    let again = counter.approval(again["claimId"].as_str().unwrap());
    counter.approve(&again).await.problem(403, "NOT_OWNER");
}

#[tokio::test]
async fn c22_of_128_approvals_at_once_one_transfer_comes() {
    let counter = Counter::open().await;
    let claim = counter.claim().await;
    let approval = counter.approval(&claim);
    let before = counter.app.outside.transactions().len();
    let answers = join_all((0..128).map(|_| counter.approve(&approval))).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(good, 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.problem(409, "CLAIM_CLOSED");
    }
    assert_eq!(counter.app.outside.transactions().len(), before + 1);
    let history = counter.app.anonymous().history(UID).await.expect(200);
    assert_eq!(history["events"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn c22_two_claims_of_one_product_make_one_transfer() {
    let counter = Counter::open().await;
    let (rival, claim) = (Owner::number(3), counter.claim().await);
    let other = counter.file(&rival).await.expect(201)["claimId"].as_str().unwrap().to_owned();
    let message = transfer_message(UID, counter.txid, &rival.address());
    let mut second = counter.approval(&other);
    second["currentOwnerSignature"] = counter.shop.sign(&message).into();
    let first = counter.approval(&claim);
    let (one, two) = tokio::join!(counter.approve(&first), counter.approve(&second));
    assert_eq!([one.status, two.status].iter().filter(|it| **it == 200).count(), 1);
    let history = counter.app.anonymous().history(UID).await.expect(200);
    assert_eq!(history["events"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn c22_an_approval_that_the_disk_refuses_leaves_claim_and_product_as_they_were() {
    let counter = Counter::open().await;
    let claim = counter.claim().await;
    let approval = counter.approval(&claim);
    counter.app.disk().set_full(true);
    counter.approve(&approval).await.problem(503, "STORAGE_FULL");
    counter.app.disk().set_full(false);
    let shown = status(&counter.app, None, &claim).await.expect(200);
    assert_eq!((&shown["status"], &shown["pendingId"]), (&json!("pending"), &Value::Null));
    assert_eq!(counter.owner().await, counter.shop.address());
    counter
        .app
        .until("the approval counts", async || {
            (counter.approve(&approval).await.status == 200).then_some(())
        })
        .await;
    assert_eq!(counter.owner().await, counter.customer.address());
}

#[tokio::test]
async fn c22_a_repeated_approval_with_its_idempotency_key_gets_its_answer_again() {
    let counter = Counter::open().await;
    let claim = counter.claim().await;
    let approval = counter.approval(&claim);
    let send = || {
        let call = counter.app.api_with(&counter.till);
        let call = call.call(Method::POST, &["v1", "pos", "claim-approve"]);
        call.header("idempotency-key", "sale-4711").json(&approval).send()
    };
    let first = send().await;
    let _ = first.expect(200);
    assert_eq!(send().await.body, first.body);
    counter.approve(&approval).await.problem(409, "CLAIM_CLOSED");
}

#[tokio::test]
async fn c23_a_hundred_copies_of_a_signed_claim_are_one() {
    let counter = Counter::open().await;
    let intent = claim_of(&counter.app, &counter.customer, UID).await;
    let answers = join_all((0..100).map(|_| file(&counter.app, &intent))).await;
    let new = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(new, 1);
    let ids: Vec<Value> = answers.iter().map(|answer| answer.json()["claimId"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(counter.app.store.read(claim_count).unwrap(), 1);
    // Nor does the nonce make another's.
    let rival = Owner::number(3);
    let (ts, nonce) = (intent["ts"].as_i64().unwrap(), intent["nonce"].as_str().unwrap());
    let address = rival.address();
    let message = format!("PATCHPROOF_CLAIM|uid:{UID}|addr:{address}|ts:{ts}|nonce:{nonce}");
    let mut taken = intent.clone();
    taken["newOwnerAddress"] = address.into();
    taken["newOwnerPubKey"] = rival.key.public_key().to_string().into();
    taken["newOwnerSignature"] = rival.sign(&message).into();
    file(&counter.app, &taken).await.problem(409, "STATE_CONFLICT");
}

#[tokio::test]
async fn c24_a_tag_that_reads_as_another_claim_is_not_claimed() {
    let app = TestApp::start().await;
    let uid = "TAG|addr:mx";
    let _ = app.api().register(uid, &Owner::number(1)).await;
    app.anonymous().get(&["v1", "pos", "claim-challenge", uid]).await.invalid(&["uid_tag_id"]);
}

#[tokio::test]
async fn c25_the_servers_time_alone_decides() {
    let counter = Counter::open().await;
    let intent = claim_of(&counter.app, &counter.customer, UID).await;
    // A time of the client's own is no time, whichever way it lies.
    for shift in [-1, 1, 180_000] {
        let mut dated = intent.clone();
        dated["ts"] = (intent["ts"].as_i64().unwrap() + shift).into();
        file(&counter.app, &dated).await.invalid(&["ts"]);
    }
    counter.app.outside.clock.advance(Duration::from_secs(179));
    let filed = file(&counter.app, &intent).await.expect(201);
    let claim = filed["claimId"].as_str().unwrap().to_owned();
    let late = claim_of(&counter.app, &counter.customer, UID).await;
    counter.app.outside.clock.advance(Duration::from_secs(180));
    file(&counter.app, &late).await.invalid(&["nonce"]);
    let shown = status(&counter.app, None, &claim).await.expect(200);
    assert_eq!(shown["status"], "expired");
    counter.approve(&counter.approval(&claim)).await.problem(409, "CLAIM_CLOSED");
    assert_eq!(counter.owner().await, counter.shop.address());
}

#[tokio::test]
async fn c26_strangers_learn_nothing_from_a_claims_status() {
    let counter = Counter::open().await;
    let claim = counter.claim().await;
    let stranger = till_of(&counter.app, &Owner::number(9)).await;
    for key in [None, Some(stranger.as_str()), Some(FULL_KEY)] {
        let shown = status(&counter.app, key, &claim).await.expect(200);
        let mut members: Vec<&str> =
            shown.as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["claimId", "expiresAt", "pendingId", "status"], "{key:?}");
    }
    let unlock = status(&counter.app, Some("pos-less"), &claim).await;
    unlock.problem(401, "INVALID_API_KEY");
    // One that is near is another one, and nobody's.
    let mut near = claim.clone();
    let last = near.pop().unwrap();
    near.push(if last == '0' { '1' } else { '0' });
    status(&counter.app, None, &near).await.problem(404, "NOT_FOUND");
    for bad in ["1", "..", &claim[1..], &format!("{claim}0")] {
        let code = status(&counter.app, None, bad).await.status;
        assert!(code == 400 || code == 404, "{bad}: {code}");
    }
}

#[tokio::test]
async fn a_claim_needs_the_customers_own_signature_and_a_product() {
    let counter = Counter::open().await;
    let intent = claim_of(&counter.app, &counter.customer, UID).await;
    let with = |field: &str, value: Value| {
        let mut changed = intent.clone();
        changed[field] = value;
        changed
    };
    let thief = Owner::number(8);
    let foreign = with("newOwnerAddress", thief.address().into());
    file(&counter.app, &foreign).await.invalid(&["newOwnerAddress"]);
    let forged = with("newOwnerSignature", thief.sign("something else").into());
    file(&counter.app, &forged).await.problem(403, "INVALID_SIGNATURE");
    let nonce = with("nonce", "00".repeat(32).into());
    file(&counter.app, &nonce).await.invalid(&["ts"]);
    let mut other = with("uid_tag_id", "TAG-2".into());
    file(&counter.app, &other).await.invalid(&["nonce"]);
    other["more"] = true.into();
    file(&counter.app, &other).await.invalid(&["more"]);
    counter
        .app
        .anonymous()
        .get(&["v1", "pos", "claim-challenge", "TAG-2"])
        .await
        .problem(404, "NOT_FOUND");
    // The shop cannot claim what it owns.
    let own = claim_of(&counter.app, &counter.shop, UID).await;
    file(&counter.app, &own).await.invalid(&["newOwnerAddress"]);
    assert_eq!(counter.app.store.read(claim_count).unwrap(), 0);
}

#[tokio::test]
async fn a_claim_of_a_product_that_moved_on_moves_nothing() {
    let counter = Counter::open().await;
    let claim = counter.claim().await;
    let branch = Owner::number(4);
    let app = &counter.app;
    let to_branch = app.api().transfer(UID, counter.txid, &counter.shop, &branch).await;
    counter.approve(&counter.approval(&claim)).await.problem(403, "NOT_OWNER");
    // Back on the shelf it is another state: what was signed for the old one is void.
    let back = app.api().transfer(UID, to_branch, &branch, &counter.shop).await;
    counter.approve(&counter.approval(&claim)).await.problem(403, "INVALID_SIGNATURE");
    let counter = Counter { txid: back, ..counter };
    let _ = counter.approve(&counter.approval(&claim)).await.expect(200);
}

#[tokio::test]
async fn claims_end_by_themselves() {
    let counter = Counter::open().await;
    let (claim, other) = (counter.claim().await, counter.file(&Owner::number(3)).await);
    let _ = other.expect(201);
    let _ = counter.approve(&counter.approval(&claim)).await.expect(200);
    let app = &counter.app;
    app.outside.clock.advance(Duration::from_secs(2 * 60 * 60));
    let count = async || app.store.read(claim_count).unwrap();
    app.until("what expired is forgotten", async || (count().await == 1).then_some(())).await;
    app.outside.clock.advance(Duration::from_secs(8 * 24 * 60 * 60));
    app.until("what was approved is, too", async || (count().await == 0).then_some(())).await;
    status(app, None, &claim).await.problem(404, "NOT_FOUND");
    let state = app.anonymous().verify(UID).await.expect(200);
    assert_eq!(state["status"], "authentic");
}

#[tokio::test]
async fn the_till_key_alone_reads_no_list_and_registers_nothing() {
    let counter = Counter::open().await;
    let api = || counter.app.api_with(&counter.till);
    api().get(&["v1", "admin", "patches"]).await.problem(403, "FORBIDDEN");
    let body = registration("TAG-2", &counter.shop);
    api().registering(&body).send().await.problem(403, "FORBIDDEN");
}
