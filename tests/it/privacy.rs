//! What a person may ask about herself: everything that is held, and that it go, while the chain of
//! custody of what she owned stays verifiable.

use patchproof::simnet::Reorganisation;
use patchproof::storage::erasures::{erased_record, is_erasure_due};
use patchproof::storage::records::{expect_record, records_of};
use patchproof::storage::svd_keys::svd_key;
use patchproof::types::{Clock, RecordId, Txid};
use reqwest::Method;
use serde_json::{Value, json};

use crate::login::log_in;
use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, full_registration};

pub(crate) const UID: &str = "TAG-1";
pub(crate) const ADA: &str = "65a1b2c3d4e5f60718293a4b";
/// More than an erasure waits for.
pub(crate) const DEEP: u32 = 101;

/// A person with a login key that also owns products.
pub(crate) struct Person {
    pub(crate) app: TestApp,
    pub(crate) ada: Owner,
    pub(crate) token: String,
    pub(crate) txid: Txid,
}

impl Person {
    /// Registers Ada and a product of hers.
    pub(crate) async fn with_a_product() -> Self {
        let app = TestApp::start().await;
        let ada = Owner::number(1);
        let body = json!({ "userId": ADA, "pmcHex": ada.key.public_key() });
        let call = app.anonymous().call(Method::POST, &["api", "svd", "register"]);
        let _ = call.json(&body).send().await.expect(201);
        let answer = app.api().registering(&full_registration(UID, &ada)).send().await.expect(201);
        let txid = answer["txid"].as_str().unwrap().parse().unwrap();
        let token = log_in(&app, ADA, &ada).await;
        Self { app, ada, token, txid }
    }

    pub(crate) async fn export(&self) -> Value {
        export(&self.app, &self.token).await.expect(200)
    }

    pub(crate) async fn erase(&self) -> Value {
        erase(&self.app, &self.token).await.expect(200)
    }

    pub(crate) async fn verify(&self) -> Value {
        self.app.anonymous().verify(UID).await.expect(200)
    }

    /// Buries everything so deep that nothing can need it any more.
    pub(crate) async fn bury(&self) {
        self.app.mine(DEEP);
        self.app
            .until("everything is buried", async || {
                let block = self.verify().await["verificationDetails"]["block"].clone();
                (block["confirmations"].as_u64()? >= 100).then_some(())
            })
            .await;
        self.app
            .until("the records are final", async || {
                let history = self.app.anonymous().history(UID).await.expect(200);
                let events = history["events"].as_array().unwrap().clone();
                events.iter().all(|event| event["stage"] == "final").then_some(())
            })
            .await;
    }

    pub(crate) fn records(&self) -> Vec<RecordId> {
        let records = self.app.store.read(|tx| records_of(tx, UID)).unwrap();
        records.iter().map(|record| record.id).collect()
    }

    pub(crate) fn is_erased(&self, id: RecordId) -> bool {
        self.app.store.read(|tx| erased_record(tx, id)).unwrap().is_some()
    }
}

pub(crate) async fn export(app: &TestApp, token: &str) -> Answer {
    app.anonymous().call(Method::GET, &["v1", "privacy", "export"]).bearer(token).send().await
}

pub(crate) async fn erase(app: &TestApp, token: &str) -> Answer {
    app.anonymous().call(Method::DELETE, &["v1", "privacy", "delete"]).bearer(token).send().await
}

pub(crate) fn reorganise(app: &TestApp, depth: u32) {
    let now = app.outside.clock.now();
    app.outside.simnet.node().reorganise(&Reorganisation::of_depth(depth), now).unwrap();
    app.wake();
}

/// Returns everything that anybody can read of the product.
pub(crate) async fn public_text(app: &TestApp) -> String {
    let anonymous = || app.anonymous();
    let mut text = anonymous().verify(UID).await.text().to_owned();
    text.push_str(anonymous().history(UID).await.text());
    text.push_str(app.api().get(&["v1", "admin", "patches"]).await.text());
    text
}

