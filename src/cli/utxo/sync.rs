//! `patchproof utxo sync`: from the chain into the pool.

use std::process::ExitCode;

use clap::Args;

use crate::cli::utxo::Pool;

/// Take in every output that the network endpoint lists for our payment keys
#[derive(Debug, Args)]
pub(super) struct SyncArguments {}

impl SyncArguments {
    pub(super) async fn run(self, pool: &Pool<'_>) -> anyhow::Result<ExitCode> {
        let funding = pool.funding(&pool.config()?).await?;
        let summary = funding.sync(pool.surroundings.clock.now()).await?;
        let output = &pool.surroundings.output;
        if output.is_json {
            output.json(&summary)?;
        } else {
            output.line(&format!(
                "{} listed, {} added, {} updated, {} skipped",
                summary.listed, summary.added, summary.updated, summary.skipped
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
