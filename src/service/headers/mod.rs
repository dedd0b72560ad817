//! Follows the network's headers into a chain of our own: work and links are checked here, so that
//! "mined" never rests on a provider's word.
//!
//! On the simulated network the chain starts at genesis. On a public network it starts
//! [`TRUST_WINDOW`] blocks below the tip that is met first, and grows down to a checkpoint where an
//! operator gave one. Branches that lose are kept; docs/HEADERS.md tells the whole.

mod anchors;
mod backfill;
mod branch;
mod checkpoints;
mod exchange;
mod report;
mod trust;

use std::sync::Arc;

use crate::bitcoin::HeaderError;
use crate::chain::{ChainError, ChainTip, ChainTracker};
use crate::service::once::Keep;
use crate::storage::headers::{chain_head, change_to, deepest_stale, header, lowest_header};
use crate::storage::{ChainHead, Store, StoreError, StoredHeader};
use crate::types::{Checkpoint, Timestamp};

use anchors::Approval;
pub use anchors::{TRUST_WINDOW, TrustAnchors};
pub use backfill::{BACKFILL_BATCH, Backfill};
pub use exchange::{ImportError, Imported, export_headers, import_headers};
pub use trust::{Anchored, ChainTrust, JudgedCheckpoint, Standing, Voucher};

/// Headers fetched and stored in one go.
const BATCH: u32 = 200;
/// The deepest fork that is followed by itself.
const DEEPEST_FORK: u32 = 1_000;

/// A chain that could not be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The endpoint did not answer.
    #[error("the headers could not be fetched")]
    Chain(#[from] ChainError),
    /// A header without work.
    #[error("the header at height {height} is not valid")]
    Header {
        /// Its claimed height.
        height: u32,
        /// What is wrong.
        #[source]
        source: HeaderError,
    },
    /// Headers that do not link, or a fork too deep to follow.
    #[error("the endpoint's headers do not connect to our chain at height {0}")]
    Disconnected(u32),
    /// A chain with another block than the one that is vouched for.
    #[error("the endpoint's block at height {0} is not the one that is vouched for")]
    Contradicted(u32),
    /// The store does not work.
    #[error("the headers could not be stored")]
    Store(#[from] StoreError),
}

/// What following brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advance {
    /// Nothing new, or a fork with less work than ours.
    Unchanged,
    /// The best chain changed from this height on.
    Changed {
        /// The lowest height whose block is new.
        lowest: u32,
        /// The new tip's height.
        tip: u32,
        /// How many blocks left the best chain: 0 when it only grew.
        depth: u32,
    },
}

/// Follows headers.
#[derive(Clone)]
pub struct HeaderService {
    /// The store.
    pub store: Store,
    /// Where headers come from.
    pub tracker: Arc<dyn ChainTracker>,
    /// What headers must prove and what they hang on.
    pub anchors: TrustAnchors,
}

impl HeaderService {
    /// Fetches what is new and makes the chain with the most work the best one.
    pub async fn follow(&self) -> Result<Advance, FollowError> {
        let tip = self.tracker.tip().await?;
        let (head, known) =
            self.store.read(|tx| Ok::<_, StoreError>((chain_head(tx)?, header(tx, tip.hash)?)))?;
        match (head, known) {
            (Some(head), Some(_)) if head.hash == tip.hash => Ok(Advance::Unchanged),
            // Nothing to fetch; but what speaks for a branch may have changed since it was met.
            (Some(_), Some(known)) => self.reconsider(known).await,
            (Some(head), None) => self.extend(head, tip).await,
            (None, _) => {
                let depth = self.anchors.first_contact;
                let first = depth.map_or(0, |depth| tip.height.saturating_sub(depth));
                self.fetch_from(first).await
            }
        }
    }

    /// Works out what the chain hangs on.
    pub fn trust(&self) -> Result<ChainTrust, StoreError> {
        self.store.read(|tx| self.anchors.judge(tx))
    }

    /// Returns the depth of the deepest reorganisation whose blocks have not come back.
    pub fn deepest_reorganisation(&self) -> Result<u32, StoreError> {
        self.store.read(deepest_stale)
    }

