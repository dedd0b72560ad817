//! Backups: how they are, one made now, handed out, removed.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::{ApiJson, ApiPath};
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::service::backups::{BackupEntry, BackupsError, BackupsStatus};

/// Bytes of a file in one piece of an answer.
const PIECE: usize = 64 * 1024;

/// How backups are, and which there are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BackupsBody {
    /// Where they lie on the server.
    folder: String,
    /// Whether there is a passphrase or public key to lock them with; none are made without.
    locked: bool,
    /// Whether there is a passphrase to open them with, so that none is asked for.
    opens: bool,
    /// How often one is made by itself, in seconds.
    interval_seconds: Option<u64>,
    /// How many stay.
    keep: usize,
    /// When the next one is due.
    next_at: Option<String>,
    /// The one that is being made.
    running: Option<RunningBackupBody>,
    /// When one failed that no good one has followed.
    failed_at: Option<String>,
    /// Why.
    failure: Option<String>,
    /// Why an operator should look.
    warning: Option<String>,
    /// Those in the folder, newest first.
    backups: Vec<BackupBody>,
}

/// A backup that is being made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RunningBackupBody {
    started_at: String,
    /// Rows written.
    rows: u64,
    /// Rows there are.
    total: u64,
}

/// A backup in the folder.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BackupBody {
    name: String,
    bytes: u64,
    /// When what is in it was true.
    taken_at: Option<String>,
    schema: Option<u32>,
    /// Version of the program that made it.
    program: Option<String>,
    /// What it is locked with: `passphrase`, or `identity` for a public key, whose secret one opens it.
    lock: Option<&'static str>,
    /// Why its head cannot be read.
    problem: Option<String>,
}

/// Nothing is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BackupRequest {}

impl BackupBody {
    fn of(entry: BackupEntry) -> Self {
        Self {
            name: entry.name,
            bytes: entry.bytes,
            taken_at: entry.taken_at.map(|it| it.to_string()),
            schema: entry.schema,
            program: entry.program,
            lock: entry.lock,
            problem: entry.problem,
        }
    }
}

impl From<BackupsError> for Problem {
    fn from(error: BackupsError) -> Self {
        let detail = error.to_string();
        match error {
            BackupsError::NoKey | BackupsError::Running => {
                Self::new(ProblemCode::StateConflict).detail(detail)
            }
            BackupsError::NotFound => Self::new(ProblemCode::NotFound).detail(detail),
            BackupsError::Failed(_) => {
                tracing::error!(%detail, "backups do not work");
                Self::new(ProblemCode::StorageUnavailable).detail(detail)
            }
            BackupsError::Store(store) => store.into(),
        }
    }
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(backups, begin_backup))
        .routes(routes!(download_backup, delete_backup))
}

/// Lists backups, and tells how they are: which is being made, when the next one is due, what failed.
#[utoipa::path(get, path = "/v1/admin/backups", tag = "admin", security(("apiKey" = [])),
    responses((status = 200, body = BackupsBody)))]
async fn backups(
    _authorized: Authorized<permission::AuditRead>,
    state: State<HttpState>,
) -> Result<Response, Problem> {
    answer(StatusCode::OK, &state)
}

/// Begins to make a backup; the list tells how far it is.
#[utoipa::path(post, path = "/v1/admin/backups", tag = "admin", security(("apiKey" = [])),
    request_body = BackupRequest, responses((status = 202, body = BackupsBody),
        (status = 409, body = ProblemBody)))]
async fn begin_backup(
    authorized: Authorized<permission::Admin>,
    state: State<HttpState>,
    _body: ApiJson<BackupRequest>,
) -> Result<Response, Problem> {
    state.services.backups.start(&authorized.principal.id, state.clock.now())?;
    answer(StatusCode::ACCEPTED, &state)
}

/// Hands out a backup, encrypted as it is.
#[utoipa::path(get, path = "/v1/admin/backups/{name}", tag = "admin", security(("apiKey" = [])),
    params(("name" = String, Path, description = "The name of its file")),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 404, body = ProblemBody)))]
async fn download_backup(
    authorized: Authorized<permission::Admin>,
    state: State<HttpState>,
    name: ApiPath<String>,
) -> Result<Response, Problem> {
    let (service, now) = (&state.services.backups, state.clock.now());
    let (file, bytes) = service.open(&name.0)?;
    service.note("backup.download", &name.0, &authorized.principal.id, now).await?;
    let pieces = futures_util::stream::try_unfold(tokio::fs::File::from_std(file), next_piece);
    let disposition = format!("attachment; filename=\"{}\"", name.0);
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, bytes.to_string()),
        (CONTENT_DISPOSITION, disposition),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Removes a backup.
#[utoipa::path(delete, path = "/v1/admin/backups/{name}", tag = "admin", security(("apiKey" = [])),
    params(("name" = String, Path, description = "The name of its file")),
    responses((status = 200, body = BackupsBody), (status = 404, body = ProblemBody)))]
async fn delete_backup(
    authorized: Authorized<permission::Admin>,
    state: State<HttpState>,
    name: ApiPath<String>,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    state.services.backups.delete(&name.0, &authorized.principal.id, now).await?;
    answer(StatusCode::OK, &state)
}

async fn next_piece(
    mut file: tokio::fs::File,
) -> std::io::Result<Option<(Bytes, tokio::fs::File)>> {
    let mut piece = vec![0; PIECE];
    let count = file.read(&mut piece).await?;
    piece.truncate(count);
    Ok((count > 0).then(|| (Bytes::from(piece), file)))
}

fn answer(status: StatusCode, state: &HttpState) -> Result<Response, Problem> {
    let service = &state.services.backups;
    let backups = service.list()?.into_iter().map(BackupBody::of).collect();
    let BackupsStatus { running, failure, .. } = service.status();
    let (failed_at, failure) = failure.unzip();
    let body = BackupsBody {
        folder: service.plan.folder.display().to_string(),
        locked: service.plan.lock.is_some(),
        opens: service.opens(),
        interval_seconds: service.plan.interval.map(|it| it.as_secs()),
        keep: service.plan.keep,
        next_at: service.due_at().map(|it| it.to_string()),
        running: running.map(|it| RunningBackupBody {
            started_at: it.started_at.to_string(),
            rows: it.rows,
            total: it.total,
        }),
        failed_at: failed_at.map(|it| it.to_string()),
        failure,
        warning: service.warning(state.clock.now()),
        backups,
    };
    Ok((status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
