//! Restoring a backup of the folder beside the running store: begun, cancelled, put in place. How far it
//! is, is said where the fence is.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::ApiJson;
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::http::restore::{RestoreBody, answer};
use crate::service::restores::{
    MissingKey, RestoreJob, RestoreKey, RestoreState, RestoreSummary, RestoresError,
};

/// The longest passphrase or secret key, in bytes.
const MOST_KEY_BYTES: usize = 1024;

/// A secret that was sent, forgotten with this.
#[derive(Deserialize)]
#[serde(from = "String")]
struct Given(Zeroizing<String>);

impl From<String> for Given {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// Which backup is to be read, and with what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RestoreRequest {
    /// The name of its file in the folder of backups.
    name: String,
    /// What opens it, where the server's own passphrase does not. It is neither stored nor logged.
    #[schema(value_type = Option<String>, write_only)]
    passphrase: Option<Given>,
    /// The secret key of `patchproof backup keygen`, where it is locked to a public one. It is neither
    /// stored nor logged.
    #[schema(value_type = Option<String>, write_only)]
    identity: Option<Given>,
}

/// What is confirmed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ApplyRequest {
    /// The name of the backup that was read and takes the place of the present store.
    name: String,
}

/// A restore that is under way, or came to nothing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RestoreJobBody {
    /// The name of the backup.
    name: String,
    started_at: String,
    /// Who wants it.
    started_by: String,
    /// `reading`, `checking`, `cancelling`, `ready`, `applying` or `failed`.
    state: &'static str,
    /// Bytes of the file that were read.
    bytes: u64,
    /// Bytes of the file.
    total: u64,
    /// What is in it; once it is ready.
    summary: Option<RestoreSummaryBody>,
    /// Why it came to nothing.
    failure: Option<String>,
    /// `passphrase` or `identity` where it came to nothing for want of one.
    needs: Option<&'static str>,
    /// The folder in which the present store would be kept, and beside it the restored one.
    folder: Option<String>,
}

/// What is in a backup, beside what is in the store.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RestoreSummaryBody {
    /// When what is in it was true.
    taken_at: String,
    /// Version of the program that made it.
    program: Option<String>,
    schema: u32,
    products: u64,
    /// Custody events.
    records: u64,
    transactions: u64,
    /// All rows.
    rows: u64,
    /// What the present store has that it has not.
    lost: LostBody,
    /// When they were compared.
    compared_at: String,
}

/// What the present store has that a backup has not.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LostBody {
    products: u64,
    /// Custody events.
    records: u64,
    transactions: u64,
}

impl From<RestoreSummary> for RestoreSummaryBody {
    fn from(it: RestoreSummary) -> Self {
        Self {
            taken_at: it.taken_at.to_string(),
            program: it.program,
            schema: it.schema,
            products: it.products,
            records: it.records,
            transactions: it.transactions,
            rows: it.rows,
            lost: LostBody {
                products: it.lost.patches,
                records: it.lost.records,
                transactions: it.lost.transactions,
            },
            compared_at: it.compared_at.to_string(),
        }
    }
}

impl RestoreJobBody {
    pub(super) fn of(job: RestoreJob, state: &HttpState) -> Self {
        let mut body = Self {
            name: job.name,
            started_at: job.started_at.to_string(),
            started_by: job.actor,
            state: "failed",
            bytes: 0,
            total: 0,
            summary: None,
            failure: None,
            needs: None,
            folder: state.services.restores.folder().map(|it| it.display().to_string()),
        };
        match job.state {
            RestoreState::Reading { progress, is_stopping } => {
                (body.bytes, body.total) = (progress.bytes, progress.total);
                body.state = match (is_stopping, progress.is_checking) {
                    (true, _) => "cancelling",
                    (false, true) => "checking",
                    (false, false) => "reading",
                };
            }
            RestoreState::Ready(summary) => {
                (body.state, body.summary) = ("ready", Some(summary.into()));
            }
            RestoreState::Applying(summary) => {
                (body.state, body.summary) = ("applying", Some(summary.into()));
            }
            RestoreState::Failed { reason, missing } => {
                body.failure = Some(reason);
                body.needs = missing.map(|missing| match missing {
                    MissingKey::Passphrase => "passphrase",
                    MissingKey::Identity => "identity",
                });
            }
        }
        body
    }
}

