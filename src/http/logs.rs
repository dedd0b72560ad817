//! The newest lines of the log, as they were written.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::ApiQuery;
use crate::http::problem::{Problem, ProblemBody};
use crate::service::logs::{LineLevel, LogFilter, LogLine, MAX_PAGE};

const DEFAULT_PAGE: usize = 200;
/// Longer than anything that one searches for.
const LONGEST_SEARCH: usize = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct LogsQuery {
    /// `error`, `warn`, `info`, `debug` or `trace`: lines so bad or worse.
    level: Option<String>,
    /// Text in the line, in any case; at most 200 bytes.
    search: Option<String>,
    /// The `number` of a line: those after it. Without it the newest.
    after: Option<u64>,
    /// Lines in the answer, 1 to 500; 200 if not said.
    limit: Option<usize>,
}

/// Lines of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LogsBody {
    /// Oldest first.
    items: Vec<LogLineBody>,
    /// The number of the newest line there is, whether or not it is among these.
    newest: u64,
}

/// A line of the log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LogLineBody {
    /// Its number in this run of the process, from 1.
    number: u64,
    at: String,
    level: &'static str,
    /// What it says; the whole line where the log is written as text.
    message: String,
    /// The part of the program that wrote it.
    target: Option<String>,
    /// The request that was worked on.
    request_id: Option<String>,
    /// What else it says.
    #[schema(value_type = Object)]
    fields: Map<String, Value>,
}

impl From<&LogLine> for LogLineBody {
    fn from(line: &LogLine) -> Self {
        let mut body = Self {
            number: line.number,
            at: line.at.to_string(),
            level: line.level.as_str(),
            message: String::new(),
            target: None,
            request_id: None,
            fields: Map::new(),
        };
        let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(&line.text) else {
            line.text.clone_into(&mut body.message);
            return body;
        };
        let mut take = |name| fields.remove(name).and_then(|it| it.as_str().map(str::to_owned));
        body.message = take("message").unwrap_or_default();
        body.target = take("target");
        body.request_id = take("request_id");
        // They stand beside it already.
        drop((take("timestamp"), take("level")));
        Self { fields, ..body }
    }
}

impl LogsBody {
    /// Tells of lines that are new, the newest among them.
    pub(super) fn of(lines: &[Arc<LogLine>]) -> Self {
        let items = lines.iter().map(|line| LogLineBody::from(line.as_ref())).collect();
        Self { items, newest: lines.last().map_or(0, |line| line.number) }
    }
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(logs))
}

/// Lists the newest lines of the log.
#[utoipa::path(get, path = "/v1/admin/logs", tag = "admin", security(("apiKey" = [])),
    params(LogsQuery), responses((status = 200, body = LogsBody),
        (status = 400, body = ProblemBody)))]
async fn logs(
    _authorized: Authorized<permission::LogsRead>,
    state: State<HttpState>,
    query: ApiQuery<LogsQuery>,
) -> Result<Response, Problem> {
    let LogsQuery { level, search, after, limit } = query.0;
    let limit = limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::invalid_field("limit", format!("must be 1 to {MAX_PAGE}")));
    }
    let level = level.as_deref().map(|word| {
        let known = LineLevel::ALL.into_iter().find(|level| level.as_str() == word);
        let words = LineLevel::ALL.map(LineLevel::as_str).join(", ");
        known.ok_or_else(|| Problem::invalid_field("level", format!("must be one of {words}")))
    });
    if search.as_ref().is_some_and(|text| text.len() > LONGEST_SEARCH) {
        let message = format!("must have at most {LONGEST_SEARCH} bytes");
        return Err(Problem::invalid_field("search", message));
    }
    let filter = LogFilter { level: level.transpose()?, text: search, after };
    let log = &state.services.console.logs;
    let lines = log.lines(&filter, limit);
    let body = LogsBody { newest: log.newest(), ..LogsBody::of(&lines) };
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
