//! What a certificate says, made from a bundle and the report of its check.
//!
//! Nothing is formatted or worded here: values stand as they were signed, sentences are named, so
//! that page, PDF and every language say the same.

use crate::patch::record::{AuthenticationRecord, Product, Purpose};
use crate::proof::{Bundle, BundledRecord, Outcome, RecordStatus, Report, Step, Verdict};
use crate::types::{BlockHash, Network, Timestamp, Txid};

/// What a certificate is worth as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The newest event is signed, linked and in a block.
    Anchored,
    /// Nothing is wrong, but the newest event waits for its block.
    Waiting,
    /// The content of the newest event is not given any more; an earlier one still is.
    Withheld,
    /// No event's content is left, and nothing is proved about the product.
    Erased,
    /// A step of the check failed: nothing that the records say may be shown.
    Failed,
}

/// The product, as the newest readable record says. Texts as the issuer signed them: escape them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProductView {
    /// Its name.
    pub name: Option<String>,
    /// Its kind.
    pub category: Option<String>,
    /// The stock-keeping unit.
    pub sku: Option<String>,
    /// The serial number.
    pub serial_number: Option<String>,
    /// The material.
    pub material: Option<String>,
    /// Where the patch sits on it.
    pub patch_location: Option<String>,
    /// The https address of an image elsewhere: to be shown as a text, never fetched.
    pub image: Option<String>,
}

/// How far an event has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventStatus {
    /// Its transaction is proved to be in a block.
    InBlock,
    /// Its transaction is signed, and waits for a block.
    Waiting,
    /// It has no transaction yet.
    Unsent,
}

/// The block of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockView {
    /// Its height, as the bundle says.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
    /// The time in its header: the miner's clock, right within two hours.
    pub time: Timestamp,
}

/// An event's place among the records that share its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafView {
    /// Its leaf, from 0.
    pub index: u64,
    /// How many leaves the tree has.
    pub size: u64,
}

/// One event of the custody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView {
    /// What happened; nothing if the content is withheld or erased, as are owner and time then.
    pub purpose: Option<Purpose>,
    /// The owner's address afterwards.
    pub owner: Option<String>,
    /// When it was, by the issuer's word: RFC 3339 in UTC.
    pub claimed_time: Option<String>,
    /// How far it has come.
    pub status: EventStatus,
    /// Its transaction, once there is one.
    pub txid: Option<Txid>,
    /// Its block, where proved.
    pub block: Option<BlockView>,
    /// Its place in a batch, if it was registered in one.
    pub leaf: Option<LeafView>,
}

/// Something that the check found to hold for every event that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Records give the commitments that the chain holds: nobody has changed them since.
    Unchanged,
    /// The issuer signed each of them.
    IssuerSigned,
    /// Every owner signed the product over to the next.
    OwnersSigned,
    /// Every transfer spends the seal of the event before.
    Sealed,
    /// Every transaction is in a block for which work was done.
    InBlocks,
}

/// Something that the certificate does not prove, and must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caveat {
    /// The blocks are of a simulated network, whose work costs nothing.
    Simulated,
    /// The blocks are of a test network, whose coins are worth nothing.
    TestNetwork,
    /// This many events are in no block yet.
    Waiting(usize),
    /// The content of this many events is withheld or erased.
    Erased(usize),
    /// For this many transfers, that there is no other one rests on the issuer's word.
    Unsealed(usize),
    /// Whether the issuer's key is the brand's.
    IssuerKey,
    /// Whether the blocks are in the heaviest chain.
    HeaviestChain,
    /// That nothing happened since this certificate was made.
    Freshness,
}

/// The step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedStep {
    /// Its name, one of those in docs/BUNDLE.md.
    pub name: &'static str,
    /// Of what, as the report says: `record 0`, `block 812`.
    pub subject: String,
}

/// Everything that a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateView {
    /// The product's tag.
    pub uid: String,
    /// The network that the records name.
    pub network: Network,
    /// Whether the blocks are of a simulated network: to be said loudly.
    pub is_simulated: bool,
    /// What it is worth.
    pub state: State,
    /// The product; nothing where nothing readable is left or something failed.
    pub product: Option<ProductView>,
    /// The owner's address after the newest event; nothing where that is withheld or erased.
    pub owner: Option<String>,
    /// The events, oldest first; none where something failed.
    pub events: Vec<EventView>,
    /// The keys that signed, in hexadecimal digits, in the order in which they first did.
    pub issuers: Vec<String>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What was not proved.
    pub caveats: Vec<Caveat>,
    /// The first step that failed.
    pub failure: Option<FailedStep>,
}