impl From<RestoresError> for Problem {
    fn from(error: RestoresError) -> Self {
        let detail = error.to_string();
        match error {
            RestoresError::NotFound => Self::new(ProblemCode::NotFound).detail(detail),
            RestoresError::Running
            | RestoresError::NotReady
            | RestoresError::Other(_)
            | RestoresError::Applying
            | RestoresError::NotHere => Self::new(ProblemCode::StateConflict).detail(detail),
            RestoresError::Failed(_) => {
                tracing::error!(%detail, "a restore came to nothing");
                Self::new(ProblemCode::StorageUnavailable).detail(detail)
            }
            RestoresError::Store(store) => store.into(),
        }
    }
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(begin_restore, cancel_restore)).routes(routes!(apply))
}

/// Begins to read a backup beside the running store, which is not touched; the status tells how far it is.
#[utoipa::path(post, path = "/v1/admin/restore", tag = "admin", security(("apiKey" = [])),
    request_body = RestoreRequest, responses((status = 202, body = RestoreBody),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 503, body = ProblemBody)))]
async fn begin_restore(
    authorized: Authorized<permission::Admin>,
    state: State<HttpState>,
    body: ApiJson<RestoreRequest>,
) -> Result<Response, Problem> {
    let RestoreRequest { name, passphrase, identity } = body.0;
    let key = key_of(passphrase, identity)?;
    let (actor, now) = (&authorized.principal.id, state.clock.now());
    state.services.restores.start(&name, key, actor, now).await?;
    answer(StatusCode::ACCEPTED, &state)
}

/// Has a restore end that was not put in place, and forgets what was read.
#[utoipa::path(delete, path = "/v1/admin/restore", tag = "admin", security(("apiKey" = [])),
    responses((status = 200, body = RestoreBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 409, body = ProblemBody)))]
async fn cancel_restore(
    authorized: Authorized<permission::Admin>,
    state: State<HttpState>,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    state.services.restores.cancel(&authorized.principal.id, now).await?;
    answer(StatusCode::OK, &state)
}

/// Puts what was read in the place of the present store: the server ends its work and begins anew, fenced.
#[utoipa::path(post, path = "/v1/admin/restore/apply", tag = "admin", security(("apiKey" = [])),
    request_body = ApplyRequest, responses((status = 202, body = RestoreBody),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 503, body = ProblemBody)))]
async fn apply(
    authorized: Authorized<permission::Admin>,
    state: State<HttpState>,
    body: ApiJson<ApplyRequest>,
) -> Result<Response, Problem> {
    let (actor, now) = (&authorized.principal.id, state.clock.now());
    state.services.restores.apply(&body.0.name, actor, now).await?;
    answer(StatusCode::ACCEPTED, &state)
}

fn key_of(
    passphrase: Option<Given>,
    identity: Option<Given>,
) -> Result<Option<RestoreKey>, Problem> {
    for (field, given) in [("passphrase", &passphrase), ("identity", &identity)] {
        if given.as_ref().is_some_and(|it| it.0.is_empty() || it.0.len() > MOST_KEY_BYTES) {
            let message = format!("must have 1 to {MOST_KEY_BYTES} bytes");
            return Err(Problem::invalid_field(field, message));
        }
    }
    match (passphrase, identity) {
        (Some(_), Some(_)) => {
            Err(Problem::invalid_field("identity", "is not given beside a passphrase"))
        }
        (Some(Given(passphrase)), None) => Ok(Some(RestoreKey::passphrase(passphrase))),
        (None, Some(Given(identity))) => match RestoreKey::identity(&identity) {
            Some(key) => Ok(Some(key)),
            None => {
                let message = "must be the text that patchproof backup keygen wrote";
                Err(Problem::invalid_field("identity", message))
            }
        },
        (None, None) => Ok(None),
    }
}
