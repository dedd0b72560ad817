//! Forming a batch: leaves, root, job and audit line in one storage transaction.

use crate::anchor::lifecycle::Job;
use crate::anchor::log::LogHead;
use crate::anchor::merkle::{BlockTree, SubtreeRoot};
use crate::service::anchoring::is_ready_for_batch;
use crate::storage::batches::waiting_for_batch;
use crate::storage::log::log_place;
use crate::storage::records::expect_record;
use crate::storage::{
    BatchLeaf, BatchPlace, StoreError, StoredBatch, StoredRecord, Tables, WriteTx,
};
use crate::types::{RecordId, Timestamp};

/// Records looked at in one go for those that are signed.
const PAGE: usize = 1_024;

/// A batch that is to be formed.
pub(super) struct NewBatch {
    pub(super) id: RecordId,
    pub(super) most: usize,
    pub(super) log: Option<LogHead>,
    /// Those that were there when the log was signed, in order.
    pub(super) covered: Vec<RecordId>,
    pub(super) actor: String,
    pub(super) now: Timestamp,
}

impl NewBatch {
    /// Says whether a record can be in it: it is signed, and in the log as that was signed. One that
    /// the signer refuses waits on; it must not hold up the others.
    fn takes(&self, tables: &impl Tables, record: &StoredRecord) -> Result<bool, StoreError> {
        if !is_ready_for_batch(record) {
            return Ok(false);
        }
        let Some(log) = self.log else { return Ok(true) };
        if self.covered.binary_search(&record.id).is_ok() {
            return Ok(true);
        }
        Ok(log_place(tables, &record.commitment)?.is_some_and(|place| place < log.size))
    }
}

