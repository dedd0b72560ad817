//! The custody of a bundle, event by event: the rules of `patch::custody`, each told as a step.

use crate::anchor::canonical::from_canonical_bytes;
use crate::anchor::merkle::verify_inclusion;
use crate::anchor::payload::Payload;
use crate::bitcoin::Transaction;
use crate::crypto::PublicKey;
use crate::patch::custody::{CustodyRules, EventEvidence, Flaw, SignedContent, check_event};
use crate::patch::record::{AuthenticationRecord, Purpose};
use crate::proof::contents::Carriers;
use crate::proof::{Bundle, BundledRecord, Outcome, Step};
use crate::types::{Digest, Satoshis};

const COMMITMENT: &str = "commitment";
const ON_CHAIN: &str = "on-chain";
const RECORD: &str = "record";
const ISSUER: &str = "issuer";
const ISSUER_SIGNATURE: &str = "issuer-signature";
const LINK: &str = "link";
const OWNER_SIGNATURE: &str = "owner-signature";
const SEAL: &str = "seal";

/// The version of records that is known.
const RECORD_VERSION: u8 = 1;
/// The amount of a custody seal.
const SEAL_AMOUNT: Satoshis = Satoshis::from_const(1);

/// The custody of a bundle, read.
pub(super) struct Custody<'a> {
    bundle: &'a Bundle,
    carriers: &'a Carriers<'a>,
    /// What the records say, where they were not erased; or why one cannot be read.
    pub(super) records: Vec<Option<Result<AuthenticationRecord, String>>>,
}

/// What a transaction says of a record: its commitment, or that of a tree that holds it.
struct Committed {
    digest: Option<Digest>,
    detail: String,
}

impl<'a> Custody<'a> {
    /// Reads what the records say.
    pub(super) fn read(bundle: &'a Bundle, carriers: &'a Carriers<'a>) -> Self {
        let read = |record: &BundledRecord| {
            record.content.as_ref().map(|content| read_record(content.record.as_bytes()))
        };
        Self { bundle, carriers, records: bundle.records.iter().map(read).collect() }
    }

    /// Takes every step of every event, oldest first.
    pub(super) fn check(&self, issuers: &[PublicKey]) -> Vec<Step> {
        let rules = CustodyRules { uid: &self.bundle.uid, network: self.bundle.network, issuers };
        let mut committed = Vec::with_capacity(self.records.len());
        for index in 0..self.records.len() {
            committed.push(self.committed(index));
        }
        let evidence: Vec<Option<EventEvidence<'_>>> =
            committed.iter().enumerate().map(|(index, it)| self.evidence(index, it)).collect();
        let mut steps = Vec::new();
        for (index, committed) in committed.iter().enumerate() {
            steps.extend(self.check_one(index, committed, &evidence, &rules));
        }
        steps
    }

