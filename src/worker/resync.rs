//! Asks the chain about everything after a restore, until the fence falls or waits for an operator.

use tokio::sync::{Notify, watch};

use crate::service::resync::Resynced;
use crate::storage::StoreHealth;
use crate::worker::{Wakes, WorkerParts, next_round};

/// The task that brings a restored store to agree with the chain.
pub struct ResyncTask {
    parts: WorkerParts,
    wakes: Wakes,
}

impl ResyncTask {
    /// Makes the task.
    pub const fn new(parts: WorkerParts, wakes: Wakes) -> Self {
        Self { parts, wakes }
    }

    /// Runs until there is nothing to ask any more, or `shutdown` turns true.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let never = Notify::new();
        while self.parts.resync.fence.is_up() {
            tokio::select! {
                is_done = self.round() => if is_done { return },
                _ = shutdown.wait_for(|is_over| *is_over) => return,
            }
            if !next_round(&never, self.parts.periods.chain, &mut shutdown).await {
                return;
            }
        }
    }

    /// Asks once; true when everything was answered.
    async fn round(&self) -> bool {
        if self.parts.store.health() != StoreHealth::Writable {
            return false;
        }
        match self.parts.resync.round(self.parts.clock.now()).await {
            Ok(resynced) => {
                let Resynced { found, adopted, conflicts } = resynced;
                tracing::warn!(
                    found,
                    adopted,
                    conflicts,
                    "the restored store was resynced with the chain"
                );
                self.wakes.pipeline.notify_one();
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the restored store stays fenced; the chain is asked again");
                false
            }
        }
    }
}
