//! `patchproof utxo`: the pool of outputs, on the data itself.

mod add;
mod health;
mod list;
mod sync;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::app::configured::{chain_client, key_names, signer_client};
use crate::chain::WhatsOnChain;
use crate::cli::store::data_dir;
use crate::cli::{Surroundings, runtime};
use crate::config::PoolConfig;
use crate::service::funding::FundingService;
use crate::service::keys::establish_keyring;
use crate::service::settings::RuntimeSettings;
use crate::storage::Store;
use crate::wallet::utxo::Utxo;

/// Look after the pool of outputs that pays for transactions
///
/// Works on the data directory itself. list and health may run beside a server, add and sync only
/// while none runs.
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
    Sync(sync::SyncArguments),
    Health(health::HealthArguments),
}

/// What the actions work with.
struct Pool<'a> {
    surroundings: &'a Surroundings,
    data_dir: &'a Path,
}

impl UtxoCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let data_dir = data_dir(self.data_dir, surroundings)?;
        let pool = Pool { surroundings, data_dir: &data_dir };
        match self.action {
            UtxoAction::List(arguments) => arguments.run(&pool),
            UtxoAction::Add(arguments) => runtime()?.block_on(arguments.run(&pool)),
            UtxoAction::Sync(arguments) => runtime()?.block_on(arguments.run(&pool)),
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

    /// Puts together what takes money into `store`.
    async fn funding(&self, store: &Store) -> anyhow::Result<FundingService> {
        let config = self.config()?;
        let network: Arc<WhatsOnChain> = Arc::new(chain_client(&config.woc)?);
        let signer = signer_client(&config.kms)?;
        let names = key_names(&config.keys, config.woc.network);
        let keyring = establish_keyring(store, &signer, &names).await?;
        Ok(FundingService {
            store: store.clone(),
            keyring: Arc::new(keyring),
            tracker: Arc::<WhatsOnChain>::clone(&network),
            source: network,
            runtime: RuntimeSettings::new(config.settings),
            chain_view_ttl: config.health_woc_cache,
            chain_view: Arc::default(),
        })
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

/// Shows an output on one line.
fn output_line(utxo: &Utxo) -> String {
    let height = utxo.height.map_or("-".to_owned(), |height| height.to_string());
    format!(
        "{:<11}  {:>12}  {:>8}  {}  {}",
        utxo.state.status().as_str(),
        utxo.value.get(),
        height,
        utxo.outpoint,
        utxo.key_identifier,
    )
}
