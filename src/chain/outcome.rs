//! stub
use crate::types::Txid;

/// What is known after sending a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BroadcastOutcome {
    /// The network took it.
    Accepted,
    /// The network had it already: as good as taken.
    AlreadyKnown,
    /// Nothing was learned: it may or may not be out there. The same bytes are sent again.
    Unknown {
        /// What happened, for the operator.
        reason: String,
        /// A pause the endpoint asked for.
        retry_after_ms: Option<u64>,
    },
    /// Another transaction spends one of the inputs, it says; to be confirmed by its spender.
    Conflict {
        /// The endpoint's words.
        reason: String,
    },
    /// The bytes break a rule: they will never be taken.
    Invalid {
        /// The endpoint's words.
        reason: String,
    },
    /// The fee is below what this endpoint relays.
    FeeTooLow {
        /// The endpoint's words.
        reason: String,
    },
    /// A parent is not known there, or an input was spent in a block: ambiguous.
    Orphan {
        /// The endpoint's words.
        reason: String,
    },
}

/// Classifies an answer to POST /tx/raw (vectors/anchoring/woc_broadcast_answers.json).
pub fn classify_whatsonchain(_status: u16, _body: &str, _txid: Txid) -> BroadcastOutcome {
    unimplemented!()
}
