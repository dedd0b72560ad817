//! The state of the pool, as operators ask for it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::problem::Problem;
use crate::service::runway::Runway;
use crate::wallet::runway::NoRunway;

/// The state of the pool.
#[derive(Debug, Serialize, ToSchema)]
struct HealthBody {
    /// By status: `unconfirmed`, `available`, `locked`, `spent`.
    db: BTreeMap<&'static str, TotalBody>,
    funding: FundingBody,
    /// What the network lists, or why it is not known.
    #[schema(value_type = Object)]
    chain: serde_json::Value,
    runway: RunwayBody,
}

/// How long the pool lasts, and what waits.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunwayBody {
    /// Whole days at the rate of the last seven; none where it would be a guess.
    days_left: Option<u64>,
    /// Why nobody can say.
    reason: Option<&'static str>,
    value_satoshis: u64,
    spent_last_seven_days_satoshis: u64,
    fees_today_satoshis: u64,
    /// The most that may be signed for in a day; none for no limit.
    fee_cap_per_day_satoshis: Option<u64>,
    /// Whether the cap of the day has no room for another record.
    capped: bool,
    /// Age of the oldest record that the network has not taken.
    oldest_unanchored_seconds: Option<u64>,
    /// What jobs hold, by their stage.
    locked_satoshis: BTreeMap<&'static str, u64>,
    /// Records that found nothing to pay with.
    records_waiting_for_money: u64,
}

impl From<Runway> for RunwayBody {
    fn from(runway: Runway) -> Self {
        Self {
            capped: runway.is_capped,
            days_left: runway.days_left.ok(),
            reason: runway.days_left.err().map(NoRunway::as_str),
            value_satoshis: runway.value,
            spent_last_seven_days_satoshis: runway.spent_last_days,
            fees_today_satoshis: runway.fees_today,
            fee_cap_per_day_satoshis: runway.fee_cap_per_day,
            oldest_unanchored_seconds: runway.oldest_unanchored_secs,
            locked_satoshis: runway.locked,
            records_waiting_for_money: runway.waiting_for_money,
        }
    }
}

/// Number and sum of outputs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TotalBody {
    pub(super) count: u64,
    pub(super) total_satoshis: u64,
}

/// Where money goes and what counts as enough.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FundingBody {
    address: String,
    network: &'static str,
    min_confirmations: u32,
    thresholds: ThresholdsBody,
}

/// What counts as enough.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ThresholdsBody {
    fee_per_kb: u64,
    max_chain_depth: u32,
    min_utxo_count: u64,
    split_size_satoshis: u64,
    dust_threshold_satoshis: u64,
    dust_sweep_limit: u64,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(utxo_health))
}

/// Tells what the pool holds and what the network says about it.
#[utoipa::path(get, path = "/v1/admin/utxo-health", tag = "admin", security(("apiKey" = [])),
    responses((status = 200, body = HealthBody)))]
async fn utxo_health(
    _authorized: Authorized<permission::UtxoRead>,
    state: State<HttpState>,
) -> Result<Response, Problem> {
    let (funding, now) = (&state.services.funding, state.clock.now());
    let policy = state.services.maintenance.treasury.policy.current();
    if state.options.maintains_on_health && state.services.maintenance.treasury.is_wanting()? {
        (state.maintain)();
    }
    let db = funding
        .pool()?
        .into_iter()
        .map(|(status, total)| {
            (status, TotalBody { count: total.count, total_satoshis: total.satoshis })
        })
        .collect();
    let chain = match funding.chain_view(now).await {
        Ok(view) => {
            serde_json::json!({ "count": view.count, "totalSatoshis": view.total_satoshis })
        }
        Err(error) => serde_json::json!({ "error": error.to_string() }),
    };
    let body = HealthBody {
        db,
        funding: FundingBody {
            address: funding.keyring.funding.address.to_string(),
            network: funding.keyring.network.as_str(),
            min_confirmations: policy.min_confirmations,
            thresholds: ThresholdsBody {
                fee_per_kb: policy.fee_rate.sat_per_kb(),
                max_chain_depth: state.options.max_chain_depth,
                min_utxo_count: policy.min_utxo_count,
                split_size_satoshis: policy.split_size.get(),
                dust_threshold_satoshis: policy.dust_threshold.get(),
                dust_sweep_limit: policy.dust_sweep_limit,
            },
        },
        chain,
        runway: state.services.runway.look(now)?.into(),
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