impl CertificateView {
    /// Says what a bundle proves by the report of its check.
    pub fn new(bundle: &Bundle, report: &Report) -> Self {
        if let Some(step) = report.first_failure() {
            let failure = FailedStep { name: step.name, subject: step.subject.clone() };
            return Self::failed(bundle, report, failure);
        }
        let records: Vec<Option<AuthenticationRecord>> = bundle.records.iter().map(read).collect();
        let events = events(bundle, &records);
        let newest = records.last().and_then(Option::as_ref);
        Self {
            uid: bundle.uid.to_string(),
            network: bundle.network,
            is_simulated: report.is_simulated,
            state: state(report.verdict, &records),
            product: records.iter().rev().flatten().next().map(product),
            owner: newest.map(|record| record.auth.owner.clone()),
            issuers: bundle.issuers().iter().map(ToString::to_string).collect(),
            findings: findings(&report.steps),
            caveats: caveats(bundle.network, report, &events),
            events,
            failure: None,
        }
    }

    fn failed(bundle: &Bundle, report: &Report, failure: FailedStep) -> Self {
        Self {
            uid: bundle.uid.to_string(),
            network: bundle.network,
            is_simulated: report.is_simulated,
            state: State::Failed,
            product: None,
            owner: None,
            events: Vec::new(),
            issuers: Vec::new(),
            findings: Vec::new(),
            caveats: Vec::new(),
            failure: Some(failure),
        }
    }

    /// Returns the newest block that holds an event, if one does.
    pub fn newest_block(&self) -> Option<BlockView> {
        self.events.iter().rev().find_map(|event| event.block)
    }
}

fn read(record: &BundledRecord) -> Option<AuthenticationRecord> {
    record.content.as_ref().and_then(|content| serde_json::from_str(&content.record).ok())
}

fn state(verdict: Verdict, records: &[Option<AuthenticationRecord>]) -> State {
    let is_newest_told = records.last().is_some_and(Option::is_some);
    match verdict {
        Verdict::Failed => State::Failed,
        Verdict::Proved => State::Anchored,
        Verdict::Incomplete if is_newest_told => State::Waiting,
        Verdict::Incomplete if records.iter().any(Option::is_some) => State::Withheld,
        Verdict::Incomplete => State::Erased,
    }
}

fn product(record: &AuthenticationRecord) -> ProductView {
    let Product { uid_tag_id: _, name, category, sku, serial_number, material } =
        record.product.clone();
    let (patch_location, image) =
        (record.metadata.patch_location.clone(), record.metadata.image.clone());
    ProductView { name, category, sku, serial_number, material, patch_location, image }
}

fn events(bundle: &Bundle, records: &[Option<AuthenticationRecord>]) -> Vec<EventView> {
    let blocks = bundle.blocks();
    let statuses = bundle.statuses();
    let parts = bundle.records.iter().zip(records).zip(statuses.into_iter().zip(blocks));
    parts
        .map(|((bundled, record), (status, block))| EventView {
            purpose: record.as_ref().map(|record| record.purpose),
            owner: record.as_ref().map(|record| record.auth.owner.clone()),
            claimed_time: record.as_ref().map(|record| record.auth.issued_at.clone()),
            status: match status {
                RecordStatus::Mined => EventStatus::InBlock,
                RecordStatus::Unconfirmed => EventStatus::Waiting,
                RecordStatus::Unsent => EventStatus::Unsent,
            },
            txid: bundled.txid,
            block: block.map(|block| BlockView {
                height: block.height,
                hash: block.hash(),
                time: Timestamp::from_secs(i64::from(block.header.time)),
            }),
            leaf: bundled
                .inclusion
                .as_ref()
                .map(|proof| LeafView { index: proof.leaf_index, size: proof.tree_size }),
        })
        .collect()
}

