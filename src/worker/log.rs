//! Has the state of the log of all commitments signed when it has grown.

use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::service::log::{LogError, LogService};
use crate::storage::StoreHealth;
use crate::worker::{WorkerParts, next_round};

/// The task that publishes checkpoints.
pub struct LogTask {
    log: LogService,
    parts: WorkerParts,
    period: Duration,
}

impl LogTask {
    /// Makes the task, which signs once in `period` at most.
    pub const fn new(log: LogService, parts: WorkerParts, period: Duration) -> Self {
        Self { log, parts, period }
    }

    /// Runs until `shutdown` turns true.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let never = Notify::new();
        if let Ok(Some(name)) = self.log.other_origin() {
            tracing::warn!(%name, "the log keeps the name that it was given first");
        }
        while next_round(&never, self.period, &mut shutdown).await {
            self.round().await;
        }
    }

    async fn round(&self) {
        let now = self.parts.clock.now();
        if self.parts.store.health() == StoreHealth::Writable {
            match self.log.publish(now).await {
                Ok(_) => {}
                Err(error @ LogError::Rewritten(_)) => {
                    tracing::error!(%error, "ALARM: no checkpoint of the log is signed any more");
                }
                Err(error) => tracing::warn!(%error, "the log's checkpoint is not signed yet"),
            }
        }
        match self.log.state() {
            Ok(state) => {
                let signed = state.signed.map(|it| (it.head.size, now.since(it.signed_at)));
                self.parts.metrics.log.set(state.size, signed);
            }
            Err(error) => tracing::error!(%error, "the state of the log could not be read"),
        }
    }
}