    /// Stores that an operator vouches for a block; see [`TrustAnchors::vouch`].
    pub async fn add_checkpoint(
        &self,
        checkpoint: Checkpoint,
        actor: &str,
        keep: Keep<ChainTrust>,
        now: Timestamp,
    ) -> Result<ChainTrust, StoreError> {
        self.anchors.vouch(&self.store, checkpoint, actor, keep, now).await
    }

    /// Removes a stored checkpoint; see [`TrustAnchors::disown`].
    pub async fn remove_checkpoint(
        &self,
        height: u32,
        actor: &str,
        now: Timestamp,
    ) -> Result<Option<ChainTrust>, StoreError> {
        self.anchors.disown(&self.store, height, actor, now).await
    }

    async fn reconsider(&self, known: StoredHeader) -> Result<Advance, FollowError> {
        let hash = known.header.hash();
        let approval = self.store.read(|tx| {
            let change = change_to(tx, hash)?;
            self.anchors.approve(tx, &change, known.chain_work)
        })?;
        match approval {
            Approval::Worse => Ok(Advance::Unchanged),
            Approval::Refused { height } => Err(FollowError::Contradicted(height)),
            Approval::Better => {
                let anchors = self.anchors.clone();
                self.store.write(move |tx| anchors.consider(tx, &known)).await?.into_advance()
            }
        }
    }

    /// Finds the highest block of the endpoint's chain that is stored, on whichever branch, and takes
    /// it from there.
    async fn extend(&self, head: ChainHead, tip: ChainTip) -> Result<Advance, FollowError> {
        let mut height = head.height.min(tip.height);
        let ours = self.store.read(lowest_header)?.map_or(0, |lowest| lowest.height);
        let lowest = head.height.saturating_sub(DEEPEST_FORK).max(ours);
        loop {
            if height < lowest {
                return Err(FollowError::Disconnected(height));
            }
            let theirs = self.tracker.header_at(height).await?.map(|header| header.hash());
            let Some(theirs) = theirs else { return Err(FollowError::Disconnected(height)) };
            if self.store.read(|tx| header(tx, theirs))?.is_some() {
                return self.fetch_from(height.saturating_add(1)).await;
            }
            height = height.checked_sub(1).ok_or(FollowError::Disconnected(height))?;
        }
    }

    async fn fetch_from(&self, first: u32) -> Result<Advance, FollowError> {
        let mut height = first;
        let mut advance = Advance::Unchanged;
        loop {
            let (change, count) = match self.fetch_some(height).await {
                Ok(fetched) => fetched,
                Err(error) if advance == Advance::Unchanged => return Err(error),
                Err(error) => {
                    // What changed must be told, and the next round meets the trouble again.
                    tracing::warn!(%error, "the chain could be followed in part");
                    return Ok(advance);
                }
            };
            advance = merge(advance, change);
            if count < BATCH {
                return Ok(advance);
            }
            height = height.saturating_add(count);
        }
    }

    /// Fetches and stores one batch; returns what it brought and how many headers it had.
    async fn fetch_some(&self, height: u32) -> Result<(Advance, u32), FollowError> {
        let headers = self.tracker.headers(height, BATCH).await?;
        let count = u32::try_from(headers.len()).unwrap_or(BATCH);
        if headers.is_empty() {
            return Ok((Advance::Unchanged, 0));
        }
        let anchors = self.anchors.clone();
        let taken = self.store.write(move |tx| anchors.take_branch(tx, &headers, height)).await?;
        taken.into_advance().map(|advance| (advance, count))
    }
}

const fn merge(first: Advance, second: Advance) -> Advance {
    match (first, second) {
        (Advance::Unchanged, other) | (other, Advance::Unchanged) => other,
        (
            Advance::Changed { lowest, depth, .. },
            Advance::Changed { lowest: later, tip, depth: deeper },
        ) => Advance::Changed {
            lowest: if lowest < later { lowest } else { later },
            tip,
            depth: if depth > deeper { depth } else { deeper },
        },
    }
}
