//! Forms a batch when enough records wait, or the oldest has waited long enough.

use std::time::Duration;

use tokio::sync::watch;

use crate::service::batches::{BatchError, BatchOutcome, BatchService};
use crate::storage::StoreHealth;
use crate::worker::{Wakes, WorkerParts, next_round};

/// Who asks, in the audit trail.
const ACTOR: &str = "scheduler";
/// The shortest sleep, whatever is due: what just failed must not be tried in a hurry.
const SHORTEST: Duration = Duration::from_millis(200);

/// The task that forms batches.
pub struct BatchTask {
    batches: BatchService,
    parts: WorkerParts,
    wakes: Wakes,
}

impl BatchTask {
    /// Makes the task.
    pub const fn new(batches: BatchService, parts: WorkerParts, wakes: Wakes) -> Self {
        Self { batches, parts, wakes }
    }

    /// Runs until `shutdown` turns true.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        loop {
            let wait = self.round().await.clamp(SHORTEST, self.parts.periods.pipeline);
            if !next_round(&self.wakes.batches, wait, &mut shutdown).await {
                return;
            }
        }
    }

    /// Forms what is due and returns how long to sleep.
    async fn round(&self) -> Duration {
        let period = self.parts.periods.pipeline;
        loop {
            let now = self.parts.clock.now();
            match self.batches.due_at(now) {
                Ok(Some(at)) if at <= now => {}
                Ok(Some(at)) => return at.since(now),
                Ok(None) => return period,
                Err(error) => {
                    tracing::error!(%error, "the records that wait for a batch could not be read");
                    return period;
                }
            }
            if self.parts.store.health() != StoreHealth::Writable {
                return period;
            }
            let limit = self.batches.policy.max_records;
            match self.batches.anchor(limit, Duration::ZERO, ACTOR, now).await {
                Ok(BatchOutcome::Formed(batch)) => {
                    tracing::info!(batch = %batch.id, records = batch.size, "a batch was formed");
                }
                Ok(BatchOutcome::Nothing) => return period,
                Err(error @ (BatchError::Signer(_) | BatchError::Store(_))) => {
                    tracing::warn!(%error, "no batch could be formed; the records wait");
                    return period;
                }
            }
        }
    }
}
