//! The store against maps in memory: whatever is put, replaced, removed, refused by a failing disk
//! or found again after a crash, both must say the same, and the indexes must follow.

use std::collections::BTreeMap;

use patchproof::anchor::commitment::Salt;
use patchproof::anchor::lifecycle::{HeldReason, Job, Stage};
use patchproof::bitcoin::Address;
use patchproof::patch::record::Purpose;
use patchproof::patch::tag::UidTag;
use patchproof::storage::{
    Challenge, FailureSwitch, IdempotencyRow, IdempotencyState, Patch, Store, StoreError,
    StoreOptions, StoredRecord, WriteTx, challenges, idempotency, jobs, patches, records, utxos,
};
use patchproof::types::{
    BlockHash, Digest, Network, OutPoint, RecordId, Satoshis, Timestamp, Txid,
};
use patchproof::wallet::utxo::{OutputPurpose, Utxo, UtxoState, UtxoStatus};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::{NOW, assert_indexes_hold};

#[derive(Debug, Clone)]
enum Change {
    Patch { tag: u8, owner: u8 },
    Record { id: u8, txid: Option<u8> },
    Job { id: u8, stage: u8, due: Option<i64> },
    Utxo { point: u8, value: u64, key: u8, state: u8, is_seal: bool },
    RemoveUtxo { point: u8 },
    Idempotency { key: u8, expires: i64 },
    ExpireIdempotency { now: i64 },
    Challenge { nonce: u8, expires: i64 },
    Consume { nonce: u8, believed_expiry: i64 },
    ExpireChallenges { now: i64 },
}

#[derive(Debug, Clone)]
enum Act {
    /// Some changes in one transaction.
    Write(Vec<Change>),
    /// The same, refused by the operation itself after it wrote.
    Refused(Vec<Change>),
    /// The same on a disk that fails.
    Failing {
        is_full: bool,
        changes: Vec<Change>,
    },
    Reopen,
    Crash,
}