    fn check_one(
        &self,
        index: usize,
        committed: &Result<Committed, String>,
        evidence: &[Option<EventEvidence<'_>>],
        rules: &CustodyRules<'_>,
    ) -> Vec<Step> {
        let subject = subject(index);
        if let Some(Err(reason)) = &self.records[index] {
            return vec![Step::failed(RECORD, &subject, reason)];
        }
        let committed = match committed {
            Ok(committed) => committed,
            Err(reason) => return vec![Step::failed(ON_CHAIN, &subject, reason)],
        };
        let Some(Some(event)) = evidence.get(index) else { return Vec::new() };
        // Without a readable record before it, nothing can be linked to it.
        let before = match index.checked_sub(1).map(|before| &evidence[before]) {
            None => None,
            Some(Some(before)) => Some(before),
            Some(None) => {
                let reason = "the record before it cannot be read";
                return vec![Step::not_checked(LINK, &subject, reason)];
            }
        };
        let flaw = check_event(event, before, rules).err();
        if event.content.is_none() {
            return self.erased_steps(index, committed, flaw);
        }
        let mut steps = told(&subject, before.is_some(), committed, event, flaw);
        if flaw.is_none() && before.is_some() {
            steps.push(self.seal_step(index));
        }
        steps
    }

    /// An erased record: only its place can be seen, if the next one names it.
    fn erased_steps(&self, index: usize, committed: &Committed, flaw: Option<Flaw>) -> Vec<Step> {
        let subject = subject(index);
        let on_chain = match (flaw, committed.digest) {
            (Some(flaw), _) => Step::failed(ON_CHAIN, &subject, flaw.to_string()),
            (None, Some(_)) => Step::ok(ON_CHAIN, &subject, &committed.detail),
            (None, None) => Step::not_checked(ON_CHAIN, &subject, &committed.detail),
        };
        let erased = "its content was erased: who signed it and what it said cannot be told";
        let is_named = matches!(self.records.get(index + 1), Some(Some(Ok(_))));
        let link = if is_named {
            Step::ok(LINK, &subject, "the record after it names it by commitment and transaction")
        } else {
            Step::not_checked(LINK, &subject, "nothing that is signed names it")
        };
        vec![on_chain, Step::not_checked(RECORD, &subject, erased), link]
    }

    fn evidence<'b>(
        &'b self,
        index: usize,
        committed: &Result<Committed, String>,
    ) -> Option<EventEvidence<'b>> {
        let record = &self.bundle.records[index];
        let content = match (&record.content, &self.records[index]) {
            (Some(content), Some(Ok(read))) => Some(SignedContent {
                canonical: content.record.as_bytes(),
                record: read,
                salt: content.salt.as_bytes(),
                issuer_signature: content.issuer_signature.as_ref(),
            }),
            (None, None) => None,
            _ => return None,
        };
        Some(EventEvidence {
            content,
            commitment: record.commitment,
            txid: record.txid,
            committed_on_chain: committed.as_ref().ok()?.digest,
        })
    }

    /// Finds what the transaction of a record commits to.
    fn committed(&self, index: usize) -> Result<Committed, String> {
        let record = &self.bundle.records[index];
        let Some(txid) = record.txid else {
            let detail = "it has no transaction yet".to_owned();
            return Ok(Committed { digest: None, detail });
        };
        let transaction = self.carriers.get(&txid).ok_or("its transaction is missing")?;
        let payload = payload_of(transaction).ok_or("its transaction commits to nothing")?;
        let is_first = index == 0;
        match (payload, &record.inclusion) {
            (Payload::Register(digest), None) if is_first => Ok(Committed::alone(digest)),
            (Payload::Transfer(digest), None) if !is_first => Ok(Committed::alone(digest)),
            (Payload::Batch { root, tree_size, log }, Some(proof)) => {
                if proof.tree_size != tree_size {
                    return Err("the tree on chain has another size".to_owned());
                }
                verify_inclusion(&record.commitment, proof, &root)
                    .map_err(|error| error.to_string())?;
                let leaf = proof.leaf_index;
                let log = log.map_or_else(String::new, |log| {
                    let (size, root) = (log.size, log.root);
                    format!(", which also commits to the log of {size} leaves with the root {root}")
                });
                Ok(Committed {
                    digest: Some(record.commitment),
                    detail: format!("leaf {leaf} of the tree of {tree_size} in {txid}{log}"),
                })
            }
            _ => Err("its transaction holds another kind of commitment".to_owned()),
        }
    }

    /// Says whether the transfer spends the seal of the event before, which only one can.
    fn seal_step(&self, index: usize) -> Step {
        let subject = subject(index);
        let carrier = |index: usize| {
            self.bundle.records[index].txid.and_then(|txid| Some((txid, self.carriers.get(&txid)?)))
        };
        let spends = match (carrier(index), carrier(index - 1)) {
            (Some((_, this)), Some((txid, before))) => this.inputs.iter().any(|input| {
                let vout = usize::try_from(input.previous.vout).ok();
                input.previous.txid == txid
                    && vout
                        .and_then(|vout| before.outputs.get(vout))
                        .is_some_and(|output| output.value == SEAL_AMOUNT)
            }),
            _ => false,
        };
        if spends {
            let detail = "it spends the seal of the event before: the network takes no second one";
            Step::ok(SEAL, &subject, detail)
        } else {
            let detail = "no seal: that there is no other successor rests on the issuer alone";
            Step::not_checked(SEAL, &subject, detail)
        }
    }
}