#[tokio::test]
async fn an_export_holds_everything_about_the_person_and_nothing_about_others() {
    let person = Person::with_a_product().await;
    let ben = Owner::number(2);
    let _ = person.app.api().register("TAG-2", &ben).await;
    let found = person.export().await;
    assert_eq!(found["loginKey"]["userId"], ADA);
    assert_eq!(found["loginKey"]["pmcHex"], person.ada.key.public_key().to_string());
    assert_eq!(found["address"], person.ada.address());
    assert_eq!(found["products"], json!([UID]));
    let records = found["records"].as_array().unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["record"]["auth"]["owner"], person.ada.address());
    assert_eq!(records[0]["record"]["metadata"]["notes"], "first line\nsecond line");
    let actions: Vec<&str> = found["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["action"].as_str().unwrap())
        .collect();
    assert!(actions[0].starts_with("svd.register") && actions[1].starts_with("login.svd:"));
    let text = found.to_string();
    assert!(!text.contains(&ben.address()) && !text.contains("TAG-2"));
    // What she handed on is still hers to know.
    person.app.api().transfer(UID, person.txid, &person.ada, &ben).await;
    let after = person.export().await;
    assert_eq!(after["products"], json!([]));
    assert_eq!(after["records"].as_array().unwrap().len(), 1);
    assert_eq!(after["records"][0]["position"], 0);
}

#[tokio::test]
async fn c31_an_erasure_leaves_a_chain_that_verifies_and_nothing_of_the_person() {
    let person = Person::with_a_product().await;
    let ben = Owner::number(2);
    let second = person.app.api().transfer(UID, person.txid, &person.ada, &ben).await;
    person.bury().await;
    let secret = person.app.store.read(|tx| expect_record(tx, person.records()[0])).unwrap();
    let done = person.erase().await;
    assert_eq!(
        done["erased"],
        json!({ "loginKey": true, "emailCodes": 0, "claims": 0, "importRows": 0, "records": 1 })
    );
    assert_eq!(done["scheduled"], 0);
    let state = person.verify().await;
    assert_eq!(state["status"], "authentic", "{state}");
    assert_eq!(state["verificationDetails"]["erasedEvents"], 1);
    assert_eq!(state["verificationDetails"]["owner"], ben.address());
    let history = person.app.anonymous().history(UID).await.expect(200);
    let first = &history["events"][0];
    assert_eq!(first["owner"], Value::Null);
    assert!(first["erased_at"].is_string() && first["commitment"].is_string());
    assert_eq!(first["txid"], person.txid.to_string());
    let text = public_text(&person.app).await;
    let salt = hex::encode(secret.salt.as_bytes());
    for gone in [person.ada.address(), salt] {
        assert!(!text.contains(&gone), "{gone} is still told");
    }
    // The new owner hands it on as if nothing had been.
    let cleo = Owner::number(3);
    person.app.api().transfer(UID, second, &ben, &cleo).await;
    let state = person.verify().await;
    assert_eq!(
        (&state["status"], &state["record"]["product"]["name"]),
        (&json!("authentic"), &json!("Trikot №7"))
    );
    // Names, tokens and the key are gone, and the name is nobody's.
    assert!(person.app.store.read(|tx| svd_key(tx, ADA.parse().unwrap())).unwrap().is_none());
    export(&person.app, &person.token).await.problem(401, "TOKEN_INVALID");
    let body = json!({ "userId": ADA, "pmcHex": ben.key.public_key() });
    let call = person.app.anonymous().call(Method::POST, &["api", "svd", "register"]);
    call.json(&body).send().await.problem(409, "DUPLICATE_PMC");
    let audit = person.app.api().get(&["v1", "admin", "audit"]).await.expect(200).to_string();
    assert!(audit.contains("privacy.erase") && !audit.contains(ADA));
}

#[tokio::test]
async fn an_owner_who_was_erased_still_hands_the_product_on() {
    let person = Person::with_a_product().await;
    person.bury().await;
    let _ = person.erase().await;
    let state = person.verify().await;
    assert_eq!(state["status"], "erased", "{state}");
    assert_eq!(
        (&state["record"], &state["verificationDetails"]["owner"]),
        (&Value::Null, &Value::Null)
    );
    assert!(!public_text(&person.app).await.contains(&person.ada.address()));
    // The key that owns it signs as ever; nobody else's does.
    let (ben, eve) = (Owner::number(2), Owner::number(3));
    let segments = ["v1", "patches", &person.txid.to_string(), "transfer-ownership"];
    let token = person.app.token_of("till");
    let stolen = eve.hands_over(UID, person.txid, &eve.address());
    let call = person.app.api().call(Method::POST, &segments).bearer(&token).json(&stolen);
    call.send().await.problem(403, "NOT_OWNER");
    person.app.api().transfer(UID, person.txid, &person.ada, &ben).await;
    let state = person.verify().await;
    assert_eq!(state["status"], "authentic", "{state}");
    assert_eq!(state["record"]["product"]["serial_number"], "0007");
    assert_eq!(state["record"]["metadata"]["notes"], Value::Null);
    assert_eq!(state["record"]["metadata"]["patch_location"], "left sleeve");
}

