//! "This is authentic": the whole custody chain checked from stored evidence, and what it says.
//!
//! The check runs anew whenever anything it rests on has changed and is remembered otherwise.

mod inclusion;

use std::sync::Arc;

use crate::anchor::lifecycle::{Job, Stage};
use crate::bitcoin::{Address, MerklePath};
use crate::crypto::PublicKey;
use crate::patch::custody::{
    CustodyError, CustodyRules, EventEvidence, SignedContent, check_custody,
};
use crate::patch::erasure::{Erasure, ErasureKey};
use crate::patch::record::AuthenticationRecord;
use crate::patch::tag::UidTag;
use crate::storage::erasures::{erased_record, is_erasure_due};
use crate::storage::headers::{chain_head, header};
use crate::storage::jobs::expect_job;
use crate::storage::patches::patch;
use crate::storage::records::records_of;
use crate::storage::transactions::proof;
use crate::storage::{ErasedRecord, Patch, Store, StoreError, StoredRecord, Tables};
use crate::types::{BlockHash, Network, Timestamp};

pub use inclusion::Inclusion;
use inclusion::{committed, inclusion};

/// What verification says of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody registered it.
    NotFound,
    /// Registered, not yet taken by the network.
    Pending,
    /// Every link of its custody holds.
    Authentic,
    /// Everything it says was erased at the wish of those it named; only its commitments stand.
    Erased,
    /// Something does not match; nothing about it may be believed.
    Compromised {
        /// What does not match.
        reason: String,
    },
}

/// The block of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockFacts {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
    /// The miner's clock.
    pub time: Timestamp,
    /// Blocks on top, its own included.
    pub confirmations: u32,
    /// The path that proves the transaction to be in it.
    pub merkle_path: Option<MerklePath>,
}

/// One event of a product's custody, as told to the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustodyEvent {
    /// The event as stored.
    pub stored: StoredRecord,
    /// What its bytes say; nothing if they were erased.
    pub record: Option<AuthenticationRecord>,
    /// What stays of it if its content was erased.
    pub erased: Option<ErasedRecord>,
    /// Whether its content is to be erased, and told to nobody until then.
    pub is_withheld: bool,
    /// How far it has come.
    pub job: Job,
    /// The block of its transaction, if it is in one.
    pub block: Option<BlockFacts>,
    /// That it stands in a batch, if it does.
    pub inclusion: Option<Inclusion>,
}

/// Everything verification found out about a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The verdict.
    pub verdict: Verdict,
    /// The product, if registered.
    pub patch: Option<Patch>,
    /// Its events, oldest first.
    pub events: Vec<CustodyEvent>,
}

/// What a verdict rests on: as long as it is the same, so is the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generations {
    patch: u64,
    chain: u64,
}

/// Verifies products.
#[derive(Clone)]
pub struct VerificationService {
    /// The store.
    pub store: Store,
    /// The network.
    pub network: Network,
    /// The keys that may issue.
    pub issuers: Arc<[PublicKey]>,
    /// Recognises what this server erased.
    pub erasures: ErasureKey,
}

impl CustodyEvent {
    /// Returns what the world may know of what the event says.
    pub fn told(&self) -> Option<&AuthenticationRecord> {
        self.record.as_ref().filter(|_| !self.is_withheld)
    }
}

impl VerificationService {
    /// Returns what a verdict on `uid` rests on; ask before verifying.
    pub fn generations(&self, uid: &str) -> Generations {
        Generations {
            patch: self.store.patch_generation(uid),
            chain: self.store.chain_generation(),
        }
    }

    /// Checks a tag's whole custody from stored evidence.
    pub fn verify(&self, uid: &UidTag) -> Result<Verification, StoreError> {
        self.store.read(|tx| {
            let Some(found) = patch(tx, uid.as_str())? else {
                return Ok(Verification {
                    verdict: Verdict::NotFound,
                    patch: None,
                    events: vec![],
                });
            };
            let stored = records_of(tx, uid.as_str())?;
            let Some(events) = collect_events(tx, stored)? else {
                let reason = "a stored record cannot be read".to_owned();
                let verdict = Verdict::Compromised { reason };
                return Ok(Verification { verdict, patch: Some(found), events: vec![] });
            };
            let verdict = self.judge(tx, uid, &found, &events)?;
            Ok(Verification { verdict, patch: Some(found), events })
        })
    }

