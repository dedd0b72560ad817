//! The end of a person's tokens.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::HttpState;
use crate::http::credentials::BearerToken;
use crate::http::problem::Problem;

/// The tokens have ended.
#[derive(Debug, Serialize, ToSchema)]
struct LogoutBody {
    success: bool,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(log_out))
}

/// Takes back every token of the person whom the presented one speaks for.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "login", security(("bearer" = [])),
    responses((status = 200, body = LogoutBody)))]
async fn log_out(
    bearer: BearerToken,
    state: State<HttpState>,
) -> Result<Json<LogoutBody>, Problem> {
    state.services.tokens.log_out(&bearer.subject, state.clock.now()).await?;
    Ok(Json(LogoutBody { success: true }))
}
