//! Requests that may be repeated under an Idempotency-Key, and do once what they ask for: the one way
//! for every POST that makes something and no record (those have [`crate::http::acceptance`]).
//!
//! Only success is kept: whatever was refused changed nothing, and its key is free.

use axum::extract::FromRequestParts;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::crypto::sha256_parts;
use crate::http::HttpState;
use crate::http::acceptance::to_the_end;
use crate::http::headers::IdempotencyKeyHeader;
use crate::http::problem::{Problem, ProblemCode};
use crate::service::idempotency::{IdempotentRequest, StoredAnswer};
use crate::service::once::{Begun, Keep};
use crate::types::{Digest, Timestamp};

/// The fingerprint of a request without a body.
pub(super) const NO_BODY: &[u8] = b"";

/// A request that may be repeated, before it is known who sends it and what is in it.
#[derive(Debug, Clone)]
pub(super) struct Repeatable {
    key: Option<String>,
    method: Method,
    /// Path and query.
    target: String,
}

impl<S: Sync> FromRequestParts<S> for Repeatable {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let IdempotencyKeyHeader(key) =
            IdempotencyKeyHeader::from_request_parts(parts, state).await?;
        let target = parts.uri.path_and_query().map_or("/", |it| it.as_str()).to_owned();
        Ok(Self { key, method: parts.method.clone(), target })
    }
}

impl Repeatable {
    /// Returns the key, if there is one.
    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Says who sends it and what is in it. Keys are the sender's own; `body` is SHA-256 of the bytes.
    pub(super) fn by(self, scope: &str, body: Digest) -> Once {
        let (method, target) = (self.method.as_str().as_bytes(), self.target.as_bytes());
        let parts = [method, b" ", target, b"\n", body.as_bytes()];
        let fingerprint = Digest::from_bytes(sha256_parts(&parts));
        let scope = scope.to_owned();
        Once(self.key.map(|key| IdempotentRequest { scope, key, fingerprint }))
    }

    /// The same for a request without a body.
    pub(super) fn empty_by(self, scope: &str) -> Once {
        self.by(scope, Digest::from_bytes(sha256_parts(&[NO_BODY])))
    }
}

/// A request that does once what it asks for, if it has a key.
#[derive(Debug, Clone)]
pub(super) struct Once(pub(super) Option<IdempotentRequest>);

impl Once {
    /// Does a deed that keeps its answer in its own transaction, or gives the answer that was kept.
    /// `answer` writes down what was made; it is asked more than once and says the same each time.
    pub(super) async fn make<T, E, F>(
        self,
        (state, now): (HttpState, Timestamp),
        answer: impl Fn(&HttpState, &T) -> StoredAnswer + Clone + Send + Sync + 'static,
        deed: impl FnOnce(HttpState, Keep<T>) -> F + Send + 'static,
    ) -> Result<Response, Problem>
    where
        T: Send + Sync + 'static,
        E: Send,
        Problem: From<E>,
        F: Future<Output = Result<T, E>> + Send,
    {
        to_the_end(async move {
            let Some(request) = self.0 else {
                let made = deed(state.clone(), Keep::nothing()).await?;
                return Ok(give(answer(&state, &made)));
            };
            let _turn = match state.once().begin(&request, now)? {
                Begun::Known(known) => return Ok(give(known)),
                Begun::New(turn) => turn,
            };
            let (inner, writes) = (state.clone(), answer.clone());
            let keep = state.once().keep(request, now, move |made: &T| writes(&inner, made));
            let made = deed(state.clone(), keep).await?;
            Ok(give(answer(&state, &made)))
        })
        .await
    }

    /// Does a deed of several steps, or one that waits for the network. It cannot keep its answer in a
    /// transaction of its own, so the key is marked durably before it begins; if the process dies in
    /// between, a repetition hears that the answer is lost and does nothing a second time.
    pub(super) async fn work<F>(
        self,
        (state, now): (HttpState, Timestamp),
        deed: impl FnOnce(HttpState) -> F + Send + 'static,
    ) -> Result<Response, Problem>
    where
        F: Future<Output = Result<StoredAnswer, Problem>> + Send,
    {
        to_the_end(async move {
            let Some(request) = self.0 else { return Ok(give(deed(state).await?)) };
            let _turn = match state.once().begin(&request, now)? {
                Begun::Known(known) => return Ok(give(known)),
                Begun::New(turn) => turn,
            };
            state.once().mark(&request, now).await?;
            match deed(state.clone()).await {
                Ok(answer) => {
                    state.once().put_answer(request, answer.clone(), now).await?;
                    Ok(give(answer))
                }
                // What failed and should not have may have been done in part.
                Err(problem) if problem.code() == ProblemCode::Internal => Err(problem),
                Err(problem) => {
                    state.once().unmark(&request).await?;
                    Err(problem)
                }
            }
        })
        .await
    }
}

/// Writes an answer down as it will be given every time.
pub(super) fn made<T: Serialize>(status: StatusCode, body: &T) -> StoredAnswer {
    let body = serde_json::to_vec(body).expect("answers consist of strings and numbers");
    StoredAnswer { status: status.as_u16(), location: None, body }
}

/// Gives an answer, the first time as every later time.
pub(super) fn give(answer: StoredAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    let mut response = (status, headers, answer.body).into_response();
    if let Some(location) = answer.location.and_then(|it| HeaderValue::try_from(it).ok()) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}
