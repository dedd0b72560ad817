//! The fence after a restore: why it is up, what the chain knew that the backup did not, and the word of
//! an operator that takes it away; and the restore that is under way ([`job`]).

mod job;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::ApiJson;
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::http::restore::job::RestoreJobBody;
use crate::service::resync::{JudgedFinding, ReleaseError, RestoreStatus, Standing};

/// The restore that is under way, the fence of the last, and the findings.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RestoreBody {
    /// Whether nothing is funded, signed or sent.
    fenced: bool,
    /// Why, and how far the resync with the chain is.
    reason: Option<String>,
    /// When the backup was restored.
    restored_at: Option<String>,
    /// When what was restored was true.
    taken_at: Option<String>,
    /// When the chain had been asked about everything.
    resynced_at: Option<String>,
    /// How many transactions of our keys the chain knows that the backup did not.
    found: u64,
    /// The first thousand of them.
    findings: Vec<RestoreFindingBody>,
    /// The restore that is under way, or came to nothing.
    job: Option<RestoreJobBody>,
}

/// A transaction that the backup did not know.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RestoreFindingBody {
    txid: String,
    found_at: String,
    /// The height of its block, if it was in one.
    height: Option<u32>,
    /// Outputs of ours that it spends.
    spends: Vec<String>,
    /// Outputs that it pays to keys of ours.
    pays: Vec<String>,
    /// What its data output commits to.
    says: Vec<FoundCommitmentBody>,
    /// Products whose custody it has moved.
    products: Vec<String>,
    /// `adopted`: it has become the transaction of a record; `waiting`: it will, by itself; `money`: it
    /// commits to nothing; `conflict`: somebody must look.
    standing: &'static str,
    /// The record, or batch, that it was adopted for, or waits for.
    adopted_for: Option<String>,
    /// What it waits for, or what can be done about it.
    advice: Option<String>,
}

/// A commitment on chain.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FoundCommitmentBody {
    /// `register`, `transfer` or `batch`.
    kind: String,
    commitment: String,
    /// The record of this store that has it, or the batch, if one does.
    record: Option<String>,
}

/// Nothing is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReleaseRequest {}

impl RestoreBody {
    fn of(status: RestoreStatus, job: Option<RestoreJobBody>) -> Self {
        let fence = status.fence.as_ref();
        let findings = status.findings.into_iter().map(RestoreFindingBody::from);
        Self {
            fenced: fence.is_some(),
            reason: status.reason,
            restored_at: fence.map(|it| it.restored_at.to_string()),
            taken_at: fence.map(|it| it.taken_at.to_string()),
            resynced_at: fence.and_then(|it| it.resynced_at).map(|it| it.to_string()),
            found: status.found,
            findings: findings.collect(),
            job,
        }
    }
}

impl From<JudgedFinding> for RestoreFindingBody {
    fn from(judged: JudgedFinding) -> Self {
        let it = judged.finding;
        let (standing, adopted_for, advice) = match judged.standing {
            Standing::Money => ("money", None, None),
            Standing::Adopted(id) => ("adopted", Some(id), None),
            Standing::Waiting(id, advice) => ("waiting", Some(id), Some(advice)),
            Standing::Conflict(advice) => ("conflict", None, Some(advice)),
        };
        let said = it.says.into_iter().map(|said| FoundCommitmentBody {
            kind: said.kind,
            commitment: said.commitment.to_string(),
            record: said.record.map(|record| record.to_string()),
        });
        Self {
            txid: it.txid.to_string(),
            found_at: it.found_at.to_string(),
            height: it.height,
            spends: it.spends.iter().map(ToString::to_string).collect(),
            pays: it.pays.iter().map(ToString::to_string).collect(),
            says: said.collect(),
            products: it.products,
            standing,
            adopted_for: adopted_for.map(|id| id.to_string()),
            advice,
        }
    }
}

impl From<ReleaseError> for Problem {
    fn from(error: ReleaseError) -> Self {
        match error {
            ReleaseError::NotFenced | ReleaseError::NotResynced(_) => {
                Self::new(ProblemCode::StateConflict).detail(error.to_string())
            }
            ReleaseError::Store(store) => store.into(),
        }
    }
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(restore_status))
        .routes(routes!(release))
        .merge(job::routes())
}

/// Tells how far a restore is, whether the store is fenced after one, and what the chain knew that the
/// backup did not.
#[utoipa::path(get, path = "/v1/admin/restore", tag = "admin", security(("apiKey" = [])),
    responses((status = 200, body = RestoreBody)))]
async fn restore_status(
    _authorized: Authorized<permission::AuditRead>,
    state: State<HttpState>,
) -> Result<Response, Problem> {
    answer(StatusCode::OK, &state)
}

/// Takes the fence away, on the word of an operator who has read what was found.
#[utoipa::path(post, path = "/v1/admin/restore/release", tag = "admin", security(("apiKey" = [])),
    request_body = ReleaseRequest, responses((status = 200, body = RestoreBody),
        (status = 409, body = ProblemBody)))]
async fn release(
    authorized: Authorized<permission::Admin>,
    state: State<HttpState>,
    _body: ApiJson<ReleaseRequest>,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    state.services.resync.release(&authorized.principal.id, now).await?;
    answer(StatusCode::OK, &state)
}

fn answer(status: StatusCode, state: &HttpState) -> Result<Response, Problem> {
    let job = state.services.restores.status().map(|job| RestoreJobBody::of(job, state));
    let body = Json(RestoreBody::of(state.services.resync.status()?, job));
    Ok((status, [(CACHE_CONTROL, "no-store")], body).into_response())
}
