//! The rows of an import: page by page, and as files.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::{ApiPath, ApiQuery};
use crate::http::imports::body::{ImportRowBody, ImportRowsBody};
use crate::http::imports::{cursor_problem, id_of, limit_of, no_store};
use crate::http::problem::{Problem, ProblemBody};
use crate::service::imports::{ImportError, Report, RowFilter};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct RowsQuery {
    /// Rows on the page, 1 to 500; 50 if not said.
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// `ok` for the rows alone that are acceptable and not registered, `registered` for those that are,
    /// `error` for those that cannot be; all of them if not said. A page may then have fewer rows, or
    /// none, and a `nextCursor`.
    outcome: Option<String>,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(list_import_rows))
        .routes(routes!(report_import))
        .routes(routes!(leftover_rows))
}

/// Lists the rows of an import and what became of each.
#[utoipa::path(get, path = "/v1/admin/imports/{id}/rows", tag = "admin",
    security(("apiKey" = [])), params(("id" = String, Path), RowsQuery),
    responses((status = 200, body = ImportRowsBody), (status = 400, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn list_import_rows(
    _authorized: Authorized<permission::PatchesRead>,
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
    let filter = match query.0.outcome.as_deref() {
        None => RowFilter::All,
        Some("ok") => RowFilter::Waiting,
        Some("registered") => RowFilter::Registered,
        Some("error") => RowFilter::Bad,
        Some(_) => {
            let message = "must be ok, registered or error, or be left out";
            return Err(Problem::invalid_field("outcome", message));
        }
    };
    let (rows, next) = state.services.imports.rows(id_of(&path.0)?, from, limit, filter)?;
    let items = rows.into_iter().map(ImportRowBody::from).collect();
    let body = ImportRowsBody { items, next_cursor: next.map(|row| row.to_string()) };
    Ok((no_store(), Json(body)).into_response())
}

/// Streams what became of every row, as CSV.
#[utoipa::path(get, path = "/v1/admin/imports/{id}/report", tag = "admin",
    security(("apiKey" = [])), params(("id" = String, Path)), responses(
        (status = 200, content_type = "text/csv", body = String), (status = 404, body = ProblemBody)))]
async fn report_import(
    _authorized: Authorized<permission::PatchesRead>,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    file_of(&state, &path.0, Report::Outcomes, "import")
}

/// Streams the rows that were not registered and will not be, as they came, with what is wrong with
/// each: a file to be mended and sent again.
#[utoipa::path(get, path = "/v1/admin/imports/{id}/leftovers", tag = "admin",
    security(("apiKey" = [])), params(("id" = String, Path)), responses(
        (status = 200, content_type = "text/csv", body = String), (status = 404, body = ProblemBody)))]
async fn leftover_rows(
    _authorized: Authorized<permission::PatchesRead>,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    file_of(&state, &path.0, Report::Leftovers, "leftovers")
}

fn file_of(state: &HttpState, id: &str, report: Report, name: &str) -> Result<Response, Problem> {
    let id = id_of(id)?;
    state.services.imports.get(id)?;
    let imports = state.services.imports.clone();
    let pieces = stream::try_unfold(Some(0), move |from| {
        let imports = imports.clone();
        async move {
            let Some(from) = from else { return Ok(None) };
            let reading = tokio::task::spawn_blocking(move || imports.report(id, report, from));
            let page = reading.await.map_err(|_| crate::service::StoreError::Panicked)??;
            Ok::<_, ImportError>(Some((Bytes::from(page.bytes), page.next)))
        }
    });
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}-{id}.csv\"")),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}
