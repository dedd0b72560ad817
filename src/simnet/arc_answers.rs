//! ARC's answers: what the node says, in ARC's status words and error documents.

use serde::Serialize;
use serde_json::Value;

use crate::bitcoin::{MerklePath, TscProof};
use crate::simnet::{Rejection, View};
use crate::types::{BlockHash, OutPoint, Timestamp, Txid};

/// Why a transaction goes no further.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The extended form states an output otherwise than it is.
    WrongOutput(OutPoint),
    /// The node refuses it.
    Node {
        /// Why.
        rejection: Rejection,
        /// Whether it came in the extended form.
        is_extended: bool,
    },
}

/// A status: what ARC says of a transaction that it has.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArcStatus {
    block_hash: Option<BlockHash>,
    block_height: u32,
    competing_txs: Option<Vec<Txid>>,
    extra_info: String,
    merkle_path: Option<String>,
    status: u16,
    timestamp: String,
    title: &'static str,
    tx_status: &'static str,
    txid: Option<Txid>,
}

/// An error document (RFC 7807).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArcError {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    instance: Option<String>,
    txid: Option<Txid>,
    extra_info: String,
}

impl ArcStatus {
    fn of(txid: Txid, tx_status: &'static str, now: Timestamp) -> Self {
        let (txid, timestamp) = (Some(txid), now.to_string());
        Self { txid, timestamp, tx_status, status: 200, title: "OK", ..Self::default() }
    }

    /// Tells where a transaction stands, if the node has it.
    pub(super) fn found(view: &View<'_>, txid: Txid, now: Timestamp) -> Option<Self> {
        let (_, location) = view.transaction(&txid)?;
        let Some(location) = location else {
            return Some(Self::of(txid, "SEEN_ON_NETWORK", now));
        };
        let path = view.proof(&txid).and_then(|proof| path_hex(&proof, txid, location.height));
        Some(Self {
            block_hash: view.block_at(location.height).map(|block| block.hash()),
            block_height: location.height,
            merkle_path: path,
            ..Self::of(txid, "MINED", now)
        })
    }

    /// Claims that a transaction is in the newest block, which it is not.
    pub(super) fn forged(view: &View<'_>, txid: Txid, now: Timestamp) -> Self {
        let tip = view.tip();
        let lone = TscProof {
            index: 0,
            tx_or_id: txid.to_string(),
            target: tip.hash(),
            nodes: Vec::new(),
        };
        Self {
            block_hash: Some(tip.hash()),
            block_height: tip.height(),
            merkle_path: path_hex(&lone, txid, tip.height()),
            ..Self::of(txid, "MINED", now)
        }
    }
}

fn path_hex(proof: &TscProof, txid: Txid, height: u32) -> Option<String> {
    MerklePath::from_tsc(proof, &txid, height).ok().map(|path| hex::encode(path.to_bytes()))
}

impl ArcError {
    /// Makes the document of an error.
    pub(super) fn new(status: u16, txid: Option<Txid>, detail: String) -> Self {
        let title = match status {
            400 => "Bad request",
            404 => "Not found",
            460 => "Not extended format",
            461 | 463 => "Malformed transaction",
            462 => "Invalid inputs",
            464 => "Invalid outputs",
            465 => "Fee too low",
            _ => "Generic error",
        };
        Self {
            kind: format!("https://bitcoin-sv.github.io/arc/#/errors?id=_{status}"),
            title,
            status,
            detail,
            instance: None,
            txid,
            extra_info: String::new(),
        }
    }
}

/// Answers a submission: status and body.
pub(super) fn submitted(
    view: &View<'_>,
    txid: Txid,
    outcome: Result<Txid, Refusal>,
    now: Timestamp,
) -> (u16, Value) {
    let seen = |named| {
        let found = ArcStatus::found(view, txid, now);
        let status = found.unwrap_or_else(|| ArcStatus::of(txid, "SEEN_ON_NETWORK", now));
        (200, body(&ArcStatus { txid: Some(named), ..status }))
    };
    match outcome {
        Ok(named) => seen(named),
        Err(Refusal::Node {
            rejection: Rejection::AlreadyKnown | Rejection::AlreadyMined, ..
        }) => seen(txid),
        Err(refusal) => refused(txid, &refusal, now),
    }
}

fn refused(txid: Txid, refusal: &Refusal, now: Timestamp) -> (u16, Value) {
    let error = |status, detail: String| (status, body(&ArcError::new(status, Some(txid), detail)));
    let told = |word, extra_info, competing_txs| {
        let status = ArcStatus::of(txid, word, now);
        (200, body(&ArcStatus { extra_info, competing_txs, ..status }))
    };
    let (rejection, is_extended) = match refusal {
        Refusal::WrongOutput(outpoint) => {
            return error(461, format!("the output {outpoint} is not what the input says"));
        }
        Refusal::Node { rejection, is_extended } => (rejection, *is_extended),
    };
    let words = rejection.to_string();
    match rejection {
        Rejection::Malformed(_)
        | Rejection::NotHexadecimal
        | Rejection::Version(_)
        | Rejection::Coinbase
        | Rejection::NoInputs
        | Rejection::NoOutputs
        | Rejection::Size(_) => error(463, words),
        Rejection::DuplicateInput(_) => error(462, words),
        Rejection::OutputTotal | Rejection::Dust { .. } => error(464, words),
        Rejection::BelowOutputs { .. } | Rejection::FeeTooLow { .. } => error(465, words),
        Rejection::Script(_) => error(461, words),
        Rejection::MissingInputs(_) if !is_extended => error(460, words),
        Rejection::MissingInputs(_) => told("SEEN_IN_ORPHAN_MEMPOOL", words, None),
        Rejection::Conflict { spender, .. } => {
            told("DOUBLE_SPEND_ATTEMPTED", words, Some(vec![*spender]))
        }
        Rejection::NonFinal | Rejection::ChainTooLong { .. } => told("REJECTED", words, None),
        // The caller answers these by where the transaction stands.
        Rejection::AlreadyKnown | Rejection::AlreadyMined => told("SEEN_ON_NETWORK", words, None),
    }
}

/// Turns an answer into JSON.
pub(super) fn body(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).unwrap_or(Value::Null)
}
