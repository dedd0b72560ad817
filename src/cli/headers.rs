//! `patchproof headers`: our own chain of headers, on the data itself.

mod checkpoint;
mod export;
mod import;
mod status;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::Surroundings;
use crate::cli::store::data_dir;
use crate::config::HeaderConfig;
use crate::service::headers::{ChainTrust, TrustAnchors};

/// Look after our own chain of block headers
///
/// Works on the data directory itself. status, export and checkpoint list may run beside a server,
/// the others only while none runs; a server takes checkpoints under /v1/admin/headers/checkpoints.
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
    data_dir: &'a Path,
    anchors: TrustAnchors,
}

impl HeadersCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let data_dir = data_dir(self.data_dir, surroundings)?;
        let config = HeaderConfig::load(&surroundings.environment)?;
        surroundings.output.warn(&config.warnings);
        let anchors = TrustAnchors::new(config.chain_profile, config.network, config.checkpoints);
        let headers = Headers { surroundings, data_dir: &data_dir, anchors };
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

/// Prints every block that is vouched for, one on a line.
fn print_checkpoints(headers: &Headers<'_>, trust: &ChainTrust) -> anyhow::Result<()> {
    for judged in &trust.checkpoints {
        let (origin, standing) = (judged.voucher.as_str(), judged.standing.as_str());
        let line = format!("{standing:<12}  {origin:<11}  {}", judged.checkpoint);
        headers.surroundings.output.line(&line)?;
    }
    Ok(())
}
