//! Answers to requests that create something: the same for the first time as for every repetition.

use std::panic::resume_unwind;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::anchor::lifecycle::Stage;
use crate::crypto::sha256_parts;
use crate::http::HttpState;
use crate::http::edge::RequestId;
use crate::http::headers::{IdempotencyKeyHeader, Prefer};
use crate::http::problem::{Problem, ProblemCode};
use crate::http::view::certificate_url;
use crate::patch::tag::UidTag;
use crate::service::idempotency::{IdempotentRequest, StoredAnswer};
use crate::service::registration::{Acceptance, Caller};
use crate::types::{Digest, RecordId, Txid};

/// A registration that the network has taken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Registered<'a> {
    message: &'static str,
    #[schema(value_type = String)]
    txid: Txid,
    uid_tag_id: &'a str,
    #[serde(rename = "pendingId")]
    #[schema(value_type = String)]
    pending_id: RecordId,
    #[serde(rename = "certificateUrl")]
    certificate_url: String,
}

/// A transfer that the network has taken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Transferred {
    message: &'static str,
    #[serde(rename = "newTxid")]
    #[schema(value_type = String)]
    new_txid: Txid,
}

/// An event that is stored for good and on its way to the network.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Queued<'a> {
    message: &'static str,
    #[serde(rename = "jobId")]
    #[schema(value_type = String)]
    job_id: RecordId,
    uid_tag_id: &'a str,
    #[serde(rename = "pendingId")]
    #[schema(value_type = String)]
    pending_id: RecordId,
}

/// What was accepted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A product.
    Registration,
    /// A new owner.
    Transfer,
}

/// What makes two requests the same for an Idempotency-Key.
pub(super) struct Origin<'a> {
    /// Its method.
    pub(super) method: &'a Method,
    /// Its address.
    pub(super) uri: &'a Uri,
    /// SHA-256 of its body.
    pub(super) body: Digest,
}

impl Origin<'_> {
    /// Says who acts and what the request carried.
    pub(super) fn caller(
        &self,
        actor: String,
        key: IdempotencyKeyHeader,
        prefer: Prefer,
        state: &HttpState,
    ) -> Caller {
        let parts = [
            self.method.as_str().as_bytes(),
            b" ",
            self.uri.path().as_bytes(),
            b"\n",
            self.body.as_bytes(),
        ];
        let fingerprint = Digest::from_bytes(sha256_parts(&parts));
        let scope = actor.clone();
        let idempotency = key.0.map(|key| IdempotentRequest { scope, key, fingerprint });
        let is_async = prefer.respond_async || state.options.answers_async;
        let patience = if is_async { Duration::ZERO } else { state.options.patience };
        Caller { actor, idempotency, patience }
    }
}

/// Lets work go on although its client has gone away, so that a repetition finds its answer.
pub(super) async fn to_the_end(
    work: impl Future<Output = Result<Response, Problem>> + Send + 'static,
) -> Result<Response, Problem> {
    match tokio::spawn(RequestId::along(work)).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(Problem::new(ProblemCode::ShuttingDown)),
        },
    }
}

/// Answers from the record's present state, and stores the answer for its Idempotency-Key.
pub(super) async fn answer(
    state: &HttpState,
    caller: &Caller,
    uid: &UidTag,
    acceptance: Acceptance,
    kind: Kind,
) -> Result<Response, Problem> {
    let standing = match acceptance {
        Acceptance::Accepted(id) => {
            let view = state.services.pending.get(id)?;
            let view = view.ok_or(Problem::new(ProblemCode::Internal))?;
            let is_refused = matches!(view.job.stage, Stage::Failed { .. });
            Standing { id, txid: view.txid, is_refused }
        }
        Acceptance::Queued(id) => Standing { id, txid: None, is_refused: false },
        Acceptance::Replayed(stored) => return Ok(replay(stored)),
    };
    let made = compose(state, uid, standing, kind);
    Ok(replay(match caller.idempotency.clone() {
        Some(request) => state.services.idempotency.store_answer(request, made).await?,
        None => made,
    }))
}

/// How an accepted event stands.
struct Standing {
    id: RecordId,
    /// Its transaction, once the network has taken it.
    txid: Option<Txid>,
    /// Whether the network refused it for good.
    is_refused: bool,
}

fn compose(state: &HttpState, uid: &UidTag, standing: Standing, kind: Kind) -> StoredAnswer {
    let id = standing.id;
    let (status, location, body) = match (standing.txid, kind) {
        (Some(txid), Kind::Registration) => {
            let certificate_url = certificate_url(state, uid);
            let message = "Patch registered.";
            let body = json(&Registered {
                message,
                txid,
                uid_tag_id: uid.as_str(),
                pending_id: id,
                certificate_url,
            });
            (StatusCode::CREATED, None, body)
        }
        (Some(new_txid), Kind::Transfer) => {
            let body = json(&Transferred { message: "Ownership transferred.", new_txid });
            (StatusCode::OK, None, body)
        }
        (None, kind) => {
            let (name, message) = match kind {
                Kind::Registration => ("registration", "Patch accepted for anchoring."),
                Kind::Transfer => ("transfer", "Transfer accepted for anchoring."),
            };
            let refused = "The network refused the record.";
            let message = if standing.is_refused { refused } else { message };
            let body = Queued { message, job_id: id, uid_tag_id: uid.as_str(), pending_id: id };
            let location = format!("/v1/patches/pending/{name}/{id}");
            (StatusCode::ACCEPTED, Some(location), json(&body))
        }
    };
    StoredAnswer { status: status.as_u16(), location, body }
}

fn json<T: Serialize>(body: &T) -> Vec<u8> {
    serde_json::to_vec(body).expect("answers consist of strings and numbers")
}

/// Gives a stored answer, the first time as every later time.
fn replay(stored: StoredAnswer) -> Response {
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
    let mut response = (status, [(CONTENT_TYPE, "application/json")], stored.body).into_response();
    if let Some(location) = stored.location.and_then(|location| location.parse().ok()) {
        response.headers_mut().insert(LOCATION, location);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
