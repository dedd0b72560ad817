//! Files of products to register: sent, looked at row by row, started, watched.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

mod body;
mod rows;
mod send;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::acceptance::to_the_end;
use crate::http::credentials::Authorized;
use crate::http::extract::{ApiPath, ApiQuery};
use crate::http::once::{Repeatable, made};
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::service::idempotency::StoredAnswer;
use crate::service::imports::{ImportError, ImportFormat, MAX_NAME, MAX_PAGE, Start, StoredImport};
use crate::types::ImportId;

pub(super) use body::ImportBody;
use body::{ForgottenBody, ImportsBody};
use send::SentFile;

const DEFAULT_PAGE: usize = 50;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SendQuery {
    /// `false` to have it registered at once if every row is acceptable; `true` if not said.
    dry_run: Option<bool>,
    /// With `dryRun=false`: whether to register the others if some rows are not acceptable.
    skip_bad: Option<bool>,
    /// What the file is called, to know it again: 1 to 200 printable characters.
    name: Option<String>,
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

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(list_imports, send_import))
        .routes(routes!(show_import, forget_import))
        .merge(rows::routes())
        .routes(routes!(start_import))
        .routes(routes!(cancel_import))
}

/// Takes a file of products and checks every row; registers nothing unless asked to.
#[utoipa::path(post, path = "/v1/admin/imports", tag = "admin", security(("apiKey" = [])),
    params(SendQuery),
    request_body(description = "CSV with a header (commas, semicolons or tabs) or one flat JSON \
        object a line, UTF-8, at most 32 MiB and 100,000 rows; see docs/IMPORT.md",
        content((String = "text/csv"), (String = "application/x-ndjson"))),
    responses((status = 202, body = ImportBody), (status = 400, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody)))]
async fn send_import(
    authorized: Authorized<permission::PatchesWrite>,
    repeatable: Repeatable,
    state: State<HttpState>,
    query: ApiQuery<SendQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let skips_bad = query.0.skip_bad.unwrap_or(false);
    let sent = SentFile {
        format: format_of(request.headers())?,
        name: query.0.name.map(name_of).transpose()?,
        actor: authorized.principal.id,
        start: (query.0.dry_run == Some(false)).then_some(Start { skips_bad }),
    };
    to_the_end(send::receive(state.0, repeatable, sent, request.into_body())).await
}

/// Lists imports, newest first.
#[utoipa::path(get, path = "/v1/admin/imports", tag = "admin", security(("apiKey" = [])),
    params(PageQuery), responses((status = 200, body = ImportsBody),
        (status = 400, body = ProblemBody)))]
async fn list_imports(
    _authorized: Authorized<permission::PatchesRead>,
    state: State<HttpState>,
    query: ApiQuery<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit_of(query.0.limit)?;
    let before = query.0.cursor.as_deref().map(|text| text.parse().map_err(|_| cursor_problem()));
    let (found, next) = state.services.imports.list(before.transpose()?, limit)?;
    let items = found.iter().map(ImportBody::from).collect();
    let body = ImportsBody { items, next_cursor: next.map(|id| id.to_string()) };
    Ok((no_store(), Json(body)).into_response())
}

/// Tells how far an import is.
#[utoipa::path(get, path = "/v1/admin/imports/{id}", tag = "admin", security(("apiKey" = [])),
    params(("id" = String, Path)), responses((status = 200, body = ImportBody), (status = 404, body = ProblemBody)))]
async fn show_import(
    _authorized: Authorized<permission::PatchesRead>,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    let import = state.services.imports.get(id_of(&path.0)?)?;
    Ok((no_store(), Json(ImportBody::from(&import))).into_response())
}

/// Has the acceptable rows of a checked import registered.
#[utoipa::path(post, path = "/v1/admin/imports/{id}/start", tag = "admin",
    security(("apiKey" = [])), params(("id" = String, Path), StartQuery),
    responses((status = 202, body = ImportBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
async fn start_import(
    authorized: Authorized<permission::PatchesWrite>,
    repeatable: Repeatable,
    state: State<HttpState>,
    path: ApiPath<String>,
    query: ApiQuery<StartQuery>,
) -> Result<Response, Problem> {
    let (id, skips_bad) = (id_of(&path.0)?, query.0.skip_bad.unwrap_or(false));
    let (actor, now) = (authorized.principal.id, state.clock.now());
    let once = repeatable.empty_by(&actor);
    let answer = |_: &HttpState, import: &_| accepted(import);
    let deed = async move |state: HttpState, keep| {
        state.services.imports.start(id, skips_bad, &actor, keep, now).await
    };
    once.make((state.0, now), answer, deed).await
}

/// Stops an import; what was registered stays registered.
#[utoipa::path(post, path = "/v1/admin/imports/{id}/cancel", tag = "admin",
    security(("apiKey" = [])), params(("id" = String, Path)),
    responses((status = 200, body = ImportBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
async fn cancel_import(
    authorized: Authorized<permission::PatchesWrite>,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    let (id, actor) = (id_of(&path.0)?, &authorized.principal.id);
    let import = state.services.imports.cancel(id, actor, state.clock.now()).await?;
    Ok((no_store(), Json(ImportBody::from(&import))).into_response())
}

/// Forgets an import that does not run, with what its rows said; what was registered stays registered.
#[utoipa::path(delete, path = "/v1/admin/imports/{id}", tag = "admin",
    security(("apiKey" = [])), params(("id" = String, Path)),
    responses((status = 200, body = ForgottenBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
async fn forget_import(
    authorized: Authorized<permission::PatchesWrite>,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    let (id, actor) = (id_of(&path.0)?, &authorized.principal.id);
    let gone = state.services.imports.forget(id, actor, state.clock.now()).await?;
    Ok((no_store(), Json(ForgottenBody { id: gone.id })).into_response())
}

/// Tells how far an import is that was taken.
fn accepted(import: &StoredImport) -> StoredAnswer {
    made(StatusCode::ACCEPTED, &ImportBody::from(import))
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

fn name_of(name: String) -> Result<String, Problem> {
    let is_printable = !name.trim().is_empty() && !name.chars().any(char::is_control);
    if is_printable && name.chars().count() <= MAX_NAME {
        Ok(name)
    } else {
        let message = format!("must have 1 to {MAX_NAME} printable characters");
        Err(Problem::invalid_field("name", message))
    }
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
