//! `patchproof anchor batch`: one round of batch anchoring.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::cli::Surroundings;
use crate::cli::desk::{Ask, Place, ask_once};

const PATH: &str = "/v1/admin/batch-anchor";

/// Anchor the oldest records that wait, all in one transaction
///
/// Records wait for a batch when they were registered under ANCHOR_MODE=batch. Done by the running
/// server, or by the command itself where none runs.
#[derive(Debug, Args)]
pub(super) struct BatchArguments {
    /// The most records to anchor, 1 to 1000
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    limit: u64,
}

impl BatchArguments {
    pub(super) async fn run(
        self,
        place: &Place,
        surroundings: &Surroundings,
    ) -> anyhow::Result<ExitCode> {
        let request = Ask::post(PATH, json!({ "limit": self.limit }));
        let done = ask_once(place, surroundings, request).await?.body;
        let output = &surroundings.output;
        if output.is_json {
            output.json(&done)?;
        } else if let Some(txid) = done["txid"].as_str() {
            output.line(txid)?;
            output.talk(&format!("{} records are in it", done["processed"]));
        } else {
            output.talk(done["message"].as_str().unwrap_or_default());
        }
        let is_done = done["success"].as_bool().unwrap_or(false);
        Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
