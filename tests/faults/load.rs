//! Clients that register until each registration is acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use patchproof::bitcoin::Address;
use patchproof::crypto::SecretKey;
use patchproof::types::Network;
use serde_json::{Value, json};

use crate::ledger::{Acknowledged, Ledger};
use crate::processes::{API_KEY, Server, World};

const CLIENTS: usize = 32;

/// Registers `count` products, each under a key of its own, again until it is answered.
pub(crate) async fn register_all(world: &World, server: &Server, count: u64, ledger: &mut Ledger) {
    let owner = Address::of_key(&SecretKey::generate().public_key(), Network::Test).to_string();
    let next = Arc::new(AtomicU64::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, url) = (world.client.clone(), format!("{}/v1/patches", server.base));
        let (owner, next) = (owner.clone(), Arc::clone(&next));
        clients.spawn(async move {
            let mut acknowledged = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= count {
                    return acknowledged;
                }
                let id = register(&client, &url, &owner, number).await;
                acknowledged.push(Acknowledged { id, kind: "registration" });
            }
        });
    }
    while let Some(acknowledged) = clients.join_next().await {
        ledger.note(acknowledged.unwrap());
    }
}

async fn register(client: &reqwest::Client, url: &str, owner: &str, number: u64) -> String {
    let product = json!({ "uid_tag_id": format!("FAULT-{number:06}"), "name": "Away jersey" });
    let body = json!({ "product": product, "auth": { "owner": owner } });
    loop {
        let request = client.post(url).json(&body).header("x-api-key", API_KEY);
        let request = request.header("prefer", "respond-async");
        let sent = request.header("idempotency-key", format!("fault-{number}")).send().await;
        let Ok(answer) = sent else { continue };
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        match status {
            201 | 202 => return body["pendingId"].as_str().unwrap().to_owned(),
            503 => {}
            _ => panic!("registration {number} was answered {status}: {body}"),
        }
    }
}

/// Waits, while the weather goes on, until the network has taken every record at least once.
pub(crate) async fn wait_until_seen(world: &World, server: &Server, ledger: &Ledger) {
    for entry in ledger.entries() {
        let url = format!("{}/v1/patches/pending/{}/{}", server.base, entry.kind, entry.id);
        world
            .until(|| async {
                let pending = world.get(&url).await;
                assert_ne!(pending["status"], "failed", "{pending}");
                (pending["txid"].is_string() && pending["status"] == "confirmed").then_some(())
            })
            .await;
    }
}
