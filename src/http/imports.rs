//! Files of products to register: sent, looked at row by row, started, watched.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::edge::next_piece;
use crate::http::extract::{ApiPath, ApiQuery};
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::service::imports::{
    ImportError, ImportFormat, Intake, MAX_PAGE, RowOutcome, StoredImport, StoredImportRow,
};
use crate::types::ImportId;

const DEFAULT_PAGE: usize = 50;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SendQuery {
    /// `false` to have it registered at once if every row is acceptable; `true` if not said.
    dry_run: Option<bool>,
    /// With `dryRun=false`: whether to register the others if some rows are not acceptable.
    skip_bad: Option<bool>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct StartQuery {
    /// Whether to register the others if some rows are not acceptable.
    skip_bad: Option<bool>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    /// Imports on the page, 1 to 500; 50 if not said.
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct RowsQuery {
    /// Rows on the page, 1 to 500; 50 if not said.
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// `error` for the rows that cannot be registered alone.
    outcome: Option<String>,
}

/// A file of products to register.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ImportBody {
    #[schema(value_type = String)]
    id: ImportId,
    /// `receiving`, `checked`, `running`, `done`, `cancelled` or `forgetting`.
    state: &'static str,
    /// Rows in the file.
    rows: u32,
    /// Rows that are not acceptable.
    bad: u32,
    /// Rows that were registered.
    registered: u32,
    /// Acceptable rows that could not be registered when it was their turn.
    failed: u32,
    /// Rows that were tried, bad ones included.
    done: u32,
    actor: String,
    created_at: String,
    started_at: Option<String>,
    ended_at: Option<String>,
}

/// A page of imports.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ImportsBody {
    items: Vec<ImportBody>,
    next_cursor: Option<String>,
}

/// A row of a file and what became of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ImportRowBody {
    /// The line at which it begins, from 1.
    line: u32,
    #[serde(rename = "uid_tag_id")]
    uid_tag_id: String,
    /// `ok`, `registered` or `error`.
    outcome: &'static str,
    /// Why it cannot be registered: `MALFORMED_ROW`, `VALIDATION_FAILED`, `DUPLICATE_IN_FILE` or
    /// `UID_TAKEN`.
    code: Option<&'static str>,
    /// The same in words.
    message: Option<String>,
    /// The registration, to be asked for under /v1/patches/pending/registration.
    pending_id: Option<String>,
}

/// A page of rows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ImportRowsBody {
    items: Vec<ImportRowBody>,
    next_cursor: Option<String>,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(list_imports, send_import))
        .routes(routes!(show_import))
        .routes(routes!(list_import_rows))
        .routes(routes!(report_import))
        .routes(routes!(start_import))
        .routes(routes!(cancel_import))
}

/// Takes a file of products and checks every row; registers nothing unless asked to.
#[utoipa::path(post, path = "/v1/admin/imports", tag = "admin", security(("apiKey" = [])),
    params(SendQuery),
    request_body(description = "CSV with a header (commas, semicolons or tabs) or one flat JSON \
        object a line, UTF-8, at most 32 MiB and 100,000 rows; see docs/IMPORT.md",
        content((String = "text/csv"), (String = "application/x-ndjson"))),
    responses((status = 202, body = ImportBody), (status = 400, body = ProblemBody),
        (status = 401, body = ProblemBody), (status = 413, body = ProblemBody),
        (status = 415, body = ProblemBody), (status = 503, body = ProblemBody)))]
async fn send_import(
    authorized: Authorized<permission::PatchesWrite>,
    state: State<HttpState>,
    query: ApiQuery<SendQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let format = format_of(request.headers())?;
    let (imports, actor) = (&state.services.imports, authorized.principal.id);
    let mut intake = imports.receive(format, &actor, state.clock.now()).await?;
    let mut body = request.into_body();
    let checked = match take_all(&mut intake, &mut body, &state).await {
        Ok(checked) => checked,
        Err(problem) => {
            intake.discard().await?;
            return Err(problem);
        }
    };
    let skips_bad = query.0.skip_bad.unwrap_or(false);
    let starts = query.0.dry_run == Some(false) && (checked.bad == 0 || skips_bad);
    let import = if starts {
        imports.start(checked.id, skips_bad, &actor, state.clock.now()).await?
    } else {
        checked
    };
    Ok((StatusCode::ACCEPTED, no_store(), Json(import_body(import))).into_response())
}

