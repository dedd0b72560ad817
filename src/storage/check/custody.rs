//! Products and their events: complete, linked, and as they were signed.

use redb::ReadableTable;

use crate::anchor::canonical::from_canonical_bytes;
use crate::anchor::commitment::commit;
use crate::bitcoin::Address;
use crate::patch::erasure::ProductFacts;
use crate::patch::record::{AuthenticationRecord, Purpose};
use crate::storage::check::{CheckReport, Row, each_row, readable};
use crate::storage::{
    ErasedRecord, Patch, StoreError, StoredRecord, Tables, erasures, jobs, patches, records,
};
use crate::types::RecordId;

/// Checks every product and the index over owners.
pub(super) fn check_patches(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(tables.patches(), "patch", report, |key, patch: Patch, report| {
        report.expect(key == patch.uid.as_str(), "row", Row("patch", key), "under another key");
        let indexed = tables.patches_by_owner().get((*patch.owner.hash160(), key))?.is_some();
        report.expect(indexed, "index", &patch.uid, "is not listed under its owner");
        check_head(tables, &patch, report)?;
        check_pending(tables, &patch, report)?;
        check_positions(tables, &patch, report)
    })?;
    for row in tables.patches_by_owner().iter()? {
        let (key, _) = row?;
        let (owner, uid) = key.value();
        let patch = readable(patches::patch(tables, uid))?;
        let holds = patch.is_some_and(|patch| *patch.owner.hash160() == owner);
        report.expect(holds, "index", Row("patch by owner", key.value()), "names no such product");
    }
    Ok(())
}

fn check_head(
    tables: &impl Tables,
    patch: &Patch,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(head) = event_of(tables, patch, patch.head)? else {
        report.add("I2", &patch.uid, format!("its newest event {} is missing", patch.head));
        return Ok(());
    };
    let holds = patch.current_txid.is_none() || patch.current_txid == head.txid;
    report.expect(holds, "I4", &patch.uid, "its transaction is not that of its newest event");
    // An unreadable event is reported where all events are read.
    if let Ok(document) = from_canonical_bytes::<AuthenticationRecord>(&head.canonical) {
        let holds = document.auth.owner == patch.owner.to_string();
        report.expect(holds, "I7", &patch.uid, "its owner is not the one of its newest event");
    }
    Ok(())
}

fn check_pending(
    tables: &impl Tables,
    patch: &Patch,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(pending) = patch.pending else { return Ok(()) };
    match event_of(tables, patch, pending)? {
        None => report.add("I2", &patch.uid, format!("its pending event {pending} is missing")),
        Some(event) if event.previous == Some(patch.head) => {}
        Some(_) => report.add("I4", &patch.uid, "its pending event does not follow its newest"),
    }
    Ok(())
}

fn event_of(
    tables: &impl Tables,
    patch: &Patch,
    id: RecordId,
) -> Result<Option<StoredRecord>, StoreError> {
    Ok(readable(records::record(tables, id))?.filter(|event| event.uid == patch.uid))
}

fn check_positions(
    tables: &impl Tables,
    patch: &Patch,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let uid = patch.uid.as_str();
    let mut next = 0;
    for row in tables.records_by_patch().range((uid, 0)..=(uid, u32::MAX))? {
        if row?.0.value().1 != next {
            break;
        }
        next += 1;
    }
    if next != patch.events {
        let detail = format!("has {next} events in a row and should have {}", patch.events);
        report.add("I2", &patch.uid, detail);
    }
    Ok(())
}

/// Checks every event and the indexes over them.
pub(super) fn check_records(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(tables.records(), "record", report, |key, record: StoredRecord, report| {
        let id = record.id;
        report.expect(key == id.to_bytes(), "row", Row("record", key), "under another key");
        let patch = readable(patches::patch(tables, record.uid.as_str()))?;
        report.expect(patch.is_some(), "I2", id, "belongs to no product");
        let job = readable(jobs::job(tables, id))?;
        report.expect(job.is_some(), "I2", id, "has no job");
        let place = (record.uid.as_str(), record.position);
        let at_place = tables.records_by_patch().get(place)?.map(|row| row.value());
        report.expect(at_place == Some(key), "index", id, "is not listed under its product");
        if let Some(txid) = record.txid {
            let carried = records::record_by_txid(tables, txid)?;
            report.expect(carried == Some(id), "index", id, "is not listed under its transaction");
        }
        if record.is_erased() {
            check_erased(tables, &record, report)?;
        } else {
            check_signed_bytes(&record, report);
        }
        check_parties(tables, &record, report)?;
        check_link(tables, &record, report)
    })?;
    check_record_indexes(tables, report)
}

