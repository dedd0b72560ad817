//! `patchproof utxo unlock-stale`: outputs that are locked although nothing needs them.

use std::process::ExitCode;

use clap::Args;

use crate::cli::utxo::Pool;
use crate::cli::utxo::maintain::Maintenance;

/// Free outputs that have been locked for long and that no transaction can spend
///
/// Age alone frees nothing: an output stays locked while a signed transaction of ours that spends
/// it may still be mined. What is kept is told with the reason. Changes nothing without
/// --dry-run=false.
#[derive(Debug, Args)]
pub(super) struct UnlockStaleArguments {
    /// Only outputs that have been locked for so many minutes
    #[arg(long, default_value_t = 60, value_name = "MINUTES")]
    older_than_mins: u64,
    /// The most outputs to free
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Tell what would be done and do nothing
    #[arg(long, alias = "dryRun", value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    dry_run: bool,
}

impl UnlockStaleArguments {
    pub(super) async fn run(self, pool: &Pool<'_>) -> anyhow::Result<ExitCode> {
        let request = Maintenance::new("unlock-stale", self.dry_run)
            .with("olderThanMins", Some(self.older_than_mins))
            .with("limit", Some(self.limit));
        request.run(pool).await
    }
}
