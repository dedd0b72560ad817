//! How records are put on chain, and what requests wait for.

use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::variable::{Kind, Variable};
use crate::types::FeeRate;

pub(super) const MAX_FEE_PER_KB: Variable = Variable::new(
    "MAX_FEE_PER_KB",
    Kind::Integer { least: 100, most: 100_000 },
    "5000",
    "The most that a network policy or a run-time setting may make transactions pay, in satoshis \
     per 1,000 bytes.",
)
.or("5000");

pub(super) const UTXO_MAX_CHAIN_DEPTH: Variable = Variable::new(
    "UTXO_MAX_CHAIN_DEPTH",
    Kind::Integer { least: 1, most: 1_000 },
    "25",
    "How many unmined transactions of ours may stand one upon the other before an output waits \
     for a block.",
)
.or("25");

pub(super) const ANCHOR_PAYLOAD: Variable = Variable::new(
    "ANCHOR_PAYLOAD",
    Kind::Choice(&["commitment", "record"]),
    "commitment",
    "What is published on chain. commitment is a salted hash, from which nothing can be learnt; \
     record adds the record's JSON, which can never be taken back.",
)
.or("commitment");

pub(super) const ANCHOR_MODE: Variable = Variable::new(
    "ANCHOR_MODE",
    Kind::Choice(&["direct", "batch"]),
    "direct",
    "How registrations go on chain: direct gives each a transaction of its own; batch has them wait \
     and share one. Transfers always go directly. A record keeps the route that it was accepted for.",
)
.or("direct");

pub(super) const BATCH_MAX_RECORDS: Variable = Variable::new(
    "BATCH_MAX_RECORDS",
    Kind::Integer { least: 1, most: 100_000 },
    "1000",
    "How many records that wait for a batch are anchored at once, without waiting any longer. A \
     batch that is formed by itself has no more.",
)
.or("1000");

pub(super) const BATCH_MAX_AGE_SECS: Variable = Variable::new(
    "BATCH_MAX_AGE_SECS",
    Kind::Integer { least: 1, most: 604_800 },
    "600",
    "How long a record waits for a batch at most, in seconds.",
)
.or("600");

pub(super) const LOG_ORIGIN: Variable = Variable::new(
    "LOG_ORIGIN",
    Kind::Text,
    "proof.example/log",
    "The name of the log of all commitments, in every checkpoint. A log keeps the name under which \
     its first checkpoint was signed. Without it, PUBLIC_URL without its scheme and /log.",
);

pub(super) const LOG_CHECKPOINT_SECS: Variable = Variable::new(
    "LOG_CHECKPOINT_SECS",
    Kind::Integer { least: 1, most: 86_400 },
    "10",
    "The least time between two checkpoints of the log of all commitments that are signed by \
     themselves, in seconds. Every batch has one signed as well.",
)
.or("10");

pub(super) const CONFIRMED_AT_DEPTH: Variable = Variable::new(
    "CONFIRMED_AT_DEPTH",
    Kind::Integer { least: 0, most: 1_000 },
    "0",
    "How many blocks deep a record is reported as confirmed; 0 is as soon as the network has \
     accepted its transaction.",
)
.or("0");

pub(super) const JOBS_ASYNC: Variable = Variable::new(
    "JOBS_ASYNC",
    Kind::Switch,
    "1",
    "Answers registrations and transfers with 202 at once instead of waiting for the network.",
)
.or("0");

pub(super) const REGISTRATION_WAIT_MS: Variable = Variable::new(
    "REGISTRATION_WAIT_MS",
    Kind::Integer { least: 0, most: 25_000 },
    "5000",
    "How long a registration or transfer waits for the network before it is answered with 202, in \
     milliseconds.",
)
.or("5000");

pub(super) const UNLOCK_REQUIRE_NONCE: Variable = Variable::new(
    "UNLOCK_REQUIRE_NONCE",
    Kind::Switch,
    "1",
    "Refuses signatures to unlock content that do not answer a fresh challenge.",
)
.or("0");

pub(super) const CLAIM_INTENT_TTL_MS: Variable = Variable::new(
    "CLAIM_INTENT_TTL_MS",
    Kind::Integer { least: 10_000, most: 86_400_000 },
    "180000",
    "How long a shop may approve a customer's claim, and how long the customer has to file it, in \
     milliseconds.",
)
.or("180000");

/// What is published on chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnchorPayload {
    /// A salted hash.
    Commitment,
    /// The hash and the record's JSON.
    Record,
}

/// How registrations go on chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnchorMode {
    /// Each in a transaction of its own.
    Direct,
    /// Many in one.
    Batch,
}

/// How records are put on chain.
#[derive(Debug, Clone)]
pub struct AnchoringOptions {
    /// The most that a network policy or a run-time setting may make transactions pay.
    pub max_fee_rate: FeeRate,
    /// Unmined transactions in a row beyond which an output waits for a block.
    pub max_chain_depth: u32,
    /// What is published.
    pub payload: AnchorPayload,
    /// How registrations go on chain.
    pub mode: AnchorMode,
    /// The records of a batch that is formed by itself.
    pub batch_max_records: u64,
    /// How long a record waits for a batch.
    pub batch_max_age: Duration,
    /// The name of the log of all commitments, if one is given.
    pub log_origin: Option<String>,
    /// The least time between two of its checkpoints.
    pub log_period: Duration,
    /// Blocks before a record counts as confirmed.
    pub confirmed_at_depth: u32,
    /// Whether requests are answered without waiting.
    pub is_async: bool,
    /// How long requests wait otherwise.
    pub registration_wait: Duration,
}

/// What owners and customers sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerSettings {
    /// Whether signatures that unlock content must answer a fresh challenge.
    pub unlock_requires_nonce: bool,
    /// How long a claim at a point of sale waits for the shop.
    pub claim_ttl: Duration,
}

impl AnchoringOptions {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let max_fee_rate = reader.integer(&MAX_FEE_PER_KB).and_then(FeeRate::from_sat_per_kb);
        let least = FeeRate::from_sat_per_kb(1).expect("1 is a fee rate");
        Self {
            max_fee_rate: max_fee_rate.unwrap_or(least),
            max_chain_depth: reader.number(&UTXO_MAX_CHAIN_DEPTH),
            payload: match reader.choice(&ANCHOR_PAYLOAD) {
                Some("record") => AnchorPayload::Record,
                Some(_) | None => AnchorPayload::Commitment,
            },
            mode: match reader.choice(&ANCHOR_MODE) {
                Some("batch") => AnchorMode::Batch,
                Some(_) | None => AnchorMode::Direct,
            },
            batch_max_records: reader.number(&BATCH_MAX_RECORDS),
            batch_max_age: Duration::from_secs(reader.number(&BATCH_MAX_AGE_SECS)),
            log_origin: reader.parsed(&LOG_ORIGIN, parse_origin),
            log_period: Duration::from_secs(reader.number(&LOG_CHECKPOINT_SECS)),
            confirmed_at_depth: reader.number(&CONFIRMED_AT_DEPTH),
            is_async: reader.switch(&JOBS_ASYNC),
            registration_wait: reader.milliseconds(&REGISTRATION_WAIT_MS),
        }
    }
}

/// Reads the name of a log: it stands in a line of its own and before other words.
fn parse_origin(text: &str) -> Option<String> {
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    (!text.contains(is_odd)).then(|| text.to_owned())
}

impl OwnerSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            unlock_requires_nonce: reader.switch(&UNLOCK_REQUIRE_NONCE),
            claim_ttl: reader.milliseconds(&CLAIM_INTENT_TTL_MS),
        }
    }
}
