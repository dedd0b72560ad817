//! Anchoring many records at once: which wait, when a batch is formed of them, and forming it.
//!
//! Forming is one storage transaction: leaves, root, job and audit line are there together or not at
//! all, and before anything leaves. From then on the batch goes the way of every other job
//! (docs/BATCH.md). A record's route is chosen when it is accepted and never changes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::anchor::lifecycle::{Job, Stage};
use crate::anchor::log::LogHead;
use crate::anchor::merkle::{BlockTree, SubtreeRoot};
use crate::crypto::random_bytes;
use crate::service::anchoring::{AnchoringService, is_ready_for_batch};
use crate::service::log::{LogError, LogService};
use crate::service::progress::Progress;
use crate::service::registration::Wake;
use crate::signer::SignerError;
use crate::storage::batches::{waiting_count, waiting_for_batch};
use crate::storage::jobs::expect_job;
use crate::storage::log::log_place;
use crate::storage::records::expect_record;
use crate::storage::{
    BatchLeaf, BatchPlace, Store, StoreError, StoredBatch, StoredRecord, Tables, WriteTx,
};
use crate::types::{RecordId, Timestamp, Txid};

/// The records of a batch by request when nobody says how many.
pub const DEFAULT_REQUESTED: u64 = 100;
/// The most records of a batch by request.
pub const MOST_REQUESTED: u64 = 1_000;
/// Records looked at in one go for those that are signed.
const PAGE: usize = 1_024;

/// How a record goes to the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Route {
    /// In a transaction of its own.
    #[default]
    Direct,
    /// As a leaf of a batch.
    Batch,
}

/// When batches are formed by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchPolicy {
    /// The route of registrations that are accepted from now on.
    pub route: Route,
    /// A batch is formed when so many wait, and has no more.
    pub max_records: u64,
    /// A batch is formed when the oldest has waited so long.
    pub max_age: Duration,
}

impl Default for BatchPolicy {
    fn default() -> Self {
        let max_age = Duration::from_secs(600);
        Self { route: Route::Direct, max_records: 1_000, max_age }
    }
}

/// What became of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchOutcome {
    /// No record waits for a batch.
    Nothing,
    /// A batch was formed.
    Formed(FormedBatch),
}

/// A batch that was formed, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormedBatch {
    /// The batch.
    pub id: RecordId,
    /// How many records it has.
    pub size: u64,
    /// Its transaction, once the network has taken it.
    pub txid: Option<Txid>,
    /// Whether the network refused it for good.
    pub is_refused: bool,
    /// What holds it up.
    pub problem: Option<String>,
}

