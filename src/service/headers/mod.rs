//! Follows the network's headers into a chain of our own: work and links are checked here, so that
//! "mined" never rests on a provider's word.
//!
//! On the simulated network the chain starts at genesis. On a public network it starts
//! [`TRUST_WINDOW`] blocks below the tip that is met first; everything above is checked.

use std::sync::Arc;

use crate::bitcoin::{BlockHeader, HeaderError};
use crate::chain::{ChainError, ChainTracker};
use crate::storage::headers::{best_hash_at, chain_head, header};
use crate::storage::{ChainHead, Store, StoreError, StoredHeader};
use crate::types::{BlockHash, ChainProfile};

/// Blocks below the first tip from which the chain is followed.
pub const TRUST_WINDOW: u32 = 144;
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
    /// What the headers must prove.
    pub profile: ChainProfile,
}

impl HeaderService {
    /// Fetches what is new and makes the chain with the most work the best one.
    pub async fn follow(&self) -> Result<Advance, FollowError> {
        let tip = self.tracker.tip().await?;
        let head = self.store.read(chain_head)?;
        match head {
            Some(head) if head.hash == tip.hash => Ok(Advance::Unchanged),
            Some(head) => self.extend(head, tip.height).await,
            None => {
                let first = match self.profile {
                    ChainProfile::Simulated => 0,
                    ChainProfile::Public => tip.height.saturating_sub(TRUST_WINDOW),
                };
                self.fetch_from(first, None).await
            }
        }
    }

    /// Finds where the endpoint's chain leaves ours and takes it from there.
    async fn extend(&self, head: ChainHead, tip_height: u32) -> Result<Advance, FollowError> {
        let mut height = head.height.min(tip_height);
        let lowest = height.saturating_sub(DEEPEST_FORK);
        loop {
            let ours = self.store.read(|tx| best_hash_at(tx, height))?;
            let Some(ours) = ours else { return Err(FollowError::Disconnected(height)) };
            let theirs = self.tracker.header_at(height).await?.map(|header| header.hash());
            if theirs == Some(ours) {
                return self.fetch_from(height.saturating_add(1), Some(ours)).await;
            }
            if height == lowest || theirs.is_none() {
                return Err(FollowError::Disconnected(height));
            }
            height -= 1;
        }
    }

    async fn fetch_from(
        &self,
        first: u32,
        mut below: Option<BlockHash>,
    ) -> Result<Advance, FollowError> {
        let mut height = first;
        let mut advance = Advance::Unchanged;
        loop {
            let headers = self.tracker.headers(height, BATCH).await?;
            let Some(last) = headers.last() else { return Ok(advance) };
            below = Some(self.check_links(&headers, height, below).map(|()| last.hash())?);
            let count = u32::try_from(headers.len()).unwrap_or(BATCH);
            let change = self.store_headers(headers, height).await?;
            advance = merge(advance, change);
            if count < BATCH {
                return Ok(advance);
            }
            height = height.saturating_add(count);
        }
    }

    fn check_links(
        &self,
        headers: &[BlockHeader],
        first: u32,
        below: Option<BlockHash>,
    ) -> Result<(), FollowError> {
        let mut previous = below;
        for (height, header) in (first..).zip(headers) {
            if previous.is_some_and(|hash| hash != header.previous) {
                return Err(FollowError::Disconnected(height));
            }
            header
                .check_work(self.profile)
                .map_err(|source| FollowError::Header { height, source })?;
            previous = Some(header.hash());
        }
        Ok(())
    }

    async fn store_headers(
        &self,
        headers: Vec<BlockHeader>,
        first: u32,
    ) -> Result<Advance, FollowError> {
        let profile = self.profile;
        self.store
            .write(move |tx| {
                let mut tip = None;
                for (height, at) in (first..).zip(&headers) {
                    let work = at
                        .check_work(profile)
                        .map_err(|source| FollowError::Header { height, source })?;
                    let below = header(tx, at.previous)?;
                    let chain_work = below.map_or(work, |below| below.chain_work.plus(work));
                    tx.put_header(&StoredHeader { header: *at, height, chain_work })?;
                    tip = Some((at.hash(), height, chain_work));
                }
                let Some((hash, height, chain_work)) = tip else { return Ok(Advance::Unchanged) };
                match chain_head(tx)? {
                    Some(head) if head.chain_work >= chain_work => Ok(Advance::Unchanged),
                    Some(_) | None => {
                        let change = tx.set_best_chain(hash)?;
                        let lowest = change.lowest().unwrap_or(height);
                        Ok(Advance::Changed { lowest, tip: height, depth: change.depth() })
                    }
                }
            })
            .await
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