fn change() -> impl Strategy<Value = Change> {
    let time = 0i64..6;
    prop_oneof![
        (0u8..4, 0u8..3).prop_map(|(tag, owner)| Change::Patch { tag, owner }),
        (0u8..6, prop::option::of(0u8..3)).prop_map(|(id, txid)| Change::Record { id, txid }),
        (0u8..6, 0u8..9, prop::option::of(time.clone())).prop_map(|(id, stage, due)| Change::Job {
            id,
            stage,
            due
        }),
        (0u8..6, 1u64..5, 0u8..2, 0u8..5, any::<bool>()).prop_map(
            |(point, value, key, state, is_seal)| Change::Utxo {
                point,
                value,
                key,
                state,
                is_seal
            }
        ),
        (0u8..6).prop_map(|point| Change::RemoveUtxo { point }),
        (0u8..4, time.clone()).prop_map(|(key, expires)| Change::Idempotency { key, expires }),
        time.clone().prop_map(|now| Change::ExpireIdempotency { now }),
        (0u8..4, time.clone()).prop_map(|(nonce, expires)| Change::Challenge { nonce, expires }),
        (0u8..4, time.clone())
            .prop_map(|(nonce, believed_expiry)| Change::Consume { nonce, believed_expiry }),
        time.prop_map(|now| Change::ExpireChallenges { now }),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let changes = || prop::collection::vec(change(), 1..6);
    prop_oneof![
        8 => changes().prop_map(Act::Write),
        1 => changes().prop_map(Act::Refused),
        1 => (any::<bool>(), changes())
            .prop_map(|(is_full, changes)| Act::Failing { is_full, changes }),
        1 => Just(Act::Reopen),
        1 => Just(Act::Crash),
    ]
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    patches: BTreeMap<String, Patch>,
    records: BTreeMap<RecordId, StoredRecord>,
    jobs: BTreeMap<RecordId, Job>,
    utxos: BTreeMap<OutPoint, Utxo>,
    idempotency: BTreeMap<String, IdempotencyRow>,
    challenges: BTreeMap<[u8; 16], Challenge>,
}

fn patch(tag: u8, owner: u8) -> Patch {
    Patch {
        uid: UidTag::parse(&format!("TAG-{tag}")).unwrap(),
        owner: Address::of_hash([owner; 20], Network::Test),
        head: RecordId::from_bytes([tag; 16]),
        pending: None,
        current_txid: None,
        events: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn record(id: u8, txid: Option<u8>) -> StoredRecord {
    StoredRecord {
        id: RecordId::from_bytes([id; 16]),
        uid: UidTag::parse(&format!("TAG-{}", id / 2)).unwrap(),
        purpose: Purpose::RegisterPatch,
        position: u32::from(id % 2),
        canonical: vec![id; 3],
        salt: Salt::from_bytes([id; 16]),
        commitment: Digest::from_bytes([id; 32]),
        previous: None,
        issuer_signature: None,
        // No two records are carried by one transaction.
        txid: txid.map(|txid| Txid::from_bytes([16 * id + txid; 32])),
        seal: None,
        accepted_at: NOW,
    }
}

fn job(id: u8, stage: u8, due: Option<i64>) -> Job {
    let txid = Txid::from_bytes([id; 32]);
    let (block, height) = (BlockHash::from_bytes([id; 32]), u32::from(stage));
    let stage = match stage {
        0 => Stage::Accepted,
        1 => Stage::Reserved,
        2 => Stage::Signed { txid },
        3 => Stage::Seen { txid },
        4 | 5 => Stage::Mined { txid, block, height },
        6 => Stage::Final { txid, block, height },
        7 => Stage::Held { txid: None, reason: HeldReason::Signer },
        _ => Stage::Failed { reason: "no".into() },
    };
    let due = due.map(Timestamp::from_millis);
    Job { stage, due, ..Job::new(RecordId::from_bytes([id; 16]), NOW) }
}

fn utxo(point: u8, value: u64, key: u8, state: u8, is_seal: bool) -> Utxo {
    Utxo {
        outpoint: OutPoint::new(Txid::from_bytes([point; 32]), 1),
        value: Satoshis::new(value).unwrap(),
        key_identifier: format!("key-{key}"),
        key_hash: [key; 20],
        purpose: if is_seal { OutputPurpose::Seal } else { OutputPurpose::Pool },
        state: match state {
            0 => UtxoState::Unconfirmed,
            1 => UtxoState::Available,
            2 | 3 => UtxoState::Locked { by: RecordId::from_bytes([state; 16]) },
            _ => UtxoState::Spent { by: Txid::from_bytes([9; 32]) },
        },
        height: None,
        chain_depth: 0,
    }
}

fn answer(key: u8, expires: i64) -> IdempotencyRow {
    IdempotencyRow {
        fingerprint: Digest::from_bytes([key; 32]),
        record: RecordId::from_bytes([key; 16]),
        state: IdempotencyState::InFlight { process: NOW },
        expires_at: Timestamp::from_millis(expires),
    }
}

fn nonce_row(nonce: u8, expires: i64) -> Challenge {
    let uid = UidTag::parse("TAG-1").unwrap();
    Challenge { nonce: [nonce; 16], uid, expires_at: Timestamp::from_millis(expires) }
}

impl Model {
    fn apply(&mut self, change: &Change) {
        match *change {
            Change::Patch { tag, owner } => {
                self.patches.insert(format!("TAG-{tag}"), patch(tag, owner));
            }
            Change::Record { id, txid } => {
                self.records.insert(RecordId::from_bytes([id; 16]), record(id, txid));
            }
            Change::Job { id, stage, due } => {
                self.jobs.insert(RecordId::from_bytes([id; 16]), job(id, stage, due));
            }
            Change::Utxo { point, value, key, state, is_seal } => {
                let utxo = utxo(point, value, key, state, is_seal);
                self.utxos.insert(utxo.outpoint, utxo);
            }
            Change::RemoveUtxo { point } => {
                self.utxos.remove(&utxo(point, 1, 0, 0, false).outpoint);
            }
            Change::Idempotency { key, expires } => {
                self.idempotency.insert(format!("key-{key}"), answer(key, expires));
            }
            Change::ExpireIdempotency { now } => {
                self.idempotency.retain(|_, row| row.expires_at.as_millis() >= now);
            }
            Change::Challenge { nonce, expires } => {
                self.challenges.insert([nonce; 16], nonce_row(nonce, expires));
            }
            Change::Consume { nonce, .. } => {
                self.challenges.remove(&[nonce; 16]);
            }
            Change::ExpireChallenges { now } => {
                self.challenges.retain(|_, row| row.expires_at.as_millis() >= now);
            }
        }
    }
}

fn store_change(tx: &mut WriteTx<'_>, change: &Change) -> Result<(), StoreError> {
    match *change {
        Change::Patch { tag, owner } => tx.put_patch(&patch(tag, owner)),
        Change::Record { id, txid } => tx.put_record(&record(id, txid)),
        Change::Job { id, stage, due } => tx.put_job(&job(id, stage, due)),
        Change::Utxo { point, value, key, state, is_seal } => {
            tx.put_utxo(&utxo(point, value, key, state, is_seal))
        }
        Change::RemoveUtxo { point } => tx.remove_utxo(utxo(point, 1, 0, 0, false).outpoint),
        Change::Idempotency { key, expires } => {
            tx.put_idempotency("scope", &format!("key-{key}"), &answer(key, expires))
        }
        Change::ExpireIdempotency { now } => {
            tx.expire_idempotency(Timestamp::from_millis(now), 100).map(drop)
        }
        Change::Challenge { nonce, expires } => tx.put_challenge(&nonce_row(nonce, expires)),
        Change::Consume { nonce, believed_expiry } => {
            let is_stored = challenges::challenge(tx, [nonce; 16])?.is_some();
            let consumed = tx.consume_challenge(&nonce_row(nonce, believed_expiry))?;
            assert_eq!(consumed, is_stored);
            Ok(())
        }
        Change::ExpireChallenges { now } => {
            tx.expire_challenges(Timestamp::from_millis(now), 100).map(drop)
        }
    }
}

/// The store, and everything needed to lose and find it again.
struct Subject {
    runtime: Runtime,
    options: StoreOptions,
    switch: FailureSwitch,
    store: Option<Store>,
}

impl Subject {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let options = StoreOptions::in_memory();
        let store = Some(Store::open(options.clone()).unwrap());
        Self { runtime, switch: options.failure_switch(), options, store }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().expect("it is open between acts")
    }

    fn write(&self, changes: Vec<Change>, is_refused: bool) -> Result<(), StoreError> {
        self.runtime.block_on(self.store().write(move |tx| {
            changes.iter().try_for_each(|change| store_change(tx, change))?;
            if is_refused { Err(StoreError::Missing { entity: "thing" }) } else { Ok(()) }
        }))
    }

    fn act(&mut self, act: Act, model: &mut Model) {
        match act {
            Act::Write(changes) => {
                changes.iter().for_each(|change| model.apply(change));
                self.write(changes, false).unwrap();
            }
            Act::Refused(changes) => {
                let refused = self.write(changes, true);
                assert!(matches!(refused, Err(StoreError::Missing { .. })), "{refused:?}");
            }
            Act::Failing { is_full, changes } => {
                let switch =
                    if is_full { FailureSwitch::set_full } else { FailureSwitch::set_broken };
                switch(&self.switch, true);
                let before = self.store().commit_count();
                // Changes that turn out to change nothing are answered without the disk.
                drop(self.write(changes, false));
                assert_eq!(self.store().commit_count(), before);
                switch(&self.switch, false);
            }
            Act::Reopen => {
                self.store.take().expect("it is open").close();
                self.store = Some(Store::open(self.options.clone()).unwrap());
            }
            Act::Crash => {
                std::mem::forget(self.store.take());
                self.store = Some(Store::open(self.options.clone()).unwrap());
            }
        }
    }
}

fn assert_same(store: &Store, model: &Model) {
    let found = store.read(|tx| {
        let mut found = Model::default();
        for tag in 0..4 {
            let uid = format!("TAG-{tag}");
            found.patches.extend(patches::patch(tx, &uid)?.map(|it| (uid, it)));
        }
        for id in (0..6).map(|id| RecordId::from_bytes([id; 16])) {
            found.records.extend(records::record(tx, id)?.map(|it| (id, it)));
            found.jobs.extend(jobs::job(tx, id)?.map(|it| (id, it)));
        }
        for point in (0..6).map(|point| utxo(point, 1, 0, 0, false).outpoint) {
            found.utxos.extend(utxos::utxo(tx, point)?.map(|it| (point, it)));
        }
        for key in 0..4 {
            let name = format!("key-{key}");
            let row = idempotency::idempotency(tx, "scope", &name)?;
            found.idempotency.extend(row.map(|it| (name, it)));
            let nonce = [key; 16];
            found.challenges.extend(challenges::challenge(tx, nonce)?.map(|it| (nonce, it)));
        }
        Ok::<_, StoreError>(found)
    });
    assert_eq!(found.unwrap(), *model);
}

/// What is asked of indexes, answered by looking at everything.
fn assert_queries_agree(store: &Store, model: &Model) {
    let at = Timestamp::from_millis(3);
    let mut due: Vec<(Timestamp, RecordId)> =
        model.jobs.values().filter_map(|job| Some((job.due?, job.id))).collect();
    due.sort();
    let pool = |status: UtxoStatus| {
        let is_wanted =
            |it: &&Utxo| it.purpose == OutputPurpose::Pool && it.state.status() == status;
        let mut wanted: Vec<&Utxo> = model.utxos.values().filter(is_wanted).collect();
        wanted.sort_by_key(|it| (it.value, it.outpoint.to_bytes()));
        wanted.into_iter().cloned().collect::<Vec<Utxo>>()
    };
    let holder = RecordId::from_bytes([2; 16]);
    let is_held = |it: &&Utxo| it.state == UtxoState::Locked { by: holder };
    store
        .read(|tx| {
            let now_due = due.iter().filter(|(time, _)| *time <= at).map(|(_, id)| *id);
            assert_eq!(jobs::due_jobs(tx, at, 100)?, now_due.collect::<Vec<_>>());
            assert_eq!(jobs::next_due(tx)?, due.first().map(|(time, _)| *time));
            for status in UtxoStatus::ALL {
                assert_eq!(utxos::list_utxos(tx, status, 100)?, pool(status));
            }
            assert_eq!(
                utxos::leased_by(tx, holder)?.len(),
                model.utxos.values().filter(is_held).count()
            );
            let count = jobs::job_totals(tx)?.into_iter().map(|(_, count)| count).sum::<u64>();
            assert_eq!(count, model.jobs.len() as u64);
            for record in model.records.values() {
                let carried = record.txid.map(|txid| records::record_by_txid(tx, txid));
                assert_eq!(carried.transpose()?.flatten(), record.txid.map(|_| record.id));
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_the_maps_it_stands_for(acts in prop::collection::vec(act(), 1..25)) {
        let (mut subject, mut model) = (Subject::new(), Model::default());
        for act in acts {
            subject.act(act, &mut model);
            assert_same(subject.store(), &model);
        }
        assert_queries_agree(subject.store(), &model);
        assert_indexes_hold(subject.store());
    }
}
