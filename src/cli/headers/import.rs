//! `patchproof headers import`: headers out of a file into our chain.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use crate::cli::headers::Headers;
use crate::cli::runtime;
use crate::cli::store::open_for_changes;
use crate::service::headers::import_headers;

/// Take in the headers of a file, checked like those of the network endpoint
///
/// They must meet our own chain, below, within or above; a branch with more work becomes the best
/// one. The next start of the server tells the records.
#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// File that headers export wrote, or another in its form
    file: PathBuf,
}

impl ImportArguments {
    pub(super) fn run(self, headers: &Headers<'_>) -> anyhow::Result<ExitCode> {
        let bytes = std::fs::read(&self.file)
            .with_context(|| format!("{} cannot be read", self.file.display()))?;
        let runtime = runtime()?;
        if runtime.block_on(headers.place.is_served())? {
            bail!("a server works on this store; stop the server, then import");
        }
        let store = open_for_changes(headers.place)?;
        let imported = runtime.block_on(import_headers(&store, &headers.anchors, &bytes));
        store.close();
        let imported = imported?;
        let output = &headers.surroundings.output;
        if output.is_json {
            output.json(&json!({
                "read": imported.read,
                "below": imported.below,
                "above": imported.above,
                "changedFrom": imported.changed_from,
            }))?;
        } else {
            output.line(&format!(
                "{} read, {} new below our headers, {} new above",
                imported.read, imported.below, imported.above
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