/// A record without its bytes was erased, and what had to stay has stayed.
fn check_erased(
    tables: &impl Tables,
    record: &StoredRecord,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let kept = readable(erasures::erased_record(tables, record.id))?;
    let facts = kept.and_then(|kept| ProductFacts::from_json(&kept.facts));
    let holds = facts.is_some_and(|facts| facts.product.uid_tag_id == record.uid);
    report.expect(holds, "I7", record.id, "its bytes are missing and were not erased");
    let has_rest = *record.salt.as_bytes() != [0; 16] || record.issuer_signature.is_some();
    report.expect(!has_rest, "I7", record.id, "was erased and keeps its salt or signature");
    Ok(())
}

/// Checks what is erased, is to be erased, and by which owners records are found.
pub(super) fn check_erasures(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(tables.erased_records(), "erased record", report, |id, _: ErasedRecord, report| {
        let id = RecordId::from_bytes(id);
        let record = readable(records::record(tables, id))?;
        let holds = record.is_some_and(|record| record.is_erased());
        report.expect(holds, "I7", Row("erased record", id), "is there or never was");
        Ok(())
    })?;
    for row in tables.erasures_due().iter()? {
        let id = RecordId::from_bytes(row?.0.value());
        let record = readable(records::record(tables, id))?;
        let holds = record.is_some_and(|record| !record.is_erased());
        report.expect(holds, "I7", Row("erasure due", id), "has nothing to erase");
    }
    for row in tables.records_by_party().iter()? {
        let (hash, id) = row?.0.value();
        let id = RecordId::from_bytes(id);
        let record = readable(records::record(tables, id))?;
        let says =
            record.and_then(|it| from_canonical_bytes::<AuthenticationRecord>(&it.canonical).ok());
        let named = says.and_then(|says| Address::parse(&says.auth.owner, says.network).ok());
        let holds = named.is_some_and(|address| *address.hash160() == hash);
        report.expect(holds, "index", Row("record by party", id), "names another owner");
    }
    Ok(())
}

fn check_signed_bytes(record: &StoredRecord, report: &mut CheckReport) {
    let holds = commit(&record.salt, &record.canonical) == record.commitment;
    report.expect(holds, "I7", record.id, "its bytes do not match its commitment");
    match from_canonical_bytes::<AuthenticationRecord>(&record.canonical) {
        Ok(document) => {
            let holds = document.product.uid_tag_id == record.uid
                && document.purpose == record.purpose
                && document.auth.prev_txid.is_some() == record.previous.is_some();
            report.expect(holds, "I7", record.id, "its bytes state another event");
        }
        Err(error) => report.add("I7", record.id, error.to_string()),
    }
}

/// Checks that a transfer is found by the owner it names.
fn check_parties(
    tables: &impl Tables,
    record: &StoredRecord,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Ok(says) = from_canonical_bytes::<AuthenticationRecord>(&record.canonical) else {
        return Ok(());
    };
    if says.purpose != Purpose::TransferOwnership {
        return Ok(());
    }
    let Ok(owner) = Address::parse(&says.auth.owner, says.network) else { return Ok(()) };
    let key = (*owner.hash160(), record.id.to_bytes());
    let is_listed = tables.records_by_party().get(key)?.is_some();
    report.expect(is_listed, "index", record.id, "is not listed under the owner it names");
    Ok(())
}

fn check_link(
    tables: &impl Tables,
    record: &StoredRecord,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let is_first = record.position == 0;
    let holds = is_first == record.previous.is_none()
        && is_first == (record.purpose == Purpose::RegisterPatch);
    report.expect(holds, "I7", record.id, "only the first event is a registration");
    if let Some(previous) = record.previous {
        let previous = readable(records::record(tables, previous))?;
        let holds = previous
            .is_some_and(|before| before.uid == record.uid && before.position < record.position);
        report.expect(holds, "I7", record.id, "follows no event of its product");
    }
    Ok(())
}

fn check_record_indexes(tables: &impl Tables, report: &mut CheckReport) -> Result<(), StoreError> {
    for row in tables.records_by_patch().iter()? {
        let (key, id) = row?;
        let (uid, position) = key.value();
        let record = readable(records::record(tables, RecordId::from_bytes(id.value())))?;
        let holds = record.is_some_and(|it| it.uid.as_str() == uid && it.position == position);
        report.expect(holds, "index", Row("record by patch", key.value()), "names no such event");
    }
    for row in tables.records_by_txid().iter()? {
        let (txid, id) = row?;
        let record = readable(records::record(tables, RecordId::from_bytes(id.value())))?;
        let holds =
            record.and_then(|it| it.txid).is_some_and(|carrier| carrier.to_bytes() == txid.value());
        let subject = Row("record by txid", RecordId::from_bytes(id.value()));
        report.expect(holds, "index", subject, "names no such event");
    }
    Ok(())
}
