//! Finding the product that a transfer is of. A transaction names one product, or all those whose
//! registrations one batch carries; among these the owner's signature decides, because it names the
//! tag.

use crate::anchor::canonical::from_canonical_bytes;
use crate::bitcoin::Address;
use crate::patch::custody::{OwnerConsent, check_owner_consent};
use crate::patch::erasure::ProductFacts;
use crate::patch::record::AuthenticationRecord;
use crate::patch::tag::UidTag;
use crate::service::transfer::{Transfer, TransferError};
use crate::storage::batches::{batch_followers, place_in_batch};
use crate::storage::erasures::erased_record;
use crate::storage::jobs::expect_job;
use crate::storage::patches::{patch, patches_of_owner};
use crate::storage::records::{expect_record, record_by_txid, records_of};
use crate::storage::transactions::transaction;
use crate::storage::{Patch, StoreError, StoredRecord, Tables, TransactionOrigin};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{Network, RecordId, Txid};

/// The most signatures that are tried for one request; each costs some 50 µs.
const MOST_TRIED: usize = 1_000;
/// The most products of one owner, and transfers of one batch, that are looked through.
const MOST_LOOKED_THROUGH: usize = 10_000;

/// What a transfer starts from.
pub(super) struct Present {
    pub(super) patch: Patch,
    pub(super) head: StoredRecord,
    /// What the product is, as the next record will say again.
    pub(super) facts: ProductFacts,
}

/// Finds the product whose present state is the one in the transaction that a transfer names.
pub(super) fn find_present(
    tables: &impl Tables,
    transfer: &Transfer,
    network: Network,
) -> Result<Present, TransferError> {
    let txid = transfer.current_txid;
    let found = match record_by_txid(tables, txid)? {
        Some(id) => {
            let uid = expect_record(tables, id)?.uid;
            if transfer.uid.as_ref().is_some_and(|wanted| *wanted != uid) {
                return Err(TransferError::NotFound);
            }
            patch(tables, uid.as_str())?.ok_or(TransferError::NotFound)?
        }
        None => find_in_batch(tables, transfer, network)?,
    };
    let head = expect_record(tables, found.head)?;
    let is_present = head.txid == Some(txid) && found.current_txid == Some(txid);
    if !is_present || found.pending.is_some() {
        return Err(TransferError::StateMoved);
    }
    let facts = product_facts(tables, &head)?;
    Ok(Present { patch: found, head, facts })
}

/// Finds the product among those whose registrations a batch carries.
fn find_in_batch(
    tables: &impl Tables,
    transfer: &Transfer,
    network: Network,
) -> Result<Patch, TransferError> {
    let batch = batch_of(tables, transfer.current_txid)?.ok_or(TransferError::NotFound)?;
    if let Some(uid) = &transfer.uid {
        let first = records_of(tables, uid.as_str())?.into_iter().next();
        let first = first.ok_or(TransferError::NotFound)?;
        let place = place_in_batch(tables, first.id)?;
        if place.is_none_or(|place| place.batch != batch) {
            return Err(TransferError::NotFound);
        }
        return patch(tables, uid.as_str())?.ok_or(TransferError::NotFound);
    }
    let owner = Address::of_key(&transfer.owner_public_key, network);
    let tags = patches_of_owner(tables, owner.hash160(), None, MOST_LOOKED_THROUGH)?;
    let is_cut = tags.len() == MOST_LOOKED_THROUGH;
    let mut tried = 0;
    for tag in tags {
        let Some(found) = patch(tables, &tag)? else { continue };
        if place_in_batch(tables, found.head)?.is_none_or(|place| place.batch != batch) {
            continue;
        }
        tried += 1;
        if tried > MOST_TRIED {
            return Err(TransferError::TooManyProducts);
        }
        let is_meant = is_signed_for(transfer, &found.uid, network);
        #[cfg(feature = "planted-bugs")]
        let is_meant = is_meant || Defect::AnyProductOfBatch.is_planted();
        if is_meant {
            return Ok(found);
        }
    }
    if has_moved(tables, batch, transfer, network)? {
        return Err(TransferError::StateMoved);
    }
    Err(match (is_cut, tried) {
        (true, _) => TransferError::TooManyProducts,
        (false, 0) => TransferError::NotOwner,
        (false, _) => TransferError::BadSignature,
    })
}

/// Returns the batch whose present transaction this is.
fn batch_of(tables: &impl Tables, txid: Txid) -> Result<Option<RecordId>, StoreError> {
    let Some(stored) = transaction(tables, txid)? else { return Ok(None) };
    let TransactionOrigin::Batch(batch) = stored.origin else { return Ok(None) };
    Ok((expect_job(tables, batch)?.txid() == Some(txid)).then_some(batch))
}

/// Says whether the owner signed over a product that was handed on since: it is his no longer, and
/// so not among his products.
fn has_moved(
    tables: &impl Tables,
    batch: RecordId,
    transfer: &Transfer,
    network: Network,
) -> Result<bool, StoreError> {
    let mut seen = std::collections::HashSet::new();
    for id in batch_followers(tables, batch)?.into_iter().take(MOST_LOOKED_THROUGH) {
        let uid = expect_record(tables, id)?.uid;
        if seen.len() < MOST_TRIED
            && seen.insert(uid.as_str().to_owned())
            && is_signed_for(transfer, &uid, network)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_signed_for(transfer: &Transfer, uid: &UidTag, network: Network) -> bool {
    let owner = Address::of_key(&transfer.owner_public_key, network);
    let consent = OwnerConsent {
        uid,
        current_txid: transfer.current_txid,
        owner: &owner.to_string(),
        new_owner: &transfer.new_owner.to_string(),
        network,
        public_key: &transfer.owner_public_key,
        signature: &transfer.owner_signature,
    };
    check_owner_consent(&consent).is_ok()
}

/// Returns what the record says of its product, and what is kept of that if it was erased.
fn product_facts(tables: &impl Tables, head: &StoredRecord) -> Result<ProductFacts, TransferError> {
    if let Some(erased) = erased_record(tables, head.id)? {
        let kept = ProductFacts::from_json(&erased.facts);
        return kept.ok_or_else(|| StoreError::Corrupt { entity: "erased record" }.into());
    }
    let before: AuthenticationRecord = from_canonical_bytes(&head.canonical)?;
    Ok(ProductFacts { product: before.product, metadata: before.metadata })
}
