//! `patchproof utxo`: the pool of outputs.

mod add;
mod auto;
mod health;
mod list;
mod maintain;
mod split;
mod sweep;
mod sweep_change;
mod sync;
mod unlock_stale;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::desk::Place;
use crate::cli::{Surroundings, runtime};
use crate::config::PoolConfig;
use crate::wallet::utxo::Utxo;

/// Look after the pool of outputs that pays for transactions
///
/// Whatever changes something is done by the running server, which is reached over its control
/// socket; where none runs, the command does it itself. list and health only look.
#[derive(Debug, Args)]
pub(super) struct UtxoCommand {
    /// Folder of the store; PATCHPROOF_DATA_DIR without it
    #[arg(long, value_name = "FOLDER", global = true)]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    action: UtxoAction,
}

#[derive(Debug, Subcommand)]
enum UtxoAction {
    Add(add::AddArguments),
    List(list::ListArguments),
    Maintain(auto::MaintainArguments),
    Sync(sync::SyncArguments),
    Split(split::SplitArguments),
    Sweep(sweep::SweepArguments),
    SweepChange(sweep_change::SweepChangeArguments),
    UnlockStale(unlock_stale::UnlockStaleArguments),
    Health(health::HealthArguments),
}

/// What the actions work with.
struct Pool<'a> {
    surroundings: &'a Surroundings,
    place: &'a Place,
}

impl UtxoCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let place = Place::find(self.data_dir, surroundings)?;
        let pool = Pool { surroundings, place: &place };
        match self.action {
            UtxoAction::List(arguments) => arguments.run(&pool),
            UtxoAction::Add(arguments) => runtime()?.block_on(arguments.run(&pool)),
            UtxoAction::Maintain(arguments) => runtime()?.block_on(arguments.run(&pool)),
            UtxoAction::Sync(arguments) => runtime()?.block_on(arguments.run(&pool)),
            UtxoAction::Split(arguments) => runtime()?.block_on(arguments.run(&pool)),
            UtxoAction::Sweep(arguments) => runtime()?.block_on(arguments.run(&pool)),
            UtxoAction::SweepChange(arguments) => runtime()?.block_on(arguments.run(&pool)),
            UtxoAction::UnlockStale(arguments) => runtime()?.block_on(arguments.run(&pool)),
            UtxoAction::Health(arguments) => runtime()?.block_on(arguments.run(&pool)),
        }
    }
}

impl Pool<'_> {
    fn config(&self) -> anyhow::Result<PoolConfig> {
        let config = PoolConfig::load(&self.surroundings.environment)?;
        self.surroundings.output.warn(&config.warnings);
        Ok(config)
    }
}

/// Shows an output as JSON, with the names of the predecessor's options.
fn output_json(utxo: &Utxo) -> Value {
    json!({
        "txid": utxo.outpoint.txid,
        "vout": utxo.outpoint.vout,
        "satoshis": utxo.value.get(),
        "keyId": utxo.key_identifier,
        "status": utxo.state.status().as_str(),
        "height": utxo.height,
    })
}