async fn take_all(
    intake: &mut Intake,
    body: &mut Body,
    state: &HttpState,
) -> Result<StoredImport, Problem> {
    while let Some(piece) = next_piece(body).await? {
        intake.take(&piece).await?;
    }
    Ok(intake.finish(state.clock.now()).await?)
}

/// Lists imports, newest first.
#[utoipa::path(get, path = "/v1/admin/imports", tag = "admin", security(("apiKey" = [])),
    params(PageQuery), responses((status = 200, body = ImportsBody),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody)))]
async fn list_imports(
    _authorized: Authorized<permission::PatchesWrite>,
    state: State<HttpState>,
    query: ApiQuery<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit_of(query.0.limit)?;
    let before = query.0.cursor.as_deref().map(|text| text.parse().map_err(|_| cursor_problem()));
    let (found, has_more) = state.services.imports.list(before.transpose()?, limit)?;
    let next_cursor = found.last().filter(|_| has_more).map(|last| last.id.to_string());
    let items = found.into_iter().map(import_body).collect();
    Ok((no_store(), Json(ImportsBody { items, next_cursor })).into_response())
}

/// Tells how far an import is.
#[utoipa::path(get, path = "/v1/admin/imports/{id}", tag = "admin", security(("apiKey" = [])),
    params(("id" = String, Path)), responses((status = 200, body = ImportBody),
        (status = 401, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn show_import(
    _authorized: Authorized<permission::PatchesWrite>,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    let import = state.services.imports.get(id_of(&path.0)?)?;
    Ok((no_store(), Json(import_body(import))).into_response())
}

/// Lists the rows of an import and what became of each.
#[utoipa::path(get, path = "/v1/admin/imports/{id}/rows", tag = "admin",
    security(("apiKey" = [])), params(("id" = String, Path), RowsQuery),
    responses((status = 200, body = ImportRowsBody), (status = 400, body = ProblemBody),
        (status = 401, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn list_import_rows(
    _authorized: Authorized<permission::PatchesWrite>,
    state: State<HttpState>,
    path: ApiPath<String>,
    query: ApiQuery<RowsQuery>,
) -> Result<Response, Problem> {
    let limit = limit_of(query.0.limit)?;
    let from = query
        .0
        .cursor
        .as_deref()
        .map_or(Ok(0), |text| text.parse().map_err(|_| cursor_problem()))?;
    let only_bad = match query.0.outcome.as_deref() {
        None => false,
        Some("error") => true,
        Some(_) => return Err(Problem::invalid_field("outcome", "must be error or be left out")),
    };
    let (rows, next) = state.services.imports.rows(id_of(&path.0)?, from, limit, only_bad)?;
    let items = rows.into_iter().map(row_body).collect();
    let body = ImportRowsBody { items, next_cursor: next.map(|row| row.to_string()) };
    Ok((no_store(), Json(body)).into_response())
}

/// Streams what became of every row, as CSV.
#[utoipa::path(get, path = "/v1/admin/imports/{id}/report", tag = "admin",
    security(("apiKey" = [])), params(("id" = String, Path)), responses(
        (status = 200, content_type = "text/csv", body = String),
        (status = 401, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn report_import(
    _authorized: Authorized<permission::PatchesWrite>,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    let id = id_of(&path.0)?;
    state.services.imports.get(id)?;
    let imports = state.services.imports.clone();
    let pieces = stream::try_unfold(Some(0), move |from| {
        let imports = imports.clone();
        async move {
            let Some(from) = from else { return Ok(None) };
            let reading = tokio::task::spawn_blocking(move || imports.report(id, from));
            let page = reading.await.map_err(|_| crate::service::StoreError::Panicked)??;
            Ok::<_, ImportError>(Some((Bytes::from(page.bytes), page.next)))
        }
    });
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"import-{id}.csv\"")),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Has the acceptable rows of a checked import registered.
#[utoipa::path(post, path = "/v1/admin/imports/{id}/start", tag = "admin",
    security(("apiKey" = [])), params(("id" = String, Path), StartQuery),
    responses((status = 202, body = ImportBody), (status = 401, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
async fn start_import(
    authorized: Authorized<permission::PatchesWrite>,
    state: State<HttpState>,
    path: ApiPath<String>,
    query: ApiQuery<StartQuery>,
) -> Result<Response, Problem> {
    let (id, skips_bad) = (id_of(&path.0)?, query.0.skip_bad.unwrap_or(false));
    let (imports, actor) = (&state.services.imports, &authorized.principal.id);
    let import = imports.start(id, skips_bad, actor, state.clock.now()).await?;
    Ok((StatusCode::ACCEPTED, no_store(), Json(import_body(import))).into_response())
}

/// Stops an import; what was registered stays registered.
#[utoipa::path(post, path = "/v1/admin/imports/{id}/cancel", tag = "admin",
    security(("apiKey" = [])), params(("id" = String, Path)),
    responses((status = 200, body = ImportBody), (status = 401, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
async fn cancel_import(
    authorized: Authorized<permission::PatchesWrite>,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    let (id, actor) = (id_of(&path.0)?, &authorized.principal.id);
    let import = state.services.imports.cancel(id, actor, state.clock.now()).await?;
    Ok((no_store(), Json(import_body(import))).into_response())
}

const fn no_store() -> [(axum::http::HeaderName, &'static str); 1] {
    [(CACHE_CONTROL, "no-store")]
}

fn limit_of(limit: Option<usize>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(DEFAULT_PAGE);
    if (1..=MAX_PAGE).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::invalid_field("limit", format!("must be 1 to {MAX_PAGE}")))
    }
}

fn cursor_problem() -> Problem {
    Problem::invalid_field("cursor", "must be the nextCursor of a page")
}

fn id_of(text: &str) -> Result<ImportId, Problem> {
    text.parse().map_err(|_| ImportError::NotFound.into())
}

/// Reads what the file is written as; packed ones are refused, or a small one could become large.
fn format_of(headers: &HeaderMap) -> Result<ImportFormat, Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let format = match kind.as_str() {
        "text/csv" => Some(ImportFormat::Csv),
        "application/x-ndjson" | "application/jsonl" => Some(ImportFormat::JsonLines),
        _ => None,
    };
    let is_plain = !headers.contains_key(CONTENT_ENCODING);
    format.filter(|_| is_plain).ok_or_else(|| {
        Problem::new(ProblemCode::UnsupportedMediaType)
            .detail("The body must be text/csv or application/x-ndjson, without content coding.")
    })
}

fn import_body(import: StoredImport) -> ImportBody {
    ImportBody {
        id: import.id,
        state: import.state.as_str(),
        rows: import.rows,
        bad: import.bad,
        registered: import.registered,
        failed: import.failed,
        done: import.next,
        actor: import.actor,
        created_at: import.created_at.to_string(),
        started_at: import.started_at.map(|at| at.to_string()),
        ended_at: import.ended_at.map(|at| at.to_string()),
    }
}

fn row_body(row: StoredImportRow) -> ImportRowBody {
    let (outcome, code, message, pending_id) = match row.outcome {
        RowOutcome::Good(_) => ("ok", None, None, None),
        RowOutcome::Registered(record) => ("registered", None, None, Some(record.to_string())),
        RowOutcome::Bad { fault, message } => ("error", Some(fault.as_str()), Some(message), None),
    };
    ImportRowBody { line: row.line, uid_tag_id: row.tag, outcome, code, message, pending_id }
}
