//! `patchproof headers status`: what our chain of headers reaches over and hangs on.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::cli::headers::{Headers, is_contradicted, print_checkpoints};
use crate::cli::runtime;
use crate::cli::store::ReadStore;
use crate::storage::headers::deepest_stale;

/// Show what our headers reach over, what they hang on, and the deepest reorganisation
///
/// Fails if the chain contradicts a block that is vouched for.
#[derive(Debug, Args)]
pub(super) struct StatusArguments {}

impl StatusArguments {
    pub(super) fn run(self, headers: &Headers<'_>) -> anyhow::Result<ExitCode> {
        let trust = runtime()?.block_on(headers.trust())?;
        let deepest = ReadStore::open(&headers.place.data_dir)?.read(deepest_stale)?;
        let output = &headers.surroundings.output;
        if output.is_json {
            let mut status = trust.clone();
            status["deepestReorganisation"] = json!(deepest);
            output.json(&status)?;
        } else {
            let anchored = trust["anchored"].as_str().unwrap_or("nothing: there is no header");
            output.line(&format!("anchored: {anchored}"))?;
            if let (Some(lowest), Some(hash)) =
                (trust["lowest"].as_u64(), trust["tip"]["hash"].as_str())
            {
                output.line(&format!("headers: {lowest} to {}, {hash}", trust["tip"]["height"]))?;
            }
            output.line(&format!("deepest reorganisation: {deepest}"))?;
            print_checkpoints(headers, &trust)?;
        }
        let is_sound = !is_contradicted(&trust);
        Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
