//! Deeds that are done once, however often their request comes, and the answer that they gave.
//!
//! A deed of one storage transaction keeps its answer in that same transaction ([`Keep`]): a crash
//! leaves both or neither, and a repetition finds either nothing done or the answer. A deed of
//! several steps, or one that waits for the network, cannot do that: its key is marked durably before
//! it begins ([`OnceService::mark`]), and a repetition after a crash is told that the answer is lost,
//! because whether the deed was done is not known.
//!
//! Answers may show what is shown once: the secret of an API key, a one-time link. They are sealed
//! under a key of their own, derived from the master secret.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::crypto::{AeadKey, hkdf_sha256};
use crate::service::Services;
use crate::service::idempotency::{IdempotencyError, IdempotentRequest, KEPT_FOR, StoredAnswer};
use crate::storage::idempotency::{NO_RECORD, idempotency};
use crate::storage::{IdempotencyRow, IdempotencyState, Store, StoreError, WriteTx};
use crate::types::{Digest, Timestamp};

const PURPOSE: &[u8] = b"patchproof/idempotency/answer/v1";

/// A credential and a key of its own.
type Place = (String, String);
/// The keys whose requests are being worked on, with the fingerprints that are known.
type Busy = Arc<Mutex<HashMap<Place, Option<Digest>>>>;
type Keeping<T> = dyn Fn(&mut WriteTx<'_>, &T) -> Result<(), StoreError> + Send + Sync;

/// Stores the answer to a request inside the transaction of what it asks for.
pub struct Keep<T: ?Sized>(Option<Arc<Keeping<T>>>);

impl<T: ?Sized> Keep<T> {
    /// Keeps nothing, for a request without a key.
    pub const fn nothing() -> Self {
        Self(None)
    }

    /// Stores the answer that tells what was `made`; to be called last in the transaction.
    pub fn put(&self, tx: &mut WriteTx<'_>, made: &T) -> Result<(), StoreError> {
        self.0.as_ref().map_or(Ok(()), |keep| keep(tx, made))
    }
}

impl<T: ?Sized> Clone for Keep<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized> fmt::Debug for Keep<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Keep").field(&self.0.is_some()).finish()
    }
}

/// The right to work on a request with a key; nobody else in the process has it until it is dropped.
#[derive(Debug)]
pub struct Turn {
    busy: Busy,
    place: Place,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.place);
    }
}

/// What to do with a request that carries a key.
#[derive(Debug)]
pub enum Begun {
    /// It is new: do what it asks for.
    New(Turn),
    /// It was answered: give this answer again.
    Known(StoredAnswer),
}

/// Knows which requests are being worked on, and keeps the answers of those that were done.
#[derive(Clone)]
pub struct OnceService {
    store: Store,
    key: AeadKey,
    busy: Busy,
}

impl OnceService {
    /// Keeps answers in the store of these services, sealed under a key of their master secret.
    pub fn of(services: &Services) -> Self {
        let key = AeadKey::new(hkdf_sha256(&services.unlock.master_secret, b"", PURPOSE));
        Self { store: services.idempotency.store.clone(), key, busy: Busy::default() }
    }

