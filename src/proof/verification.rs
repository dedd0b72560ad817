//! The check of a bundle: step by step, with nothing but the bundle and what the user brings along.

use crate::bitcoin::{BlockHeader, HeaderError};
use crate::crypto::PublicKey;
use crate::proof::contents::Carriers;
use crate::proof::events::{Custody, purpose_word, subject};
use crate::proof::known_chain::Standing;
use crate::proof::report::{BlockReport, EventReport, Outcome, Report, Step, Verdict};
use crate::proof::{Bundle, BundledHeader, KnownChain, RecordStatus};
use crate::types::{ChainProfile, Digest, Network, Timestamp};

/// How far ahead of the time a header may be: nodes take none that is more (and none that is not later
/// than the middle of the eleven before it).
const CLOCK_TOLERANCE: std::time::Duration = std::time::Duration::from_secs(2 * 60 * 60);

/// What the user trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// The keys that may issue; none if he does not know.
    pub issuers: Vec<PublicKey>,
    /// What he knows of the chain.
    pub chain: KnownChain,
}

/// Checks the bytes of a bundle.
pub fn verify_bytes(bytes: &[u8], trust: &Trust) -> Report {
    verify_read(Bundle::parse(bytes), trust)
}

/// Checks a bundle that was read from any of its forms; what could not be read fails the first step.
pub fn verify_read<E: std::fmt::Display>(read: Result<Bundle, E>, trust: &Trust) -> Report {
    match read {
        Ok(bundle) => verify(&bundle, trust),
        Err(error) => Report {
            verdict: Verdict::Failed,
            uid: None,
            network: None,
            is_simulated: false,
            proved: Vec::new(),
            not_proved: Vec::new(),
            events: Vec::new(),
            steps: vec![Step::failed("format", "bundle", error.to_string())],
        },
    }
}

/// Checks a bundle.
pub fn verify(bundle: &Bundle, trust: &Trust) -> Report {
    let carriers = Carriers::of(bundle);
    let custody = Custody::read(bundle, &carriers);
    let check = Check { bundle, trust, carriers: &carriers, profile: profile(bundle) };
    let mut steps = vec![Step::ok("format", "bundle", "every part is there for a record")];
    steps.extend(check.headers());
    steps.extend(check.transactions());
    let issuers = bundle.issuers();
    let pinned = if trust.issuers.is_empty() { &issuers } else { &trust.issuers };
    steps.extend(custody.check(pinned));
    steps.extend(check.blocks());
    steps.push(check.issuers());
    steps.extend(check.heaviest_chain());
    let freshness = "whether anything happened to the product since cannot be told offline";
    steps.push(Step::not_checked("freshness", "bundle", freshness));
    check.report(&custody, steps)
}

struct Check<'a> {
    bundle: &'a Bundle,
    trust: &'a Trust,
    carriers: &'a Carriers<'a>,
    profile: ChainProfile,
}

/// Says what work the bundle's headers claim to prove: a target that no public network allows is that
/// of a simulated one. The main network has no such stand-in.
fn profile(bundle: &Bundle) -> ChainProfile {
    let is_too_easy = |block: &BundledHeader| {
        matches!(block.header.check_work(ChainProfile::Public), Err(HeaderError::TooEasy(_)))
    };
    if bundle.network == Network::Test && bundle.headers.iter().any(is_too_easy) {
        ChainProfile::Simulated
    } else {
        ChainProfile::Public
    }
}