/// Forms a batch of the oldest records that it takes; returns how many.
pub(super) fn form_in(tx: &mut WriteTx<'_>, new: &NewBatch) -> Result<u64, StoreError> {
    let NewBatch { id, most, log, ref actor, now, .. } = *new;
    let (mut tree, mut roots) = (BlockTree::default(), Vec::new());
    let mut keep = |root: SubtreeRoot| roots.push(root);
    let (mut after, mut taken) = (None, 0);
    while taken < most {
        let page = waiting_for_batch(tx, after, PAGE.min(most))?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        for record in page {
            let found = expect_record(tx, record)?;
            if taken == most || !new.takes(tx, &found)? {
                continue;
            }
            let place = BatchPlace { batch: id, index: tree.size() };
            let corrupt = |_| StoreError::Corrupt { entity: "batch" };
            tree.push(&found.commitment, &mut keep).map_err(corrupt)?;
            tx.put_batch_leaf(place, BatchLeaf { record, commitment: found.commitment })?;
            taken += 1;
        }
    }
    let size = tree.size();
    if size == 0 {
        return Ok(0);
    }
    let root = tree.finish(&mut keep).map_err(|_| StoreError::Corrupt { entity: "batch" })?;
    for node in roots {
        tx.put_batch_node(id, node)?;
    }
    let requested_by = actor.clone();
    tx.put_batch(&StoredBatch { id, size, root, requested_by, created_at: now, log })?;
    tx.put_job(&Job::new(id, now))?;
    tx.append_audit(now, actor, "batch.anchor", &format!("{size} records in {id}"))?;
    tx.touch_batches();
    Ok(size)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::anchor::commitment::Salt;
    use crate::anchor::merkle::verify_inclusion;
    use crate::crypto::sha256;
    use crate::patch::record::Purpose;
    use crate::patch::tag::UidTag;
    use crate::service::batches::{BatchPolicy, due_in};
    use crate::storage::batches::{batch, place_in_batch, prove_in_batch, waiting_count};
    use crate::storage::log::{log_head, log_size};
    use crate::storage::{Store, StoreOptions};
    use crate::types::Digest;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const BATCH: RecordId = RecordId::from_bytes([8; 16]);

    /// A record whose content was erased while it waited: there is nothing of it to sign.
    fn record(number: u32) -> StoredRecord {
        let mut random = [0; 10];
        random[6..].copy_from_slice(&number.to_be_bytes());
        StoredRecord {
            id: RecordId::from_parts(u64::from(number), &random),
            uid: UidTag::parse(&format!("TAG-{number:07}")).unwrap(),
            purpose: Purpose::RegisterPatch,
            position: 0,
            canonical: Vec::new(),
            salt: Salt::from_bytes([0; 16]),
            commitment: Digest::from_bytes(sha256(&number.to_le_bytes())),
            previous: None,
            issuer_signature: None,
            txid: None,
            seal: None,
            accepted_at: NOW,
        }
    }

    async fn store_with(count: u32) -> Store {
        let store = Store::open(StoreOptions::in_memory()).unwrap();
        let fill = store.write(move |tx| {
            for number in 0..count {
                tx.put_record(&record(number))?;
                tx.put_batch_waiting(record(number).id)?;
            }
            Ok::<_, StoreError>(())
        });
        fill.await.unwrap();
        store
    }

    async fn form(store: &Store, most: usize) -> u64 {
        // As before every checkpoint: what stands in the log is found without looking through it.
        store.write(|tx| tx.index_log(u64::MAX)).await.unwrap();
        let log = store.read(|tx| log_head(tx, log_size(tx)?)).unwrap();
        let actor = "tests".to_owned();
        let new =
            NewBatch { id: BATCH, most, log: Some(log), covered: Vec::new(), actor, now: NOW };
        store.write(move |tx| form_in(tx, &new)).await.unwrap()
    }

    fn assert_proved(store: &Store, number: u32) {
        store
            .read(|tx| {
                let stored = batch(tx, BATCH)?.unwrap();
                let place = place_in_batch(tx, record(number).id)?.unwrap();
                assert_eq!(place.index, u64::from(number), "oldest first");
                let proof = prove_in_batch(tx, place)?;
                let commitment = record(number).commitment;
                assert_eq!(verify_inclusion(&commitment, &proof, &stored.root), Ok(()));
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }

    #[tokio::test]
    async fn a_batch_of_many_blocks_takes_the_oldest_and_proves_each_from_what_is_stored() {
        let store = store_with(1_500).await;
        assert_eq!(form(&store, 1_300).await, 1_300);
        for number in (0..1_300).step_by(37).chain([255, 256, 1_279, 1_280, 1_299]) {
            assert_proved(&store, number);
        }
        store
            .read(|tx| {
                assert_eq!(waiting_count(tx)?, 200);
                assert_eq!(place_in_batch(tx, record(1_300).id)?, None);
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }

    /// Found by the simulation: records waited until a clock that was set back was there again.
    #[tokio::test]
    async fn a_clock_that_is_set_back_leaves_no_record_waiting_for_its_batch() {
        let (store, policy) = (store_with(1).await, BatchPolicy::default());
        let due = |now| store.read(|tx| due_in(tx, &policy, now)).unwrap().unwrap();
        assert_eq!(due(NOW), NOW.plus(policy.max_age));
        let day_before = NOW.minus(Duration::from_secs(86_400));
        assert_eq!(due(day_before), day_before, "accepted under a clock that was a day ahead");
        let just_before = NOW.minus(Duration::from_millis(5));
        assert_eq!(due(just_before), NOW.plus(policy.max_age), "an adjustment hastens nothing");
    }

    /// Run with `--nocapture` for how long the largest batch holds the writer.
    #[tokio::test]
    async fn the_largest_batch_that_forms_by_itself_does_not_hold_the_writer_for_long() {
        let store = store_with(100_000).await;
        let start = Instant::now();
        assert_eq!(form(&store, 100_000).await, 100_000);
        println!("forming 100,000 records took {:?}", start.elapsed());
        assert!(start.elapsed() < Duration::from_secs(60));
        assert_proved(&store, 99_999);
    }
}
