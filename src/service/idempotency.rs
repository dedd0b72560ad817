//! One effect and one answer for a request that makes a record and is repeated with the same
//! Idempotency-Key; for all others see [`crate::service::once`].
//!
//! The row is written in the same storage transaction as the record it creates, so that a crash
//! leaves either both or neither; the answer is stored when it is given. A request that never got
//! to give its answer does not hold its key.

use std::time::Duration;

use crate::service::progress::Progress;
use crate::storage::idempotency::idempotency;
use crate::storage::{IdempotencyRow, IdempotencyState, Store, StoreError, Tables, WriteTx};
use crate::types::{Digest, RecordId, Timestamp};

pub use crate::storage::StoredAnswer;

/// How long an answer is kept.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// A request that carries a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentRequest {
    /// The credential that sent it.
    pub scope: String,
    /// The key.
    pub key: String,
    /// SHA-256 of method, path and body.
    pub fingerprint: Digest,
}

/// What to do with a request that carries a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// It is new: go on.
    New,
    /// It was answered: give this answer again.
    Answer {
        /// The record that it created.
        record: RecordId,
        /// The answer.
        answer: StoredAnswer,
    },
    /// It was accepted and its answer was never stored (its client went away, a restart, a full
    /// disk): answer from the record's state.
    Unanswered(RecordId),
}

/// A key that cannot be used for this request.
#[derive(Debug, thiserror::Error)]
pub enum IdempotencyError {
    /// The key was used for another request.
    #[error("the Idempotency-Key was used for another request")]
    Mismatch,
    /// The first request with the key is still being worked on.
    #[error("a request with this Idempotency-Key is still in progress")]
    InFlight,
    /// The first request with the key was begun, and its answer cannot be given.
    #[error("the answer to the request with this Idempotency-Key is lost")]
    Lost,
    /// The store does not work.
    #[error("the store did not answer")]
    Store(#[from] StoreError),
}

/// Decides what a key means for a request; call inside the accepting transaction.
///
/// A request is in flight only while somebody waits for its record: one that was abandoned must not
/// shut its client out until the row expires.
pub fn look_up(
    tables: &impl Tables,
    request: &IdempotentRequest,
    progress: &Progress,
    now: Timestamp,
) -> Result<Replay, IdempotencyError> {
    let row = idempotency(tables, &request.scope, &request.key)?;
    let Some(row) = row.filter(|row| row.expires_at > now) else { return Ok(Replay::New) };
    if row.fingerprint != request.fingerprint {
        return Err(IdempotencyError::Mismatch);
    }
    match row.state {
        IdempotencyState::Answered(answer) => Ok(Replay::Answer { record: row.record, answer }),
        IdempotencyState::InFlight { .. } if progress.is_watched(row.record) => {
            Err(IdempotencyError::InFlight)
        }
        IdempotencyState::InFlight { .. } => Ok(Replay::Unanswered(row.record)),
        // No request that makes a record has such an answer.
        IdempotencyState::Sealed(_) => Err(IdempotencyError::Lost),
    }
}

/// Notes that a request was accepted as `record`; call inside the accepting transaction.
pub fn claim(
    tx: &mut WriteTx<'_>,
    request: &IdempotentRequest,
    record: RecordId,
    process: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.put_idempotency(
        &request.scope,
        &request.key,
        &IdempotencyRow {
            fingerprint: request.fingerprint,
            record,
            state: IdempotencyState::InFlight { process },
            expires_at: now.plus(KEPT_FOR),
        },
    )
}

/// Keeps the answers that were given.
#[derive(Clone)]
pub struct IdempotencyService {
    /// The store.
    pub store: Store,
}

impl IdempotencyService {
    /// Says whether a request with this key came before.
    pub fn has_seen(
        &self,
        request: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let row = self.store.read(|tx| idempotency(tx, &request.scope, &request.key))?;
        Ok(row.is_some_and(|row| row.expires_at > now))
    }

    /// Stores an answer to be given again, and returns the one to give now: of two that are made
    /// at once the first one stored counts.
    pub async fn store_answer(
        &self,
        request: IdempotentRequest,
        answer: StoredAnswer,
    ) -> Result<StoredAnswer, StoreError> {
        self.store
            .write(move |tx| {
                let row = idempotency(tx, &request.scope, &request.key)?;
                let Some(row) = row else { return Ok(answer.clone()) };
                if let IdempotencyState::Answered(first) = row.state {
                    return Ok(first);
                }
                let state = IdempotencyState::Answered(answer.clone());
                tx.put_idempotency(&request.scope, &request.key, &IdempotencyRow { state, ..row })?;
                Ok(answer.clone())
            })
            .await
    }
}