/// A finding holds where at least one step of its name was taken and every one of them is good.
fn findings(steps: &[Step]) -> Vec<Finding> {
    let holds = |name: &str| {
        let mut named = steps.iter().filter(|step| step.name == name).peekable();
        named.peek().is_some() && named.all(|step| step.outcome == Outcome::Ok)
    };
    let all = [
        (Finding::Unchanged, &["commitment", "on-chain"][..]),
        (Finding::IssuerSigned, &["issuer-signature"]),
        (Finding::OwnersSigned, &["owner-signature", "link"]),
        (Finding::Sealed, &["seal"]),
        (Finding::InBlocks, &["block", "header"]),
    ];
    let found = all.into_iter().filter(|(_, names)| names.iter().all(|name| holds(name)));
    found.map(|(finding, _)| finding).collect()
}

fn caveats(network: Network, report: &Report, events: &[EventView]) -> Vec<Caveat> {
    let waiting = events.iter().filter(|it| it.status != EventStatus::InBlock).count();
    let erased = events.iter().filter(|it| it.purpose.is_none()).count();
    let unsealed = report
        .steps
        .iter()
        .filter(|step| step.name == "seal" && step.outcome == Outcome::NotChecked)
        .count();
    let is_anchored = waiting < events.len();
    let all = [
        (report.is_simulated, Caveat::Simulated),
        (network == Network::Test && !report.is_simulated, Caveat::TestNetwork),
        (waiting > 0, Caveat::Waiting(waiting)),
        (erased > 0, Caveat::Erased(erased)),
        (unsealed > 0, Caveat::Unsealed(unsealed)),
        (erased < events.len(), Caveat::IssuerKey),
        (is_anchored, Caveat::HeaviestChain),
        (true, Caveat::Freshness),
    ];
    all.into_iter().filter(|(is_said, _)| *is_said).map(|(_, caveat)| caveat).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::fixture::{HEIGHT, UID, custody};
    use crate::proof::{Trust, verify};

    fn view(bundle: &Bundle) -> CertificateView {
        CertificateView::new(bundle, &verify(bundle, &Trust::default()))
    }

    #[test]
    fn a_custody_in_blocks_is_told_whole() {
        let told = view(&custody(3, 3));
        assert_eq!(
            (told.state, told.uid.as_str(), told.is_simulated),
            (State::Anchored, UID, true)
        );
        assert_eq!(told.product.unwrap().name.as_deref(), Some("Trikot №7 \"home\""));
        let heights: Vec<_> = told.events.iter().map(|it| it.block.unwrap().height).collect();
        assert_eq!(heights, [HEIGHT, HEIGHT + 1, HEIGHT + 2]);
        assert_eq!(told.owner, told.events[2].owner);
        assert_ne!(told.events[1].owner, told.events[2].owner);
        let all = [
            Finding::Unchanged,
            Finding::IssuerSigned,
            Finding::OwnersSigned,
            Finding::Sealed,
            Finding::InBlocks,
        ];
        assert_eq!(told.findings, all);
        let unsaid =
            [Caveat::Simulated, Caveat::IssuerKey, Caveat::HeaviestChain, Caveat::Freshness];
        assert_eq!(told.caveats, unsaid);
    }

    #[test]
    fn what_waits_for_its_block_says_so() {
        let told = view(&custody(2, 1));
        assert_eq!(told.state, State::Waiting);
        assert_eq!(told.events[1].status, EventStatus::Waiting);
        assert!(told.caveats.contains(&Caveat::Waiting(1)));
        assert!(!told.findings.contains(&Finding::InBlocks));
    }

    #[test]
    fn what_was_erased_is_not_told() {
        let mut bundle = custody(2, 2);
        bundle.records[1].content = None;
        let told = view(&bundle);
        assert_eq!((told.state, &told.owner), (State::Withheld, &None));
        assert_eq!(told.events[1].owner, None);
        assert!(told.product.is_some(), "the registration is still readable");
        bundle.records[0].content = None;
        let told = view(&bundle);
        assert_eq!((told.state, told.product), (State::Erased, None));
        assert!(told.caveats.contains(&Caveat::Erased(2)) && told.issuers.is_empty());
    }

    #[test]
    fn what_failed_asserts_nothing() {
        let mut bundle = custody(2, 2);
        bundle.records[0].content.as_mut().unwrap().salt =
            crate::anchor::commitment::Salt::from_bytes([9; 16]);
        let told = view(&bundle);
        assert_eq!(told.state, State::Failed);
        let failure = FailedStep { name: "commitment", subject: "record 0".to_owned() };
        assert_eq!(told.failure, Some(failure));
        assert!(told.events.is_empty() && told.findings.is_empty() && told.product.is_none());
    }
}
