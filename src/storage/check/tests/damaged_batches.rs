//! Damage to batches: to their leaves, their roots, and the routes of their records.

use super::sample::{FUNDING_HASH, Way, fund, input, new_record, owner, stored, utxo};
use super::*;
use crate::anchor::lifecycle::{Job, Stage};
use crate::anchor::merkle::{BlockTree, SubtreeRoot};
use crate::anchor::payload::Payload;
use crate::bitcoin::{Script, Transaction, TxOut};
use crate::storage::batches::batch;
use crate::storage::jobs::{expect_job, job_totals};
use crate::storage::patches::patch;
use crate::storage::records::expect_record;
use crate::storage::{
    BatchLeaf, BatchPlace, Patch, StageName, StoredBatch, StoredRecord, TransactionOrigin,
    TransactionState,
};
use crate::types::{OutPoint, Satoshis, Txid};
use crate::wallet::utxo::{OutputPurpose, UtxoState};

const BATCH: RecordId = RecordId::from_bytes([8; 16]);

/// Adds a registration that has no route yet.
fn add_registration(tx: &mut WriteTx<'_>, number: u8) -> Result<StoredRecord, StoreError> {
    let record = new_record(number, None);
    tx.put_record(&record)?;
    tx.put_patch(&Patch {
        uid: uid(number),
        owner: owner(number, 0),
        head: record.id,
        pending: None,
        current_txid: None,
        events: 1,
        created_at: NOW,
        updated_at: NOW,
    })?;
    Ok(record)
}

/// Adds a batch of three that the network has taken, and a fourth record that waits.
fn add_batch(tx: &mut WriteTx<'_>) -> Result<Txid, StoreError> {
    let mut tree = BlockTree::default();
    let mut keep = |_: SubtreeRoot| unreachable!("three leaves are one block");
    let mut funding = None;
    for (number, index) in (100u8..).zip(0u64..3) {
        let record = add_registration(tx, number)?;
        funding = Some(fund(tx, &record)?);
        tree.push(&record.commitment, &mut keep).unwrap();
        let leaf = BatchLeaf { record: record.id, commitment: record.commitment };
        tx.put_batch_leaf(BatchPlace { batch: BATCH, index }, leaf)?;
    }
    let waiting = add_registration(tx, 110)?;
    tx.put_batch_waiting(waiting.id)?;
    let (size, root) = (tree.size(), tree.finish(&mut keep).unwrap());
    tx.put_batch(&StoredBatch {
        id: BATCH,
        size,
        root,
        requested_by: "tests".into(),
        created_at: NOW,
        log: None,
    })?;
    let funding = funding.unwrap();
    let change = Satoshis::from_const(4_900);
    let data = Payload::Batch { root, tree_size: size, log: None }.to_script(None);
    let transaction = Transaction {
        version: 1,
        inputs: vec![input(funding)],
        outputs: vec![
            TxOut { value: Satoshis::ZERO, locking_script: data },
            TxOut { value: change, locking_script: Script::pay_to_public_key_hash(&FUNDING_HASH) },
        ],
        lock_time: 0,
    };
    let txid = transaction.txid();
    let origin = TransactionOrigin::Batch(BATCH);
    tx.put_transaction(&stored(&transaction, origin, TransactionState::Seen, 100))?;
    tx.put_utxo(&utxo(funding, 5_000, OutputPurpose::Pool, UtxoState::Spent { by: txid }))?;
    let made = OutPoint::new(txid, 1);
    tx.put_utxo(&utxo(made, 4_900, OutputPurpose::Pool, UtxoState::Available))?;
    tx.put_job(&Job { stage: Stage::Seen { txid }, was_seen: true, ..Job::new(BATCH, NOW) })?;
    Ok(txid)
}

fn sample() -> (Sample, Txid) {
    let sample = Sample::of(vec![(Way::Accepted, None)]);
    let write = sample.store.write(add_batch);
    let txid = sample.runtime.block_on(write).unwrap();
    (sample, txid)
}

#[track_caller]
fn assert_found(found: &[Violation], invariant: &str, words: &str) {
    let holds = found.iter().any(|it| it.invariant == invariant && it.detail.contains(words));
    assert!(holds, "{found:#?}");
}

fn member(number: u8) -> RecordId {
    new_record(number, None).id
}

