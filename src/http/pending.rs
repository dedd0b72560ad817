//! Records on their way, as their clients poll them.

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::anchor::lifecycle::Stage;
use crate::http::HttpState;
use crate::http::credentials::Public;
use crate::http::extract::ApiPath;
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::http::view::{certificate_url, stage_word};
use crate::patch::record::Purpose;
use crate::service::pending::PendingView;
use crate::types::{RecordId, Txid};

/// A record on its way.
#[derive(Debug, Serialize, ToSchema)]
struct PendingBody {
    #[schema(value_type = String)]
    id: RecordId,
    uid_tag_id: String,
    /// `pending`, `anchoring`, `confirmed` or `failed`.
    status: &'static str,
    /// `accepted`, `broadcast`, `seen`, `mined`, `final`, `held` or `failed`.
    stage: &'static str,
    #[schema(value_type = Option<String>)]
    txid: Option<Txid>,
    #[serde(rename = "certificateUrl")]
    certificate_url: Option<String>,
    /// Why it failed or is held.
    error: Option<String>,
    created_at: String,
    updated_at: String,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(pending_registration)).routes(routes!(pending_transfer))
}

/// Tells how far a registration has come.
#[utoipa::path(get, path = "/v1/patches/pending/registration/{id}", tag = "patches",
    params(("id" = String, Path)), responses(
        (status = 200, body = PendingBody), (status = 404, body = ProblemBody)))]
async fn pending_registration(
    _public: Public,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    answer(&state, &path.0, Purpose::RegisterPatch)
}

/// Tells how far a transfer has come.
#[utoipa::path(get, path = "/v1/patches/pending/transfer/{id}", tag = "patches",
    params(("id" = String, Path)), responses(
        (status = 200, body = PendingBody), (status = 404, body = ProblemBody)))]
async fn pending_transfer(
    _public: Public,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    answer(&state, &path.0, Purpose::TransferOwnership)
}

fn answer(state: &HttpState, id: &str, purpose: Purpose) -> Result<Response, Problem> {
    let unknown = || Problem::new(ProblemCode::NotFound).detail("There is no such pending record.");
    let id: RecordId = id.parse().map_err(|_| unknown())?;
    let view = state.services.pending.find(id, purpose)?.ok_or_else(unknown)?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(body(state, view))).into_response())
}

fn body(state: &HttpState, view: PendingView) -> PendingBody {
    let error = match &view.job.stage {
        Stage::Failed { reason } => Some(reason.clone()),
        Stage::Held { reason, .. } => Some(reason.advice().to_owned()),
        Stage::Accepted
        | Stage::Reserved
        | Stage::Signed { .. }
        | Stage::Seen { .. }
        | Stage::Mined { .. }
        | Stage::Final { .. } => None,
    };
    PendingBody {
        id: view.record.id,
        certificate_url: view.txid.map(|_| certificate_url(state, &view.record.uid)),
        uid_tag_id: view.record.uid.into(),
        status: view.status.as_str(),
        stage: stage_word(&view.job.stage),
        txid: view.txid,
        error,
        created_at: view.record.accepted_at.to_string(),
        updated_at: view.updated_at.to_string(),
    }
}