    fn judge(
        &self,
        tables: &impl Tables,
        uid: &UidTag,
        patch: &Patch,
        events: &[CustodyEvent],
    ) -> Result<Verdict, StoreError> {
        // A pending transfer is not custody yet, and a failed one never was.
        let custody: Vec<&CustodyEvent> = events
            .iter()
            .filter(|event| event.stored.position == 0 || !is_still_open(event, patch))
            .collect();
        let signatures: Vec<_> = custody
            .iter()
            .map(|event| event.stored.issuer_signature.as_ref().and_then(|s| s.signature()))
            .collect();
        let mut evidence = Vec::with_capacity(custody.len());
        for (event, signature) in custody.iter().zip(&signatures) {
            let content = event.record.as_ref().map(|record| SignedContent {
                canonical: &event.stored.canonical,
                record,
                salt: event.stored.salt.as_bytes(),
                issuer_signature: signature.as_ref(),
            });
            evidence.push(EventEvidence {
                content,
                commitment: event.stored.commitment,
                txid: event.stored.txid,
                committed_on_chain: committed(tables, &event.stored)?,
            });
        }
        let rules = CustodyRules { uid, network: self.network, issuers: &self.issuers };
        if let Err(error) = check_custody(&evidence, &rules) {
            return Ok(Verdict::Compromised { reason: custody_reason(&error) });
        }
        let flaw = custody.last().and_then(|last| row_flaw(patch, last));
        if let Some(reason) = flaw.or_else(|| self.erasure_flaw(patch, &custody)) {
            return Ok(Verdict::Compromised { reason: reason.to_owned() });
        }
        if custody.iter().all(|event| event.record.is_none()) {
            return Ok(Verdict::Erased);
        }
        Ok(if patch.current_txid.is_some() { Verdict::Authentic } else { Verdict::Pending })
    }

    /// Says what is wrong with what was erased: not by this server, or of somebody else's record.
    fn erasure_flaw(&self, patch: &Patch, custody: &[&CustodyEvent]) -> Option<&'static str> {
        for (place, event) in custody.iter().enumerate() {
            let Some(erased) = &event.erased else { continue };
            let id = event.stored.id;
            let erasure = Erasure {
                record: id,
                commitment: event.stored.commitment,
                erased_at: erased.erased_at,
                facts: &erased.facts,
                owner_mark: erased.owner_mark,
            };
            if !self.erasures.is_sealed(&erasure, &erased.seal) {
                return Some("a record is missing that this server did not erase");
            }
            // The owner is on file while he has the product, and the next record names his key.
            let owner = match custody.get(place + 1) {
                None => Some(*patch.owner.hash160()),
                Some(next) => next.record.as_ref().and_then(|record| {
                    let key = record.auth.prev_owner_public_key.as_ref()?;
                    Some(*Address::of_key(key, self.network).hash160())
                }),
            };
            if owner.is_some_and(|it| self.erasures.owner_mark(id, &it) != erased.owner_mark) {
                return Some("an erased record was another owner's");
            }
        }
        None
    }
}

/// Says in what the product's row differs from its last event, which alone is evidence.
fn row_flaw(patch: &Patch, last: &CustodyEvent) -> Option<&'static str> {
    let owner = last.record.as_ref().map(|record| &record.auth.owner);
    if owner.is_some_and(|owner| *owner != patch.owner.to_string()) {
        return Some("the owner on file is not the owner of the last event");
    }
    if last.stored.id != patch.head {
        return Some("the newest event on file is not the last event");
    }
    let is_carrier = match patch.current_txid {
        Some(txid) => last.stored.txid == Some(txid),
        None => !last.job.is_on_network(),
    };
    (!is_carrier).then_some("the transaction on file is not the one of the last event")
}

/// Says whether a transfer has not (or not yet) become custody.
pub(super) fn is_still_open(event: &CustodyEvent, patch: &Patch) -> bool {
    patch.pending == Some(event.stored.id) || matches!(event.job.stage, Stage::Failed { .. })
}

fn custody_reason(error: &CustodyError) -> String {
    error.to_string()
}

/// Collects events with what their bytes say; nothing if a record cannot be read.
pub(super) fn collect_events(
    tables: &impl Tables,
    stored: Vec<StoredRecord>,
) -> Result<Option<Vec<CustodyEvent>>, StoreError> {
    let mut events = Vec::with_capacity(stored.len());
    for stored in stored {
        let erased = erased_record(tables, stored.id)?;
        let record = match &erased {
            Some(_) => None,
            None => match serde_json::from_slice(&stored.canonical) {
                Ok(record) => Some(record),
                Err(_) => return Ok(None),
            },
        };
        let job = expect_job(tables, stored.id)?;
        let block = block_of(tables, &job)?;
        let is_withheld = is_erasure_due(tables, stored.id)?;
        let inclusion = inclusion(tables, &stored)?;
        events.push(CustodyEvent { stored, record, erased, is_withheld, job, block, inclusion });
    }
    Ok(Some(events))
}

fn block_of(tables: &impl Tables, job: &Job) -> Result<Option<BlockFacts>, StoreError> {
    let (txid, hash, height) = match &job.stage {
        Stage::Mined { txid, block, height } | Stage::Final { txid, block, height } => {
            (*txid, *block, *height)
        }
        Stage::Accepted
        | Stage::Reserved
        | Stage::Signed { .. }
        | Stage::Seen { .. }
        | Stage::Held { .. }
        | Stage::Failed { .. } => return Ok(None),
    };
    let Some(stored) = header(tables, hash)? else { return Ok(None) };
    let top = chain_head(tables)?.map_or(height, |head| head.height);
    Ok(Some(BlockFacts {
        hash,
        height,
        time: Timestamp::from_secs(i64::from(stored.header.time)),
        confirmations: (top + 1).saturating_sub(height),
        merkle_path: proof(tables, txid)?,
    }))
}
