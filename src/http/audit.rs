//! The audit trail.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::ApiQuery;
use crate::http::problem::{Problem, ProblemBody};
use crate::service::audit::{AuditFilter, AuditLine, MAX_LINES};
use crate::types::Timestamp;

const DEFAULT_PAGE: usize = 100;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    /// Lines on the page, 1 to 500; 100 if not said.
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// What the action begins with, such as `key.`.
    action: Option<String>,
    /// Who acted, exactly.
    actor: Option<String>,
    /// To what it was done, exactly.
    subject: Option<String>,
    /// Only from this time on, RFC 3339; a date means its first moment in UTC.
    since: Option<String>,
    /// Only before this time, written likewise.
    until: Option<String>,
    /// Only what a person did, had done, or was done to: her identifier or her pseudonym.
    person: Option<String>,
}

/// A line of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditLineBody {
    number: u64,
    at: String,
    actor: String,
    action: String,
    subject: String,
}

/// A page of lines, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AuditBody {
    items: Vec<AuditLineBody>,
    next_cursor: Option<String>,
}

/// Whether the trail is whole.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AuditStateBody {
    whole: bool,
    lines: u64,
    /// SHA-256 of the last line in hexadecimal; note it elsewhere with the number of lines.
    head: String,
    /// The first line that does not follow from the one before.
    first_broken: Option<u64>,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(list_audit)).routes(routes!(verify_audit))
}

/// Lists the audit trail, newest first.
#[utoipa::path(get, path = "/v1/admin/audit", tag = "admin", security(("apiKey" = [])),
    params(AuditQuery), responses((status = 200, body = AuditBody),
        (status = 400, body = ProblemBody)))]
async fn list_audit(
    _authorized: Authorized<permission::AuditRead>,
    state: State<HttpState>,
    query: ApiQuery<AuditQuery>,
) -> Result<Json<AuditBody>, Problem> {
    let AuditQuery { limit, cursor, action, actor, subject, since, until, person } = query.0;
    let limit = limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_LINES).contains(&limit) {
        return Err(Problem::invalid_field("limit", format!("must be 1 to {MAX_LINES}")));
    }
    let before = cursor.map(|text| text.parse()).transpose();
    let before = before
        .map_err(|_| Problem::invalid_field("cursor", "must be the nextCursor of another page"))?;
    let (since, until) = (time("since", since)?, time("until", until)?);
    let person = person.map(|it| state.services.persons.pseudonym_of(&it));
    let filter = AuditFilter { action, actor, subject, since, until, person };
    let (lines, next) = state.services.audit.list(&filter, before, limit)?;
    let items = lines.into_iter().map(AuditLineBody::from).collect();
    Ok(Json(AuditBody { items, next_cursor: next.map(|number| number.to_string()) }))
}

/// Reads a time of the query.
fn time(name: &str, text: Option<String>) -> Result<Option<Timestamp>, Problem> {
    let read = text.map(|text| text.parse()).transpose();
    read.map_err(|_| {
        Problem::invalid_field(name, "must be a time such as 2026-01-31T12:00:00Z, or a date")
    })
}

/// Walks the whole audit trail and says whether every line follows from the one before.
#[utoipa::path(get, path = "/v1/admin/audit/verify", tag = "admin", security(("apiKey" = [])),
    responses((status = 200, body = AuditStateBody)))]
async fn verify_audit(
    _authorized: Authorized<permission::AuditRead>,
    state: State<HttpState>,
) -> Result<Json<AuditStateBody>, Problem> {
    let found = state.services.audit.state()?;
    Ok(Json(AuditStateBody {
        whole: found.first_broken.is_none(),
        lines: found.lines,
        head: hex::encode(found.head.as_bytes()),
        first_broken: found.first_broken,
    }))
}

impl From<AuditLine> for AuditLineBody {
    fn from(line: AuditLine) -> Self {
        Self {
            number: line.number,
            at: line.entry.at.to_string(),
            actor: line.entry.actor,
            action: line.entry.action,
            subject: line.entry.subject,
        }
    }
}
