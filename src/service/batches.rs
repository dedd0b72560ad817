//! Anchoring many records at once: which wait, when a batch is formed of them, and forming it.
//!
//! Forming is one storage transaction: leaves, root, job and audit line are there together or not at
//! all, and before anything leaves. From then on the batch goes the way of every other job
//! (docs/BATCH.md). A record's route is chosen when it is accepted and never changes.

mod form;
#[cfg(feature = "planted-bugs")]
mod planted;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::anchor::lifecycle::Stage;
use crate::anchor::log::LogHead;
use crate::crypto::random_bytes;
use crate::service::anchoring::AnchoringService;
use crate::service::batches::form::{NewBatch, form_in};
use crate::service::log::{LogError, LogService};
use crate::service::progress::Progress;
use crate::service::registration::Wake;
use crate::signer::SignerError;
use crate::storage::batches::{waiting_count, waiting_for_batch};
use crate::storage::jobs::expect_job;
use crate::storage::records::expect_record;
use crate::storage::{Store, StoreError, Tables};
use crate::types::{RecordId, Timestamp, Txid};

/// The records of a batch by request when nobody says how many.
pub const DEFAULT_REQUESTED: u64 = 100;
/// The most records of a batch by request.
pub const MOST_REQUESTED: u64 = 1_000;

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
        #[cfg(feature = "planted-bugs")]
        if crate::types::planted::Defect::RouteFollowsMode.is_planted()
            && self.policy.route == Route::Direct
        {
            return Ok(self.send_directly(waiting, now).await.map(|()| None)?);
        }
        let refusal = self.anchoring.sign_statements(&waiting).await?;
        #[cfg(feature = "planted-bugs")]
        if crate::types::planted::Defect::BatchInTwoSteps.is_planted() {
            return self.form_in_two_steps(id, most, actor.to_owned(), now).await;
        }
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
