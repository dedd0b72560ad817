//! The network's reports about transactions: whoever presents the token makes us look sooner.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::HttpState;
use crate::http::credentials::{Public, presented_token};
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::service::callback::CallbackError;

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(arc_callback))
}

/// Takes a report of ARC. Its content is not read: a report is a hint, never evidence.
#[utoipa::path(post, path = "/v1/arc/callback", tag = "operation", responses(
    (status = 204), (status = 404, body = ProblemBody),
        (status = 401, body = ProblemBody)))]
async fn arc_callback(
    _public: Public,
    state: State<HttpState>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    match state.services.callback.report(presented_token(&headers)) {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(CallbackError::NotExpected) => Err(Problem::new(ProblemCode::NotFound)),
        Err(CallbackError::WrongToken) => Err(Problem::new(ProblemCode::TokenInvalid)),
    }
}
