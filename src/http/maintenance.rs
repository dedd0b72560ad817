//! Maintenance of the pool on demand: so far taking in what the network lists.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::ApiJson;
use crate::http::problem::{Problem, ProblemBody};

/// What is to be done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct MaintainRequest {
    /// `sync`.
    action: String,
    #[serde(default)]
    dry_run: bool,
    /// Whether to answer when it is done; it always is.
    #[serde(default = "waits")]
    wait: bool,
}

const fn waits() -> bool {
    true
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MaintainedBody {
    success: bool,
    action: &'static str,
    dry_run: bool,
    steps: Vec<SyncStep>,
}

/// What a synchronisation brought.
#[derive(Debug, Serialize, ToSchema)]
struct SyncStep {
    action: &'static str,
    listed: usize,
    added: usize,
    updated: usize,
    skipped: usize,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(maintain))
}

/// Takes in every output that the network lists for our payment keys.
#[utoipa::path(post, path = "/v1/admin/utxo-maintain", tag = "admin", security(("apiKey" = [])),
    request_body = MaintainRequest, responses((status = 200, body = MaintainedBody),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
async fn maintain(
    _authorized: Authorized<permission::UtxoWrite>,
    state: State<HttpState>,
    body: ApiJson<MaintainRequest>,
) -> Result<Json<MaintainedBody>, Problem> {
    let MaintainRequest { action, dry_run, wait } = body.0;
    if action != "sync" {
        return Err(Problem::invalid_field("action", "must be sync"));
    }
    if dry_run || !wait {
        return Err(Problem::invalid_field("dryRun", "a sync is done at once or not at all"));
    }
    let done = state.services.funding.sync(state.clock.now()).await?;
    let step = SyncStep {
        action: "sync",
        listed: done.listed,
        added: done.added,
        updated: done.updated,
        skipped: done.skipped,
    };
    Ok(Json(MaintainedBody { success: true, action: "sync", dry_run, steps: vec![step] }))
}
