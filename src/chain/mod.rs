//! The edge to the BSV network: what we ask of it, as traits, and the clients that ask.
//!
//! Nothing a provider says is believed beyond its evidence: the txid is always our own, `mined`
//! needs a Merkle path that ends in a header with work, absence from a list proves nothing.

mod agreement;
mod arc;
mod arc_answers;
mod breaker;
mod endpoint;
mod outcome;
mod policy;
mod router;
mod router_questions;
mod whatsonchain;
mod whatsonchain_answers;
mod whatsonchain_tracker;

use async_trait::async_trait;

use crate::bitcoin::{BlockHeader, MerklePath, Transaction, TxOut};
use crate::types::{BlockHash, OutPoint, Satoshis, Txid};

pub use agreement::weakest_claim;
pub use arc::{ArcCallback, ArcClient, ArcConfig, ArcConfigError, ArcFlavor};
pub use arc_answers::classify_arc;
pub use breaker::{Breaker, BreakerPolicy, BreakerState};
pub use endpoint::{
    Attempt, BroadcastEndpoint, EndpointBoard, EndpointHealth, EndpointName, RouterEndpoint,
    TransactionIndex,
};
pub use outcome::{BroadcastOutcome, classify_whatsonchain};
pub use policy::{LEAST_SAT_PER_KB, NetworkPolicy, POLICY_FRESH_FOR, PolicySource};
pub use router::{Router, RouterPolicy};
pub use whatsonchain::{WhatsOnChain, WhatsOnChainConfig, WhatsOnChainConfigError};

/// A question to the network that got no usable answer. Nothing was learned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No connection, a time-out, or a broken answer.
    #[error("the network endpoint did not answer: {0}")]
    Unreachable(String),
    /// The endpoint asks us to slow down.
    #[error("the network endpoint asks for a pause")]
    RateLimited {
        /// How long, if it said so.
        retry_after_ms: Option<u64>,
    },
    /// An answer that is not what the interface promises.
    #[error("the network endpoint answered with something unexpected: {0}")]
    Malformed(String),
}

/// The newest block an endpoint knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainTip {
    /// Its height, genesis being 0.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
}

/// What an endpoint says about a transaction. A claim, not a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Not known there. Proves nothing.
    Unknown,
    /// Waiting for a block.
    InMempool,
    /// In a block, it says.
    Mined {
        /// The block.
        block: BlockHash,
        /// Its height.
        height: u32,
    },
}

/// An output that an endpoint lists as unspent. A claim, not a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnspentOutput {
    /// The output.
    pub outpoint: OutPoint,
    /// Its amount.
    pub value: Satoshis,
    /// The height of its block, if it is in one.
    pub height: Option<u32>,
}

/// What is known about the spending of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpendStatus {
    /// The endpoint does not know the transaction, or will not say.
    Unknown,
    /// Known and not spent.
    Unspent,
    /// Spent by this transaction.
    SpentBy(Txid),
}

/// A transaction to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submission<'a> {
    /// Its identifier, computed by us.
    pub txid: Txid,
    /// The stored bytes.
    pub raw: &'a [u8],
    /// The outputs that its inputs spend, in the order of the inputs, if all of them are known:
    /// what the extended form (BRC-30) needs beside the bytes.
    pub spent: Option<&'a [TxOut]>,
}

/// Sends transactions to the network.
#[async_trait]
pub trait Broadcaster: Send + Sync {
    /// Sends the bytes of a transaction as they are, or in the extended form of the same bytes.
    /// Never fails: what is not learned is [`BroadcastOutcome::Unknown`].
    async fn broadcast(&self, submission: Submission<'_>) -> BroadcastOutcome;
}

/// Asks about blocks and transactions.
#[async_trait]
pub trait ChainTracker: Send + Sync {
    /// Returns the newest block.
    async fn tip(&self) -> Result<ChainTip, ChainError>;

    /// Returns the header at `height` of the endpoint's best chain, if there is one. The caller
    /// checks work and links.
    async fn header_at(&self, height: u32) -> Result<Option<BlockHeader>, ChainError>;

    /// Returns the header with this hash, if known, checked to have this hash.
    async fn header(&self, hash: BlockHash) -> Result<Option<BlockHeader>, ChainError>;

    /// Returns the headers from `from` to at most `from + count - 1` on the endpoint's best chain,
    /// ascending; fewer when the chain ends.
    async fn headers(&self, from: u32, count: u32) -> Result<Vec<BlockHeader>, ChainError> {
        let mut headers = Vec::new();
        for height in from..from.saturating_add(count) {
            match self.header_at(height).await? {
                Some(header) => headers.push(header),
                None => break,
            }
        }
        Ok(headers)
    }

    /// Returns the status of each of `txids`, in their order.
    async fn statuses(&self, txids: &[Txid]) -> Result<Vec<TransactionStatus>, ChainError>;

    /// Returns the Merkle path of a mined transaction and the block it names, or nothing while
    /// there is none. The caller checks the root against its own header.
    async fn merkle_path(&self, txid: Txid) -> Result<Option<(MerklePath, BlockHash)>, ChainError>;

    /// Returns a transaction's bytes, checked to hash to `txid`, if known.
    async fn transaction(&self, txid: Txid) -> Result<Option<Transaction>, ChainError>;

    /// Says who spends an output, as far as known.
    async fn spender(&self, outpoint: OutPoint) -> Result<SpendStatus, ChainError>;
}

/// Lists the outputs of an address.
#[async_trait]
pub trait UtxoSource: Send + Sync {
    /// Returns all outputs that the endpoint lists as unspent for `address`.
    async fn unspent(&self, address: &str) -> Result<Vec<UnspentOutput>, ChainError>;
}
