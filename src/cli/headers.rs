//! `patchproof headers`: our own chain of headers, on the data itself.

mod checkpoint;
mod export;
mod import;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::Surroundings;
use crate::cli::desk::Place;
use crate::config::HeaderConfig;
use crate::service::headers::{ChainTrust, TrustAnchors};

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
    anchors: TrustAnchors,
}

impl HeadersCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let place = Place::find(self.data_dir, surroundings)?;
        let config = HeaderConfig::load(&surroundings.environment)?;
        surroundings.output.warn(&config.warnings);
        let anchors = TrustAnchors::new(config.chain_profile, config.network, config.checkpoints);
        let headers = Headers { surroundings, place: &place, anchors };
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
