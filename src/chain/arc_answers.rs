//! What ARC's and Arcade's answers mean (ARC v1: arc.yaml, status.go, errors.md; WIRE 2.2).
//!
//! Pure. The content counts, not the HTTP status: a 200 can carry a refusal or a whole error
//! document. A refusal counts only in the form that ARC gives it, so that a proxy's page with the
//! same status is none. Heights come from the Merkle path, never from the fields beside it.

use serde::Deserialize;

use crate::bitcoin::MerklePath;
use crate::chain::outcome::classify_node_words;
use crate::chain::policy::rate_of;
use crate::chain::{BroadcastOutcome, ChainError, TransactionStatus};
use crate::outbound::excerpt;
use crate::types::{FeeRate, Txid};

/// Where ARC says that a transaction stands. Words not listed are [`Self::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TxStatus {
    /// ARC has it; the network has not shown it yet.
    Pending,
    /// Seen on the network.
    Seen,
    /// In a block.
    Mined,
    /// In a block that lost its place.
    Stale,
    /// A parent is missing.
    Orphan,
    /// Another transaction spends an input.
    Conflict,
    /// Refused.
    Rejected,
    /// A word that is not known here.
    Other,
}

impl TxStatus {
    fn of(word: &str) -> Self {
        match word {
            "UNKNOWN"
            | "QUEUED"
            | "RECEIVED"
            | "STORED"
            | "ANNOUNCED_TO_NETWORK"
            | "REQUESTED_BY_NETWORK"
            | "SENT_TO_NETWORK"
            | "ACCEPTED_BY_NETWORK"
            | "PENDING_RETRY" => Self::Pending,
            "SEEN_ON_NETWORK" | "SEEN_MULTIPLE_NODES" | "STUMP_PROCESSING" => Self::Seen,
            "MINED" | "IMMUTABLE" => Self::Mined,
            "MINED_IN_STALE_BLOCK" => Self::Stale,
            "SEEN_IN_ORPHAN_MEMPOOL" => Self::Orphan,
            "DOUBLE_SPEND_ATTEMPTED" => Self::Conflict,
            "REJECTED" => Self::Rejected,
            _ => Self::Other,
        }
    }
}

/// The fields of both forms, a status and an error document (RFC 7807), that mean something here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ArcBody {
    txid: Option<String>,
    tx_status: Option<String>,
    extra_info: Option<String>,
    competing_txs: Option<Vec<String>>,
    merkle_path: Option<String>,
    block_hash: Option<String>,
    status: Option<u16>,
    title: Option<String>,
    detail: Option<String>,
}

impl ArcBody {
    fn read(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok()
    }

    /// Returns the status if this is an error document.
    fn error_status(&self) -> Option<u16> {
        let has_status = self.tx_status.as_deref().is_some_and(|word| !word.is_empty());
        self.status.filter(|status| *status >= 400 && !has_status)
    }

    /// Says whether another transaction is named.
    fn is_about_another(&self, txid: Txid) -> bool {
        let named = self.txid.as_deref().filter(|named| !named.is_empty());
        named.is_some_and(|named| named.parse() != Ok(txid))
    }

    fn words(&self) -> String {
        let parts = [self.title.as_deref(), self.detail.as_deref(), self.extra_info.as_deref()];
        let said: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        said.join(": ")
    }
}

/// Classifies an answer to `POST /v1/tx` (Arcade: `/tx`), given its HTTP status.
pub fn classify_arc(http_status: u16, body: &str, txid: Txid) -> BroadcastOutcome {
    let Some(answer) = ArcBody::read(body) else {
        return unknown(format!("HTTP {http_status}: {body}"));
    };
    if answer.is_about_another(txid) {
        return unknown(format!("the answer is about another transaction: {body}"));
    }
    match (http_status, answer.error_status()) {
        (200..=299, None) => classify_status(&answer, body),
        (200..=299, Some(inside)) => classify_error(inside, &answer),
        (_, Some(inside)) if inside == http_status => classify_error(inside, &answer),
        (_, Some(_) | None) => unknown(format!("HTTP {http_status}: {body}")),
    }
}

