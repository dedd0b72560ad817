//! Registers the rows of imports that were started, those of before a restart too.

use tokio::sync::watch;

use crate::service::imports::Step;
use crate::storage::StoreHealth;
use crate::worker::{Wakes, WorkerParts, next_round};

/// The task that registers rows.
pub struct ImportTask {
    parts: WorkerParts,
    wakes: Wakes,
}

impl ImportTask {
    /// Makes the task.
    pub const fn new(parts: WorkerParts, wakes: Wakes) -> Self {
        Self { parts, wakes }
    }

    /// Runs until `shutdown` turns true.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        loop {
            self.round(&shutdown).await;
            if !next_round(&self.wakes.imports, self.parts.periods.pipeline, &mut shutdown).await {
                return;
            }
        }
    }

    /// Registers what there is, chunk by chunk, as long as nothing is in the way.
    async fn round(&self, shutdown: &watch::Receiver<bool>) {
        while !*shutdown.borrow() && self.parts.store.health() == StoreHealth::Writable {
            match self.parts.imports.step(self.parts.clock.now()).await {
                Ok(Step::Worked) => {}
                Ok(Step::Idle) => return,
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    tracing::warn!("an import could not go on and waits: {error:#}");
                    return;
                }
            }
        }
    }
}