#[test]
fn a_batch_that_agrees_is_clean_and_its_members_have_its_stage_and_transaction() {
    let (sample, txid) = sample();
    assert!(sample.report().is_clean(), "{:#?}", sample.report().violations);
    sample
        .store
        .read(|tx| {
            for number in 100..103 {
                let record = expect_record(tx, member(number))?;
                assert_eq!(record.txid, Some(txid));
                assert_eq!(expect_job(tx, record.id)?.stage, Stage::Seen { txid });
                let product = patch(tx, uid(number).as_str())?.unwrap();
                assert_eq!(product.current_txid, Some(txid));
            }
            let waiting = expect_job(tx, member(110))?;
            assert_eq!((waiting.stage, waiting.due), (Stage::Accepted, None));
            // One job for the batch, none for the four records.
            assert_eq!(job_totals(tx)?.iter().map(|(_, count)| count).sum::<u64>(), 2);
            assert!(job_totals(tx)?.contains(&(StageName::Seen, 1)));
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

#[test]
fn what_is_read_of_a_member_is_not_written_back_with_it() {
    let (sample, txid) = sample();
    let found = sample.damaged(move |tx| {
        let record = expect_record(tx, member(101))?;
        assert_eq!(record.txid, Some(txid));
        tx.put_record(&record)?;
        let product = patch(tx, uid(101).as_str())?.unwrap();
        tx.put_patch(&product)?;
        tx.put_job(&Job { stage: Stage::Accepted, was_seen: false, ..Job::new(BATCH, NOW) })?;
        assert_eq!(expect_record(tx, member(101))?.txid, None);
        assert_eq!(patch(tx, uid(101).as_str())?.unwrap().current_txid, None);
        tx.put_job(&Job { stage: Stage::Seen { txid }, was_seen: true, ..Job::new(BATCH, NOW) })
    });
    assert_eq!(found, []);
}

#[test]
fn a_changed_leaf_is_found() {
    let found = sample().0.damaged(|tx| {
        let leaf = BatchLeaf { record: member(101), commitment: Digest::from_bytes([9; 32]) };
        tx.put_batch_leaf(BatchPlace { batch: BATCH, index: 1 }, leaf)
    });
    assert_found(&found, "batch", "has a leaf that no record commits to");
    assert_found(&found, "batch", "has another root than it says");
}

#[test]
fn a_missing_leaf_is_found() {
    let found = sample().0.damaged(|tx| {
        tx.tables.batch_leaves.remove((BATCH.to_bytes(), 1))?;
        Ok(())
    });
    assert_found(&found, "batch", "has a gap between its leaves");
    assert_found(&found, "batch", "has another size than it says");
    assert_found(&found, "batch", "is said to be in a batch that does not have it");
}

#[test]
fn roots_of_blocks_that_are_not_there_are_found() {
    let found = sample().0.damaged(|tx| {
        let hash = Digest::from_bytes([9; 32]);
        tx.put_batch_node(BATCH, SubtreeRoot { height: 1, place: 0, hash })
    });
    assert_found(&found, "batch", "keeps a root of a block that it does not have");
}

#[test]
fn a_root_that_the_transaction_does_not_carry_is_found() {
    let found = sample().0.damaged(|tx| {
        let stored = batch(tx, BATCH)?.unwrap();
        tx.put_batch(&StoredBatch { root: Digest::from_bytes([9; 32]), ..stored })
    });
    assert_found(&found, "I6", "its transaction commits to another");
}

#[test]
fn a_second_route_is_found() {
    let found = sample().0.damaged(|tx| tx.put_job(&Job::new(member(100), NOW)));
    assert_found(&found, "I3", "has a job of its own beside its batch");
    let found = sample().0.damaged(|tx| tx.put_batch_waiting(member(100)));
    assert_found(&found, "batch", "waits for a batch and is in one");
}

#[test]
fn a_member_without_the_issuers_signature_is_found() {
    let found = sample().0.damaged(|tx| {
        let record = expect_record(tx, member(100))?;
        tx.put_record(&StoredRecord { issuer_signature: None, ..record })
    });
    assert_found(&found, "I4", "is in a batch, unsigned by the issuer");
}

#[test]
fn a_batch_without_a_job_and_a_follower_of_nothing_are_found() {
    let found = sample().0.damaged(|tx| {
        tx.tables.jobs.remove(BATCH.to_bytes())?;
        Ok(())
    });
    assert_found(&found, "I2", "is a batch without a job");
    let found = sample().0.damaged(|tx| tx.put_batch_follower(BATCH, member(100)));
    assert_found(&found, "index", "follows nothing of the batch");
}
