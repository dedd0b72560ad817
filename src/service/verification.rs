//! "This is authentic": the whole custody chain checked from stored evidence, and what it says.
//!
//! The check runs anew whenever anything it rests on has changed and is remembered otherwise.

use std::sync::Arc;

use crate::anchor::lifecycle::{Job, Stage};
use crate::anchor::payload::Payload;
use crate::bitcoin::{Beef, MerklePath, Transaction};
use crate::crypto::PublicKey;
use crate::patch::custody::{CustodyError, CustodyRules, EventEvidence, check_custody};
use crate::patch::record::AuthenticationRecord;
use crate::patch::tag::UidTag;
use crate::storage::headers::{best_hash_at, chain_head, header};
use crate::storage::jobs::expect_job;
use crate::storage::patches::patch;
use crate::storage::records::records_of;
use crate::storage::transactions::{expect_transaction, proof, transaction};
use crate::storage::{
    Patch, Store, StoreError, StoredRecord, StoredTransaction, Tables, TransactionState,
};
use crate::types::{BlockHash, Digest, Network, Timestamp, Txid};

/// What verification says of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody registered it.
    NotFound,
    /// Registered, not yet taken by the network.
    Pending,
    /// Every link of its custody holds.
    Authentic,
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
    /// What its bytes say.
    pub record: AuthenticationRecord,
    /// How far it has come.
    pub job: Job,
    /// The block of its transaction, if it is in one.
    pub block: Option<BlockFacts>,
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
            let parsed: Result<Vec<AuthenticationRecord>, _> =
                stored.iter().map(|record| serde_json::from_slice(&record.canonical)).collect();
            let Ok(parsed) = parsed else {
                let reason = "a stored record cannot be read".to_owned();
                let verdict = Verdict::Compromised { reason };
                return Ok(Verification { verdict, patch: Some(found), events: vec![] });
            };
            let events = collect_events(tx, stored, parsed)?;
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
            evidence.push(EventEvidence {
                canonical: &event.stored.canonical,
                record: &event.record,
                salt: event.stored.salt.as_bytes(),
                commitment: event.stored.commitment,
                issuer_signature: signature.as_ref(),
                txid: event.stored.txid,
                committed_on_chain: committed(tables, event.stored.txid)?,
            });
        }
        let rules = CustodyRules { uid, network: self.network, issuers: &self.issuers };
        if let Err(error) = check_custody(&evidence, &rules) {
            return Ok(Verdict::Compromised { reason: custody_reason(&error) });
        }
        if let Some(reason) = custody.last().and_then(|last| row_flaw(patch, last)) {
            return Ok(Verdict::Compromised { reason: reason.to_owned() });
        }
        Ok(if patch.current_txid.is_some() { Verdict::Authentic } else { Verdict::Pending })
    }

    /// Collects the newest event's transaction with everything that proves it, as BEEF; nothing
    /// while that is incomplete, because something that it spends is not proved to be in a block.
    pub fn beef(&self, uid: &UidTag) -> Result<Option<Beef>, StoreError> {
        self.store.read(|tx| {
            let Some(found) = patch(tx, uid.as_str())? else { return Ok(None) };
            let Some(txid) = found.current_txid else { return Ok(None) };
            let subject = expect_transaction(tx, txid)?;
            let path = standing_proof(tx, &subject)?;
            let parents = |txid: &Txid| parent(tx, *txid).ok().flatten();
            match Beef::collect(subject.parse()?, path, parents) {
                Ok(beef) => Ok(Some(beef)),
                Err(error) if error.is_incomplete() => Ok(None),
                Err(_) => Err(StoreError::Corrupt { entity: "proof" }),
            }
        })
    }
}

/// Says in what the product's row differs from its last event, which alone is evidence.
fn row_flaw(patch: &Patch, last: &CustodyEvent) -> Option<&'static str> {
    if last.record.auth.owner != patch.owner.to_string() {
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
fn is_still_open(event: &CustodyEvent, patch: &Patch) -> bool {
    patch.pending == Some(event.stored.id) || matches!(event.job.stage, Stage::Failed { .. })
}

fn parent(
    tables: &impl Tables,
    txid: Txid,
) -> Result<Option<(Transaction, Option<MerklePath>)>, StoreError> {
    let Some(stored) = transaction(tables, txid)? else { return Ok(None) };
    Ok(Some((stored.parse()?, standing_proof(tables, &stored)?)))
}

/// Returns the path of a transaction if the block that it leads to is on the best chain.
fn standing_proof(
    tables: &impl Tables,
    stored: &StoredTransaction,
) -> Result<Option<MerklePath>, StoreError> {
    match stored.state {
        TransactionState::Mined { block, height }
            if best_hash_at(tables, height)? == Some(block) =>
        {
            proof(tables, stored.txid)
        }
        TransactionState::Mined { .. }
        | TransactionState::Signed
        | TransactionState::Seen
        | TransactionState::Dead { .. } => Ok(None),
    }
}

/// Returns what the transaction commits to.
fn committed(tables: &impl Tables, txid: Option<Txid>) -> Result<Option<Digest>, StoreError> {
    let Some(txid) = txid else { return Ok(None) };
    let parsed = expect_transaction(tables, txid)?.parse()?;
    let nothing = Digest::from_bytes([0; 32]);
    let payload = parsed.outputs.iter().find_map(|o| Payload::from_script(&o.locking_script));
    Ok(Some(match payload {
        Some(Payload::Register(digest) | Payload::Transfer(digest)) => digest,
        // A batch proves its members by an inclusion proof, not by this comparison.
        Some(Payload::Batch { .. }) | None => nothing,
    }))
}

fn custody_reason(error: &CustodyError) -> String {
    error.to_string()
}

fn collect_events(
    tables: &impl Tables,
    stored: Vec<StoredRecord>,
    parsed: Vec<AuthenticationRecord>,
) -> Result<Vec<CustodyEvent>, StoreError> {
    stored
        .into_iter()
        .zip(parsed)
        .map(|(stored, record)| {
            let job = expect_job(tables, stored.id)?;
            let block = block_of(tables, &job)?;
            Ok(CustodyEvent { stored, record, job, block })
        })
        .collect()
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
