//! `patchproof headers`: our own chain of headers, on the data itself.

mod checkpoint;
mod export;
mod import;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::Surroundings;
use crate::cli::desk::{Ask, Desk, Place};
use crate::cli::store::ReadStore;
use crate::config::HeaderConfig;
use crate::service::headers::{ChainTrust, TrustAnchors};
use crate::storage::StoreError;
use crate::storage::identity::identity;
use crate::types::Network;

/// Where a server tells and changes what its chain hangs on.
const ROUTE: &str = "/v1/admin/headers/checkpoints";

/// Look after our own chain of block headers
///
/// Works on the data directory itself, which needs neither signer nor network. Beside a server
/// checkpoints are given to it; only import has to wait until none runs.
#[derive(Debug, Args)]
pub(super) struct HeadersCommand {
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    action: HeadersAction,
}

#[derive(Debug, Subcommand)]
enum HeadersAction {
    Status(status::StatusArguments),
    Checkpoint(checkpoint::CheckpointArguments),
    Export(export::ExportArguments),
    Import(import::ImportArguments),
}

/// What the actions work with.
struct Headers<'a> {
    surroundings: &'a Surroundings,
    place: &'a Place,
    network: Network,
    anchors: TrustAnchors,
}

impl Headers<'_> {
    /// Tells what our chain hangs on: the server's word where one runs, which knows its own
    /// environment; else what the store says.
    async fn trust(&self) -> anyhow::Result<Value> {
        if self.place.is_served().await? {
            return Ok(Desk::beside(self.place)?.ask(Ask::get(ROUTE)).await?.body);
        }
        let store = ReadStore::open(&self.place.data_dir)?;
        let (trust, bound) = store
            .read(|tx| Ok::<_, StoreError>((self.anchors.judge(tx)?, identity(tx, "network")?)))?;
        self.refuse_another(bound.as_deref())?;
        Ok(trust_json(&trust))
    }

    /// A store of another network would seem to contradict that network's genesis.
    fn refuse_another(&self, bound: Option<&str>) -> anyhow::Result<()> {
        match bound.filter(|bound| **bound != self.network.to_string()) {
            Some(bound) => bail!(
                "the store is of the network {bound}, this environment's is {}: set WOC_NETWORK, and \
                 CHAIN_PROFILE for a simulated one",
                self.network
            ),
            None => Ok(()),
        }
    }
}

/// Says whether our chain contradicts a block that is vouched for.
fn is_contradicted(trust: &Value) -> bool {
    let mut checkpoints = trust["checkpoints"].as_array().into_iter().flatten();
    checkpoints.any(|judged| judged["standing"] == "contradicted")
}

impl HeadersCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let place = Place::find(self.data_dir, surroundings)?;
        let config = HeaderConfig::load(&surroundings.environment)?;
        surroundings.output.warn(&config.warnings);
        let anchors = TrustAnchors::new(config.chain_profile, config.network, config.checkpoints);
        let headers = Headers { surroundings, place: &place, network: config.network, anchors };
        match self.action {
            HeadersAction::Status(arguments) => arguments.run(&headers),
            HeadersAction::Checkpoint(arguments) => arguments.run(&headers),
            HeadersAction::Export(arguments) => arguments.run(&headers),
            HeadersAction::Import(arguments) => arguments.run(&headers),
        }
    }
}

/// Shows what the chain hangs on as JSON, as the route does.
fn trust_json(trust: &ChainTrust) -> Value {
    let checkpoints: Vec<Value> = trust
        .checkpoints
        .iter()
        .map(|judged| {
            json!({
                "height": judged.checkpoint.height,
                "hash": judged.checkpoint.hash,
                "origin": judged.voucher.as_str(),
                "standing": judged.standing.as_str(),
            })
        })
        .collect();
    json!({
        "anchored": trust.anchored.map(|by| by.as_str()),
        "lowest": trust.lowest,
        "tip": trust.tip.map(|tip| json!({ "height": tip.height, "hash": tip.hash })),
        "checkpoints": checkpoints,
    })
}

/// Prints every block that is vouched for, one on a line, out of what [`trust_json`] or the route says.
fn print_checkpoints(headers: &Headers<'_>, trust: &Value) -> anyhow::Result<()> {
    for judged in trust["checkpoints"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let word = |name: &str| judged[name].as_str().unwrap_or_default();
        let (standing, origin, hash) = (word("standing"), word("origin"), word("hash"));
        let line = format!("{standing:<12}  {origin:<11}  {}:{hash}", judged["height"]);
        headers.surroundings.output.line(&line)?;
    }
    Ok(())
}
