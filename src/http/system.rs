//! The process, the machine below it, and what is outside.

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::overview::DiskBody;
use crate::service::readiness::{EndpointNow, Observation};
use crate::service::system::SystemFinding;
use crate::types::Timestamp;

/// The process and the machine below it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SystemBody {
    version: &'static str,
    /// The commit that was deployed, if it was said.
    sha: Option<String>,
    /// The network whose addresses are accepted.
    network: &'static str,
    started_at: String,
    uptime_seconds: u64,
    store: StoreBody,
    /// The disk of the data folder; none where the store is in memory.
    disk: Option<DiskBody>,
    /// What the doctor found, at most 30 seconds ago; none where there is no doctor.
    doctor: Option<DoctorBody>,
}

/// The store.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StoreBody {
    /// Its folder; none where it is in memory.
    data_dir: Option<String>,
    /// The bytes of its file.
    file_bytes: Option<u64>,
    schema_version: u32,
    commits_since_start: u64,
    writes_since_start: u64,
}

/// What the doctor found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DoctorBody {
    examined_at: String,
    findings: Vec<FindingBody>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, ToSchema)]
struct FindingBody {
    check: String,
    /// `ok`, `warn` or `fail`.
    level: &'static str,
    finding: String,
    /// What to do about it.
    remedy: Option<String>,
}

/// The signer and the network's endpoints.
#[derive(Debug, Serialize, ToSchema)]
struct NetworksBody {
    signer: OutsideBody,
    /// The network, whichever endpoint it is reached through.
    network: OutsideBody,
    /// In the order in which they are used.
    endpoints: Vec<EndpointBody>,
}

/// Something outside of the process, as last seen.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OutsideBody {
    ok: bool,
    last_success: Option<String>,
    last_success_age_seconds: Option<u64>,
    /// What it did wrong last, if that was later.
    error: Option<String>,
}

/// An endpoint of the network.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EndpointBody {
    name: &'static str,
    /// `closed` while it is asked, `half-open` on trial, `open` while it is left alone.
    breaker: &'static str,
    last_failure: Option<String>,
    /// How long it is still left alone, because it asked for that or failed.
    retry_after_seconds: Option<u64>,
    #[serde(flatten)]
    seen: OutsideBody,
}

impl From<&SystemFinding> for FindingBody {
    fn from(found: &SystemFinding) -> Self {
        Self {
            check: found.check.clone(),
            level: found.level,
            finding: found.finding.clone(),
            remedy: found.remedy.clone(),
        }
    }
}

impl OutsideBody {
    fn of(seen: Observation, now: Timestamp) -> Self {
        Self {
            ok: seen.failure.is_none(),
            last_success: seen.last_success.map(|at| at.to_string()),
            last_success_age_seconds: seen.last_success.map(|at| now.since(at).as_secs()),
            error: seen.failure,
        }
    }
}

impl EndpointBody {
    fn of(endpoint: EndpointNow, now: Timestamp) -> Self {
        Self {
            name: endpoint.name,
            breaker: endpoint.breaker,
            last_failure: endpoint.last_failure.map(|at| at.to_string()),
            retry_after_seconds: endpoint
                .pause
                .map(|pause| pause.as_millis().div_ceil(1_000))
                .map(|seconds| u64::try_from(seconds).unwrap_or(u64::MAX)),
            seen: OutsideBody::of(endpoint.seen, now),
        }
    }
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(system)).routes(routes!(networks))
}

/// Tells how the process and the machine below it are.
#[utoipa::path(get, path = "/v1/admin/system", tag = "admin", security(("apiKey" = [])),
    responses((status = 200, body = SystemBody)))]
async fn system(
    _authorized: Authorized<permission::OverviewRead>,
    state: State<HttpState>,
) -> Response {
    let (system, now) = (&state.services.system, state.clock.now());
    let examined = system.findings(now).await;
    let disk = state.services.console.overview.disk();
    let body = SystemBody {
        version: env!("CARGO_PKG_VERSION"),
        sha: state.options.deploy_sha.clone(),
        network: state.options.network.as_str(),
        started_at: system.started_at.to_string(),
        uptime_seconds: now.since(system.started_at).as_secs(),
        store: StoreBody {
            data_dir: system.data_dir.as_ref().map(|folder| folder.display().to_string()),
            file_bytes: system.store_bytes(),
            schema_version: system.schema_version(),
            commits_since_start: system.store.commit_count(),
            writes_since_start: system.store.write_count(),
        },
        disk: disk.map(|disk| DiskBody { free_bytes: disk.free, total_bytes: disk.total }),
        doctor: examined.map(|(at, findings)| DoctorBody {
            examined_at: at.to_string(),
            findings: findings.iter().map(FindingBody::from).collect(),
        }),
    };
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// Tells how the signer and the network's endpoints are, as last seen.
#[utoipa::path(get, path = "/v1/admin/networks", tag = "admin", security(("apiKey" = [])),
    responses((status = 200, body = NetworksBody)))]
async fn networks(
    _authorized: Authorized<permission::OverviewRead>,
    state: State<HttpState>,
) -> Response {
    let (readiness, now) = (&state.services.readiness, state.clock.now());
    let endpoints = readiness.endpoints(now).into_iter();
    let body = NetworksBody {
        signer: OutsideBody::of(readiness.observations.signer(), now),
        network: OutsideBody::of(readiness.observations.network(), now),
        endpoints: endpoints.map(|endpoint| EndpointBody::of(endpoint, now)).collect(),
    };
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
