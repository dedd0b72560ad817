//! Damage to products, events and jobs.

use super::*;
use crate::anchor::commitment::{Salt, commit};
use crate::anchor::lifecycle::Stage;
use crate::storage::{
    Patch, StoredRecord, StoredTransaction, TransactionOrigin, TransactionState, transactions,
};
use crate::types::Txid;

const NOBODY: [u8; 16] = [0xee; 16];

fn patch_of(tx: &WriteTx<'_>, event: &Event) -> Patch {
    crate::storage::patches::patch(tx, event.record.uid.as_str()).unwrap().unwrap()
}

fn sorted(mut violations: Vec<Violation>) -> Vec<Violation> {
    violations.sort();
    violations
}

/// Two products: one to leave alone, and one whose newest event has come this far.
fn sample(way: Way, is_transfer: bool) -> (Sample, Event) {
    let plan = if is_transfer { (Way::Final, Some(way)) } else { (way, None) };
    let sample = Sample::of(vec![(Way::Final, None), plan]);
    let event = sample.events.last().unwrap().clone();
    assert_eq!(event.way, way);
    (sample, event)
}

/// Changes the product of an event.
fn with_patch(way: Way, change: impl Fn(&mut Patch) + Send + 'static) -> (Event, Vec<Violation>) {
    let (sample, event) = sample(way, false);
    let it = event.clone();
    let found = sample.damaged(move |tx| {
        let mut patch = patch_of(tx, &it);
        change(&mut patch);
        tx.put_patch(&patch)
    });
    (event, sorted(found))
}

/// Changes the record of an event.
fn with_record(
    way: Way,
    change: impl Fn(&mut StoredRecord) + Send + 'static,
) -> (Event, Vec<Violation>) {
    let (sample, event) = sample(way, false);
    let mut record = event.record.clone();
    let found = sample.damaged(move |tx| {
        change(&mut record);
        tx.put_record(&record)
    });
    (event, sorted(found))
}

/// Changes the job of an event.
fn with_job(
    way: Way,
    change: impl Fn(&mut crate::anchor::lifecycle::Job) + Send + 'static,
) -> (Event, Vec<Violation>) {
    let (sample, event) = sample(way, false);
    let mut job = event.job.clone();
    let found = sample.damaged(move |tx| {
        change(&mut job);
        tx.put_job(&job)
    });
    (event, sorted(found))
}

/// Changes the transaction of an event.
pub(super) fn with_transaction(
    way: Way,
    change: impl Fn(&mut StoredTransaction) + Send + 'static,
) -> (Event, Vec<Violation>) {
    let (sample, event) = sample(way, false);
    let txid = event.txid();
    let found = sample.damaged(move |tx| {
        let mut stored = transactions::expect_transaction(tx, txid)?;
        change(&mut stored);
        tx.put_transaction(&stored)
    });
    (event, sorted(found))
}

#[test]
fn a_lost_event_leaves_a_hole_wherever_it_was_named() {
    let (sample, event) = sample(Way::Accepted, false);
    let (id, uid) = (event.record.id, event.record.uid);
    let found = sample.damaged(move |tx| {
        tx.tables.records.remove(id.to_bytes())?;
        Ok(())
    });
    let key = Row("record by patch", (uid.as_str(), 0));
    let expected = vec![
        violation("I2", id, "is the job of no record and of no operation"),
        violation("I2", &uid, &format!("its newest event {id} is missing")),
        violation("index", key, "names no such event"),
        violation("log", Row("leaf", 1u64), "is of no event that commits to it"),
        violation("log", "log", "has not one leaf for each event"),
    ];
    assert_eq!(sorted(found), sorted(expected));
}

#[test]
fn an_event_without_its_product_shows() {
    let (sample, event) = sample(Way::Seen, false);
    let (id, uid) = (event.record.id, event.record.uid.clone());
    let found = sample.damaged(move |tx| {
        let owner = *patch_of(tx, &event).owner.hash160();
        tx.tables.patches_by_owner.remove((owner, uid.as_str()))?;
        tx.tables.patches.remove(uid.as_str())?;
        Ok(())
    });
    assert_eq!(found, [violation("I2", id, "belongs to no product")]);
}

#[test]
fn an_event_without_its_job_shows() {
    let (sample, event) = sample(Way::Accepted, false);
    let id = event.record.id;
    let found = sample.damaged(move |tx| {
        tx.tables.jobs.remove(id.to_bytes())?;
        tx.tables.jobs_by_due.remove((NOW.as_millis(), id.to_bytes()))?;
        tx.tables.jobs_by_stage.remove((0, id.to_bytes()))?;
        tx.tables.job_totals.insert(0, 0)?;
        Ok(())
    });
    assert_eq!(found, [violation("I2", id, "has no job")]);
}

