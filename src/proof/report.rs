//! What a check of a bundle says: every step with its result, what was proved and what was not.

use serde::Serialize;

use crate::crypto::PublicKey;
use crate::patch::record::Purpose;
use crate::types::{BlockHash, Network, Txid};

/// The result of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It holds.
    Ok,
    /// It does not hold: the bundle proves nothing.
    Failed,
    /// It cannot be told, or an earlier step failed.
    NotChecked,
}

/// One step of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was checked, one of the names in docs/BUNDLE.md.
    pub name: &'static str,
    /// Of what: `bundle`, `record 0`, `block 812`.
    pub subject: String,
    /// The result.
    pub outcome: Outcome,
    /// What was found.
    pub detail: String,
}

/// What a bundle is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The whole custody is signed, linked and in blocks.
    Proved,
    /// Nothing is wrong, but the newest event is in no block yet, or was erased.
    Incomplete,
    /// Something is wrong.
    Failed,
}

/// The block of an event, and when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockReport {
    /// Its height, as the bundle says or the known headers confirm.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
    /// The earliest that the network can have taken it: two hours before the miner's clock.
    pub not_before: String,
    /// Two hours after the miner's clock, which is later if that clock was not further behind.
    pub not_after: String,
    /// Blocks on top, its own included, where known headers hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmations: Option<u32>,
}

/// One event of the custody, as far as the bundle says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventReport {
    /// Its place, from 0.
    pub index: usize,
    /// The kind of event; nothing if it was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The owner afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The key that signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<PublicKey>,
    /// When it was, by the issuer's word alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_time: Option<String>,
    /// Its transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txid: Option<Txid>,
    /// Its block, where proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockReport>,
}

/// What a check of a bundle says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What the bundle is worth.
    pub verdict: Verdict,
    /// The product's tag; nothing if the bundle cannot be read.
    #[serde(rename = "uid_tag_id", skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The network that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Whether its blocks are of a simulated network, where work costs nothing.
    pub is_simulated: bool,
    /// What was proved, in sentences; nothing where something failed.
    pub proved: Vec<String>,
    /// What was not, in sentences.
    pub not_proved: Vec<String>,
    /// The events, oldest first.
    pub events: Vec<EventReport>,
    /// Every step, in the order in which it was taken.
    pub steps: Vec<Step>,
}

impl Report {
    /// Returns the first step that failed.
    pub fn first_failure(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.outcome == Outcome::Failed)
    }
}

impl Step {
    /// Writes down a step that holds.
    pub(super) fn ok(name: &'static str, subject: &str, detail: impl Into<String>) -> Self {
        Self { name, subject: subject.to_owned(), outcome: Outcome::Ok, detail: detail.into() }
    }

    /// Writes down a step that does not.
    pub(super) fn failed(name: &'static str, subject: &str, detail: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed, ..Self::ok(name, subject, detail) }
    }

    /// Writes down a step that could not be taken.
    pub(super) fn not_checked(
        name: &'static str,
        subject: &str,
        detail: impl Into<String>,
    ) -> Self {
        Self { outcome: Outcome::NotChecked, ..Self::ok(name, subject, detail) }
    }
}
