//! One key, many purposes: what it signs for one of them counts for no other.

use patchproof::auth::svd::{change_key_digest, revoke_digest};
use patchproof::bitcoin::Address;
use patchproof::patch::message::{transfer_message, unlock_message};
use patchproof::types::{Network, Txid};
use reqwest::Method;
use serde_json::{Value, json};

use crate::login::{answer_of, begin, challenge, post, register};
use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};

const ADA: &str = "3f92107747fcccc58db83812";
/// Ada's second name, whose key is revoked.
const ADA_TOO: &str = "3f92107747fcccc58db83813";
const UID: &str = "TAG-1";

/// What is signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Login,
    Transfer,
    Unlock,
    ChangeKey,
    Revoke,
}

const PURPOSES: [Purpose; 5] =
    [Purpose::Login, Purpose::Transfer, Purpose::Unlock, Purpose::ChangeKey, Purpose::Revoke];

/// Ada, whose one key is her login key and that of a product.
struct Scene {
    app: TestApp,
    ada: Owner,
    new: Owner,
    txid: Txid,
    /// The challenges of a login, a change and a revocation.
    given: [String; 3],
}

impl Scene {
    async fn set() -> Self {
        let app = TestApp::start().await;
        let (ada, new) = (Owner::number(1), Owner::number(2));
        for user in [ADA, ADA_TOO] {
            let _ = register(&app, user, &ada).await.expect(201);
        }
        let txid = app.api().register(UID, &ada).await;
        let put = app.api().putting(UID, "text/plain", "the secret").send().await;
        let _ = put.expect(200);
        let given = [begin(&app, ADA).await, begin(&app, ADA).await, begin(&app, ADA_TOO).await];
        Self { app, ada, new, txid, given }
    }

    /// Signs for a purpose, exactly as its protocol says.
    fn signed(&self, purpose: Purpose) -> String {
        let [login, change, revoke] = &self.given;
        let user = |name: &str| name.parse().unwrap();
        match purpose {
            Purpose::Login => {
                let answer = answer_of(ADA, &self.ada.key, login);
                answer["signatureHex"].as_str().unwrap().to_owned()
            }
            Purpose::Transfer => {
                self.ada.sign(&transfer_message(UID, self.txid, &self.new.address()))
            }
            Purpose::Unlock => self.ada.sign(&unlock_message(UID, self.txid, None)),
            Purpose::ChangeKey => {
                let new = self.new.key.public_key();
                let digest = change_key_digest(user(ADA), &new, &challenge(change));
                self.ada.key.sign(&digest).to_string()
            }
            Purpose::Revoke => {
                let digest = revoke_digest(user(ADA_TOO), &challenge(revoke));
                self.ada.key.sign(&digest).to_string()
            }
        }
    }

    /// Asks for something with a signature.
    async fn ask(&self, purpose: Purpose, signature: &str) -> Answer {
        let [login, change, revoke] = &self.given;
        let svd = |user: &str, given: &str| json!({ "userId": user, "M": given, "signatureHex": signature });
        match purpose {
            Purpose::Login => post(&self.app, "complete", &svd(ADA, login)).await,
            Purpose::ChangeKey => {
                let mut body = svd(ADA, change);
                body["newPmcHex"] = json!(self.new.key.public_key());
                post(&self.app, "change-key", &body).await
            }
            Purpose::Revoke => post(&self.app, "revoke", &svd(ADA_TOO, revoke)).await,
            Purpose::Transfer => {
                let mut body = self.ada.hands_over(UID, self.txid, &self.new.address());
                body["currentOwnerSignature"] = signature.into();
                self.app.api().transferring(&self.txid.to_string(), &body).send().await
            }
            Purpose::Unlock => {
                let mut body = self.ada.opens(UID, self.txid, None);
                body["ownerSignature"] = signature.into();
                self.app.api().unlocking(UID, &body).send().await
            }
        }
    }
}

#[tokio::test]
async fn a10_a_signature_for_one_purpose_counts_for_no_other() {
    let scene = Scene::set().await;
    for door in PURPOSES {
        for purpose in PURPOSES.into_iter().filter(|purpose| *purpose != door) {
            let answer = scene.ask(door, &scene.signed(purpose)).await;
            let refusal = (answer.status, answer.json()["code"].clone());
            let expected = match door {
                Purpose::Transfer | Purpose::Unlock => (403, json!("INVALID_SIGNATURE")),
                Purpose::Login | Purpose::ChangeKey | Purpose::Revoke => {
                    (401, json!("SVD_INVALID_SIGNATURE"))
                }
            };
            assert_eq!(refusal, expected, "signed for {purpose:?}, presented for {door:?}");
        }
    }
    // Each is good for what it was made for, so nothing else was wrong with it. A key that was
    // changed signs no more, so that comes last.
    for purpose in
        [Purpose::Login, Purpose::Unlock, Purpose::Transfer, Purpose::Revoke, Purpose::ChangeKey]
    {
        let answer = scene.ask(purpose, &scene.signed(purpose)).await;
        assert_eq!(answer.status, 200, "{purpose:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn a10_a_login_hands_on_nothing_that_the_key_of_its_challenge_owns() {
    let app = TestApp::start().await;
    let (ada, eve) = (Owner::number(1), Owner::number(9));
    let _ = register(&app, ADA, &ada).await.expect(201);
    let given = begin(&app, ADA).await;
    // Whoever knows Ada's public key and her challenge can name the key that she will answer with.
    let answering = ada.key.plus(&challenge(&given).digest()).unwrap().public_key();
    let mut body: Value = registration(UID, &ada);
    body["auth"]["owner"] = json!(Address::of_key(&answering, Network::Test).to_string());
    let registered = app.api().registering(&body).send().await.expect(201);
    let txid: Txid = registered["txid"].as_str().unwrap().parse().unwrap();
    let login = answer_of(ADA, &ada.key, &given);
    let mut wish = eve.hands_over(UID, txid, &eve.address());
    wish["currentOwnerPubKey"] = json!(answering);
    wish["currentOwnerSignature"] = login["signatureHex"].clone();
    let refused = app.api().transferring(&txid.to_string(), &wish).send().await;
    refused.problem(403, "INVALID_SIGNATURE");
    let complete = app.anonymous().call(Method::POST, &["api", "svd", "complete"]);
    let _ = complete.json(&login).send().await.expect(200);
}