#[test]
fn a_product_must_have_as_many_events_as_it_says() {
    let (event, found) = with_patch(Way::Accepted, |patch| patch.events = 3);
    let detail = "has 1 events in a row and should have 3";
    assert_eq!(found, [violation("I2", event.record.uid, detail)]);
}

#[test]
fn a_pending_event_must_exist_and_follow_the_newest() {
    let nobody = RecordId::from_bytes(NOBODY);
    let (event, found) = with_patch(Way::Seen, move |patch| patch.pending = Some(nobody));
    let detail = format!("its pending event {nobody} is missing");
    assert_eq!(found, [violation("I2", event.record.uid, &detail)]);

    let (event, found) = with_patch(Way::Accepted, |patch| patch.pending = Some(patch.head));
    let detail = "its pending event does not follow its newest";
    assert_eq!(found, [violation("I4", event.record.uid, detail)]);
}

#[test]
fn a_second_live_transaction_of_a_record_shows() {
    let (sample, event) = sample(Way::Signed, false);
    let mut second = event.transaction.clone().unwrap();
    second.lock_time = 1;
    let first = event.txid();
    let copy = second.clone();
    let found = sample.damaged(move |tx| {
        let mut stored = transactions::expect_transaction(tx, first)?;
        stored.txid = copy.txid();
        stored.raw = copy.to_bytes();
        tx.put_transaction(&stored)?;
        for vout in [1, 3] {
            let mut utxo =
                crate::storage::utxos::expect_utxo(tx, crate::types::OutPoint::new(first, vout))?;
            utxo.outpoint.txid = copy.txid();
            tx.put_utxo(&utxo)?;
        }
        Ok(())
    });
    let second = second.txid();
    let kinds: Vec<&str> = found.iter().map(|it| it.invariant).collect();
    assert!(found.contains(&violation(
        "I3",
        second,
        "is live and not the transaction of its record's job"
    )));
    let order = [first, second].map(|txid| (txid.to_bytes(), txid));
    let (early, late) = if order[0] < order[1] { (first, second) } else { (second, first) };
    let detail = format!("is an input of {early} and of {late}");
    assert!(found.contains(&violation("I1", event.funding, &detail)));
    // The fee is paid twice from one input, so the ledger cannot balance.
    assert_eq!(kinds.iter().filter(|kind| **kind == "I5").count(), kinds.len() - 2);
}

#[test]
fn a_transaction_made_for_another_record_shows() {
    let nobody = RecordId::from_bytes(NOBODY);
    let (event, found) =
        with_transaction(Way::Seen, move |it| it.origin = TransactionOrigin::Record(nobody));
    let expected = vec![
        violation("I3", event.record.id, "its transaction was made for another record"),
        violation("I3", event.txid(), "is live and not the transaction of its record's job"),
    ];
    assert_eq!(found, sorted(expected));
}

