//! A consistent store gives a clean report; each kind of damage gives exactly its violation.

mod damaged_accounts;
mod damaged_batches;
mod damaged_claims;
mod damaged_custody;
mod damaged_email;
mod damaged_erasures;
mod damaged_imports;
mod damaged_log;
mod damaged_money;
mod damaged_restores;
mod damaged_rows;
mod damaged_treasury;
mod earlier_files;
mod sample;
mod way;

use proptest::prelude::*;
use sample::{Event, NOW, Way, add_product, uid};

use super::*;
use crate::crypto::sha256;
use crate::storage::{
    Challenge, IdempotencyRow, IdempotencyState, Store, StoreOptions, StoredContent, WriteTx,
};
use crate::types::{Digest, Timestamp};

/// A consistent store with an event of every kind, and some of everything else.
struct Sample {
    store: Store,
    runtime: tokio::runtime::Runtime,
    events: Vec<Event>,
}

impl Sample {
    fn of(plan: Vec<(Way, Option<Way>)>) -> Self {
        Self::on(StoreOptions::in_memory(), plan)
    }

    fn on(options: StoreOptions, plan: Vec<(Way, Option<Way>)>) -> Self {
        let store = Store::open(options).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let fill = store.write(move |tx| {
            let mut events = Vec::new();
            for (number, (registration, transfer)) in (1u8..).zip(&plan) {
                events.extend(add_product(tx, number, *registration, *transfer)?);
            }
            add_the_rest(tx, &events[0])?;
            Ok::<_, StoreError>(events)
        });
        let events = runtime.block_on(fill).unwrap();
        Self { store, runtime, events }
    }

    /// Every way of a registration, and of a transfer after one that is final.
    fn whole() -> Self {
        Self::whole_in(StoreOptions::in_memory())
    }

    fn whole_in(options: StoreOptions) -> Self {
        let registrations = Way::ALL.into_iter().map(|way| (way, None));
        let transfers = Way::ALL.into_iter().map(|way| (Way::Final, Some(way)));
        Self::on(options, registrations.chain(transfers).collect())
    }

    fn report(&self) -> CheckReport {
        self.store.read(check).unwrap()
    }

    /// The registration that has come this far and was never transferred.
    fn registration(&self, way: Way) -> Event {
        self.events.iter().find(|it| it.way == way && it.record.position == 0).unwrap().clone()
    }

    /// Does `damage` and returns what the check then finds.
    fn damaged(
        &self,
        mut damage: impl FnMut(&mut WriteTx<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Vec<Violation> {
        let write = self.store.write(move |tx| {
            // Raw changes of tables do not mark the transaction by themselves.
            tx.is_dirty = true;
            damage(tx)
        });
        self.runtime.block_on(write).unwrap();
        let report = self.report();
        assert_eq!(report.violation_count, report.violations.len() as u64);
        report.violations
    }
}

fn add_the_rest(tx: &mut WriteTx<'_>, event: &Event) -> Result<(), StoreError> {
    tx.put_challenge(&Challenge { nonce: [5; 16], uid: uid(1), expires_at: NOW })?;
    let row = IdempotencyRow {
        fingerprint: Digest::from_bytes(sha256(b"request")),
        record: event.record.id,
        state: IdempotencyState::InFlight { process: NOW },
        expires_at: Timestamp::from_millis(7),
    };
    tx.put_idempotency("key", "one", &row)?;
    let sealed = vec![1, 2, 3];
    let content =
        StoredContent { version: 1, content_type: "text/plain".into(), sealed, put_at: NOW };
    tx.put_content(uid(1).as_str(), &content)?;
    damaged_email::add_mail(tx)?;
    for action in ["patch.register", "unlock.nonce:05", "unlock.nonce:06"] {
        tx.append_audit(NOW, "brand", action, "TAG-001")?;
    }
    Ok(())
}

fn violation(invariant: &'static str, subject: impl Display, detail: &str) -> Violation {
    Violation { invariant, subject: subject.to_string(), detail: detail.to_owned() }
}

#[test]
fn a_consistent_store_with_events_of_every_kind_is_clean() {
    let report = Sample::whole().report();
    assert_eq!(report.violations, []);
    assert!(report.is_clean());
    assert_eq!(report.rows["patches-1"], 22);
    assert_eq!(report.rows["records-1"], 33);
    assert_eq!(report.rows["jobs-1"], 33);
    assert_eq!(report.rows["audit-1"], 3);
    let ledger = report.ledger;
    assert_eq!(ledger.received, 33 * 5000);
    assert_eq!(ledger.spent_elsewhere, 2 * 5000);
    assert!(ledger.fees > 0 && ledger.paid_out > 0 && ledger.unspent > 0);
}

#[test]
fn a_report_reads_as_json() {
    let report = Sample::of(vec![(Way::Seen, None)]).report();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["violation_count"], 0);
    assert_eq!(json["rows"]["patches-1"], 1);
    assert_eq!(json["ledger"]["received"], 5000);
}

#[test]
fn an_empty_store_is_clean() {
    let store = Store::open(StoreOptions::in_memory()).unwrap();
    assert!(store.read(check).unwrap().is_clean());
}

#[test]
fn what_was_acknowledged_must_be_there() {
    let sample = Sample::of(vec![(Way::Accepted, None)]);
    let known = sample.events[0].record.id;
    let lost = RecordId::from_bytes([0xee; 16]);
    let report = sample.store.read(|tx| check_acknowledged(tx, [known, lost].into_iter())).unwrap();
    assert_eq!(report.violations, [violation("I2", lost, "was acknowledged and is not stored")]);
}

#[test]
fn a_report_lists_a_thousand_violations_and_counts_all() {
    let mut report = CheckReport::default();
    for number in 0..1234 {
        report.add("row", number, "is wrong");
    }
    assert_eq!((report.violation_count, report.violations.len()), (1234, 1000));
    assert!(!report.is_clean());
}

fn ways() -> impl Strategy<Value = Vec<(Way, Option<Way>)>> {
    let way = prop::sample::select(Way::ALL.to_vec());
    prop::collection::vec((way.clone(), prop::option::of(way)), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn consistent_stores_of_all_mixtures_are_clean(plan in ways()) {
        let report = Sample::of(plan).report();
        prop_assert_eq!(report.violations, []);
    }
}
