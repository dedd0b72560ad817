//! Where the custody of a product stands while its events come, go back and fail.

use crate::bitcoin::Address;
use crate::patch::record::{AuthenticationRecord, Purpose};
use crate::storage::patches::patch;
use crate::storage::records::expect_record;
use crate::storage::{Patch, StoreError, StoredRecord, WriteTx};
use crate::types::{RecordId, Timestamp, Txid};

/// The network has taken an event's transaction: custody moves on to it.
pub(super) fn advance(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    txid: Txid,
    now: Timestamp,
) -> Result<(), StoreError> {
    let record = expect_record(tx, id)?;
    let found = expect_patch(tx, &record)?;
    if found.pending != Some(id) && found.head != id {
        // A later event is on the network already; this one only came back from a reorganisation.
        return Ok(());
    }
    tx.put_patch(&Patch {
        owner: owner_of(&record, &found)?,
        head: id,
        pending: if found.pending == Some(id) { None } else { found.pending },
        current_txid: Some(txid),
        updated_at: now,
        ..found
    })
}

/// An event's transaction is dead: custody goes back to the event before, which this one follows
/// again once it has another transaction.
pub(super) fn take_back(
    tx: &mut WriteTx<'_>,
    record: &StoredRecord,
    now: Timestamp,
) -> Result<(), StoreError> {
    let found = expect_patch(tx, record)?;
    if found.head != record.id {
        return Ok(());
    }
    let Some(previous) = record.previous else {
        return tx.put_patch(&Patch { current_txid: None, updated_at: now, ..found });
    };
    let before = expect_record(tx, previous)?;
    tx.put_patch(&Patch {
        owner: owner_before(record, &before, &found)?,
        head: previous,
        pending: Some(record.id),
        current_txid: before.txid,
        updated_at: now,
        ..found
    })
}

/// An event will never be anchored: a transfer's claim on the head is given up. A product whose
/// registration failed stays, without a transaction.
pub(super) fn give_up(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let record = expect_record(tx, id)?;
    let found = expect_patch(tx, &record)?;
    if record.purpose == Purpose::TransferOwnership && found.pending == Some(id) {
        tx.put_patch(&Patch { pending: None, updated_at: now, ..found })?;
    }
    Ok(())
}

/// Returns whose the product was before an event. Where that record was erased, the event itself names
/// the key that handed over.
fn owner_before(
    event: &StoredRecord,
    before: &StoredRecord,
    patch: &Patch,
) -> Result<Address, StoreError> {
    if !before.is_erased() {
        return owner_of(before, patch);
    }
    let parsed: AuthenticationRecord = serde_json::from_slice(&event.canonical)
        .map_err(|_| StoreError::Corrupt { entity: "record" })?;
    let key = parsed.auth.prev_owner_public_key.ok_or(StoreError::Corrupt { entity: "record" })?;
    Ok(Address::of_key(&key, patch.owner.network()))
}

fn owner_of(record: &StoredRecord, patch: &Patch) -> Result<Address, StoreError> {
    let parsed: AuthenticationRecord = serde_json::from_slice(&record.canonical)
        .map_err(|_| StoreError::Corrupt { entity: "record" })?;
    Address::parse(&parsed.auth.owner, patch.owner.network())
        .map_err(|_| StoreError::Corrupt { entity: "record" })
}

fn expect_patch(tx: &WriteTx<'_>, record: &StoredRecord) -> Result<Patch, StoreError> {
    patch(tx, record.uid.as_str())?.ok_or(StoreError::Missing { entity: "patch" })
}