fn classify_status(answer: &ArcBody, body: &str) -> BroadcastOutcome {
    if answer.txid.as_deref().is_none_or(str::is_empty) {
        return unknown(format!("the answer is a success without a txid: {body}"));
    }
    let word = answer.tx_status.as_deref().unwrap_or_default();
    let extra = answer.extra_info.as_deref().unwrap_or_default();
    let reason = excerpt(&format!("{word} {extra}"));
    match TxStatus::of(word) {
        TxStatus::Seen | TxStatus::Pending if names_orphan(extra) => {
            BroadcastOutcome::Orphan { reason }
        }
        TxStatus::Seen => BroadcastOutcome::Accepted,
        TxStatus::Mined => BroadcastOutcome::AlreadyKnown,
        TxStatus::Orphan => BroadcastOutcome::Orphan { reason },
        TxStatus::Conflict => {
            let others = answer.competing_txs.as_deref().unwrap_or_default().join(" ");
            BroadcastOutcome::Conflict { reason: excerpt(&format!("{reason} {others}")) }
        }
        TxStatus::Rejected => classify_rejection(extra, reason),
        TxStatus::Pending | TxStatus::Stale | TxStatus::Other => {
            unknown(format!("not seen on the network yet: {body}"))
        }
    }
}

fn names_orphan(words: &str) -> bool {
    words.to_lowercase().contains("orphan")
}

/// A rejection carries the node's words, which may say less than that the bytes are bad.
fn classify_rejection(words: &str, reason: String) -> BroadcastOutcome {
    match classify_node_words(words) {
        // Rejected and yet there: the two contradict each other.
        Some(BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown) => unknown(reason),
        Some(milder) => milder,
        None if names_orphan(words) => BroadcastOutcome::Orphan { reason },
        None => BroadcastOutcome::Invalid { reason },
    }
}

fn classify_error(status: u16, answer: &ArcBody) -> BroadcastOutcome {
    let reason = excerpt(&format!("{status} {}", answer.words()));
    match status {
        422 | 461 | 463 | 464 | 471 | 472 | 474 => BroadcastOutcome::Invalid { reason },
        465 | 473 => BroadcastOutcome::FeeTooLow { reason },
        466 => BroadcastOutcome::Conflict { reason },
        462 | 469 => BroadcastOutcome::Orphan { reason },
        // Our request, our key, the form that was sent (460, 467, 468, 475), or the time (476).
        _ => unknown(reason),
    }
}

fn unknown(reason: String) -> BroadcastOutcome {
    BroadcastOutcome::Unknown { reason: excerpt(&reason), retry_after_ms: None }
}

/// What `GET /v1/tx/{txid}` told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    /// What it claims.
    pub(super) status: TransactionStatus,
    /// The path to the block that it names, checked to be about the transaction.
    pub(super) path: Option<MerklePath>,
}

/// Reads the answer of `GET /v1/tx/{txid}`.
pub(super) fn read_report(body: &str, txid: Txid) -> Result<Report, ChainError> {
    let malformed = |text: &str| ChainError::Malformed(excerpt(text));
    let answer = ArcBody::read(body).ok_or_else(|| malformed(body))?;
    let word = answer.tx_status.as_deref().ok_or_else(|| malformed(body))?;
    if answer.is_about_another(txid) {
        return Err(malformed("the answer is about another transaction"));
    }
    let silent = |status| Report { status, path: None };
    match TxStatus::of(word) {
        TxStatus::Seen => Ok(silent(TransactionStatus::InMempool)),
        TxStatus::Mined => {
            let Some(text) = answer.merkle_path.as_deref().filter(|text| !text.is_empty()) else {
                return Ok(silent(TransactionStatus::InMempool));
            };
            let path = read_path(text, txid).ok_or_else(|| malformed("the Merkle path is none"))?;
            let block = answer.block_hash.as_deref().and_then(|text| text.parse().ok());
            let height = path.block_height();
            let status = block.map_or(TransactionStatus::InMempool, |block| {
                TransactionStatus::Mined { block, height }
            });
            Ok(Report { status, path: Some(path) })
        }
        TxStatus::Pending
        | TxStatus::Stale
        | TxStatus::Orphan
        | TxStatus::Conflict
        | TxStatus::Rejected
        | TxStatus::Other => Ok(silent(TransactionStatus::Unknown)),
    }
}

fn read_path(text: &str, txid: Txid) -> Option<MerklePath> {
    let path = MerklePath::parse(&hex::decode(text).ok()?).ok()?;
    path.contains(&txid).then_some(path)
}

#[derive(Deserialize)]
struct PolicyAnswer {
    policy: PolicyBody,
}

#[derive(Deserialize)]
struct PolicyBody {
    #[serde(rename = "miningFee")]
    mining_fee: MiningFee,
}

#[derive(Deserialize)]
struct MiningFee {
    satoshis: u64,
    bytes: u64,
}

/// Reads the answer of `GET /v1/policy`; nothing if it is none.
pub(super) fn read_policy(body: &str) -> Option<FeeRate> {
    let MiningFee { satoshis, bytes } =
        serde_json::from_str::<PolicyAnswer>(body).ok()?.policy.mining_fee;
    rate_of(satoshis, bytes)
}

#[cfg(test)]
mod tests;
