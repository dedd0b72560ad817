//! Stored answers by Idempotency-Key, so that a repeated request has one effect and one answer.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::storage::codec::{decode, encode};
use crate::storage::records::bytes_field;
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{Digest, RecordId, Timestamp};

/// Stands for the record in the rows of requests that make none.
pub const NO_RECORD: RecordId = RecordId::from_bytes([0; 16]);

/// An answer to be given again byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The value of the Location header, if there was one.
    pub location: Option<String>,
    /// The body.
    #[serde(with = "bytes_field")]
    pub body: Vec<u8>,
}

/// How far a request with a key has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdempotencyState {
    /// Accepted, its answer not yet given, by the process that started at this time.
    InFlight {
        /// Start time of the process that works on it.
        process: Timestamp,
    },
    /// Answered.
    Answered(StoredAnswer),
    /// Answered; the body is sealed, because it may show what is shown once.
    Sealed(StoredAnswer),
}

/// A request with a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRow {
    /// SHA-256 of method, path and body.
    pub fingerprint: Digest,
    /// The record that the request created; [`NO_RECORD`] if it creates none.
    pub record: RecordId,
    /// How far it has come.
    pub state: IdempotencyState,
    /// When the row may go.
    pub expires_at: Timestamp,
}

impl WriteTx<'_> {
    /// Stores a row under a credential and key, in place of an older one.
    pub fn put_idempotency(
        &mut self,
        scope: &str,
        key: &str,
        row: &IdempotencyRow,
    ) -> Result<(), StoreError> {
        self.is_dirty = true;
        let before = self
            .tables
            .idempotency
            .insert((scope, key), encode(row).as_slice())?
            .map(|bytes| decode::<IdempotencyRow>(bytes.value(), "idempotency row"))
            .transpose()?;
        if let Some(before) = before {
            // Otherwise the row would go when the one it replaces was to go.
            let expiry = (before.expires_at.as_millis(), scope, key);
            self.tables.idempotency_by_expiry.remove(expiry)?;
        }
        let expiry = (row.expires_at.as_millis(), scope, key);
        self.tables.idempotency_by_expiry.insert(expiry, ())?;
        Ok(())
    }

    /// Removes the row under a credential and key, if there is one.
    pub fn remove_idempotency(&mut self, scope: &str, key: &str) -> Result<(), StoreError> {
        let Some(row) = idempotency(self, scope, key)? else { return Ok(()) };
        self.is_dirty = true;
        let expiry = (row.expires_at.as_millis(), scope, key);
        self.tables.idempotency_by_expiry.remove(expiry)?;
        self.tables.idempotency.remove((scope, key))?;
        Ok(())
    }

    /// Removes rows that expired before `now`, at most `limit`, and returns how many went.
    pub fn expire_idempotency(
        &mut self,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let expired: Vec<(i64, String, String)> = self
            .tables
            .idempotency_by_expiry
            .range(..(now.as_millis(), "", ""))?
            .take(limit)
            .map(|row| {
                row.map(|(key, _)| {
                    let (at, scope, name) = key.value();
                    (at, scope.to_owned(), name.to_owned())
                })
            })
            .collect::<Result<_, _>>()?;
        for (at, scope, key) in &expired {
            self.is_dirty = true;
            self.tables.idempotency_by_expiry.remove((*at, scope.as_str(), key.as_str()))?;
            self.tables.idempotency.remove((scope.as_str(), key.as_str()))?;
        }
        Ok(expired.len())
    }
}

/// Returns the row under a credential and key.
pub fn idempotency(
    tables: &impl Tables,
    scope: &str,
    key: &str,
) -> Result<Option<IdempotencyRow>, StoreError> {
    tables
        .idempotency()
        .get((scope, key))?
        .map(|bytes| decode(bytes.value(), "idempotency row"))
        .transpose()
}
