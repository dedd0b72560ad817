//! Lets the chain of headers grow down to a checkpoint, a little in each round.

use tokio::sync::{Notify, watch};

use crate::service::headers::Backfill;
use crate::worker::{WorkerParts, next_round};

/// The task that fills in headers.
pub struct BackfillTask {
    parts: WorkerParts,
}

impl BackfillTask {
    /// Makes the task.
    pub const fn new(parts: WorkerParts) -> Self {
        Self { parts }
    }

    /// Runs until `shutdown` turns true.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let never = Notify::new();
        loop {
            match self.parts.headers.backfill().await {
                Ok(Backfill::Nothing) => {}
                Ok(Backfill::Lowered { lowest }) => {
                    tracing::debug!(lowest, "headers were filled in");
                }
                Err(error) => tracing::warn!(%error, "headers could not be filled in; tried again"),
            }
            if !next_round(&never, self.parts.periods.chain, &mut shutdown).await {
                return;
            }
        }
    }
}