/// A batch that was not formed; the records wait on.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// None of the records is signed, and the signer signs none.
    #[error("the signer signs none of the records that wait")]
    Signer(#[source] SignerError),
    /// The store does not work.
    #[error("the store did not take the batch")]
    Store(#[from] StoreError),
}

/// Forms batches.
#[derive(Clone)]
pub struct BatchService {
    /// The store.
    pub store: Store,
    /// Has records signed and carries batches to the chain.
    pub anchoring: AnchoringService,
    /// Where requests wait.
    pub progress: Progress,
    /// Wakes the pipeline.
    pub wake: Wake,
    /// When batches are formed by themselves.
    pub policy: BatchPolicy,
    /// Signs the state of the log that a batch carries.
    pub log: LogService,
    /// One round at a time: the second finds what the first left.
    pub rounds: Arc<Mutex<()>>,
}

impl BatchService {
    /// Forms a batch of the oldest records that wait, at most `limit`, and waits for the network at
    /// most `patience`.
    ///
    /// # Errors
    ///
    /// [`BatchError`] says why none was formed; then nothing is lost and every record waits on.
    pub async fn anchor(
        &self,
        limit: u64,
        patience: Duration,
        actor: &str,
        now: Timestamp,
    ) -> Result<BatchOutcome, BatchError> {
        let unix_ms = u64::try_from(now.as_millis()).unwrap_or(0);
        let id = RecordId::from_parts(unix_ms, &random_bytes());
        let waiter = (!patience.is_zero()).then(|| self.progress.watch(id));
        let Some(size) = self.form(id, limit, actor, now).await? else {
            return Ok(BatchOutcome::Nothing);
        };
        (self.wake)();
        if let Some(waiter) = waiter {
            waiter.wait(patience).await;
        }
        let job = self.store.read(|tx| expect_job(tx, id))?;
        let is_refused = matches!(job.stage, Stage::Failed { .. });
        let txid = job.txid().filter(|_| job.is_on_network());
        Ok(BatchOutcome::Formed(FormedBatch { id, size, txid, is_refused, problem: job.problem }))
    }

    /// Says how many records wait for a batch.
    pub fn waiting(&self) -> Result<u64, StoreError> {
        self.store.read(waiting_count)
    }

    /// Returns when a batch is to be formed by itself: now, later, or never while nobody waits.
    pub fn due_at(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.store.read(|tx| due_in(tx, &self.policy, now))
    }

    /// Signs and forms; nothing if no record waits.
    async fn form(
        &self,
        id: RecordId,
        limit: u64,
        actor: &str,
        now: Timestamp,
    ) -> Result<Option<u64>, BatchError> {
        let _round = self.rounds.lock().await;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let waiting = self.store.read(|tx| waiting_for_batch(tx, None, most))?;
        if waiting.is_empty() {
            return Ok(None);
        }
        let refusal = self.anchoring.sign_statements(&waiting).await?;
        let log = self.signed_log(now).await?;
        let new = NewBatch { id, most, log, covered: waiting, actor: actor.to_owned(), now };
        let size = self.store.write(move |tx| form_in(tx, &new)).await?;
        match (size, refusal) {
            (0, Some(error)) => Err(BatchError::Signer(error)),
            (0, None) => Ok(None),
            (size, _) => Ok(Some(size)),
        }
    }

    /// Has the log signed as it is now, with everything in it that waits. A signer that is away would
    /// not sign the transaction either; whatever else keeps the log from being signed must not keep
    /// records from the chain, and the batch says nothing of it.
    async fn signed_log(&self, now: Timestamp) -> Result<Option<LogHead>, BatchError> {
        match self.log.publish(now).await {
            Ok(head) => Ok(head),
            Err(LogError::Signer(error @ SignerError::Unavailable(_))) => {
                Err(BatchError::Signer(error))
            }
            Err(LogError::Store(StoreError::Corrupt { .. } | StoreError::Missing { .. })) => {
                tracing::error!("ALARM: the log of all commitments cannot be read");
                Ok(None)
            }
            Err(LogError::Store(error)) => Err(error.into()),
            Err(error) => {
                tracing::error!(%error, "ALARM: a batch goes out without the log's state");
                Ok(None)
            }
        }
    }
}

/// Says when a batch is to be formed by itself.
fn due_in(
    tables: &impl Tables,
    policy: &BatchPolicy,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let Some(oldest) = waiting_for_batch(tables, None, 1)?.first().copied() else {
        return Ok(None);
    };
    let accepted_at = expect_record(tables, oldest)?.accepted_at;
    // What was accepted that far ahead was so before the clock was set back; without this it would
    // wait until the clock is there again. A smaller step makes nobody wait more than twice as long.
    let is_stranded = accepted_at > now.plus(policy.max_age);
    if is_stranded || waiting_count(tables)? >= policy.max_records {
        return Ok(Some(now));
    }
    Ok(Some(accepted_at.plus(policy.max_age)))
}

/// A batch that is to be formed.
struct NewBatch {
    id: RecordId,
    most: usize,
    log: Option<LogHead>,
    /// Those that were there when the log was signed, in order.
    covered: Vec<RecordId>,
    actor: String,
    now: Timestamp,
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
fn form_in(tx: &mut WriteTx<'_>, new: &NewBatch) -> Result<u64, StoreError> {
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
    use std::time::Instant;

    use super::*;
    use crate::anchor::commitment::Salt;
    use crate::anchor::merkle::verify_inclusion;
    use crate::crypto::sha256;
    use crate::patch::record::Purpose;
    use crate::patch::tag::UidTag;
    use crate::storage::StoreOptions;
    use crate::storage::batches::{batch, place_in_batch, prove_in_batch};
    use crate::storage::log::{log_head, log_size};
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
