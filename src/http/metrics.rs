//! Metrics for Prometheus, in the format it asks for.

use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Permission, permission};
use crate::http::HttpState;
use crate::http::credentials::{Authorized, Public, authenticate, presented_token};
use crate::http::edge::X_API_KEY;
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::telemetry::{Metrics, OPEN_METRICS, PROMETHEUS};

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(metrics)).routes(routes!(internal_metrics))
}

/// Lists the metrics; asks for an API key if the operator wants that, as `x-api-key` or as a Bearer
/// token.
#[utoipa::path(get, path = "/metrics", tag = "operation", security((), ("apiKey" = [])),
    responses((status = 200, body = String),
        (status = 404, body = ProblemBody)))]
async fn metrics(
    _public: Public,
    state: State<HttpState>,
    mut parts: Parts,
) -> Result<Response, Problem> {
    if !state.options.metrics_enabled {
        return Err(Problem::new(ProblemCode::NotFound));
    }
    if state.options.metrics_require_api_key {
        present_as_key(&mut parts.headers);
        let principal = authenticate(&parts, state.api_keys.as_ref())?;
        if !principal.scopes.allows(permission::MetricsRead::SCOPE) {
            return Err(Problem::new(ProblemCode::Forbidden));
        }
    }
    Ok(render(&state.metrics, &parts.headers))
}

/// Lists the metrics to holders of an API key.
#[utoipa::path(get, path = "/internal/metrics", tag = "operation", security(("apiKey" = [])),
    responses((status = 200, body = String)))]
async fn internal_metrics(
    _authorized: Authorized<permission::MetricsRead>,
    state: State<HttpState>,
    headers: HeaderMap,
) -> Response {
    render(&state.metrics, &headers)
}

/// Takes a Bearer token for the API key that it is here: Prometheus sends no other header.
fn present_as_key(headers: &mut HeaderMap) {
    let token = presented_token(headers).map(HeaderValue::from_str);
    if let Some(Ok(key)) = token
        && !headers.contains_key(X_API_KEY)
    {
        headers.insert(X_API_KEY, key);
    }
}

fn render(metrics: &Metrics, headers: &HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, text) = if accept.contains("application/openmetrics-text") {
        (OPEN_METRICS, metrics.open_metrics())
    } else {
        (PROMETHEUS, metrics.prometheus())
    };
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store"), (VARY, "accept")], text).into_response()
}
