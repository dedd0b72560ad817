//! `patchproof utxo health`: the pool beside what the chain says.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::{Map, Value, json};

use crate::app::configured::chain_client;
use crate::chain::UtxoSource;
use crate::cli::desk::{Ask, Desk};
use crate::cli::store::ReadStore;
use crate::cli::utxo::Pool;
use crate::config::PoolConfig;
use crate::service::keys::pinned_funding_address;
use crate::service::settings::effective_in;
use crate::storage::utxos::pool_totals;
use crate::storage::{PoolTotals, StoreError};
use crate::wallet::utxo::UtxoStatus;

/// Show what is in the pool beside what the chain says
///
/// Asks the server that runs, which knows the runway too. Fails if the network endpoint does not
/// answer, and shows the rest.
#[derive(Debug, Args)]
pub(super) struct HealthArguments {}

impl HealthArguments {
    pub(super) async fn run(self, pool: &Pool<'_>) -> anyhow::Result<ExitCode> {
        let health = if pool.place.is_served().await? {
            Desk::beside(pool.place)?.ask(Ask::get("/v1/admin/utxo-health")).await?.body
        } else {
            look(pool).await?
        };
        pool.surroundings.output.json(&health)?;
        let is_whole = health["chain"].get("error").is_none();
        Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Looks at the store and the network without a server.
async fn look(pool: &Pool<'_>) -> anyhow::Result<Value> {
    let config = pool.config()?;
    let store = ReadStore::open(&pool.place.data_dir)?;
    let (totals, pinned, settings) = store.read(|tx| {
        let settings = effective_in(tx, &config.settings)?;
        Ok::<_, StoreError>((pool_totals(tx)?, pinned_funding_address(tx)?, settings))
    })?;
    let address = pinned.or_else(|| config.keys.funding_address.clone());
    let chain = match chain_view(&config, address.as_deref()).await {
        Ok(view) => view,
        Err(error) => json!({ "error": format!("{error:#}") }),
    };
    Ok(json!({
        "db": by_status(&totals),
        "funding": {
            "address": address,
            "network": config.woc.network,
            "minConfirmations": settings.min_confirmations(),
        },
        "chain": chain,
    }))
}

fn by_status(totals: &PoolTotals) -> Value {
    let by_status = UtxoStatus::ALL.into_iter().map(|status| {
        let of_status = totals.iter().filter(|((_, other), _)| *other == status);
        let (count, satoshis) = of_status.fold((0u64, 0u64), |(count, satoshis), (_, total)| {
            (count.saturating_add(total.count), satoshis.saturating_add(total.satoshis))
        });
        (status.as_str().to_owned(), json!({ "count": count, "totalSatoshis": satoshis }))
    });
    Value::Object(by_status.collect::<Map<_, _>>())
}

async fn chain_view(config: &PoolConfig, address: Option<&str>) -> anyhow::Result<Value> {
    let address = address.context(
        "the funding address is not known yet: set UTXO_FUNDING_ADDRESS, or run utxo sync once",
    )?;
    let listed = chain_client(&config.woc)?.unspent(address).await?;
    let total = listed.iter().fold(0u64, |sum, output| sum.saturating_add(output.value.get()));
    Ok(json!({ "count": listed.len(), "totalSatoshis": total }))
}
