//! `patchproof utxo health`: the pool beside what the chain says.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::utxo::Pool;
use crate::service::funding::FundingService;
use crate::storage::StoreError;
use crate::storage::utxos::pool_totals;
use crate::wallet::utxo::UtxoStatus;

/// Show what is in the pool beside what the chain says
///
/// Fails if the keys cannot be learnt or the network endpoint does not answer, and shows the rest.
#[derive(Debug, Args)]
pub(super) struct HealthArguments {}

impl HealthArguments {
    pub(super) async fn run(self, pool: &Pool<'_>) -> anyhow::Result<ExitCode> {
        let config = pool.config()?;
        let db = totals(pool)?;
        let (funding, chain) = match pool.funding(&config).await {
            Ok(service) => {
                let described = json!({
                    "address": service.keyring.funding.address.to_string(),
                    "network": config.woc.network,
                    "minConfirmations": config.min_confirmations,
                });
                (described, chain_view(&service, pool).await)
            }
            Err(error) => {
                let described = json!({
                    "network": config.woc.network,
                    "minConfirmations": config.min_confirmations,
                });
                (described, json!({ "error": format!("{error:#}") }))
            }
        };
        let is_whole = chain.get("error").is_none();
        pool.surroundings.output.json(&json!({ "db": db, "funding": funding, "chain": chain }))?;
        Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn totals(pool: &Pool<'_>) -> Result<Value, StoreError> {
    let totals = pool.store.read(|tx| pool_totals(tx))?;
    let by_status = UtxoStatus::ALL.into_iter().map(|status| {
        let of_status = totals.iter().filter(|((_, other), _)| *other == status);
        let (count, satoshis) = of_status.fold((0u64, 0u64), |(count, satoshis), (_, total)| {
            (count.saturating_add(total.count), satoshis.saturating_add(total.satoshis))
        });
        (status.as_str().to_owned(), json!({ "count": count, "totalSatoshis": satoshis }))
    });
    Ok(Value::Object(by_status.collect::<Map<_, _>>()))
}

async fn chain_view(service: &FundingService, pool: &Pool<'_>) -> Value {
    match service.chain_view(pool.surroundings.clock.now()).await {
        Ok(view) => json!(view),
        Err(error) => json!({ "error": format!("{:#}", anyhow::Error::new(error)) }),
    }
}
