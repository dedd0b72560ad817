//! `patchproof utxo sync`: from the chain into the pool.

use std::process::ExitCode;

use clap::Args;

use crate::cli::store::open_for_changes;
use crate::cli::utxo::Pool;

/// Take in every output that the network endpoint lists for our payment keys
#[derive(Debug, Args)]
pub(super) struct SyncArguments {}

impl SyncArguments {
    pub(super) async fn run(self, pool: &Pool<'_>) -> anyhow::Result<ExitCode> {
        let store = open_for_changes(pool.data_dir)?;
        let funding = pool.funding(&store).await?;
        let summary = funding.sync(pool.surroundings.clock.now()).await;
        store.close();
        let summary = summary?;
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
