//! Is the process alive, can it do its work, which build is it.
//!
//! Liveness asks nothing of anyone: a process whose disk is full must not be restarted for it.
//! Readiness names each dependency and is 503 when one without which nothing works is down.

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::HttpState;
use crate::http::credentials::Public;

/// Whoever knows whether the process can do its work.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Looks at what is outside, unless that was done a moment ago; takes less than a second.
    async fn look(&self) {}

    /// Reports on every dependency, from memory.
    fn report(&self) -> ReadinessReport;
}

/// Whether the process can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReadinessReport {
    /// The verdict over all dependencies.
    pub status: ReadinessStatus,
    /// Each dependency by name.
    pub dependencies: Vec<Dependency>,
    /// What an operator should know though nothing is down.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The verdict over all dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadinessStatus {
    /// Everything works.
    Ok,
    /// Nothing is down, but something needs an operator: money, room, one endpoint of several.
    Degraded,
    /// Nothing new is accepted for want of disk space; reads are served.
    StorageFull,
    /// Something is down. Without the store nothing works; with signer, network or mail server away
    /// requests are served, and what needs them waits.
    Unavailable,
    /// The process is stopping.
    ShuttingDown,
}

impl ReadinessStatus {
    const fn http_status(self) -> StatusCode {
        match self {
            Self::Ok | Self::Degraded => StatusCode::OK,
            Self::StorageFull | Self::Unavailable | Self::ShuttingDown => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}

/// One thing the process depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// Its name: `store`, `signer`, `network`, `headers`, `whatsonchain`, `arc`, `mail`, `pool`, `disk`.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
    /// How it is, in the words of `patchproof doctor`: `ok`, `warn` (it works, and will not for ever),
    /// `fail`.
    pub state: String,
    /// When it last worked (RFC 3339); nothing if it has not been seen to work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success: Option<String>,
    /// How many seconds ago that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u64>,
    /// What is wrong with it, or how well it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Alive {
    /// Always `ok`: a process that is not does not answer.
    status: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct Version {
    name: &'static str,
    version: &'static str,
    /// The commit that was deployed, if it was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha: Option<String>,
}

/// Returns the routes of this file.
pub fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(livez))
        .routes(routes!(ping))
        .routes(routes!(ready))
        .routes(routes!(readyz))
        .routes(routes!(version))
}

/// Tells that the process answers.
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, body = Alive)))]
async fn health(_public: Public) -> Response {
    alive()
}

/// Tells that the process answers, under the name that Kubernetes uses.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, body = Alive)))]
async fn livez(_public: Public) -> Response {
    alive()
}

/// Written as it is sent: load balancers ask all the time.
fn alive() -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], "{\"status\":\"ok\"}")
        .into_response()
}

/// Answers `pong`.
#[utoipa::path(get, path = "/__ping", tag = "health", responses((status = 200, body = String)))]
async fn ping(_public: Public) -> Response {
    ([(CACHE_CONTROL, "no-store")], "pong").into_response()
}

/// Tells whether the process can do its work, dependency by dependency.
#[utoipa::path(get, path = "/ready", tag = "health", responses(
    (status = 200, body = ReadinessReport), (status = 503, body = ReadinessReport)))]
async fn ready(_public: Public, state: State<HttpState>) -> Response {
    readiness(&state).await
}

/// Tells whether the process can do its work, under the name that Kubernetes uses.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, body = ReadinessReport), (status = 503, body = ReadinessReport)))]
async fn readyz(_public: Public, state: State<HttpState>) -> Response {
    readiness(&state).await
}

async fn readiness(state: &HttpState) -> Response {
    state.readiness.look().await;
    let report = state.readiness.report();
    (report.status.http_status(), [(CACHE_CONTROL, "no-store")], Json(report)).into_response()
}

/// Tells which build answers.
#[utoipa::path(get, path = "/version", tag = "health", responses((status = 200, body = Version)))]
async fn version(_public: Public, state: State<HttpState>) -> Json<Version> {
    let sha = state.options.deploy_sha.clone();
    Json(Version { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION"), sha })
}
