//! Grows the chain of headers downwards, from the lowest one that is stored to a checkpoint.
//!
//! A little at a time, so that nothing else waits for it; each step is stored, and the next one
//! starts from what is stored. Every header is bound by hash to the one above: an endpoint can
//! refuse to answer, and nothing else.

use crate::service::headers::{FollowError, HeaderService};
use crate::storage::StoreError;
use crate::storage::headers::lowest_header;

/// Headers fetched in one round.
pub const BACKFILL_BATCH: u32 = 20;

/// What a round brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backfill {
    /// There is no checkpoint to go down to, or it is reached.
    Nothing,
    /// There is one header more below, or several.
    Lowered {
        /// The height of the lowest header now.
        lowest: u32,
    },
}

impl HeaderService {
    /// Fetches some headers below the lowest one, if a checkpoint lies there.
    pub async fn backfill(&self) -> Result<Backfill, FollowError> {
        let trust = self.trust()?;
        let (Some(target), Some(lowest)) = (trust.backfill_target(), trust.lowest) else {
            return Ok(Backfill::Nothing);
        };
        let first = target.height.max(lowest.saturating_sub(BACKFILL_BATCH));
        let count = lowest.saturating_sub(first);
        let mut headers = self.tracker.headers(first, count).await?;
        if u32::try_from(headers.len()) != Ok(count) {
            return Err(FollowError::Disconnected(first));
        }
        let is_last = first == target.height;
        if is_last && headers.first().is_some_and(|header| header.hash() != target.hash) {
            // What stands on it is kept, and names another block than the checkpoint.
            headers.remove(0);
        }
        let anchors = self.anchors.clone();
        self.store
            .write(move |tx| {
                let now = lowest_header(tx)?.map(|stored| stored.height);
                if now != Some(lowest) {
                    // A file was read in meanwhile.
                    return Ok(Backfill::Nothing);
                }
                anchors.take_below(tx, &headers)?;
                let lowest = lowest_header(tx)?.map(|stored| stored.height);
                let lowest = lowest.ok_or(StoreError::Missing { entity: "header" })?;
                Ok(Backfill::Lowered { lowest })
            })
            .await
    }
}
