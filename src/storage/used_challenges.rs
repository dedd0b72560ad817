//! Login challenges that were answered: each may be answered once, ever.
//!
//! A challenge begins with its time, so the rows lie in the order in which they may be forgotten.

use redb::{ReadableTable, ReadableTableMetadata};

use crate::auth::svd::{CHALLENGE_BYTES, Challenge};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::Timestamp;

impl WriteTx<'_> {
    /// Uses a challenge up; false if it was used before.
    pub fn use_challenge(
        &mut self,
        challenge: &Challenge,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if is_challenge_used(self, challenge)? {
            return Ok(false);
        }
        self.is_dirty = true;
        self.tables.used_challenges.insert(challenge.to_bytes(), now.as_millis())?;
        Ok(true)
    }

    /// Forgets challenges issued before `time`, at most `limit`, and returns how many went. The time
    /// must lie so far back that none of them can be answered any more, whatever the clock does.
    pub fn forget_used_challenges(
        &mut self,
        time: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut end = [0u8; CHALLENGE_BYTES];
        end[..8].copy_from_slice(&time.as_secs().max(0).to_be_bytes());
        let old: Vec<[u8; CHALLENGE_BYTES]> = self
            .tables
            .used_challenges
            .range(..end)?
            .take(limit)
            .map(|row| row.map(|(key, _)| key.value()))
            .collect::<Result<_, _>>()?;
        for challenge in &old {
            self.is_dirty = true;
            self.tables.used_challenges.remove(challenge)?;
        }
        Ok(old.len())
    }
}

/// Says whether a challenge was answered.
pub fn is_challenge_used(tables: &impl Tables, challenge: &Challenge) -> Result<bool, StoreError> {
    Ok(tables.used_challenges().get(challenge.to_bytes())?.is_some())
}

/// Returns how many answered challenges are remembered.
pub fn used_challenge_count(tables: &impl Tables) -> Result<u64, StoreError> {
    Ok(tables.used_challenges().len()?)
}
