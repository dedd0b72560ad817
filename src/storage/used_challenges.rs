//! Login challenges that were answered: each may be answered once, ever.
//!
//! A challenge begins with its time, so the rows lie in the order in which they may be forgotten.

use std::time::Duration;

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

    /// Forgets challenges issued more than `age` before now, at most `limit`, and returns how many
    /// went. Now is what the newest answered challenge says, if our clock says more: a clock that
    /// jumps ahead and back must not make anything forgotten that can still be answered.
    pub fn forget_used_challenges(
        &mut self,
        now: Timestamp,
        age: Duration,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let newest = self.tables.used_challenges.last()?.map(|(key, _)| key.value());
        let Some(newest) = newest else { return Ok(0) };
        let newest = Challenge::from_bytes(newest).issued_at();
        let mut end = [0u8; CHALLENGE_BYTES];
        let cutoff = now.min(newest).minus(age).as_secs().max(0);
        end[..8].copy_from_slice(&cutoff.to_be_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::svd::{ChallengeKey, UserId};
    use crate::storage::{Store, StoreOptions};

    const DAY: Duration = Duration::from_secs(86_400);
    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    async fn forget(store: &Store, now: Timestamp) -> usize {
        store.write(move |tx| tx.forget_used_challenges(now, DAY, 10)).await.unwrap()
    }

    async fn answer(store: &Store, at: Timestamp) -> bool {
        let key = ChallengeKey::derive(b"master");
        let challenge = key.issue(UserId::from_bytes([1; 12]), at, &[7; 8]);
        store.write(move |tx| tx.use_challenge(&challenge, at)).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_old_is_forgotten_and_a_clock_that_jumps_ahead_forgets_nothing() {
        let store = Store::open(StoreOptions::in_memory()).unwrap();
        assert!(answer(&store, NOW).await);
        assert_eq!(forget(&store, NOW.plus(DAY * 30)).await, 0, "the clock alone says so");
        assert!(!answer(&store, NOW).await);
        assert!(answer(&store, NOW.plus(DAY * 2)).await);
        assert_eq!(forget(&store, NOW.plus(DAY * 30)).await, 1);
        assert_eq!(store.read(used_challenge_count).unwrap(), 1);
    }
}
