//! What changes a node: the commands that, carried out again in order, make the same chain again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::simnet::Reorganisation;
use crate::types::{BlockHash, Timestamp, Txid};

/// Whether a new block takes what waits in the mempool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filling {
    /// The block takes all of it.
    Everything,
    /// The block holds its coinbase only.
    Nothing,
}

/// One change that a node carried out, with what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A transaction was accepted.
    Submit {
        /// Its bytes.
        raw: Arc<[u8]>,
    },
    /// A block was mined.
    Mine {
        /// The miner's clock.
        now: Timestamp,
        /// What it took.
        filling: Filling,
        /// The block.
        block: BlockHash,
    },
    /// A heavier branch replaced the topmost blocks.
    Reorganise {
        /// What was asked for.
        plan: Reorganisation,
        /// The miner's clock.
        now: Timestamp,
        /// The new tip.
        tip: BlockHash,
    },
    /// A waiting transaction and its descendants were dropped.
    Evict {
        /// The transaction.
        txid: Txid,
    },
}

/// Is told of every command that a node has carried out.
pub type Recorder = Box<dyn FnMut(&Command) + Send>;

/// Why recorded commands do not make the recorded chain.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A transaction that was accepted then is refused now.
    #[error("a recorded transaction is refused")]
    Refused(#[from] crate::simnet::Rejection),
    /// A reorganisation that took place then fails now.
    #[error("a recorded reorganisation fails")]
    Reorganisation(#[from] crate::simnet::ReorganisationError),
    /// The same commands led to another block.
    #[error("the replay made block {made} where {recorded} was recorded")]
    Diverged {
        /// The block in the record.
        recorded: BlockHash,
        /// The block that was made.
        made: BlockHash,
    },
}
