//! `patchproof utxo sweep-change`: from the change address back to the funding address.

use std::process::ExitCode;

use clap::Args;

use crate::cli::utxo::Pool;
use crate::cli::utxo::maintain::Maintenance;

/// Bring the outputs of the change address together at the funding address
///
/// The signer signs; no private key is ever given to this command. What is not said is as
/// configured.
#[derive(Debug, Args)]
pub(super) struct SweepChangeArguments {
    /// Address whose outputs are swept
    #[arg(long = "changeAddress", alias = "change-address", value_name = "ADDRESS")]
    change_address: Option<String>,
    /// The signer's name for its key
    #[arg(long = "changeKeyId", alias = "change-key-id", value_name = "NAME")]
    change_key_id: Option<String>,
    /// Address that gets the money
    #[arg(long = "destinationAddress", alias = "destination-address", value_name = "ADDRESS")]
    destination_address: Option<String>,
    /// Allow that address to be none of ours: the money is withdrawn
    #[arg(long)]
    allow_foreign_destination: bool,
    /// Tell what would be done and do nothing
    #[arg(long = "dryRun", alias = "dry-run", value_name = "BOOL")]
    #[arg(num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    #[arg(default_value_t = false, default_missing_value = "true")]
    dry_run: bool,
}

impl SweepChangeArguments {
    pub(super) async fn run(self, pool: &Pool<'_>) -> anyhow::Result<ExitCode> {
        let request = Maintenance::new("sweep-change", self.dry_run)
            .with("changeAddress", self.change_address)
            .with("changeKeyId", self.change_key_id)
            .with("destinationAddress", self.destination_address)
            .with("allowForeignDestination", self.allow_foreign_destination.then_some(true));
        request.run(pool).await
    }
}
