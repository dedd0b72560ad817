//! Clients whose type is who they are.

use patchproof::bitcoin::Address;
use patchproof::crypto::SecretKey;
use patchproof::patch::message::{message_digest, transfer_message, unlock_message};
use patchproof::types::{Network, Txid};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::call::Call;

/// Anyone.
#[derive(Clone, Copy)]
pub(crate) struct Anonymous<'a> {
    pub(crate) app: &'a TestApp,
}

impl<'a> Anonymous<'a> {
    /// Begins a request.
    pub(crate) fn call(self, method: Method, segments: &[&str]) -> Call<'a> {
        Call::new(self.app, method, segments)
    }

    /// Gets a path.
    pub(crate) async fn get(self, segments: &[&str]) -> Answer {
        self.call(Method::GET, segments).send().await
    }

    /// Verifies a tag.
    pub(crate) async fn verify(self, uid: &str) -> Answer {
        self.get(&["v1", "patches", "verify", uid]).await
    }

    /// Asks for a tag's history.
    pub(crate) async fn history(self, uid: &str) -> Answer {
        self.get(&["v1", "patches", uid, "history"]).await
    }

    /// Asks how far a record has come.
    pub(crate) async fn pending(self, kind: &str, id: &str) -> Answer {
        self.get(&["v1", "patches", "pending", kind, id]).await
    }

    /// Asks for a nonce and returns it.
    pub(crate) async fn challenge(self, uid: &str) -> String {
        let given = self.get(&["v1", "patches", uid, "unlock-challenge"]).await.expect(200);
        given["nonce"].as_str().unwrap().to_owned()
    }
}

/// The holder of an API key.
#[derive(Clone, Copy)]
pub(crate) struct ApiClient<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) key: &'a str,
}

impl<'a> ApiClient<'a> {
    /// Begins a request.
    pub(crate) fn call(self, method: Method, segments: &[&str]) -> Call<'a> {
        Call::new(self.app, method, segments).header("x-api-key", self.key)
    }

    /// Gets a path.
    pub(crate) async fn get(self, segments: &[&str]) -> Answer {
        self.call(Method::GET, segments).send().await
    }

    /// Begins a registration.
    pub(crate) fn registering(self, body: &Value) -> Call<'a> {
        self.call(Method::POST, &["v1", "patches"]).json(body)
    }

    /// Registers a product and returns its transaction.
    pub(crate) async fn register(self, uid: &str, owner: &Owner) -> Txid {
        let answer = self.registering(&registration(uid, owner)).send().await.expect(201);
        answer["txid"].as_str().unwrap().parse().unwrap()
    }

    /// Begins a transfer of the state in `txid`, as the person `owner-of-tests`.
    pub(crate) fn transferring(self, txid: &str, body: &Value) -> Call<'a> {
        let token = self.app.token_of("owner-of-tests");
        let segments = ["v1", "patches", txid, "transfer-ownership"];
        self.call(Method::POST, &segments).bearer(&token).json(body)
    }

    /// Hands a product on and returns the new transaction.
    pub(crate) async fn transfer(self, uid: &str, txid: Txid, from: &Owner, to: &Owner) -> Txid {
        let body = from.hands_over(uid, txid, &to.address());
        let answer = self.transferring(&txid.to_string(), &body).send().await.expect(200);
        answer["newTxid"].as_str().unwrap().parse().unwrap()
    }

    /// Begins to open content.
    pub(crate) fn unlocking(self, uid: &str, body: &Value) -> Call<'a> {
        self.call(Method::POST, &["v1", "patches", uid, "unlock-content"]).json(body)
    }

    /// Begins to put content.
    pub(crate) fn putting(self, uid: &str, kind: &str, bytes: impl Into<Vec<u8>>) -> Call<'a> {
        self.call(Method::PUT, &["v1", "patches", uid, "content"]).body(kind, bytes)
    }
}

/// A person with a key.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) key: SecretKey,
}

impl Owner {
    /// Returns the person with this number; the same every time.
    pub(crate) fn number(number: u8) -> Self {
        Self { key: SecretKey::from_bytes(&[number; 32]).unwrap() }
    }

    /// Returns the person's address.
    pub(crate) fn address(&self) -> String {
        Address::of_key(&self.key.public_key(), Network::Test).to_string()
    }

    /// Signs a message.
    pub(crate) fn sign(&self, message: &str) -> String {
        self.key.sign(&message_digest(message)).to_string()
    }

    /// Returns the body of a transfer to an address.
    pub(crate) fn hands_over(&self, uid: &str, txid: Txid, to: &str) -> Value {
        json!({
            "newOwnerAddress": to,
            "currentOwnerPubKey": self.key.public_key(),
            "currentOwnerSignature": self.sign(&transfer_message(uid, txid, to)),
        })
    }

    /// Returns the body of an unlock.
    pub(crate) fn opens(&self, uid: &str, txid: Txid, nonce: Option<&str>) -> Value {
        let mut body = json!({
            "ownerPubKey": self.key.public_key(),
            "ownerSignature": self.sign(&unlock_message(uid, txid, nonce)),
        });
        if let Some(nonce) = nonce {
            body["nonce"] = nonce.into();
        }
        body
    }
}

/// Returns the shortest registration.
pub(crate) fn registration(uid: &str, owner: &Owner) -> Value {
    json!({ "product": { "uid_tag_id": uid }, "auth": { "owner": owner.address() } })
}

/// Returns a registration with every field.
pub(crate) fn full_registration(uid: &str, owner: &Owner) -> Value {
    json!({
        "product": {
            "uid_tag_id": uid,
            "name": "Trikot №7",
            "category": "jersey",
            "sku": "TR-7-L",
            "serial_number": "0007",
            "material": "Polyester + woven",
        },
        "metadata": {
            "notes": "first line\nsecond line",
            "image": "https://brand.example/7.png",
            "patch_location": "left sleeve",
        },
        "auth": { "owner": owner.address() },
    })
}
