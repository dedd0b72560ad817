//! Headers that the user brings along: whether a block of a bundle is in the chain that he knows.
//!
//! A bundle's own header shows that work was done, not that the network went on from there. A file of
//! headers (`patchproof headers export`) or a block that the user vouches for says that.

use crate::bitcoin::{BlockHeader, HeaderError, HeaderFile, WorkWindow, genesis_header};
use crate::proof::BundledHeader;
use crate::types::{ChainProfile, Checkpoint, Network};

/// The first block of the main network whose work is held against the 144 before it: those all have
/// the present difficulty rule, which began after block 504,031 of November 2017.
const FIRST_BOUNDED: u32 = 504_031 + 144 + 1;

/// Headers that prove nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KnownChainError {
    /// A header without work.
    #[error("the known header at height {height}: {source}")]
    Header {
        /// Its height.
        height: u32,
        /// Why.
        source: HeaderError,
    },
    /// The first block is another one than the network's.
    #[error("the known headers begin with another block than the network's first")]
    Genesis,
    /// Another block stands where one is vouched for.
    #[error("the known headers have another block at the checkpoint {0}")]
    Checkpoint(Checkpoint),
}

/// What the user knows of the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownChain {
    /// Headers in a row.
    pub headers: Option<HeaderFile>,
    /// Blocks that he vouches for.
    pub checkpoints: Vec<Checkpoint>,
}

/// How a block stands to what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is part of it.
    Within {
        /// Blocks on top, its own included, if that is known.
        confirmations: Option<u32>,
        /// Whether something else than the file of headers vouches for it.
        is_vouched: bool,
    },
    /// Another block is.
    Contradicted,
    /// It lies where nothing is known.
    Outside,
}

impl KnownChain {
    /// Checks the known headers' own work, and that they keep what is vouched for.
    pub(super) fn check(
        &self,
        network: Network,
        profile: ChainProfile,
    ) -> Result<(), KnownChainError> {
        let Some(file) = &self.headers else { return Ok(()) };
        if profile == ChainProfile::Public
            && file.first_height == 0
            && file.headers.first() != Some(&genesis_header(network))
        {
            return Err(KnownChainError::Genesis);
        }
        let mut window = WorkWindow::default();
        let is_bounded = network == Network::Main && profile == ChainProfile::Public;
        for (height, header) in (file.first_height..).zip(&file.headers) {
            let wrong = |source| KnownChainError::Header { height, source };
            let work = header.check_work(profile).map_err(wrong)?;
            if is_bounded && height >= FIRST_BOUNDED && !window.allows(work) {
                return Err(wrong(HeaderError::WorkDropped));
            }
            window.push(work);
        }
        let is_broken =
            |it: &&Checkpoint| self.at(it.height).is_some_and(|header| header.hash() != it.hash);
        self.checkpoints
            .iter()
            .find(is_broken)
            .map_or(Ok(()), |checkpoint| Err(KnownChainError::Checkpoint(*checkpoint)))
    }

    /// Says how a block of a bundle stands to what is known.
    pub(super) fn standing(&self, block: &BundledHeader, profile: ChainProfile) -> Standing {
        let hash = block.hash();
        let vouched = self.checkpoints.iter().find(|it| it.height == block.height);
        if vouched.is_some_and(|checkpoint| checkpoint.hash != hash) {
            return Standing::Contradicted;
        }
        let Some(known) = self.at(block.height) else {
            return match vouched {
                Some(_) => Standing::Within { confirmations: None, is_vouched: true },
                None => Standing::Outside,
            };
        };
        if known.hash() != hash {
            return Standing::Contradicted;
        }
        let top = self.headers.as_ref().map_or(block.height, HeaderFile::last_height);
        Standing::Within {
            confirmations: Some(top - block.height + 1),
            is_vouched: vouched.is_some() || self.is_anchored(profile),
        }
    }

    /// Says whether the known headers hang on the network's first block or on a checkpoint.
    fn is_anchored(&self, profile: ChainProfile) -> bool {
        let is_genesis = |file: &HeaderFile| file.first_height == 0;
        (profile == ChainProfile::Public && self.headers.as_ref().is_some_and(is_genesis))
            || self.checkpoints.iter().any(|checkpoint| self.at(checkpoint.height).is_some())
    }

    fn at(&self, height: u32) -> Option<&BlockHeader> {
        let file = self.headers.as_ref()?;
        let place = height.checked_sub(file.first_height)?;
        file.headers.get(usize::try_from(place).ok()?)
    }
}
