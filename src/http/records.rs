//! Records that need an operator: listed, and taken up again.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::{ApiJson, ApiQuery};
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::patch::record::Purpose;
use crate::service::anchoring::Recovery;
use crate::service::records::{MAX_RECORDS, RecordSummary, RecoverySelection, StageName};
use crate::types::{RecordId, Txid};

const DEFAULT_PAGE: usize = 50;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct RecordsQuery {
    /// `accepted`, `reserved`, `signed`, `seen`, `mined`, `final`, `held` or `failed`.
    stage: String,
    /// Records on the page, 1 to 500; 50 if not said.
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// A page of records.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RecordsBody {
    items: Vec<RecordBody>,
    next_cursor: Option<String>,
}

/// A record and how far it has come.
#[derive(Debug, Serialize, ToSchema)]
struct RecordBody {
    #[schema(value_type = String)]
    id: RecordId,
    uid_tag_id: String,
    /// `registration` or `transfer`.
    purpose: &'static str,
    stage: &'static str,
    /// Its transaction, or the last one that it had.
    #[schema(value_type = Option<String>)]
    txid: Option<Txid>,
    /// What is wrong with it.
    problem: Option<String>,
    attempts: u32,
    created_at: String,
    /// Since when it is at this stage.
    since: String,
    /// Whether it can be taken up again.
    recoverable: bool,
    /// Why it cannot.
    reason: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RecoverRequest {
    /// One record.
    #[serde(default)]
    #[schema(nullable = false)]
    id: Option<String>,
    /// All records of this stage, `held` or `failed`, 500 at most.
    #[serde(default)]
    #[schema(nullable = false)]
    stage: Option<String>,
    /// Whether only to tell what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// What became of records that were to be taken up again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RecoveredBody {
    success: bool,
    dry_run: bool,
    /// Records that were taken up again, or would be.
    recovered: usize,
    /// Every record looked at; `recoverable` says which were taken up again, `stage` where they
    /// stood before.
    items: Vec<RecordBody>,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(list_records)).routes(routes!(recover_records))
}

/// Lists the records of a stage, oldest first.
#[utoipa::path(get, path = "/v1/admin/records", tag = "admin", security(("apiKey" = [])),
    params(RecordsQuery), responses((status = 200, body = RecordsBody),
        (status = 400, body = ProblemBody)))]
async fn list_records(
    _authorized: Authorized<permission::PatchesRead>,
    state: State<HttpState>,
    query: ApiQuery<RecordsQuery>,
) -> Result<Response, Problem> {
    let limit = query.0.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_RECORDS).contains(&limit) {
        return Err(Problem::invalid_field("limit", format!("must be 1 to {MAX_RECORDS}")));
    }
    let stage = stage_of(&query.0.stage, &StageName::ALL)?;
    let after = query.0.cursor.as_deref().map(|text| record_id("cursor", text)).transpose()?;
    let page = state.services.records.list(stage, after, limit)?;
    let items = page.items.into_iter().map(record_body).collect();
    let body = RecordsBody { items, next_cursor: page.next.map(|id| id.to_string()) };
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Takes up again one record or all of a stage, where that cannot anchor a record twice.
#[utoipa::path(post, path = "/v1/admin/records/recover", tag = "admin",
    security(("apiKey" = [])), request_body = RecoverRequest,
    responses((status = 200, body = RecoveredBody), (status = 400, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn recover_records(
    authorized: Authorized<permission::PatchesWrite>,
    state: State<HttpState>,
    body: ApiJson<RecoverRequest>,
) -> Result<Json<RecoveredBody>, Problem> {
    let RecoverRequest { id, stage, dry_run } = body.0;
    let selection = match (id, stage) {
        (Some(id), None) => RecoverySelection::One(record_id("id", &id)?),
        (None, Some(stage)) => {
            let stages = [StageName::Held, StageName::Failed];
            RecoverySelection::Stage(stage_of(&stage, &stages)?)
        }
        (Some(_), Some(_)) => return Err(Problem::invalid_field("stage", "must stand without id")),
        (None, None) => return Err(Problem::invalid_field("id", "is missing, as is stage")),
    };
    let (actor, now) = (&authorized.principal.id, state.clock.now());
    let records = state.services.records.recover(selection, dry_run, actor, now).await?;
    let unknown = || Problem::new(ProblemCode::NotFound).detail("There is no such record.");
    let items: Vec<RecordBody> =
        records.ok_or_else(unknown)?.into_iter().map(record_body).collect();
    let recovered = items.iter().filter(|item| item.recoverable).count();
    Ok(Json(RecoveredBody { success: true, dry_run, recovered, items }))
}

fn record_id(field: &'static str, text: &str) -> Result<RecordId, Problem> {
    text.parse().map_err(|_| Problem::invalid_field(field, "must be a record's identifier"))
}

fn stage_of(text: &str, allowed: &[StageName]) -> Result<StageName, Problem> {
    allowed.iter().copied().find(|stage| stage.as_str() == text).ok_or_else(|| {
        let words: Vec<&str> = allowed.iter().map(|stage| stage.as_str()).collect();
        Problem::invalid_field("stage", format!("must be one of {}", words.join(", ")))
    })
}

fn record_body(record: RecordSummary) -> RecordBody {
    RecordBody {
        txid: record.txid(),
        problem: record.problem(),
        purpose: match record.purpose {
            Purpose::RegisterPatch => "registration",
            Purpose::TransferOwnership => "transfer",
        },
        stage: StageName::of(&record.job.stage).as_str(),
        attempts: record.job.attempts,
        created_at: record.job.accepted_at.to_string(),
        since: record.job.stage_since.to_string(),
        recoverable: record.recovery == Recovery::Possible,
        reason: record.recovery.advice(),
        id: record.id,
        uid_tag_id: record.uid,
    }
}
