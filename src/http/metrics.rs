//! Metrics for Prometheus, in the format it asks for.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Permission, permission};
use crate::http::HttpState;
use crate::http::credentials::{Authorized, Public, authenticate};
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::telemetry::{Metrics, OPEN_METRICS, PROMETHEUS};

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(metrics)).routes(routes!(internal_metrics))
}

/// Lists the metrics; asks for an API key if the operator wants that.
#[utoipa::path(get, path = "/metrics", tag = "operation", security((), ("apiKey" = [])),
    responses((status = 200, body = String), (status = 401, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
async fn metrics(
    _public: Public,
    state: State<HttpState>,
    parts: Parts,
) -> Result<Response, Problem> {
    if !state.options.metrics_enabled {
        return Err(Problem::new(ProblemCode::NotFound));
    }
    if state.options.metrics_require_api_key {
        let principal = authenticate(&parts, state.api_keys.as_ref())?;
        if !principal.scopes.allows(permission::MetricsRead::SCOPE) {
            return Err(Problem::new(ProblemCode::Forbidden));
        }
    }
    Ok(render(&state.metrics, &parts.headers))
}

/// Lists the metrics to holders of an API key.
#[utoipa::path(get, path = "/internal/metrics", tag = "operation", security(("apiKey" = [])),
    responses((status = 200, body = String), (status = 401, body = ProblemBody)))]
async fn internal_metrics(
    _authorized: Authorized<permission::MetricsRead>,
    state: State<HttpState>,
    headers: HeaderMap,
) -> Response {
    render(&state.metrics, &headers)
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