impl Check<'_> {
    fn headers(&self) -> Vec<Step> {
        let step = |block: &BundledHeader| match block.header.check_work(self.profile) {
            Ok(_) => {
                Step::ok("header", &place(block), format!("work was done for {}", block.hash()))
            }
            Err(error) => Step::failed("header", &place(block), error.to_string()),
        };
        self.bundle.headers.iter().map(step).collect()
    }

    /// Merkle paths lead to the roots of the headers; what is in no block spends by the rules.
    fn transactions(&self) -> Option<Step> {
        let beef = self.bundle.beef.as_ref()?;
        let root_at = |height: u32| self.header_at(height).map(|header| header.merkle_root);
        let is_root = |height: u32, root: &Digest| root_at(height) == Some(*root);
        Some(match beef.verify(is_root) {
            Ok(()) => {
                let detail = format!(
                    "{} transactions, in blocks or spending from them",
                    beef.transactions.len()
                );
                Step::ok("transactions", "bundle", detail)
            }
            Err(error) => Step::failed("transactions", "bundle", error.to_string()),
        })
    }

    fn header_at(&self, height: u32) -> Option<&BlockHeader> {
        let place = self.bundle.headers.binary_search_by_key(&height, |it| it.height).ok()?;
        self.bundle.headers.get(place).map(|block| &block.header)
    }

    fn block_of(&self, index: usize) -> Option<BundledHeader> {
        let txid = self.bundle.records[index].txid?;
        let height = self.carriers.path_of(&txid)?.block_height();
        self.header_at(height).map(|header| BundledHeader { height, header: *header })
    }

    fn blocks(&self) -> Vec<Step> {
        let step = |(index, status): (usize, RecordStatus)| {
            let subject = subject(index);
            match (status, self.block_of(index)) {
                (RecordStatus::Mined, Some(block)) => {
                    let detail =
                        format!("its transaction is in {}, {}", place(&block), block.hash());
                    Step::ok("block", &subject, detail)
                }
                (RecordStatus::Mined, None) => {
                    Step::failed("block", &subject, "the header of its block is missing")
                }
                (RecordStatus::Unconfirmed, _) => {
                    let detail = "its transaction is signed, and not yet proved to be in a block";
                    Step::not_checked("block", &subject, detail)
                }
                (RecordStatus::Unsent, _) => {
                    Step::not_checked("block", &subject, "it has no transaction yet")
                }
            }
        };
        self.bundle.statuses().into_iter().enumerate().map(step).collect()
    }

    fn issuers(&self) -> Step {
        let issuers = self.bundle.issuers();
        let keys: Vec<String> = issuers.iter().map(ToString::to_string).collect();
        let keys = keys.join(", ");
        if self.trust.issuers.is_empty() {
            let detail =
                format!("signed by {keys}; whether that is the brand's key was not checked");
            Step::not_checked("issuer", "bundle", detail)
        } else if issuers.is_empty() {
            Step::not_checked("issuer", "bundle", "every record was erased: no issuer is named")
        } else if issuers.iter().all(|issuer| self.trust.issuers.contains(issuer)) {
            Step::ok("issuer", "bundle", format!("signed by {keys}, as demanded"))
        } else {
            Step::failed("issuer", "bundle", format!("signed by {keys}, not as demanded"))
        }
    }

    fn heaviest_chain(&self) -> Vec<Step> {
        const NAME: &str = "heaviest-chain";
        if self.bundle.headers.is_empty() {
            return Vec::new();
        }
        if let Err(error) = self.trust.chain.check(self.bundle.network, self.profile) {
            return vec![Step::failed(NAME, "known headers", error.to_string())];
        }
        let step = |block: &BundledHeader| match self.trust.chain.standing(block, self.profile) {
            Standing::Within { is_vouched, confirmations } => {
                let depth = confirmations.map(|it| format!(", {it} deep")).unwrap_or_default();
                let by =
                    if is_vouched { "checkpoint or first block" } else { "known headers alone" };
                Step::ok(NAME, &place(block), format!("part of the known chain{depth}, by {by}"))
            }
            Standing::Contradicted => {
                Step::failed(NAME, &place(block), "the known chain has another block there")
            }
            Standing::Outside => {
                let detail = "no known header or checkpoint is there: the chain that it is part of \
                              may have lost";
                Step::not_checked(NAME, &place(block), detail)
            }
        };
        self.bundle.headers.iter().map(step).collect()
    }

    fn report(&self, custody: &Custody<'_>, steps: Vec<Step>) -> Report {
        let has_failed = steps.iter().any(|step| step.outcome == Outcome::Failed);
        let events: Vec<EventReport> =
            (0..self.bundle.records.len()).map(|index| self.event(index, custody)).collect();
        let is_newest_proved =
            events.last().is_some_and(|event| event.block.is_some() && event.purpose.is_some());
        let verdict = match (has_failed, is_newest_proved) {
            (true, _) => Verdict::Failed,
            (false, true) => Verdict::Proved,
            (false, false) => Verdict::Incomplete,
        };
        let proved = if has_failed { Vec::new() } else { self.proved(&events) };
        let mut not_proved: Vec<String> = steps
            .iter()
            .filter(|step| step.outcome == Outcome::NotChecked)
            .map(|step| format!("{} ({}): {}", step.name, step.subject, step.detail))
            .collect();
        let is_simulated = self.profile == ChainProfile::Simulated;
        if is_simulated {
            let warning = "anything on a public chain: the blocks are of a simulated network, whose \
                           work costs nothing";
            not_proved.insert(0, warning.to_owned());
        }
        Report {
            verdict,
            uid: Some(self.bundle.uid.to_string()),
            network: Some(self.bundle.network),
            is_simulated,
            proved,
            not_proved,
            events,
            steps,
        }
    }

    fn event(&self, index: usize, custody: &Custody<'_>) -> EventReport {
        let record = custody.records[index].as_ref().and_then(|record| record.as_ref().ok());
        EventReport {
            index,
            purpose: record.map(|record| record.purpose),
            owner: record.map(|record| record.auth.owner.clone()),
            issuer: record.map(|record| record.auth.issuer),
            claimed_time: record.map(|record| record.auth.issued_at.clone()),
            txid: self.bundle.records[index].txid,
            block: self.block_of(index).map(|block| self.block_report(&block)),
        }
    }

    fn block_report(&self, block: &BundledHeader) -> BlockReport {
        let time = Timestamp::from_secs(i64::from(block.header.time));
        let confirmations = match self.trust.chain.standing(block, self.profile) {
            Standing::Within { confirmations, .. } => confirmations,
            Standing::Contradicted | Standing::Outside => None,
        };
        BlockReport {
            height: block.height,
            hash: block.hash(),
            not_before: minute(time.minus(CLOCK_TOLERANCE)),
            // The end of the minute, so that rounding never makes the interval smaller.
            not_after: minute(time.plus(CLOCK_TOLERANCE + std::time::Duration::from_secs(59))),
            confirmations,
        }
    }

    fn proved(&self, events: &[EventReport]) -> Vec<String> {
        let sentence = |event: &EventReport| {
            let (purpose, owner) = (event.purpose?, event.owner.as_ref()?);
            let (issuer, block) = (event.issuer?, event.block.as_ref()?);
            Some(format!(
                "{} was {} to {owner}, signed by {issuer}, in block {} ({}), which was made between \
                 {} and, if its miner's clock was right within two hours, {}; the issuer says {}",
                self.bundle.uid,
                purpose_word(purpose),
                block.height,
                block.hash,
                block.not_before,
                block.not_after,
                event.claimed_time.as_deref().unwrap_or_default(),
            ))
        };
        events.iter().filter_map(sentence).collect()
    }
}

fn place(block: &BundledHeader) -> String {
    format!("block {}", block.height)
}

/// Writes a time without seconds, which a header does not prove.
fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    match text.get(..16) {
        Some(minute) => format!("{minute}Z"),
        None => text,
    }
}
