//! Proofs to take away, collected from stored evidence: the whole custody as a bundle, the newest
//! transaction as BEEF or TSC proof.

use crate::bitcoin::{Beef, BeefError, MerklePath, Transaction, TscProof};
use crate::patch::tag::UidTag;
use crate::proof::{Bundle, BundledHeader, BundledRecord, Content};
use crate::service::verification::{
    CustodyEvent, VerificationService, collect_events, is_still_open,
};
use crate::storage::headers::{best_hash_at, header};
use crate::storage::patches::patch;
use crate::storage::records::records_of;
use crate::storage::transactions::{expect_transaction, proof, transaction};
use crate::storage::{StoreError, StoredTransaction, Tables, TransactionState};
use crate::types::{BlockHash, Txid};

const UNPROVED: StoreError = StoreError::Corrupt { entity: "proof" };

/// A transaction with the path that proves it, if it is in a block.
type Proved = (Transaction, Option<MerklePath>);

/// A bundle's transactions: those that are proved, with their ancestors, and those that cannot be.
struct Carried {
    beef: Option<Beef>,
    loose: Vec<Transaction>,
}

impl VerificationService {
    /// Collects a product's custody with everything that proves it; nothing if nobody registered it.
    /// What was erased, or is to be, is there by commitment and transaction only.
    pub fn bundle(&self, uid: &UidTag) -> Result<Option<Bundle>, StoreError> {
        self.store.read(|tx| {
            let Some(found) = patch(tx, uid.as_str())? else { return Ok(None) };
            let events = collect_events(tx, records_of(tx, uid.as_str())?)?;
            let events = events.ok_or(StoreError::Corrupt { entity: "record" })?;
            // A pending transfer is not custody yet, and a failed one never was.
            let custody =
                events.iter().filter(|it| it.stored.position == 0 || !is_still_open(it, &found));
            let records: Vec<BundledRecord> =
                custody.map(bundled_record).collect::<Result<_, _>>()?;
            let carried = carried(tx, &records)?;
            let paths = carried.beef.as_ref().map(|it| it.merkle_paths.as_slice());
            let headers = bundled_headers(tx, paths.unwrap_or_default())?;
            Ok(Some(Bundle {
                network: self.network,
                uid: uid.clone(),
                records,
                beef: carried.beef,
                transactions: carried.loose,
                headers,
            }))
        })
    }

    /// Collects the newest event's transaction with everything that proves it, as BEEF; nothing
    /// while that is incomplete, because something that it spends is not proved to be in a block.
    pub fn beef(&self, uid: &UidTag) -> Result<Option<Beef>, StoreError> {
        self.store.read(|tx| {
            let Some(txid) = patch(tx, uid.as_str())?.and_then(|found| found.current_txid) else {
                return Ok(None);
            };
            let (subject, path) = proved(tx, &expect_transaction(tx, txid)?)?;
            complete(Beef::collect(subject, path, |txid| parent(tx, *txid)))
        })
    }

    /// Returns the proof that the newest event's transaction is in a block, in the TSC form (BRC-10);
    /// nothing while it is in none.
    pub fn tsc_proof(&self, uid: &UidTag) -> Result<Option<TscProof>, StoreError> {
        self.store.read(|tx| {
            let Some(txid) = patch(tx, uid.as_str())?.and_then(|found| found.current_txid) else {
                return Ok(None);
            };
            let stored = expect_transaction(tx, txid)?;
            let Some((block, path)) = standing_proof(tx, &stored)? else { return Ok(None) };
            path.to_tsc(&txid, block).map(Some).map_err(|_| UNPROVED)
        })
    }
}

fn bundled_record(event: &CustodyEvent) -> Result<BundledRecord, StoreError> {
    let stored = &event.stored;
    let content = match event.told() {
        None => None,
        Some(_) => Some(Content {
            record: String::from_utf8(stored.canonical.clone())
                .map_err(|_| StoreError::Corrupt { entity: "record" })?,
            salt: stored.salt,
            issuer_signature: stored.issuer_signature.as_ref().and_then(|it| it.signature()),
        }),
    };
    let inclusion = event.inclusion.as_ref().map(|inclusion| inclusion.proof.clone());
    Ok(BundledRecord { content, commitment: stored.commitment, txid: stored.txid, inclusion })
}

/// Collects the transactions that carry records, what they share once.
fn carried(tables: &impl Tables, records: &[BundledRecord]) -> Result<Carried, StoreError> {
    let (mut subjects, mut loose): (Vec<Proved>, Vec<Transaction>) = (Vec::new(), Vec::new());
    for txid in records.iter().filter_map(|record| record.txid) {
        let (transaction, path) = proved(tables, &expect_transaction(tables, txid)?)?;
        let is_complete = path.is_some()
            || complete(Beef::collect(transaction.clone(), None, |txid| parent(tables, *txid)))?
                .is_some();
        if is_complete {
            subjects.push((transaction, path));
        } else {
            loose.push(transaction);
        }
    }
    let beef = match subjects.is_empty() {
        true => None,
        false => complete(Beef::collect_all(subjects, |txid| parent(tables, *txid)))?,
    };
    Ok(Carried { beef, loose })
}

fn bundled_headers(
    tables: &impl Tables,
    paths: &[MerklePath],
) -> Result<Vec<BundledHeader>, StoreError> {
    let missing = || StoreError::Missing { entity: "header" };
    let mut headers = Vec::with_capacity(paths.len());
    for height in paths.iter().map(MerklePath::block_height) {
        let hash = best_hash_at(tables, height)?.ok_or_else(missing)?;
        let stored = header(tables, hash)?.ok_or_else(missing)?;
        headers.push(BundledHeader { height, header: stored.header });
    }
    headers.sort_unstable_by_key(|header| header.height);
    Ok(headers)
}

/// Tells what is incomplete from what is wrong.
fn complete(collected: Result<Beef, BeefError>) -> Result<Option<Beef>, StoreError> {
    match collected {
        Ok(beef) => Ok(Some(beef)),
        Err(error) if error.is_incomplete() => Ok(None),
        Err(_) => Err(UNPROVED),
    }
}

fn parent(tables: &impl Tables, txid: Txid) -> Option<Proved> {
    let stored = transaction(tables, txid).ok().flatten()?;
    proved(tables, &stored).ok()
}

fn proved(tables: &impl Tables, stored: &StoredTransaction) -> Result<Proved, StoreError> {
    let path = standing_proof(tables, stored)?.map(|(_, path)| path);
    Ok((stored.parse()?, path))
}

/// Returns the path of a transaction and the block that it leads to, if that is on the best chain.
fn standing_proof(
    tables: &impl Tables,
    stored: &StoredTransaction,
) -> Result<Option<(BlockHash, MerklePath)>, StoreError> {
    let (block, height) = match stored.state {
        TransactionState::Mined { block, height } => (block, height),
        TransactionState::Signed | TransactionState::Seen | TransactionState::Dead { .. } => {
            return Ok(None);
        }
    };
    if best_hash_at(tables, height)? != Some(block) {
        return Ok(None);
    }
    let Some(path) = proof(tables, stored.txid)? else { return Ok(None) };
    // A network may have given a path that is made for others' transactions too.
    let own = path
        .to_tsc(&stored.txid, block)
        .and_then(|proof| MerklePath::from_tsc(&proof, &stored.txid, path.block_height()))
        .map_err(|_| UNPROVED)?;
    Ok(Some((block, own)))
}
