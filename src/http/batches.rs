//! Anchoring the records that wait for a batch, now.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::crypto::sha256;
use crate::http::HttpState;
use crate::http::acceptance::Origin;
use crate::http::credentials::Authorized;
use crate::http::extract::{ApiBytes, ApiQuery};
use crate::http::headers::{IdempotencyKeyHeader, Prefer};
use crate::http::json;
use crate::http::once::{Once, made};
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::service::batches::{BatchOutcome, DEFAULT_REQUESTED, FormedBatch, MOST_REQUESTED};
use crate::service::idempotency::StoredAnswer;
use crate::service::registration::Caller;
use crate::types::{Digest, RecordId, Timestamp, Txid};

/// What is said where no record waits, as clients of the predecessor know it.
const NOTHING: &str = "No unanchored records found to process.";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct BatchQuery {
    /// The most records to anchor, 1 to 1000; 100 if said neither here nor in the body.
    limit: Option<u64>,
}

/// What is to be anchored. The body may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchRequest {
    /// The most records to anchor, 1 to 1000; 100 if said neither here nor in the query.
    #[schema(nullable = false)]
    limit: Option<u64>,
}

/// What was anchored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BatchBody {
    success: bool,
    /// Why nothing was done, or what holds the batch up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<String>,
    /// The transaction, once the network has taken it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    txid: Option<Txid>,
    /// The batch, where one was formed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    batch_id: Option<RecordId>,
    /// Records in the batch.
    processed: u64,
    /// Records that the network has taken with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    updated: Option<u64>,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(batch_anchor))
}

/// Anchors the oldest records that wait for a batch in one transaction.
#[utoipa::path(post, path = "/v1/admin/batch-anchor", tag = "admin", security(("apiKey" = [])),
    params(BatchQuery), request_body = inline(Option<BatchRequest>), responses(
        (status = 200, body = BatchBody, description = "The network has taken it, or nothing waits"),
        (status = 202, body = BatchBody, description = "Stored for good, on its way"),
        (status = 400, body = ProblemBody),
        (status = 402, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
#[expect(clippy::too_many_arguments, reason = "each extractor of a handler is an argument")]
async fn batch_anchor(
    authorized: Authorized<permission::PatchesWrite>,
    key: IdempotencyKeyHeader,
    prefer: Prefer,
    state: State<HttpState>,
    method: Method,
    uri: Uri,
    query: ApiQuery<BatchQuery>,
    body: ApiBytes,
) -> Result<Response, Problem> {
    let asked: BatchRequest =
        if body.0.is_empty() { BatchRequest::default() } else { json::parse(&body.0)? };
    let limit = asked.limit.or(query.0.limit).unwrap_or(DEFAULT_REQUESTED);
    if !(1..=MOST_REQUESTED).contains(&limit) {
        return Err(Problem::invalid_field("limit", format!("must be 1 to {MOST_REQUESTED}")));
    }
    // Wherever it was said, the same limit is the same request.
    let digest = Digest::from_bytes(sha256(format!("limit={limit}").as_bytes()));
    let request = Origin { method: &method, uri: &uri, body: digest };
    let caller = request.caller(authorized.principal.id, key, prefer, &state);
    let now = state.clock.now();
    let once = Once(caller.idempotency.clone());
    once.work((state.0, now), async move |state| anchor(&state, limit, &caller, now).await).await
}

async fn anchor(
    state: &HttpState,
    limit: u64,
    caller: &Caller,
    now: Timestamp,
) -> Result<StoredAnswer, Problem> {
    let batches = &state.services.batches;
    if batches.waiting()? > 0 && !state.services.maintenance.treasury.can_ever_pay()? {
        let detail = "The whole pool cannot pay for it. Fund its address; the records wait.";
        return Err(Problem::new(ProblemCode::InsufficientFunds).detail(detail));
    }
    Ok(compose(batches.anchor(limit, caller.patience, &caller.actor, now).await?))
}

fn compose(outcome: BatchOutcome) -> StoredAnswer {
    let (status, body) = match outcome {
        BatchOutcome::Nothing => (StatusCode::OK, BatchBody::nothing()),
        BatchOutcome::Formed(formed) if formed.txid.is_some() => {
            (StatusCode::OK, BatchBody::of(&formed))
        }
        BatchOutcome::Formed(formed) => (StatusCode::ACCEPTED, BatchBody::of(&formed)),
    };
    made(status, &body)
}

impl BatchBody {
    fn nothing() -> Self {
        Self {
            success: true,
            message: Some(NOTHING.to_owned()),
            txid: None,
            batch_id: None,
            processed: 0,
            updated: None,
        }
    }

    fn of(formed: &FormedBatch) -> Self {
        let on_its_way = || match (&formed.problem, formed.is_refused) {
            (_, true) => {
                "The network refused the batch; see patchproof records recover.".to_owned()
            }
            (Some(problem), false) => format!("The batch is stored and on its way: {problem}."),
            (None, false) => "The batch is stored and on its way.".to_owned(),
        };
        Self {
            success: !formed.is_refused,
            message: formed.txid.is_none().then(on_its_way),
            txid: formed.txid,
            batch_id: Some(formed.id),
            processed: formed.size,
            updated: Some(if formed.txid.is_some() { formed.size } else { 0 }),
        }
    }
}