impl Committed {
    fn alone(digest: Digest) -> Self {
        Self { digest: Some(digest), detail: "its transaction holds its commitment".to_owned() }
    }
}

/// Tells the steps of an event in the order in which the rules look at it, up to the flaw.
fn told(
    subject: &str,
    is_transfer: bool,
    committed: &Committed,
    event: &EventEvidence<'_>,
    flaw: Option<Flaw>,
) -> Vec<Step> {
    let on_chain = match committed.digest {
        Some(_) => Outcome::Ok,
        None => Outcome::NotChecked,
    };
    let signed = event.content.is_some_and(|content| content.issuer_signature.is_some());
    let signature = if signed { Outcome::Ok } else { Outcome::NotChecked };
    let signer = event.content.map(|it| it.record.auth.issuer.to_string()).unwrap_or_default();
    let mut all = vec![
        (COMMITMENT, Outcome::Ok, "salt and record give the commitment".to_owned()),
        (ON_CHAIN, on_chain, committed.detail.clone()),
        (RECORD, Outcome::Ok, "it is of this tag and network".to_owned()),
        (ISSUER_SIGNATURE, signature, format!("signed by {signer}")),
    ];
    if is_transfer {
        let link = "it names the event before by commitment and transaction".to_owned();
        all.push((LINK, Outcome::Ok, link));
        all.push((OWNER_SIGNATURE, Outcome::Ok, "the owner before signed it over".to_owned()));
    }
    if signature == Outcome::NotChecked {
        all[3].2 = "the issuer has not signed it yet".to_owned();
    }
    let wrong = flaw.map(step_of);
    let mut steps = Vec::new();
    for (name, outcome, detail) in all {
        if let (Some(wrong), Some(flaw)) = (wrong, flaw)
            && (name == wrong || (wrong == ISSUER && name == ISSUER_SIGNATURE))
        {
            steps.push(Step::failed(wrong, subject, flaw.to_string()));
            return steps;
        }
        steps.push(Step { name, subject: subject.to_owned(), outcome, detail });
    }
    if let (Some(wrong), Some(flaw)) = (wrong, flaw) {
        steps.push(Step::failed(wrong, subject, flaw.to_string()));
    }
    steps
}

const fn step_of(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::Commitment => COMMITMENT,
        Flaw::OnChain => ON_CHAIN,
        Flaw::Misplaced => RECORD,
        Flaw::UnknownIssuer => ISSUER,
        Flaw::Unsigned | Flaw::IssuerSignature => ISSUER_SIGNATURE,
        Flaw::BrokenLink => LINK,
        Flaw::OwnerSignature => OWNER_SIGNATURE,
    }
}

/// Returns what is written of an event's place.
pub(super) fn subject(index: usize) -> String {
    format!("record {index}")
}

fn read_record(bytes: &[u8]) -> Result<AuthenticationRecord, String> {
    let record: AuthenticationRecord =
        from_canonical_bytes(bytes).map_err(|error| error.to_string())?;
    if record.version == RECORD_VERSION {
        Ok(record)
    } else {
        Err(format!("it has the unknown version {}", record.version))
    }
}

fn payload_of(transaction: &Transaction) -> Option<Payload> {
    transaction.outputs.iter().find_map(|output| Payload::from_script(&output.locking_script))
}

/// Returns the word for a kind of event.
pub(super) const fn purpose_word(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::RegisterPatch => "registered",
        Purpose::TransferOwnership => "handed on",
    }
}
