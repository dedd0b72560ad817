//! Having the pool looked after, and asking what was done.

mod body;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::bitcoin::Address;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::ApiJsonDigest;
use crate::http::maintenance::body::{MaintainBody, MaintainRequest, StatusBody};
use crate::http::once::{Once, Repeatable, made};
use crate::http::problem::{Problem, ProblemBody};
use crate::service::maintenance::{Action, MaintenanceRequest};
use crate::types::{OutPoint, Satoshis};

/// How long a request waits for the network to take what it started.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most outputs that one request names.
const MOST_OUTPOINTS: usize = 100;
/// The most outputs that one request has made.
const MOST_COUNT: u64 = 249;

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(utxo_maintain, maintenance_status))
        .routes(routes!(utxo_maintenance))
}

/// Looks after the pool: sync, sweep, split, or what else is asked for.
#[utoipa::path(post, path = "/v1/admin/utxo-maintain", tag = "admin", security(("apiKey" = [])),
    request_body = MaintainRequest, responses((status = 200, body = MaintainBody),
        (status = 400, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
async fn utxo_maintain(
    authorized: Authorized<permission::UtxoWrite>,
    repeatable: Repeatable,
    state: State<HttpState>,
    body: ApiJsonDigest<MaintainRequest>,
) -> Result<Response, Problem> {
    let actor = authorized.principal.id;
    let once = repeatable.by(&actor, body.digest);
    maintain(state.0, body.value, actor, once).await
}

/// Does the same under the address of older clients.
#[utoipa::path(post, path = "/v1/admin/utxo-maintenance", tag = "admin", security(("apiKey" = [])),
    request_body = MaintainRequest, responses((status = 200, body = MaintainBody),
        (status = 400, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
async fn utxo_maintenance(
    authorized: Authorized<permission::UtxoWrite>,
    repeatable: Repeatable,
    state: State<HttpState>,
    body: ApiJsonDigest<MaintainRequest>,
) -> Result<Response, Problem> {
    let actor = authorized.principal.id;
    let once = repeatable.by(&actor, body.digest);
    maintain(state.0, body.value, actor, once).await
}

/// Tells what runs, what the last run did and when the next one is due.
#[utoipa::path(get, path = "/v1/admin/utxo-maintain", tag = "admin", security(("apiKey" = [])),
    responses((status = 200, body = StatusBody)))]
async fn maintenance_status(
    _authorized: Authorized<permission::UtxoRead>,
    state: State<HttpState>,
) -> Result<Response, Problem> {
    let status = state.services.maintenance.state.status();
    let body = Json(StatusBody::of(&status, state.options.network));
    Ok(([(CACHE_CONTROL, "no-store")], body).into_response())
}

/// Runs and answers; an answer that was given under the same key is given again.
async fn maintain(
    state: HttpState,
    body: MaintainRequest,
    actor: String,
    once: Once,
) -> Result<Response, Problem> {
    let request = request_of(&body, actor, &state)?;
    let now = state.clock.now();
    let deed = async move |state: HttpState| {
        let report = state.services.maintenance.run(&request, now).await?;
        Ok(made(StatusCode::OK, &MaintainBody::of(&report, state.options.network)))
    };
    once.work((state, now), deed).await
}

fn request_of(
    body: &MaintainRequest,
    actor: String,
    state: &HttpState,
) -> Result<MaintenanceRequest, Problem> {
    let action = action_of(body)?;
    let of_default = MaintenanceRequest::of(action, &actor);
    // The script of the predecessor took nothing back unless told to in so many words.
    let is_dry = body.dry_run.unwrap_or(action == Action::UnlockStale);
    let minutes =
        body.older_than_mins.map(|minutes| Duration::from_secs(minutes.saturating_mul(60)));
    if body.limit.is_some_and(|limit| !(1..=10_000).contains(&limit)) {
        return Err(Problem::invalid_field("limit", "must be 1 to 10000"));
    }
    if body.count.is_some_and(|count| !(1..=MOST_COUNT).contains(&count)) {
        return Err(Problem::invalid_field("count", format!("must be 1 to {MOST_COUNT}")));
    }
    let size = body.size_satoshis.map(|value| match Satoshis::new(value) {
        Ok(size) if size > Satoshis::ZERO => Ok(size),
        Ok(_) | Err(_) => Err(Problem::invalid_field("sizeSatoshis", "must be an amount")),
    });
    Ok(MaintenanceRequest {
        dry_run: is_dry,
        outpoints: outpoints_of(body)?,
        count: body.count,
        size: size.transpose()?,
        change_address: address(body.change_address.as_deref(), "changeAddress", state)?,
        change_key_id: body.change_key_id.clone(),
        destination: address(body.destination_address.as_deref(), "destinationAddress", state)?,
        allows_foreign: body.allow_foreign_destination.unwrap_or(false),
        older_than: minutes.unwrap_or(of_default.older_than),
        limit: body.limit.unwrap_or(of_default.limit),
        wait: if body.wait.unwrap_or(true) { PATIENCE } else { Duration::ZERO },
        ..of_default
    })
}

fn action_of(body: &MaintainRequest) -> Result<Action, Problem> {
    let word = body.action.as_deref().unwrap_or("auto");
    let action = Action::ALL.into_iter().find(|action| action.as_str() == word);
    action.ok_or_else(|| {
        let words = Action::ALL.map(Action::as_str).join(", ");
        Problem::invalid_field("action", format!("must be one of {words}"))
    })
}

fn outpoints_of(body: &MaintainRequest) -> Result<Vec<OutPoint>, Problem> {
    let named = body.outpoints.as_deref().unwrap_or_default();
    if named.len() > MOST_OUTPOINTS {
        return Err(Problem::invalid_field("outpoints", format!("at most {MOST_OUTPOINTS}")));
    }
    named
        .iter()
        .map(|text| {
            text.parse().map_err(|_| Problem::invalid_field("outpoints", "each must be txid:vout"))
        })
        .collect()
}

fn address(
    text: Option<&str>,
    field: &'static str,
    state: &HttpState,
) -> Result<Option<Address>, Problem> {
    text.map(|text| {
        Address::parse(text, state.options.network)
            .map_err(|error| Problem::invalid_field(field, error.to_string()))
    })
    .transpose()
}
