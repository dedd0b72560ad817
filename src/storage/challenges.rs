//! One-use nonces: given out, then consumed at most once, ever.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::patch::tag::UidTag;
use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::Timestamp;

/// A nonce that waits for an owner's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The nonce.
    pub nonce: [u8; 16],
    /// The product it is for.
    pub uid: UidTag,
    /// When it stops being good.
    pub expires_at: Timestamp,
}

impl WriteTx<'_> {
    /// Stores a nonce.
    pub fn put_challenge(&mut self, challenge: &Challenge) -> Result<(), StoreError> {
        self.remove_challenge(challenge.nonce)?;
        self.is_dirty = true;
        self.tables.challenges.insert(challenge.nonce, encode(challenge).as_slice())?;
        let expiry = (challenge.expires_at.as_millis(), challenge.nonce);
        self.tables.challenges_by_expiry.insert(expiry, ())?;
        Ok(())
    }

    /// Removes a nonce; true the one time that it was there.
    pub fn consume_challenge(&mut self, challenge: &Challenge) -> Result<bool, StoreError> {
        self.remove_challenge(challenge.nonce)
    }

    /// Removes what is stored under a nonce, whatever the caller knows of it. A nonce that is not
    /// there leaves the transaction untouched, so that guessing costs nobody else anything.
    fn remove_challenge(&mut self, nonce: [u8; 16]) -> Result<bool, StoreError> {
        let Some(stored) = challenge(self, nonce)? else { return Ok(false) };
        self.is_dirty = true;
        self.tables.challenges.remove(nonce)?;
        self.tables.challenges_by_expiry.remove((stored.expires_at.as_millis(), nonce))?;
        Ok(true)
    }

    /// Removes nonces that expired before `now`, at most `limit`, and returns how many went.
    pub fn expire_challenges(&mut self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let expired: Vec<(i64, [u8; 16])> = self
            .tables
            .challenges_by_expiry
            .range(..(now.as_millis(), [0u8; 16]))?
            .take(limit)
            .map(|row| row.map(|(key, _)| key.value()))
            .collect::<Result<_, _>>()?;
        for (at, nonce) in &expired {
            self.is_dirty = true;
            self.tables.challenges_by_expiry.remove((*at, *nonce))?;
            self.tables.challenges.remove(*nonce)?;
        }
        Ok(expired.len())
    }
}

/// Returns a nonce that was given out and not yet used.
pub fn challenge(tables: &impl Tables, nonce: [u8; 16]) -> Result<Option<Challenge>, StoreError> {
    tables.challenges().get(nonce)?.map(|bytes| decode(bytes.value(), "challenge")).transpose()
}

/// Returns how many nonces wait.
pub fn challenge_count(tables: &impl Tables) -> Result<u64, StoreError> {
    use redb::ReadableTableMetadata;
    Ok(tables.challenges().len()?)
}