    /// Begins to work on a request, unless its answer is known.
    ///
    /// # Errors
    ///
    /// [`IdempotencyError::Mismatch`] if the key is another request's, [`IdempotencyError::InFlight`]
    /// while the same one is worked on, [`IdempotencyError::Lost`] if it was begun and its answer
    /// cannot be given.
    pub fn begin(
        &self,
        request: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<Begun, IdempotencyError> {
        let turn = self.enter(&request.scope, &request.key, Some(request.fingerprint))?;
        Ok(match self.answer_to(request, now)? {
            Some(answer) => Begun::Known(answer),
            None => Begun::New(turn),
        })
    }

    /// Takes the turn of a key; `fingerprint` is absent while the body is still to be read.
    pub fn enter(
        &self,
        scope: &str,
        key: &str,
        fingerprint: Option<Digest>,
    ) -> Result<Turn, IdempotencyError> {
        let place = (scope.to_owned(), key.to_owned());
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = busy.get(&place) {
            let is_other = known.zip(fingerprint).is_some_and(|(known, asked)| known != asked);
            return Err(if is_other {
                IdempotencyError::Mismatch
            } else {
                IdempotencyError::InFlight
            });
        }
        busy.insert(place.clone(), fingerprint);
        Ok(Turn { busy: Arc::clone(&self.busy), place })
    }

    /// Says whether a request with this key came before.
    pub fn is_known(&self, scope: &str, key: &str, now: Timestamp) -> Result<bool, StoreError> {
        let row = self.store.read(|tx| idempotency(tx, scope, key))?;
        Ok(row.is_some_and(|row| row.expires_at > now))
    }

    /// Returns the answer to be given again, if the request was answered.
    ///
    /// # Errors
    ///
    /// [`IdempotencyError::Mismatch`] and [`IdempotencyError::Lost`], as of [`Self::begin`].
    pub fn answer_to(
        &self,
        request: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<Option<StoredAnswer>, IdempotencyError> {
        let row = self.store.read(|tx| idempotency(tx, &request.scope, &request.key))?;
        let Some(row) = row.filter(|row| row.expires_at > now) else { return Ok(None) };
        if row.fingerprint != request.fingerprint {
            return Err(IdempotencyError::Mismatch);
        }
        match row.state {
            IdempotencyState::Answered(answer) => Ok(Some(answer)),
            IdempotencyState::Sealed(sealed) => {
                // Another master secret since: nobody can read the answer any more.
                let body = self.key.open(&sealed.body, &context(request));
                let body = body.map_err(|_| IdempotencyError::Lost)?;
                Ok(Some(StoredAnswer { body, ..sealed }))
            }
            // Whoever works on it in this process has its turn; so whoever did is gone.
            IdempotencyState::InFlight { .. } => Err(IdempotencyError::Lost),
        }
    }

    /// Returns what stores the answer in the transaction of the deed; `answer` writes it down.
    pub fn keep<T: ?Sized + 'static>(
        &self,
        request: IdempotentRequest,
        now: Timestamp,
        answer: impl Fn(&T) -> StoredAnswer + Send + Sync + 'static,
    ) -> Keep<T> {
        let key = self.key.clone();
        Keep(Some(Arc::new(move |tx, made| put(tx, &key, &request, answer(made), now))))
    }

    /// Marks durably that a request is worked on, before a deed that cannot keep its answer in its own
    /// transaction.
    pub async fn mark(
        &self,
        request: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (scope, key) = (request.scope.clone(), request.key.clone());
        let row = IdempotencyRow {
            fingerprint: request.fingerprint,
            record: NO_RECORD,
            state: IdempotencyState::InFlight { process: now },
            expires_at: now.plus(KEPT_FOR),
        };
        self.store.write(move |tx| tx.put_idempotency(&scope, &key, &row)).await
    }

    /// Takes a mark away from a request that was refused and changed nothing.
    pub async fn unmark(&self, request: &IdempotentRequest) -> Result<(), StoreError> {
        let (scope, key) = (request.scope.clone(), request.key.clone());
        self.store.write(move |tx| tx.remove_idempotency(&scope, &key)).await
    }

    /// Stores the answer to a request that was marked.
    pub async fn put_answer(
        &self,
        request: IdempotentRequest,
        answer: StoredAnswer,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = self.key.clone();
        self.store.write(move |tx| put(tx, &key, &request, answer.clone(), now)).await
    }
}

fn put(
    tx: &mut WriteTx<'_>,
    key: &AeadKey,
    request: &IdempotentRequest,
    answer: StoredAnswer,
    now: Timestamp,
) -> Result<(), StoreError> {
    let body = key.seal(&answer.body, &context(request));
    let row = IdempotencyRow {
        fingerprint: request.fingerprint,
        record: NO_RECORD,
        state: IdempotencyState::Sealed(StoredAnswer { body, ..answer }),
        expires_at: now.plus(KEPT_FOR),
    };
    tx.put_idempotency(&request.scope, &request.key, &row)
}

/// A sealed answer opens under its own request only.
fn context(request: &IdempotentRequest) -> Vec<u8> {
    let IdempotentRequest { scope, key, fingerprint } = request;
    [scope.as_bytes(), b"\n", key.as_bytes(), b"\n", fingerprint.as_bytes()].concat()
}
