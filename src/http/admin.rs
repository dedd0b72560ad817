//! What operators ask for: lists of products and the state of the pool.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LINK};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::bitcoin::Address;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::ApiQuery;
use crate::http::problem::{Problem, ProblemBody};
use crate::service::listing::{ListedPatch, MAX_PAGE, PatchFilter};
use crate::service::pending::PendingStatus;
use crate::service::runway::Runway;
use crate::types::Txid;
use crate::wallet::runway::NoRunway;

const DEFAULT_PAGE: usize = 50;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Products on the page, 1 to 200; 50 if not said.
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// Text that the tag contains, any case.
    search: Option<String>,
    /// The owner's address.
    owner: Option<String>,
    /// `pending`, `anchoring`, `confirmed` or `failed`.
    status: Option<String>,
}

/// A page of products.
#[derive(Debug, Serialize, ToSchema)]
struct ListBody {
    items: Vec<ItemBody>,
    #[serde(rename = "nextCursor")]
    next_cursor: Option<String>,
}

/// A product.
#[derive(Debug, Serialize, ToSchema)]
struct ItemBody {
    uid_tag_id: String,
    status: &'static str,
    /// Nothing if it was erased at the owner's wish.
    owner: Option<String>,
    #[schema(value_type = Option<String>)]
    current_txid: Option<Txid>,
    created_at: String,
    updated_at: String,
}

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
    OpenApiRouter::new().routes(routes!(list_patches)).routes(routes!(utxo_health))
}

/// Lists products.
#[utoipa::path(get, path = "/v1/admin/patches", tag = "admin", security(("apiKey" = [])),
    params(ListQuery), responses((status = 200, body = ListBody),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody)))]
async fn list_patches(
    _authorized: Authorized<permission::PatchesRead>,
    state: State<HttpState>,
    query: ApiQuery<ListQuery>,
) -> Result<Response, Problem> {
    let limit = query.0.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::invalid_field("limit", format!("must be 1 to {MAX_PAGE}")));
    }
    let after = query.0.cursor.as_deref().map(read_cursor).transpose()?;
    let filter = filter_of(&query.0, &state)?;
    let page = state.services.listing.list(&filter, after.as_deref(), limit)?;
    let next_cursor = page.next.map(|tag| URL_SAFE_NO_PAD.encode(tag));
    let link = next_cursor.as_deref().map(|cursor| (LINK, link_to_next(&query.0, limit, cursor)));
    let items = page.items.into_iter().map(item_body).collect();
    let body = Json(ListBody { items, next_cursor });
    let no_store = (CACHE_CONTROL, "no-store".to_owned());
    let headers: Vec<_> = std::iter::once(no_store).chain(link).collect();
    Ok((axum::response::AppendHeaders(headers), body).into_response())
}

/// Links to the next page of the same list (RFC 8288).
fn link_to_next(query: &ListQuery, limit: usize, cursor: &str) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("limit", &limit.to_string()).append_pair("cursor", cursor);
    let filters = [("search", &query.search), ("owner", &query.owner), ("status", &query.status)];
    for (name, value) in filters {
        if let Some(value) = value {
            pairs.append_pair(name, value);
        }
    }
    format!("</v1/admin/patches?{}>; rel=\"next\"", pairs.finish())
}

fn read_cursor(text: &str) -> Result<String, Problem> {
    URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Problem::invalid_field("cursor", "must be the nextCursor of a page"))
}

fn filter_of(query: &ListQuery, state: &HttpState) -> Result<PatchFilter, Problem> {
    let owner = query.owner.as_deref().map(|text| {
        Address::parse(text, state.options.network)
            .map_err(|error| Problem::invalid_field("owner", error.to_string()))
    });
    let status = query.status.as_deref().map(|word| {
        [
            PendingStatus::Pending,
            PendingStatus::Anchoring,
            PendingStatus::Confirmed,
            PendingStatus::Failed,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
        .ok_or_else(|| {
            Problem::invalid_field("status", "must be pending, anchoring, confirmed or failed")
        })
    });
    Ok(PatchFilter {
        search: query.search.clone(),
        owner: owner.transpose()?,
        status: status.transpose()?,
    })
}

fn item_body(listed: ListedPatch) -> ItemBody {
    ItemBody {
        uid_tag_id: listed.patch.uid.into(),
        status: listed.status.as_str(),
        owner: (!listed.is_owner_erased).then(|| listed.patch.owner.to_string()),
        current_txid: listed.patch.current_txid,
        created_at: listed.patch.created_at.to_string(),
        updated_at: listed.patch.updated_at.to_string(),
    }
}

/// Tells what the pool holds and what the network says about it.
#[utoipa::path(get, path = "/v1/admin/utxo-health", tag = "admin", security(("apiKey" = [])),
    responses((status = 200, body = HealthBody), (status = 401, body = ProblemBody)))]
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
