//! What our chain of headers hangs on: the first block of the network, and blocks that operators
//! vouch for.
//!
//! Whether the chain is anchored is worked out from what is stored, each time it is asked: no flag
//! can say otherwise than the headers.

use std::sync::Arc;

use crate::bitcoin::{BlockHeader, Claim, Switch, Work, genesis_header};
use crate::service::headers::FollowError;
use crate::service::headers::trust::{Anchored, ChainTrust, JudgedCheckpoint, Standing, Voucher};
use crate::storage::headers::{best_hash_at, chain_head, checkpoints, lowest_header};
use crate::storage::{StoreError, Tables};
use crate::types::{BlockHash, ChainProfile, Checkpoint, Network};

/// Blocks below the first tip from which a chain of unknown beginning is followed.
pub const TRUST_WINDOW: u32 = 144;
/// The first height of the main network whose whole window lies under the present rule of
/// difficulty, which began after block 504,031 of November 2017.
const FIRST_BOUNDED: u32 = 504_031 + 144 + 1;

/// What operator and network vouch for; clones are cheap.
#[derive(Debug, Clone)]
pub struct TrustAnchors {
    /// What headers must prove.
    pub profile: ChainProfile,
    /// Which network's first block counts.
    pub network: Network,
    /// How far below the first tip the chain starts; none starts at the first block.
    pub first_contact: Option<u32>,
    /// Checkpoints of the configuration.
    pub configured: Arc<[Checkpoint]>,
}

/// What is made of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Approval {
    /// It becomes the best one.
    Better,
    /// It has no more work than the best one.
    Worse,
    /// It has more work, and another block than the one that is vouched for.
    Refused {
        /// That block's height.
        height: u32,
    },
}

impl TrustAnchors {
    /// Takes the chain of a profile as it is usually started.
    pub fn new(profile: ChainProfile, network: Network, configured: Vec<Checkpoint>) -> Self {
        let first_contact = match profile {
            ChainProfile::Simulated => None,
            ChainProfile::Public => Some(TRUST_WINDOW),
        };
        Self { profile, network, first_contact, configured: configured.into() }
    }

    /// Returns the first block of the network, where every node has the same.
    fn genesis(&self) -> Option<Checkpoint> {
        match self.profile {
            ChainProfile::Public => {
                Some(Checkpoint { height: 0, hash: genesis_header(self.network).hash() })
            }
            ChainProfile::Simulated => None,
        }
    }

    fn vouched(&self, tables: &impl Tables) -> Result<Vec<(Checkpoint, Voucher)>, StoreError> {
        let genesis = self.genesis().map(|it| (it, Voucher::Genesis));
        let configured = self.configured.iter().map(|it| (*it, Voucher::Environment));
        let stored = checkpoints(tables)?.into_iter().map(|it| (it, Voucher::Stored));
        let mut all: Vec<_> = genesis.into_iter().chain(configured).chain(stored).collect();
        all.sort_by_key(|(checkpoint, _)| *checkpoint);
        Ok(all)
    }

    /// Works out what our chain hangs on.
    pub fn judge(&self, tables: &impl Tables) -> Result<ChainTrust, StoreError> {
        let (lowest, tip) = (lowest_header(tables)?, chain_head(tables)?);
        let mut judged = Vec::new();
        for (checkpoint, voucher) in self.vouched(tables)? {
            let standing = match (&lowest, tip) {
                (Some(lowest), Some(tip)) => {
                    let below = (lowest.height, lowest.header.previous);
                    standing_of(tables, checkpoint, below, tip.height)?
                }
                (_, _) => Standing::Ahead,
            };
            judged.push(JudgedCheckpoint { checkpoint, voucher, standing });
        }
        let lowest = lowest.map(|lowest| lowest.height);
        let anchored = lowest.map(|lowest| self.anchored_by(lowest, &judged));
        Ok(ChainTrust { lowest, tip, anchored, checkpoints: judged })
    }

    fn anchored_by(&self, lowest: u32, judged: &[JudgedCheckpoint]) -> Anchored {
        let linked = || judged.iter().filter(|it| it.standing == Standing::Linked);
        let is_simulated = self.profile == ChainProfile::Simulated && lowest == 0;
        if is_simulated || linked().any(|it| Some(it.checkpoint) == self.genesis()) {
            Anchored::Genesis
        } else if linked().next().is_some() {
            Anchored::Checkpoint
        } else {
            Anchored::FirstContact
        }
    }

    /// Says whether our best chain has another block where one is vouched for: then nothing that is
    /// proved by it counts.
    pub fn is_contradicted(&self, tables: &impl Tables) -> Result<bool, StoreError> {
        Ok(self.judge(tables)?.contradiction().is_some())
    }

    /// Refuses headers among which is another block than one that is vouched for.
    pub(super) fn refuse_contradiction(
        &self,
        tables: &impl Tables,
        headers: &[BlockHeader],
        first: u32,
    ) -> Result<(), FollowError> {
        for (checkpoint, _) in self.vouched(tables)? {
            let place = checkpoint.height.checked_sub(first).map(usize::try_from);
            let found = place.and_then(Result::ok).and_then(|place| headers.get(place));
            if found.is_some_and(|header| header.hash() != checkpoint.hash) {
                return Err(FollowError::Contradicted(checkpoint.height));
            }
        }
        Ok(())
    }

    /// Judges whether a change of the best chain is one for the better.
    pub(super) fn approve(
        &self,
        tables: &impl Tables,
        change: &Switch,
        work: Work,
    ) -> Result<Approval, StoreError> {
        let Some(head) = chain_head(tables)? else { return Ok(Approval::Better) };
        let vouched = self.vouched(tables)?;
        // The height of a block in the place of one that is vouched for.
        let offence = |blocks: &[(u32, BlockHash)]| {
            let mut places =
                blocks.iter().flat_map(|block| vouched.iter().map(move |it| (block, it)));
            let found =
                places.find(|((height, hash), (it, _))| it.height == *height && it.hash != *hash);
            found.map(|((height, _), _)| *height)
        };
        let offends = offence(&change.connected);
        let best = Claim {
            keeps_checkpoints: offence(&change.disconnected).is_none(),
            work: head.chain_work,
        };
        let claim = Claim { keeps_checkpoints: offends.is_none(), work };
        Ok(match offends {
            _ if claim.beats(best) => Approval::Better,
            Some(height) if work > head.chain_work => Approval::Refused { height },
            Some(_) | None => Approval::Worse,
        })
    }

    /// Says whether a header's work is compared with that of the headers before. On the test network
    /// a block that comes late may have the least work there is.
    pub(super) const fn bounds_work_at(&self, height: u32) -> bool {
        match (self.profile, self.network) {
            (ChainProfile::Simulated, _) => true,
            (ChainProfile::Public, Network::Main) => height >= FIRST_BOUNDED,
            (ChainProfile::Public, Network::Test) => false,
        }
    }
}

fn standing_of(
    tables: &impl Tables,
    checkpoint: Checkpoint,
    (lowest, below): (u32, BlockHash),
    tip: u32,
) -> Result<Standing, StoreError> {
    let found = if checkpoint.height > tip {
        return Ok(Standing::Ahead);
    } else if checkpoint.height >= lowest {
        best_hash_at(tables, checkpoint.height)?
    } else if checkpoint.height + 1 == lowest {
        Some(below)
    } else {
        return Ok(Standing::Below);
    };
    let is_it = found == Some(checkpoint.hash);
    Ok(if is_it { Standing::Linked } else { Standing::Contradicted })
}
