//! What our chain of headers hangs on, as it was worked out at one moment.

use crate::storage::ChainHead;
use crate::types::Checkpoint;

/// Who vouches for a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voucher {
    /// The network itself: its first block.
    Genesis,
    /// The configuration.
    Environment,
    /// The store: an operator added it.
    Stored,
}

impl Voucher {
    /// Returns the name used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Environment => "environment",
            Self::Stored => "stored",
        }
    }
}

/// How a vouched block stands to our chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Our best chain contains it, or stands right upon it.
    Linked,
    /// It lies below our lowest header.
    Below,
    /// It lies above our tip.
    Ahead,
    /// Our best chain has another block in its place.
    Contradicted,
}

impl Standing {
    /// Returns the name used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Below => "below",
            Self::Ahead => "ahead",
            Self::Contradicted => "contradicted",
        }
    }
}

/// A vouched block and how it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgedCheckpoint {
    /// The block.
    pub checkpoint: Checkpoint,
    /// Who vouches for it.
    pub voucher: Voucher,
    /// How it stands to our chain.
    pub standing: Standing,
}

/// What the chain of headers hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchored {
    /// The first block of the network.
    Genesis,
    /// A block that an operator vouches for.
    Checkpoint,
    /// Nothing but the endpoint that was met first.
    FirstContact,
}

impl Anchored {
    /// Returns the name used in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Checkpoint => "checkpoint",
            Self::FirstContact => "first-contact",
        }
    }
}

/// What is known of the chain and what vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainTrust {
    /// The height of our lowest header.
    pub lowest: Option<u32>,
    /// Our tip.
    pub tip: Option<ChainHead>,
    /// What the chain hangs on; nothing while there is none.
    pub anchored: Option<Anchored>,
    /// Every vouched block, in the order of their heights.
    pub checkpoints: Vec<JudgedCheckpoint>,
}

impl ChainTrust {
    /// Returns the first vouched block that our best chain contradicts.
    pub fn contradiction(&self) -> Option<JudgedCheckpoint> {
        self.with(Standing::Contradicted).next().copied()
    }

    /// Returns the highest checkpoint below our lowest header, unless something vouches for the
    /// chain already or against it.
    pub fn backfill_target(&self) -> Option<Checkpoint> {
        let is_open = self.anchored == Some(Anchored::FirstContact);
        let by_operator =
            self.with(Standing::Below).filter(|judged| judged.voucher != Voucher::Genesis);
        let target = by_operator.map(|judged| judged.checkpoint).max();
        target.filter(|_| is_open && self.contradiction().is_none())
    }

    fn with(&self, standing: Standing) -> impl Iterator<Item = &JudgedCheckpoint> {
        self.checkpoints.iter().filter(move |judged| judged.standing == standing)
    }
}
