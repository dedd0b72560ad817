//! Registers and hands on the sample products through the demo's own HTTP API.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::cli::demo::catalogue::{SampleProduct, SampleTransfer};
use crate::cli::demo::world::World;
use crate::patch::message::{message_digest, transfer_message};
use crate::types::Txid;

/// What the faucet gives: enough outputs for every sample to go at once, and some to play with.
const FAUCET_OUTPUTS: u32 = 40;
const FAUCET_SATOSHIS: u64 = 20_000;
/// Samples that are registered at a time.
const AT_ONCE: usize = 8;

/// Funds the pool and brings the sample products in; what exists already is left as it is.
pub(super) async fn register_catalogue(world: &World) -> anyhow::Result<()> {
    let client = Client::builder().timeout(Duration::from_secs(30)).build()?;
    let api = Api { world, client };
    api.fund().await.context("the pool could not be funded")?;
    let total = world.catalogue.products.len() + world.catalogue.transfers.len();
    let progress = progress_bar(total as u64);
    for group in world.catalogue.products.chunks(AT_ONCE) {
        let registrations = group.iter().map(|sample| async {
            let outcome = api.register(sample).await;
            progress.inc(1);
            progress.set_message(sample.uid().to_owned());
            outcome
        });
        futures_util::future::try_join_all(registrations).await?;
    }
    api.anchor_batch().await.context("no batch could be anchored")?;
    for transfer in due_transfers(world, &api).await? {
        progress.set_message(format!("{} to {}", transfer.uid_tag_id, transfer.to));
        api.transfer(transfer).await?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(())
}

fn progress_bar(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("  anchoring {bar:30} {pos}/{len} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

/// Leaves out transfers of an earlier run: as many as the product's history has already.
async fn due_transfers<'a>(
    world: &'a World,
    api: &Api<'_>,
) -> anyhow::Result<Vec<&'a SampleTransfer>> {
    let mut done: BTreeMap<&str, usize> = BTreeMap::new();
    let mut due = Vec::new();
    for transfer in &world.catalogue.transfers {
        let uid = transfer.uid_tag_id.as_str();
        if !done.contains_key(uid) {
            done.insert(uid, api.transfers_of(uid).await?);
        }
        match done.get_mut(uid) {
            Some(left) if *left > 0 => *left -= 1,
            Some(_) | None => due.push(transfer),
        }
    }
    Ok(due)
}

struct Api<'a> {
    world: &'a World,
    client: Client,
}

impl Api<'_> {
    fn url(&self, segments: &[&str]) -> String {
        let mut url = self.world.description.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url.into()
    }

    /// Asks the faucet for money unless the pool has some, and takes it in.
    async fn fund(&self) -> anyhow::Result<()> {
        let pool = self.world.product.services.funding.pool()?;
        if pool.get("available").is_some_and(|total| total.count >= 10) {
            return Ok(());
        }
        let mut faucet = self.world.description.chain_url.clone();
        faucet.set_path("/sim/faucet");
        let request = json!({
            "address": self.world.description.funding_address,
            "satoshis": FAUCET_SATOSHIS,
            "count": FAUCET_OUTPUTS,
        });
        let answer = self.client.post(faucet.clone()).json(&request).send().await?;
        answer.error_for_status().context("the faucet refuses")?;
        faucet.set_path("/sim/mine");
        let mined = self.client.post(faucet).json(&json!({})).send().await?;
        mined.error_for_status().context("no block could be mined")?;
        let now = self.world.clock.now();
        let summary = self.world.product.services.funding.sync("demo", now).await?;
        if summary.listed == 0 {
            bail!("the network lists no outputs for the funding address");
        }
        self.world.product.wakes.pipeline.notify_one();
        self.world.product.wakes.chain.notify_one();
        Ok(())
    }

    async fn register(&self, sample: &SampleProduct) -> anyhow::Result<()> {
        let owner = self.world.owners.get(&sample.owner).context("an unknown owner")?;
        let body = json!({
            "product": sample.product,
            "metadata": sample.metadata,
            "auth": { "owner": owner.address },
        });
        let request = self.client.post(self.url(&["v1", "patches"])).json(&body);
        let answer = request.header("x-api-key", &self.world.description.api_key).send().await?;
        match answer.status() {
            StatusCode::CREATED | StatusCode::ACCEPTED | StatusCode::CONFLICT => Ok(()),
            other => bail!("{}: {other}: {}", sample.uid(), answer.text().await?),
        }
    }

    /// Anchors what waits for a batch, so that it can be handed on; does nothing where nothing waits.
    async fn anchor_batch(&self) -> anyhow::Result<()> {
        let url = self.url(&["v1", "admin", "batch-anchor"]);
        let request = self.client.post(url).json(&json!({ "limit": 1000 }));
        let answer = request.header("x-api-key", &self.world.description.api_key).send().await?;
        answer.error_for_status()?;
        Ok(())
    }

    async fn transfers_of(&self, uid: &str) -> anyhow::Result<usize> {
        let url = self.url(&["v1", "patches", uid, "history"]);
        let history: Value = self.client.get(url).send().await?.error_for_status()?.json().await?;
        let events = history["events"].as_array().map_or(0, Vec::len);
        Ok(events.saturating_sub(1))
    }

    /// Hands a product on, signed by its present owner as a client would.
    async fn transfer(&self, transfer: &SampleTransfer) -> anyhow::Result<()> {
        let verify = self.url(&["v1", "patches", "verify", &transfer.uid_tag_id]);
        let state: Value = self.client.get(verify).send().await?.error_for_status()?.json().await?;
        let details = &state["verificationDetails"];
        let txid: Txid = details["currentTxid"].as_str().unwrap_or_default().parse()?;
        let address = details["owner"].as_str().unwrap_or_default();
        let mut owners = self.world.owners.values();
        let owner = owners.find(|owner| owner.address == address).context("a stranger owns it")?;
        let new_owner = self.world.owners.get(&transfer.to).context("an unknown owner")?;
        let message = transfer_message(&transfer.uid_tag_id, txid, &new_owner.address);
        let signature = owner.key()?.sign(&message_digest(&message));
        let body = json!({
            "newOwnerAddress": new_owner.address,
            "currentOwnerPubKey": owner.public_key,
            "currentOwnerSignature": signature.to_string(),
        });
        let url = self.url(&["v1", "patches", &txid.to_string(), "transfer-ownership"]);
        let description = &self.world.description;
        let answer = self
            .client
            .post(url)
            .header("x-api-key", &description.api_key)
            .bearer_auth(&description.bearer_token)
            .json(&body)
            .send()
            .await?;
        match answer.status() {
            StatusCode::OK | StatusCode::ACCEPTED => Ok(()),
            other => bail!("{}: {other}: {}", transfer.uid_tag_id, answer.text().await?),
        }
    }
}
