//! `patchproof utxo maintain`: all that the pool needs, in one go.

use std::process::ExitCode;

use clap::Args;

use crate::cli::utxo::Pool;
use crate::cli::utxo::maintain::Maintenance;

/// Do whatever the pool needs: sync, sweep dust, split what is too large
///
/// The server does the same by itself from time to time; this is for now, and for cron jobs that
/// ran the predecessor's script.
#[derive(Debug, Args)]
pub(super) struct MaintainArguments {
    /// Tell what would be done and do nothing
    #[arg(long, alias = "dryRun", value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    dry_run: bool,
}

impl MaintainArguments {
    pub(super) async fn run(self, pool: &Pool<'_>) -> anyhow::Result<ExitCode> {
        Maintenance::new("auto", self.dry_run).run(pool).await
    }
}