#[test]
fn a_lost_transaction_shows() {
    let (sample, event) = sample(Way::Signed, false);
    let txid = event.txid();
    let found = sample.damaged(move |tx| {
        tx.tables.transactions.remove(txid.to_bytes())?;
        Ok(())
    });
    let expected = [
        violation("I3", event.record.id, &format!("its transaction {txid} is not stored")),
        violation("I5", event.funding, "is held for a transaction that does not spend it"),
        violation("I5", "fees of day 19675", "are not those of its transactions"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_dead_are_listed_and_the_listed_are_dead() {
    let (event, found) = with_job(Way::Failed, |job| job.dead.clear());
    assert_eq!(found, [violation("I3", event.txid(), "is dead, which its job does not say")]);

    let (event, found) = with_job(Way::Seen, |job| job.dead.push(job.txid().unwrap()));
    let detail = "lists a transaction as dead that is not";
    assert_eq!(found, [violation("I3", event.record.id, detail)]);
}

#[test]
fn job_and_transaction_must_have_come_equally_far() {
    let (event, found) = with_transaction(Way::Seen, |it| it.state = TransactionState::Signed);
    assert_eq!(found, [violation("I4", event.record.id, "is seen, its transaction Signed")]);

    let (event, found) = with_job(Way::Mined, |job| {
        if let Stage::Mined { height, .. } = &mut job.stage {
            *height += 1;
        }
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].invariant, &found[0].subject), ("I4", &event.record.id.to_string()));
    assert!(found[0].detail.starts_with("is mined, its transaction Mined"));
}

#[test]
fn record_and_job_must_name_one_transaction() {
    let (event, found) = with_record(Way::Signed, |record| record.txid = None);
    let detail = "its record names another transaction";
    assert_eq!(found, [violation("I4", event.record.id, detail)]);

    let other = Txid::from_bytes([3; 32]);
    let (event, found) = with_record(Way::Accepted, move |record| record.txid = Some(other));
    let detail = "its record names a transaction that it does not have";
    assert_eq!(found, [violation("I4", event.record.id, detail)]);
}

#[test]
fn nothing_is_reserved_or_signed_without_the_issuer() {
    let (event, found) = with_record(Way::Reserved, |record| record.issuer_signature = None);
    let detail = "is reserved without the issuer's signature";
    assert_eq!(found, [violation("I4", event.record.id, detail)]);

    let (event, found) = with_record(Way::Seen, |record| record.issuer_signature = None);
    let detail = "has a transaction without the issuer's signature";
    assert_eq!(found, [violation("I4", event.record.id, detail)]);
}

#[test]
fn a_job_that_nobody_would_look_at_again_shows() {
    for way in [Way::Accepted, Way::Reserved, Way::Signed, Way::Seen, Way::HeldByFee] {
        let (event, found) = with_job(way, |job| job.due = None);
        assert_eq!(found, [violation("I4", event.record.id, "is never due again")], "{way:?}");
    }
}

#[test]
fn the_custody_head_moves_when_and_only_when_the_network_has_the_event() {
    let (event, found) = with_patch(Way::Seen, |patch| patch.current_txid = None);
    let detail = "is seen, which its product does not reflect";
    assert_eq!(found, [violation("I4", event.record.id, detail)]);

    let (event, found) =
        with_patch(Way::Seen, |patch| patch.current_txid = Some(Txid::from_bytes([3; 32])));
    let expected = vec![
        violation("I4", event.record.id, detail),
        violation("I4", event.record.uid, "its transaction is not that of its newest event"),
    ];
    assert_eq!(found, sorted(expected));

    for way in [Way::Accepted, Way::Reserved, Way::Signed, Way::Failed] {
        let (sample, event) = sample(way, true);
        let it = event.clone();
        let found = sample.damaged(move |tx| {
            let mut patch = patch_of(tx, &it);
            patch.pending = if it.way == Way::Failed { Some(it.record.id) } else { None };
            tx.put_patch(&patch)
        });
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].invariant, &found[0].subject), ("I4", &event.record.id.to_string()));
        assert!(found[0].detail.ends_with("which its product does not reflect"));
    }
}

#[test]
fn the_signed_bytes_the_commitment_and_the_chain_must_match() {
    let (event, found) =
        with_record(Way::Accepted, |record| record.salt = Salt::from_bytes([0xff; 16]));
    let detail = "its bytes do not match its commitment";
    assert_eq!(found, [violation("I7", event.record.id, detail)]);

    let (event, found) = with_record(Way::Accepted, |record| {
        record.canonical = b"{}".to_vec();
        record.commitment = commit(&record.salt, b"{}");
    });
    let detail = "the stored bytes are not a document of the expected shape";
    let expected = [
        violation("I7", event.record.id, detail),
        violation("log", Row("leaf", 1u64), "is of no event that commits to it"),
    ];
    assert_eq!(found, expected);

    let (event, found) = with_record(Way::Seen, |record| {
        record.salt = Salt::from_bytes([0xff; 16]);
        record.commitment = commit(&record.salt, &record.canonical);
    });
    let detail = "its transaction commits to another";
    let expected = [
        violation("I6", event.record.id, detail),
        violation("log", Row("leaf", 1u64), "is of no event that commits to it"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_event_that_states_something_else_shows() {
    let purpose = crate::patch::record::Purpose::TransferOwnership;
    let (event, found) = with_record(Way::Accepted, move |record| record.purpose = purpose);
    let id = event.record.id;
    let expected = vec![
        violation("I7", id, "its bytes state another event"),
        violation("I7", id, "only the first event is a registration"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_event_must_follow_another_of_its_product() {
    let (sample, event) = sample(Way::Final, true);
    let stranger = sample.events[0].record.id;
    let mut record = event.record.clone();
    let found = sample.damaged(move |tx| {
        record.previous = Some(stranger);
        tx.put_record(&record)
    });
    assert_eq!(found, [violation("I7", event.record.id, "follows no event of its product")]);
}

#[test]
fn the_owner_must_be_the_one_of_the_newest_event() {
    let stranger = crate::bitcoin::Address::of_hash([9; 20], crate::types::Network::Test);
    let (event, found) = with_patch(Way::Seen, move |patch| patch.owner = stranger);
    let detail = "its owner is not the one of its newest event";
    assert_eq!(found, [violation("I7", event.record.uid, detail)]);
}
