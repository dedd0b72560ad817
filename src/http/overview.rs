//! The state of the product on one page, and how its numbers were lately.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::admin::{RunwayBody, TotalBody};
use crate::http::credentials::Authorized;
use crate::http::extract::ApiQuery;
use crate::http::problem::{Problem, ProblemBody};
use crate::service::overview::history::{History, MOST_MINUTES, Point};
use crate::service::overview::{Alert, Overview};

/// What a chart shows if nobody says how long.
const DEFAULT_MINUTES: u32 = 60;

/// The state of the product on one page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OverviewBody {
    at: String,
    records: RecordCountsBody,
    /// Pool outputs by status, of all keys together.
    pool: BTreeMap<&'static str, TotalBody>,
    runway: RunwayBody,
    /// The newest block of our chain of headers.
    chain: Option<ChainHeadBody>,
    /// How long the last 100 records took from being accepted to being taken by the network.
    lag: Option<LagBody>,
    logins: LoginsBody,
    /// Mails that wait to be sent.
    mails_waiting: u64,
    /// The disk of the data folder.
    disk: Option<DiskBody>,
    /// What an operator should look into, the worst first.
    alerts: Vec<AlertBody>,
}

/// How many records stand where.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RecordCountsBody {
    /// Jobs by stage; a batch counts once, as does an operation of the pool.
    by_stage: BTreeMap<&'static str, u64>,
    waiting_for_batch: u64,
}

/// A block.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ChainHeadBody {
    height: u32,
    hash: String,
    /// The time in its header.
    at: String,
    age_seconds: u64,
}

/// How long records took lately.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LagBody {
    p50_ms: u128,
    p95_ms: u128,
    /// How many records that is said of.
    records: usize,
}

/// Logins since the process started, by key and by mail.
#[derive(Debug, Serialize, ToSchema)]
struct LoginsBody {
    begun: u64,
    completed: u64,
    failed: u64,
}

/// Room on a disk.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DiskBody {
    pub(super) free_bytes: u64,
    pub(super) total_bytes: u64,
}

/// Something that an operator should look into.
#[derive(Debug, Serialize, ToSchema)]
struct AlertBody {
    /// What kind it is; stable.
    code: &'static str,
    /// What it is about, where there may be several of a kind.
    subject: Option<String>,
    /// `critical`, `warning` or `notice`.
    severity: &'static str,
    text: String,
    /// What to do about it.
    remedy: &'static str,
    /// Since when this process has noticed it.
    since: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    /// Names of series with commas between them, as the answer without it lists them.
    series: Option<String>,
    /// How far back, 1 to 1440; 60 if not said.
    minutes: Option<u32>,
}

/// What charts show.
#[derive(Debug, Serialize, ToSchema)]
struct OverviewChartBody {
    /// Seconds between two points; there are at most 300 of each series.
    step: u64,
    /// By name: seconds since 1970 and the mean of the step, nothing where no number was known.
    #[schema(value_type = Object)]
    series: BTreeMap<&'static str, Vec<Point>>,
}

impl From<&Overview> for OverviewBody {
    fn from(overview: &Overview) -> Self {
        let pool = overview.pool.iter().map(|(status, total)| {
            (*status, TotalBody { count: total.count, total_satoshis: total.satoshis })
        });
        let stages = overview.stages.iter().map(|(stage, count)| (stage.as_str(), *count));
        Self {
            at: overview.at.to_string(),
            records: RecordCountsBody {
                by_stage: stages.collect(),
                waiting_for_batch: overview.waiting_for_batch,
            },
            pool: pool.collect(),
            runway: overview.runway.clone().into(),
            chain: overview.chain.as_ref().map(|chain| ChainHeadBody {
                height: chain.height,
                hash: chain.hash.to_string(),
                at: chain.at.to_string(),
                age_seconds: chain.age.as_secs(),
            }),
            lag: overview.lag.map(|lag| LagBody {
                p50_ms: lag.p50.as_millis(),
                p95_ms: lag.p95.as_millis(),
                records: lag.records,
            }),
            logins: LoginsBody {
                begun: overview.logins.begun,
                completed: overview.logins.completed,
                failed: overview.logins.failed,
            },
            mails_waiting: overview.mails_waiting,
            disk: overview
                .disk
                .map(|disk| DiskBody { free_bytes: disk.free, total_bytes: disk.total }),
            alerts: overview.alerts.iter().map(AlertBody::from).collect(),
        }
    }
}

impl From<&Alert> for AlertBody {
    fn from(alert: &Alert) -> Self {
        Self {
            code: alert.code,
            subject: alert.subject.clone(),
            severity: alert.severity.as_str(),
            text: alert.text.clone(),
            remedy: alert.remedy,
            since: alert.since.to_string(),
        }
    }
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(overview)).routes(routes!(overview_history))
}

/// Tells the state of the product on one page.
#[utoipa::path(get, path = "/v1/admin/overview", tag = "admin", security(("apiKey" = [])),
    responses((status = 200, body = OverviewBody)))]
async fn overview(
    _authorized: Authorized<permission::OverviewRead>,
    state: State<HttpState>,
) -> Result<Response, Problem> {
    let found = state.services.console.overview.look(state.clock.now())?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(OverviewBody::from(&found))).into_response())
}

/// Tells how numbers of the overview were lately, since the process started.
#[utoipa::path(get, path = "/v1/admin/overview/history", tag = "admin",
    security(("apiKey" = [])), params(HistoryQuery),
    responses((status = 200, body = OverviewChartBody), (status = 400, body = ProblemBody)))]
async fn overview_history(
    _authorized: Authorized<permission::OverviewRead>,
    state: State<HttpState>,
    query: ApiQuery<HistoryQuery>,
) -> Result<Response, Problem> {
    let minutes = query.0.minutes.unwrap_or(DEFAULT_MINUTES);
    if !(1..=MOST_MINUTES).contains(&minutes) {
        return Err(Problem::invalid_field("minutes", format!("must be 1 to {MOST_MINUTES}")));
    }
    let names: Vec<&str> = match query.0.series.as_deref() {
        Some(text) => text.split(',').collect(),
        None => History::names().collect(),
    };
    if names.iter().any(|name| History::names().all(|known| known != *name)) {
        let known: Vec<&str> = History::names().collect();
        return Err(Problem::invalid_field("series", format!("must be of {}", known.join(", "))));
    }
    let chart = state.services.console.history.chart(&names, minutes, state.clock.now());
    let body = OverviewChartBody { step: chart.step, series: chart.series.into_iter().collect() };
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