#[tokio::test]
async fn what_a_reorganisation_may_need_is_withheld_at_once_and_goes_when_it_is_buried() {
    let person = Person::with_a_product().await;
    let done = person.erase().await;
    assert_eq!((&done["erased"]["records"], &done["scheduled"]), (&json!(0), &json!(1)));
    assert!(!public_text(&person.app).await.contains(&person.ada.address()));
    let id = person.records()[0];
    assert!(!person.is_erased(id));
    // Its transaction falls out of its block and is mined anew: the record is there to be anchored.
    person.app.mine(2);
    reorganise(&person.app, 2);
    person.bury().await;
    person.app.until("it is erased", async || person.is_erased(id).then_some(())).await;
    assert!(!person.app.store.read(|tx| is_erasure_due(tx, id)).unwrap());
    assert_eq!(person.verify().await["status"], "erased");
}

#[tokio::test]
async fn a_transfer_after_an_erasure_that_a_reorganisation_takes_back_leaves_the_owner_on_file() {
    let person = Person::with_a_product().await;
    person.bury().await;
    let _ = person.erase().await;
    let ben = Owner::number(2);
    person.app.api().transfer(UID, person.txid, &person.ada, &ben).await;
    person.app.mine(1);
    person
        .app
        .until("it is mined", async || {
            (person.verify().await["verificationDetails"]["stage"] == "mined").then_some(())
        })
        .await;
    reorganise(&person.app, 1);
    person
        .app
        .until("it is mined again or waits", async || {
            let state = person.verify().await;
            (state["status"] == "authentic").then_some(())
        })
        .await;
    assert_eq!(person.verify().await["verificationDetails"]["owner"], ben.address());
}

#[tokio::test]
async fn what_this_server_did_not_erase_is_compromised() {
    let person = Person::with_a_product().await;
    let ben = Owner::number(2);
    person.app.api().transfer(UID, person.txid, &person.ada, &ben).await;
    person.bury().await;
    let _ = person.erase().await;
    assert_eq!(person.verify().await["status"], "authentic");
    let ids = person.records();
    let kept = person.app.store.read(|tx| erased_record(tx, ids[0])).unwrap().unwrap();
    let second = person.app.store.read(|tx| expect_record(tx, ids[1])).unwrap();
    // Somebody with the file hides the newest record, with the seal of the other.
    let forged = kept.clone();
    let hidden = second.clone();
    person
        .app
        .store
        .tamper(move |tx| {
            let owner = [0u8; 20];
            tx.erase_record(&hidden, &owner, &forged)
        })
        .await;
    let state = person.verify().await;
    assert_eq!(state["status"], "compromised", "{state}");
    let reason = state["verificationDetails"]["reason"].as_str().unwrap();
    assert_eq!(reason, "a record is missing that this server did not erase");
}

#[tokio::test]
async fn an_erased_owner_cannot_be_replaced_in_the_file() {
    let person = Person::with_a_product().await;
    person.bury().await;
    let _ = person.erase().await;
    let eve = Owner::number(9);
    let address = patchproof::bitcoin::Address::of_key(
        &eve.key.public_key(),
        patchproof::types::Network::Test,
    );
    person
        .app
        .store
        .tamper(move |tx| {
            let found = patchproof::storage::patches::patch(tx, UID)?.unwrap();
            tx.put_patch(&patchproof::storage::Patch { owner: address, ..found })
        })
        .await;
    let state = person.verify().await;
    assert_eq!(state["status"], "compromised", "{state}");
}

#[tokio::test]
async fn an_erasure_that_the_disk_refuses_changes_nothing() {
    let person = Person::with_a_product().await;
    person.bury().await;
    person.app.disk().set_full(true);
    erase(&person.app, &person.token).await.problem(503, "STORAGE_FULL");
    person.app.disk().set_full(false);
    person
        .app
        .until("it can be asked again", async || {
            (erase(&person.app, &person.token).await.status == 200).then_some(())
        })
        .await;
    assert_eq!(person.verify().await["status"], "erased");
}
