//! Clients that register and hand on products as fast as they are answered, until the server dies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use patchproof::auth::token::TokenKeys;
use patchproof::bitcoin::Address;
use patchproof::crypto::SecretKey;
use patchproof::patch::message::{message_digest, transfer_message};
use patchproof::types::{Clock, Network, SystemClock};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::ledger::{Acknowledged, Ledger};
use crate::processes::{API_KEY, JWT_SECRET, Server, World};

const CLIENTS: usize = 12;

/// A request that was sent and not answered: it may or may not have been accepted.
#[derive(Debug, Clone)]
struct Sent {
    key: String,
    kind: &'static str,
    uid: String,
    path: String,
    body: Value,
}

/// The clients and what they remember over the server's lives.
pub(crate) struct Load {
    client: Client,
    owner: SecretKey,
    buyer: Address,
    token: String,
    next: u64,
    unanswered: Vec<Sent>,
    /// Products that the network has and that were not handed on yet, with their transactions.
    sellable: Vec<(String, String)>,
}

/// What one life of the server brought.
#[derive(Default)]
struct Life {
    acknowledged: Vec<Acknowledged>,
    unanswered: Vec<Sent>,
    registered: Vec<(String, String)>,
}

impl Load {
    /// Makes clients with a key and a token of their own.
    pub(crate) fn new(world: &World) -> Self {
        let keys = TokenKeys::new(JWT_SECRET.as_bytes(), None).unwrap();
        let day = Duration::from_secs(24 * 3600);
        let token = keys.issue("owner", SystemClock.now(), day, &[7; 16]).unwrap();
        Self {
            client: world.client.clone(),
            owner: SecretKey::generate(),
            buyer: Address::of_key(&SecretKey::generate().public_key(), Network::Test),
            token,
            next: 0,
            unanswered: Vec::new(),
            sellable: Vec::new(),
        }
    }

    /// Sends requests from all clients and kills the server at `moment`.
    pub(crate) async fn run_until_killed(
        &mut self,
        server: &mut Server,
        moment: Duration,
        ledger: &mut Ledger,
    ) {
        let is_over = Arc::new(AtomicBool::new(false));
        let life = Arc::new(Mutex::new(Life::default()));
        let mut clients = tokio::task::JoinSet::new();
        for queue in self.plan() {
            let (client, base, token) =
                (self.client.clone(), server.base.clone(), self.token.clone());
            let (is_over, life) = (Arc::clone(&is_over), Arc::clone(&life));
            clients.spawn(async move {
                for sent in queue {
                    if is_over.load(Ordering::SeqCst) {
                        return;
                    }
                    let outcome = send(&client, &base, &token, &sent).await;
                    record(&life, sent, outcome);
                }
            });
        }
        tokio::time::sleep(moment).await;
        server.kill();
        is_over.store(true, Ordering::SeqCst);
        while clients.join_next().await.is_some() {}
        let life = std::mem::take(&mut *life.lock().unwrap());
        ledger.note(life.acknowledged);
        self.unanswered.extend(life.unanswered);
        self.sellable.extend(life.registered);
    }

    /// Each client first repeats what was never answered, then registers, and sells now and then.
    fn plan(&mut self) -> Vec<Vec<Sent>> {
        let mut queues: Vec<Vec<Sent>> = vec![Vec::new(); CLIENTS];
        let repeated = std::mem::take(&mut self.unanswered);
        for (place, sent) in repeated.into_iter().enumerate() {
            queues[place % CLIENTS].push(sent);
        }
        for queue in &mut queues {
            for step in 0..60 {
                let sale = if step % 5 == 4 { self.sellable.pop() } else { None };
                self.next += 1;
                queue.push(match sale {
                    Some((uid, txid)) => self.transfer(uid, &txid),
                    None => self.registration(),
                });
            }
        }
        queues
    }

    fn registration(&self) -> Sent {
        let uid = format!("CRASH-{:06}", self.next);
        let owner = Address::of_key(&self.owner.public_key(), Network::Test).to_string();
        Sent {
            key: format!("register-{}", self.next),
            kind: "registration",
            path: "/v1/patches".into(),
            body: json!({ "product": { "uid_tag_id": uid }, "auth": { "owner": owner } }),
            uid,
        }
    }

    fn transfer(&self, uid: String, txid: &str) -> Sent {
        let buyer = self.buyer.to_string();
        let message = transfer_message(&uid, txid.parse().unwrap(), &buyer);
        let signature = self.owner.sign(&message_digest(&message));
        Sent {
            key: format!("transfer-{}", self.next),
            kind: "transfer",
            path: format!("/v1/patches/{txid}/transfer-ownership"),
            body: json!({
                "newOwnerAddress": buyer,
                "currentOwnerPubKey": self.owner.public_key().to_string(),
                "currentOwnerSignature": signature.to_string(),
            }),
            uid,
        }
    }

    /// In the end every request that was never answered is repeated until it is.
    pub(crate) async fn repeat_unanswered(&mut self, server: &Server, ledger: &mut Ledger) {
        for sent in std::mem::take(&mut self.unanswered) {
            let life = Mutex::new(Life::default());
            let outcome = send(&self.client, &server.base, &self.token, &sent).await;
            record(&life, sent.clone(), outcome);
            let life = life.into_inner().unwrap();
            assert!(life.unanswered.is_empty(), "not answered by a live server: {sent:?}");
            ledger.note(life.acknowledged);
        }
    }
}

async fn send(client: &Client, base: &str, token: &str, sent: &Sent) -> Option<(u16, Value)> {
    let request: RequestBuilder = client.post(format!("{base}{}", sent.path)).json(&sent.body);
    let request = request.header("x-api-key", API_KEY).header("idempotency-key", &sent.key);
    let answer = request.bearer_auth(token).send().await.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.json().await.ok()?))
}

fn record(life: &Mutex<Life>, sent: Sent, outcome: Option<(u16, Value)>) {
    let mut life = life.lock().unwrap();
    let Some((status, body)) = outcome else {
        life.unanswered.push(sent);
        return;
    };
    match status {
        200..=202 => {
            if let Some(txid) = body["txid"].as_str() {
                life.registered.push((sent.uid.clone(), txid.to_owned()));
            }
            // A transfer that the network took at once is answered without its record's id.
            if let Some(id) = body["pendingId"].as_str() {
                let id = id.to_owned();
                life.acknowledged.push(Acknowledged { id, kind: sent.kind });
            }
        }
        // Another request with the same key is still in hand, or the server is going down.
        409 if body["code"] == "IDEMPOTENCY_IN_FLIGHT" => life.unanswered.push(sent),
        503 => life.unanswered.push(sent),
        // Sold already by a request whose answer was lost, and repeated under its own key later.
        409 if sent.kind == "transfer" => {}
        _ => panic!("{sent:?} was answered {status}: {body}"),
    }
}
