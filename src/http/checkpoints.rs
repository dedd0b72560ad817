//! Our own chain of headers as operators see it, and the blocks that they vouch for.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::{ApiJsonDigest, ApiPath};
use crate::http::once::{Repeatable, made};
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::service::headers::{ChainTrust, JudgedCheckpoint};
use crate::types::{BlockHash, Checkpoint};

/// A block to vouch for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CheckpointRequest {
    /// Its height, genesis being 0.
    height: u32,
    /// Its hash, 64 hexadecimal digits as explorers print it.
    hash: String,
}

/// Our chain of headers and what vouches for it.
#[derive(Debug, Serialize, ToSchema)]
struct HeadersBody {
    /// `genesis`, `checkpoint` or `first-contact`; null while there is no header.
    anchored: Option<&'static str>,
    /// The height of our lowest header.
    lowest: Option<u32>,
    tip: Option<TipBody>,
    /// Every block that is vouched for, by height.
    checkpoints: Vec<CheckpointBody>,
}

/// The newest block of our best chain.
#[derive(Debug, Serialize, ToSchema)]
struct TipBody {
    height: u32,
    #[schema(value_type = String)]
    hash: BlockHash,
}

/// A block that is vouched for.
#[derive(Debug, Serialize, ToSchema)]
struct CheckpointBody {
    height: u32,
    #[schema(value_type = String)]
    hash: BlockHash,
    /// By whom: `genesis`, `environment` or `stored`.
    origin: &'static str,
    /// `linked`, `below` our headers, `ahead` of them, or `contradicted` by them.
    standing: &'static str,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(list_checkpoints, add_checkpoint))
        .routes(routes!(remove_checkpoint))
}

/// Tells what our chain of headers hangs on.
#[utoipa::path(get, path = "/v1/admin/headers/checkpoints", tag = "admin",
    security(("apiKey" = [])),
    responses((status = 200, body = HeadersBody)))]
async fn list_checkpoints(
    _authorized: Authorized<permission::SettingsRead>,
    state: State<HttpState>,
) -> Result<Response, Problem> {
    Ok(answer(&state.services.headers.trust()?))
}

/// Vouches for a block, in place of another at its height.
#[utoipa::path(post, path = "/v1/admin/headers/checkpoints", tag = "admin",
    security(("apiKey" = [])), request_body = CheckpointRequest, responses(
        (status = 201, body = HeadersBody, description = "It counts from now on"),
        (status = 400, body = ProblemBody)))]
async fn add_checkpoint(
    authorized: Authorized<permission::SettingsWrite>,
    repeatable: Repeatable,
    state: State<HttpState>,
    body: ApiJsonDigest<CheckpointRequest>,
) -> Result<Response, Problem> {
    let hash = body.value.hash.parse();
    let hash = hash.map_err(|_| Problem::invalid_field("hash", "must be 64 hexadecimal digits"))?;
    let checkpoint = Checkpoint { height: body.value.height, hash };
    let (actor, now) = (authorized.principal.id, state.clock.now());
    let once = repeatable.by(&actor, body.digest);
    let answer = |_: &HttpState, trust: &_| made(StatusCode::CREATED, &headers_body(trust));
    let deed = async move |state: HttpState, keep| {
        state.services.headers.add_checkpoint(checkpoint, &actor, keep, now).await
    };
    once.make((state.0, now), answer, deed).await
}

/// Ceases to vouch for a block that was added.
#[utoipa::path(delete, path = "/v1/admin/headers/checkpoints/{height}", tag = "admin",
    security(("apiKey" = [])), params(("height" = u32, Path, description = "Its height")),
    responses((status = 200, body = HeadersBody), (status = 400, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn remove_checkpoint(
    authorized: Authorized<permission::SettingsWrite>,
    state: State<HttpState>,
    height: ApiPath<u32>,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    let headers = &state.services.headers;
    let trust = headers.remove_checkpoint(height.0, &authorized.principal.id, now).await?;
    let trust = trust.ok_or_else(|| {
        Problem::new(ProblemCode::NotFound).detail("No checkpoint was added at this height.")
    })?;
    Ok(answer(&trust))
}

fn answer(trust: &ChainTrust) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(headers_body(trust))).into_response()
}

fn headers_body(trust: &ChainTrust) -> HeadersBody {
    HeadersBody {
        anchored: trust.anchored.map(|by| by.as_str()),
        lowest: trust.lowest,
        tip: trust.tip.map(|tip| TipBody { height: tip.height, hash: tip.hash }),
        checkpoints: trust.checkpoints.iter().map(checkpoint_body).collect(),
    }
}

fn checkpoint_body(judged: &JudgedCheckpoint) -> CheckpointBody {
    CheckpointBody {
        height: judged.checkpoint.height,
        hash: judged.checkpoint.hash,
        origin: judged.voucher.as_str(),
        standing: judged.standing.as_str(),
    }
}
