//! `patchproof utxo sweep`: many small outputs into one.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::cli::utxo::Pool;
use crate::cli::utxo::maintain::Maintenance;
use crate::types::{OutPoint, Txid};

/// Bring small outputs together into one
///
/// Without options all outputs under DUST_THRESHOLD_SATS are brought together, once there are more
/// of them than DUST_SWEEP_LIMIT.
#[derive(Debug, Args)]
pub(super) struct SweepArguments {
    /// An output to sweep, as TXID:VOUT; may be given many times
    #[arg(long = "outpoint", value_name = "TXID:VOUT", value_parser = parse_outpoint)]
    outpoints: Vec<OutPoint>,
    /// The most outputs to sweep
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Tell what would be done and do nothing
    #[arg(long, alias = "dryRun", value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    dry_run: bool,
}

impl SweepArguments {
    pub(super) async fn run(self, pool: &Pool<'_>) -> anyhow::Result<ExitCode> {
        let outpoints: Vec<String> = self.outpoints.iter().map(ToString::to_string).collect();
        let outpoints = (!outpoints.is_empty()).then(|| json!(outpoints));
        let request = Maintenance::new("sweep", self.dry_run)
            .with("outpoints", outpoints)
            .with("limit", self.limit);
        request.run(pool).await
    }
}

/// Reads an output as `utxo list` writes it.
fn parse_outpoint(text: &str) -> Result<OutPoint, String> {
    let wrong = || "an output is written as TXID:VOUT".to_owned();
    let (txid, vout) = text.rsplit_once(':').ok_or_else(wrong)?;
    let txid: Txid = txid.parse().map_err(|_| wrong())?;
    Ok(OutPoint::new(txid, vout.parse().map_err(|_| wrong())?))
}
