//! `patchproof utxo sync`: from the chain into the pool.

use std::process::ExitCode;

use clap::Args;

use crate::cli::utxo::Pool;
use crate::cli::utxo::maintain::Maintenance;

/// Take in every output that the network endpoint lists for our payment keys
///
/// States only move forward: that an output is missing from the list proves nothing.
#[derive(Debug, Args)]
pub(super) struct SyncArguments {}

impl SyncArguments {
    pub(super) async fn run(self, pool: &Pool<'_>) -> anyhow::Result<ExitCode> {
        Maintenance::new("sync", false).run(pool).await
    }
}
