//! A simulated network that is being served, and a client of it with a key.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test that asked for it")]

use std::sync::Arc;

use patchproof::bitcoin::{
    Address, SIGHASH_ALL_FORKID, Script, SighashCache, Transaction, TxIn, TxOut,
};
use patchproof::crypto::SecretKey;
use patchproof::simnet::{Fault, FaultRule, RequestClass, Simnet, SimnetConfig};
use patchproof::types::{ManualClock, Network, OutPoint, Satoshis, Timestamp, Txid};
use serde_json::{Value, json};

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A simulated network that is being served, and a key with money on it.
pub(crate) struct Served {
    pub(crate) simnet: Simnet,
    pub(crate) client: reqwest::Client,
    pub(crate) base: String,
    key: SecretKey,
}

/// What an answer is made of.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Served {
    pub(crate) async fn start() -> Self {
        let simnet = Simnet::new(&SimnetConfig::default(), Arc::new(ManualClock::new(NOW)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = simnet.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let key = SecretKey::from_bytes(&[7; 32]).unwrap();
        Self { simnet, client: reqwest::Client::new(), base, key }
    }

    pub(crate) fn address(&self) -> Address {
        Address::of_key(&self.key.public_key(), Network::Test)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let response = self.client.get(format!("{}{path}", self.base)).send().await.unwrap();
        Answer { status: response.status().as_u16(), body: response.text().await.unwrap() }
    }

    pub(crate) async fn get_json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    pub(crate) async fn try_post(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<Answer, reqwest::Error> {
        let request = self.client.post(format!("{}{path}", self.base)).json(body);
        let response = request.send().await?;
        Ok(Answer { status: response.status().as_u16(), body: response.text().await? })
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.try_post(path, &body).await.unwrap()
    }

    pub(crate) async fn post_json(&self, path: &str, body: Value) -> Value {
        let answer = self.post(path, body).await;
        assert!(answer.status < 300, "{path}: {} {}", answer.status, answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Has the faucet pay `count` outputs of 10,000 satoshis to the key, in a block.
    pub(crate) async fn fund(&self, count: u32) -> Txid {
        let request = json!({
            "address": self.address().to_string(), "satoshis": 10_000, "count": count,
        });
        let paid = self.post_json("/sim/faucet", request).await;
        assert_eq!(paid["vouts"], json!((0..count).collect::<Vec<u32>>()));
        self.post_json("/sim/mine", json!({})).await;
        paid["txid"].as_str().unwrap().parse().unwrap()
    }

    /// Returns a signed payment of the output at `vout` back to the key, with a record.
    pub(crate) fn spend(&self, txid: Txid, vout: u32, satoshis: u32) -> Transaction {
        let script = self.address().locking_script();
        let to_key =
            |value| TxOut { value: Satoshis::from_const(value), locking_script: script.clone() };
        let record = TxOut { value: Satoshis::ZERO, locking_script: Script::data(&[b"a record"]) };
        let mut transaction = Transaction {
            version: 1,
            inputs: vec![TxIn {
                previous: OutPoint::new(txid, vout),
                unlocking_script: Script::default(),
                sequence: u32::MAX,
            }],
            outputs: vec![record, to_key(satoshis)],
            lock_time: 0,
        };
        let digest = SighashCache::new(&transaction)
            .sighash(0, &script, Satoshis::from_const(10_000))
            .unwrap();
        let signature = self.key.sign(&digest);
        transaction.inputs[0].unlocking_script =
            Script::unlock_public_key_hash(&signature, SIGHASH_ALL_FORKID, &self.key.public_key());
        transaction
    }

    pub(crate) async fn broadcast(
        &self,
        transaction: &Transaction,
    ) -> Result<Answer, reqwest::Error> {
        self.try_post("/v1/bsv/test/tx/raw", &raw_request(transaction)).await
    }

    pub(crate) async fn status(&self, txid: Txid) -> Value {
        let request = json!({ "txids": [txid] });
        self.post_json("/v1/bsv/test/txs/status", request).await[0].clone()
    }

    pub(crate) fn fault(&self, fault: Fault, class: RequestClass) {
        self.simnet.faults().add(FaultRule::once(fault, class));
    }
}

fn raw_request(transaction: &Transaction) -> Value {
    json!({ "txhex": hex::encode(transaction.to_bytes()) })
}

pub(crate) fn answer(status: u16, body: impl Into<String>) -> Answer {
    Answer { status, body: body.into() }
}
