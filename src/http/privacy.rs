//! What a person asks about herself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::HttpState;
use crate::http::credentials::BearerToken;
use crate::http::problem::{Problem, ProblemCode};

/// What was erased, and what is still to be.
#[derive(Debug, Serialize, ToSchema)]
struct ErasedBody {
    success: bool,
    message: &'static str,
    erased: ErasedCounts,
    /// Records whose content goes as soon as their transactions lie deep enough; until then it is
    /// told to nobody.
    scheduled: usize,
}

/// What was erased.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ErasedCounts {
    login_key: bool,
    email_codes: usize,
    claims: usize,
    /// Rows of imports that say nothing any more; one that waited is not registered.
    import_rows: usize,
    records: usize,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(export)).routes(routes!(erase))
}

/// Gives a person everything that is held about her.
#[utoipa::path(get, path = "/v1/privacy/export", tag = "privacy", security(("bearer" = [])),
    responses((status = 200, description = "One JSON document, see docs/PRIVACY.md", body = Object)))]
async fn export(bearer: BearerToken, state: State<HttpState>) -> Result<Response, Problem> {
    let (privacy, now) = (state.services.privacy.clone(), state.clock.now());
    let exports = Arc::clone(&privacy.exports);
    let turn = exports.lock_owned().await;
    // It reads the whole audit trail, which must hold up nobody else. A client that goes away leaves
    // the work where it is: the turn ends with the work.
    let data = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        privacy.export(&bearer.subject, now)
    })
    .await;
    let data = data.map_err(|_| Problem::new(ProblemCode::Internal))??;
    let headers = [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_DISPOSITION, "attachment; filename=\"patchproof-export.json\""),
    ];
    Ok((headers, Json(data)).into_response())
}

/// Erases what is held about a person; her tokens end.
#[utoipa::path(delete, path = "/v1/privacy/delete", tag = "privacy", security(("bearer" = [])),
    responses((status = 200, body = ErasedBody)))]
async fn erase(bearer: BearerToken, state: State<HttpState>) -> Result<Json<ErasedBody>, Problem> {
    let done = state.services.privacy.erase(&bearer.subject, state.clock.now()).await?;
    let message = if done.scheduled == 0 {
        "Everything that is held about you and can be erased is erased."
    } else {
        "Everything that can be erased is erased or will be as soon as its transactions are buried."
    };
    let erased = ErasedCounts {
        login_key: done.had_key,
        email_codes: done.codes,
        claims: done.claims,
        import_rows: done.import_rows,
        records: done.records,
    };
    Ok(Json(ErasedBody { success: true, message, erased, scheduled: done.scheduled }))
}
