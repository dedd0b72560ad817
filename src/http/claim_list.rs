//! The claims at a counter, as the shop sees them.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LINK};
use axum::response::{AppendHeaders, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::claims::{WhoseClaims, status_of, whose_claims};
use crate::http::credentials::Authorized;
use crate::http::extract::ApiQuery;
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::service::claims::{Claim, ClaimState, MAX_PAGE};
use crate::types::{RecordId, Timestamp};

const DEFAULT_PAGE: usize = 50;
const STATES: [&str; 3] = ["pending", "approved", "expired"];

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ClaimsQuery {
    /// `pending`, `approved` or `expired`.
    state: Option<String>,
    /// Claims on the page, 1 to 200; 50 if not said.
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// A page of claims, newest first. With `state` it may have fewer than fit and a next page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ClaimsBody {
    items: Vec<ClaimItem>,
    next_cursor: Option<String>,
}

/// A claim.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ClaimItem {
    claim_id: String,
    #[serde(rename = "uid_tag_id")]
    uid_tag_id: String,
    new_owner_address: String,
    /// `pending`, `approved` or `expired`.
    status: &'static str,
    filed_at: String,
    expires_at: String,
    approved_at: Option<String>,
    /// The transfer, once the claim is approved.
    #[schema(value_type = Option<String>)]
    pending_id: Option<RecordId>,
}

impl ClaimItem {
    fn of(claim: &Claim, now: Timestamp) -> Self {
        let (pending_id, approved_at) = match claim.state {
            ClaimState::Pending => (None, None),
            ClaimState::Approved { record, at } => (Some(record), Some(at.to_string())),
        };
        Self {
            claim_id: hex::encode(claim.id),
            uid_tag_id: claim.uid.as_str().to_owned(),
            new_owner_address: claim.new_owner.to_string(),
            status: status_of(claim, now),
            filed_at: claim.filed_at.to_string(),
            expires_at: claim.expires_at.to_string(),
            approved_at,
            pending_id,
        }
    }
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(list_claims))
}

/// Lists the claims filed with the caller's shop, or with every shop for who may do everything.
#[utoipa::path(get, path = "/v1/admin/claims", tag = "claims", security(("apiKey" = [])),
    params(ClaimsQuery), responses((status = 200, body = ClaimsBody),
        (status = 400, body = ProblemBody)))]
async fn list_claims(
    authorized: Authorized<permission::ClaimsRead>,
    state: State<HttpState>,
    query: ApiQuery<ClaimsQuery>,
) -> Result<Response, Problem> {
    let ClaimsQuery { state: wanted, limit, cursor } = query.0;
    let limit = limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::invalid_field("limit", format!("must be 1 to {MAX_PAGE}")));
    }
    if wanted.as_deref().is_some_and(|word| !STATES.contains(&word)) {
        let message = format!("must be one of {}", STATES.join(", "));
        return Err(Problem::invalid_field("state", message));
    }
    let no_shop =
        || Problem::new(ProblemCode::StateConflict).detail("The key is bound to no shop.");
    let shop = whose_claims(&authorized.principal).map(WhoseClaims::shop).ok_or_else(no_shop)?;
    let before = cursor.as_deref().map(read_cursor).transpose()?;
    let now = state.clock.now();
    let is_wanted =
        |claim: &Claim| wanted.as_deref().is_none_or(|word| word == status_of(claim, now));
    let page = state.services.claims.list(shop, before, limit, is_wanted)?;
    let next_cursor =
        page.next.map(|(at, id)| URL_SAFE_NO_PAD.encode([&at.to_be_bytes()[..], &id[..]].concat()));
    let link = next_cursor.as_deref().map(|cursor| {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.append_pair("limit", &limit.to_string()).append_pair("cursor", cursor);
        if let Some(wanted) = &wanted {
            pairs.append_pair("state", wanted);
        }
        (LINK, format!("</v1/admin/claims?{}>; rel=\"next\"", pairs.finish()))
    });
    let items = page.items.iter().map(|claim| ClaimItem::of(claim, now)).collect();
    let no_store = (CACHE_CONTROL, "no-store".to_owned());
    let headers: Vec<_> = std::iter::once(no_store).chain(link).collect();
    Ok((AppendHeaders(headers), Json(ClaimsBody { items, next_cursor })).into_response())
}

fn read_cursor(text: &str) -> Result<(i64, [u8; 16]), Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let place = bytes.as_deref().and_then(|bytes| {
        let (at, id) = bytes.split_first_chunk::<8>()?;
        Some((i64::from_be_bytes(*at), id.try_into().ok()?))
    });
    place.ok_or_else(|| Problem::invalid_field("cursor", "must be the nextCursor of a page"))
}
