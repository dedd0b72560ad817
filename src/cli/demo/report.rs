//! What the demo tells on the terminal; every figure is read back from the running system.

use std::time::Duration;

use anyhow::Context;
use reqwest::Client;
use serde_json::Value;

use crate::cli::demo::world::World;

/// Says where everything is.
pub(super) fn started(world: &World) {
    let description = &world.description;
    println!("PatchProof demo: no network, everything on this machine");
    println!("  API        {}", description.base_url);
    println!("  console    {}", description.console_url);
    println!("  log in as  {}, {}", description.console_user, description.console_password);
    println!("  API docs   {}", description.docs_url);
    println!("  network    {} (simulated, validates for real)", description.chain_url);
    println!("  as ARC     {}", description.arc_url);
    println!("  signer     {}", description.signer_url);
    println!("  API key    {}", description.api_key);
    println!("  all of it  {}", world.description_file().display());
    println!();
}

/// Says what there is now and what to try next.
pub(super) async fn what_to_try(world: &World) -> anyhow::Result<()> {
    let facts = Facts::read(world).await.context("the running system could not be read back")?;
    facts.print(world);
    Ok(())
}

struct Facts {
    products: usize,
    confirmed: usize,
    events: usize,
    transactions: u64,
    height: u64,
    pool: Value,
    sample: Value,
}

impl Facts {
    async fn read(world: &World) -> anyhow::Result<Self> {
        let client = Client::builder().timeout(Duration::from_secs(30)).build()?;
        let base = &world.description.base_url;
        let key = &world.description.api_key;
        let get = |url: String| {
            let request = client.get(url).header("x-api-key", key);
            async move { request.send().await?.error_for_status()?.json::<Value>().await }
        };
        let listed = get(format!("{base}v1/admin/patches?limit=200")).await?;
        let items = listed["items"].as_array().cloned().unwrap_or_default();
        let confirmed = items.iter().filter(|item| item["status"] == "confirmed").count();
        let mut events = 0;
        for item in &items {
            let uid = item["uid_tag_id"].as_str().unwrap_or_default();
            let mut url = base.clone();
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty().extend(["v1", "patches", uid, "history"]);
            }
            events += get(url.into()).await?["events"].as_array().map_or(0, Vec::len);
        }
        let sample = match items.iter().find(|item| item["uid_tag_id"] == SAMPLE) {
            Some(_) => get(format!("{base}v1/patches/verify/{SAMPLE}")).await?,
            None => Value::Null,
        };
        let mut info = world.description.chain_url.clone();
        info.set_path("/sim/info");
        let info = get(info.into()).await?;
        Ok(Self {
            products: items.len(),
            confirmed,
            events,
            transactions: info["totals"]["accepted"].as_u64().unwrap_or_default(),
            height: info["height"].as_u64().unwrap_or_default(),
            pool: get(format!("{base}v1/admin/utxo-health")).await?,
            sample,
        })
    }

    fn print(&self, world: &World) {
        let available = &self.pool["db"]["available"];
        println!(
            "{} products of {}: {} confirmed, {} custody events",
            self.products, world.catalogue.brand, self.confirmed, self.events
        );
        println!(
            "chain at height {}, {} transactions taken; pool: {} outputs, {} satoshis",
            self.height, self.transactions, available["count"], available["totalSatoshis"]
        );
        if !self.sample.is_null() {
            let details = &self.sample["verificationDetails"];
            let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            println!(
                "{SAMPLE}: {}, {}, owner {}",
                word(&self.sample["status"]),
                word(&details["stage"]),
                word(&details["owner"])
            );
            println!("  in transaction {}", word(&details["currentTxid"]));
        }
        self.print_commands(world);
    }

    fn print_commands(&self, world: &World) {
        let base = &world.description.base_url;
        let key = &world.description.api_key;
        println!();
        println!("Try next:");
        println!("  curl -s {base}v1/patches/verify/{SAMPLE}");
        println!("  curl -s {base}v1/patches/{SAMPLE}/history");
        println!("  curl -s -H 'x-api-key: {key}' '{base}v1/admin/patches?limit=5'");
        println!("  curl -s -H 'x-api-key: {key}' {base}v1/admin/utxo-health");
        println!(
            "  curl -s -X POST {base}v1/patches -H 'x-api-key: {key}' \\\n       -H 'content-type: application/json' \\\n       -d '{{\"product\":{{\"uid_tag_id\":\"MY-FIRST-TAG\"}},\"auth\":{{\"owner\":\"{}\"}}}}'",
            world.description.funding_address
        );
        println!("Ctrl-C stops.");
    }
}

/// The product shown in the summary: the one that changed hands most.
const SAMPLE: &str = "HLD-26-P-0002";
