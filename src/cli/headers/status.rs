//! `patchproof headers status`: what our chain of headers reaches over and hangs on.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::cli::headers::{Headers, print_checkpoints, trust_json};
use crate::cli::store::ReadStore;
use crate::storage::StoreError;
use crate::storage::headers::deepest_stale;

/// Show what our headers reach over, what they hang on, and the deepest reorganisation
///
/// Fails if the chain contradicts a block that is vouched for.
#[derive(Debug, Args)]
pub(super) struct StatusArguments {}

impl StatusArguments {
    pub(super) fn run(self, headers: &Headers<'_>) -> anyhow::Result<ExitCode> {
        let store = ReadStore::open(&headers.place.data_dir)?;
        let (trust, deepest) = store
            .read(|tx| Ok::<_, StoreError>((headers.anchors.judge(tx)?, deepest_stale(tx)?)))?;
        let output = &headers.surroundings.output;
        if output.is_json {
            let mut status = trust_json(&trust);
            status["deepestReorganisation"] = json!(deepest);
            output.json(&status)?;
        } else {
            let anchored = trust.anchored.map_or("nothing: there is no header", |by| by.as_str());
            output.line(&format!("anchored: {anchored}"))?;
            if let (Some(lowest), Some(tip)) = (trust.lowest, trust.tip) {
                output.line(&format!("headers: {lowest} to {}, {}", tip.height, tip.hash))?;
            }
            output.line(&format!("deepest reorganisation: {deepest}"))?;
            print_checkpoints(headers, &trust_json(&trust))?;
        }
        let is_sound = trust.contradiction().is_none();
        Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
