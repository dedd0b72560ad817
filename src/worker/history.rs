//! Keeps samples of the overview's numbers for the charts.

use tokio::sync::{Notify, watch};

use crate::service::overview::history::EVERY;
use crate::worker::{WorkerParts, next_round};

/// The task that takes samples.
pub struct HistoryTask {
    parts: WorkerParts,
}

impl HistoryTask {
    /// Makes the task.
    pub const fn new(parts: WorkerParts) -> Self {
        Self { parts }
    }

    /// Runs until `shutdown` turns true.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let never = Notify::new();
        loop {
            if let Err(error) = self.parts.console.sample(self.parts.clock.now()) {
                tracing::debug!(%error, "no sample was taken");
            }
            if !next_round(&never, EVERY, &mut shutdown).await {
                return;
            }
        }
    }
}
