//! `patchproof utxo`: the pool of outputs, on the data of a server that is not running.

mod add;
mod health;
mod list;
mod sync;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::app::ports;
use crate::cli::{Surroundings, runtime};
use crate::config::{self, PoolConfig};
use crate::service::funding::FundingService;
use crate::service::keys::establish_keyring;
use crate::storage::{Store, StoreError, StoreOptions};
use crate::wallet::utxo::Utxo;

/// Look after the pool of outputs that pays for transactions
///
/// Works on the data directory itself and therefore only while no server runs on it; a running
/// server is asked through /v1/admin/utxo-health and /v1/admin/utxo-maintain.
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
    store: Store,
}

impl UtxoCommand {
    pub(super) fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        if let UtxoAction::Add(arguments) = &self.action {
            arguments.check()?;
        }
        let data_dir = match self.data_dir {
            Some(folder) => folder,
            None => config::data_dir(&surroundings.environment)?,
        };
        let pool = Pool { surroundings, store: open_store(&data_dir)? };
        let done = match self.action {
            UtxoAction::List(arguments) => arguments.run(&pool),
            UtxoAction::Add(arguments) => runtime()?.block_on(arguments.run(&pool)),
            UtxoAction::Sync(arguments) => runtime()?.block_on(arguments.run(&pool)),
            UtxoAction::Health(arguments) => runtime()?.block_on(arguments.run(&pool)),
        };
        pool.store.close();
        done
    }
}

fn open_store(data_dir: &std::path::Path) -> anyhow::Result<Store> {
    // A slip in the path must not look like an empty pool.
    if !data_dir.is_dir() {
        bail!("there is no data directory {}", data_dir.display());
    }
    Store::open(StoreOptions::in_directory(data_dir)).map_err(|error| {
        let is_served = matches!(error, StoreError::InUse);
        let hint =
            if is_served { "; a running server does this at /v1/admin/utxo-health" } else { "" };
        let text = format!("the store in {} cannot be opened{hint}", data_dir.display());
        anyhow::Error::new(error).context(text)
    })
}

impl Pool<'_> {
    fn config(&self) -> anyhow::Result<PoolConfig> {
        let config = PoolConfig::load(&self.surroundings.environment)?;
        self.surroundings.output.warn(&config.warnings);
        Ok(config)
    }

    /// Puts together what takes money in; asks the signer only for keys it has not named before.
    async fn funding(&self, config: &PoolConfig) -> anyhow::Result<FundingService> {
        let signer = ports::signer(&config.kms).context("KMS_SIGN_URL cannot be used")?;
        let names = ports::key_names(&config.keys, config.woc.network);
        let keyring = establish_keyring(&self.store, &signer, &names).await?;
        let network = ports::whatsonchain(&config.woc).context("WOC_BASE_URL cannot be used")?;
        let network = Arc::new(network);
        Ok(FundingService {
            store: self.store.clone(),
            keyring: Arc::new(keyring),
            tracker: network.clone(),
            source: network,
            min_confirmations: config.min_confirmations,
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
