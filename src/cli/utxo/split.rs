//! `patchproof utxo split`: a large output into many of the size that transactions use.

use std::process::ExitCode;

use clap::Args;

use crate::cli::utxo::Pool;
use crate::cli::utxo::maintain::Maintenance;

/// Split large outputs into many of the size that transactions use
///
/// Without options as many are made as the pool lacks: MIN_UTXO_COUNT of UTXO_SPLIT_SIZE_SATS, at
/// most MAX_SPLIT_OUTPUTS at a time.
#[derive(Debug, Args)]
pub(super) struct SplitArguments {
    /// How many outputs to make
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// The amount of each in satoshis
    #[arg(long, alias = "sizeSatoshis", value_name = "SATOSHIS")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    size_satoshis: Option<u64>,
    /// Tell what would be done and do nothing
    #[arg(long, alias = "dryRun", value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    dry_run: bool,
}

impl SplitArguments {
    pub(super) async fn run(self, pool: &Pool<'_>) -> anyhow::Result<ExitCode> {
        let request = Maintenance::new("split", self.dry_run)
            .with("count", self.count)
            .with("sizeSatoshis", self.size_satoshis);
        request.run(pool).await
    }
}
