//! Carries due records on, many at a time, each by one hand only.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::service::anchoring::{DueWork, LOOK_BATCH, PREPARE_BATCH};
use crate::storage::StoreError;
use crate::types::{RecordId, Timestamp};
use crate::worker::{Wakes, WorkerParts, next_round};

/// Records in hand at a time.
const MAX_IN_HAND: usize = 1_024;
/// Groups that are being signed at a time; while all are busy the next group grows.
const MAX_PREPARING: usize = 4;
/// Single transactions that are being sent or looked into at a time, beside those groups.
const MAX_SUBMITTING: usize = 64;
/// How long a record rests whose work failed for a reason outside of the lifecycle.
const REST: Duration = Duration::from_secs(1);

type InHand = Arc<Mutex<HashSet<RecordId>>>;

/// The task that carries records to the chain.
pub struct PipelineTask {
    parts: WorkerParts,
    wakes: Wakes,
    in_hand: InHand,
    preparing: Arc<Semaphore>,
    submitting: Arc<Semaphore>,
    /// When due records were last handed out.
    tried_at: Mutex<Option<Timestamp>>,
}

/// What one hand does.
enum Errand {
    Prepare(Vec<RecordId>),
    Submit(RecordId),
    Look(Vec<RecordId>),
}

impl Errand {
    fn ids(&self) -> Vec<RecordId> {
        match self {
            Self::Prepare(ids) | Self::Look(ids) => ids.clone(),
            Self::Submit(id) => vec![*id],
        }
    }
}

impl PipelineTask {
    /// Makes the task.
    pub fn new(parts: WorkerParts, wakes: Wakes) -> Self {
        Self {
            parts,
            wakes,
            in_hand: InHand::default(),
            preparing: Arc::new(Semaphore::new(MAX_PREPARING)),
            submitting: Arc::new(Semaphore::new(MAX_SUBMITTING)),
            tried_at: Mutex::default(),
        }
    }

    /// Runs until `shutdown` turns true and what is in hand is done.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        while let Err(error) = self.parts.anchoring.note_interruption(self.parts.clock.now()).await
        {
            tracing::warn!(%error, "what was on its way is not known; nothing is sent before it is");
            if !next_round(&self.wakes.pipeline, REST, &mut shutdown).await {
                return;
            }
        }
        let mut errands = JoinSet::new();
        loop {
            let is_idle = self.dispatch(&mut errands);
            while errands.try_join_next().is_some() {}
            let wait = if is_idle { self.time_to_next() } else { REST };
            if !next_round(&self.wakes.pipeline, wait, &mut shutdown).await {
                break;
            }
        }
        while errands.join_next().await.is_some() {}
    }

    /// Hands out everything that is due and for which there is a free hand; false if nobody looked,
    /// because there is none or it would be for nothing.
    fn dispatch(&self, errands: &mut JoinSet<()>) -> bool {
        // While every group is busy there is no hand for more: looking for it would only cost. The
        // next group that ends wakes this task.
        let room = self.preparing.available_permits() * PREPARE_BATCH;
        let now = self.parts.clock.now();
        if room == 0 || self.is_for_nothing(now) {
            return false;
        }
        let work = {
            let in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
            let limit = (in_hand.len() + room).min(MAX_IN_HAND);
            self.parts.anchoring.due_work(now, limit, |id| in_hand.contains(&id))
        };
        let work = match work {
            Ok(work) => work,
            Err(error) => {
                tracing::error!(%error, "due records could not be read");
                return true;
            }
        };
        self.dispatch_groups(work, now, errands);
        true
    }

    /// Says whether the signer is silent and was tried a moment ago. Every record would be tried and
    /// written again and again; a round a second finds as soon that it is back, and leaves the disk
    /// to those who register meanwhile.
    fn is_for_nothing(&self, now: Timestamp) -> bool {
        let mut tried = self.tried_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = tried.is_some_and(|at| at <= now && now.since(at) < REST);
        if self.parts.observations.is_signer_silent() && is_fresh {
            return true;
        }
        *tried = Some(now);
        false
    }

    fn dispatch_groups(&self, work: DueWork, now: Timestamp, errands: &mut JoinSet<()>) {
        for group in work.prepare.chunks(PREPARE_BATCH) {
            let Ok(permit) = Arc::clone(&self.preparing).try_acquire_owned() else { break };
            self.start(Errand::Prepare(group.to_vec()), now, permit, errands);
        }
        for id in work.submit {
            let Ok(permit) = Arc::clone(&self.submitting).try_acquire_owned() else { break };
            self.start(Errand::Submit(id), now, permit, errands);
        }
        for group in work.look.chunks(LOOK_BATCH) {
            let Ok(permit) = Arc::clone(&self.submitting).try_acquire_owned() else { break };
            self.start(Errand::Look(group.to_vec()), now, permit, errands);
        }
    }

    fn start(
        &self,
        errand: Errand,
        now: Timestamp,
        permit: tokio::sync::OwnedSemaphorePermit,
        errands: &mut JoinSet<()>,
    ) {
        let hold = Hold::take(&self.in_hand, errand.ids());
        let (parts, wake) = (self.parts.clone(), Arc::clone(&self.wakes.pipeline));
        errands.spawn(async move {
            let result = run_errand(&parts, &errand, now).await;
            if let Err(error) = result {
                tracing::warn!(%error, "a record could not be carried on; it rests for a moment");
                tokio::time::sleep(REST).await;
            }
            drop(hold);
            drop(permit);
            wake.notify_one();
        });
    }

    /// The time until something is due, within the task's period.
    fn time_to_next(&self) -> Duration {
        let longest = self.parts.periods.pipeline;
        let now = self.parts.clock.now();
        match self.parts.anchoring.next_due() {
            // What is due already is in hand or waits for a hand, which wakes the task.
            Ok(Some(due)) if due > now => due.since(now).min(longest),
            Ok(Some(_) | None) => longest.min(REST),
            Err(_) => longest,
        }
    }
}

async fn run_errand(
    parts: &WorkerParts,
    errand: &Errand,
    now: Timestamp,
) -> Result<(), StoreError> {
    match errand {
        Errand::Prepare(ids) => parts.anchoring.prepare(ids, now).await,
        Errand::Submit(id) => parts.anchoring.submit(*id, now).await,
        Errand::Look(ids) => parts.anchoring.look_due(ids, now).await,
    }
}

/// Keeps records from being given to a second hand; gives them back however the work ends.
struct Hold {
    in_hand: InHand,
    ids: Vec<RecordId>,
}

impl Hold {
    fn take(in_hand: &InHand, ids: Vec<RecordId>) -> Self {
        in_hand.lock().unwrap_or_else(PoisonError::into_inner).extend(ids.iter().copied());
        Self { in_hand: Arc::clone(in_hand), ids }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        for id in &self.ids {
            in_hand.remove(id);
        }
    }
}
