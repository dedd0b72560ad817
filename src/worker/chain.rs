//! Follows the chain of headers and tells records what it means for them.

use tokio::sync::watch;

use crate::service::headers::{Advance, FollowError};
use crate::storage::StoreError;
use crate::worker::{Wakes, WorkerParts, next_round};

/// The task that follows the chain.
pub struct ChainTask {
    parts: WorkerParts,
    wakes: Wakes,
    /// The lowest height whose records have not been told yet; survives failures in between.
    untold_from: Option<u32>,
}

impl ChainTask {
    /// Makes the task. At start all records are told, because a crash may have come in between.
    pub const fn new(parts: WorkerParts, wakes: Wakes) -> Self {
        Self { parts, wakes, untold_from: Some(0) }
    }

    /// Runs until `shutdown` turns true.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        loop {
            self.round().await;
            let period = self.parts.periods.chain;
            if !next_round(&self.wakes.chain, period, &mut shutdown).await {
                return;
            }
        }
    }

    async fn round(&mut self) {
        let now = self.parts.clock.now();
        match self.parts.headers.follow().await {
            Ok(advance) => {
                self.parts.observations.note_network(Ok(()), now);
                self.note(advance);
            }
            Err(FollowError::Store(error)) => {
                tracing::warn!(%error, "headers could not be stored");
            }
            Err(error) => {
                tracing::warn!(%error, "the chain could not be followed");
                self.parts.observations.note_network(Err(error.to_string()), now);
            }
        }
        if let Err(error) = self.parts.anchoring.prove_money(now).await {
            tracing::warn!(%error, "proofs could not be stored; tried again");
        }
        if let Err(error) = self.tell().await {
            tracing::warn!(%error, "records could not be told about the chain; tried again");
        }
    }

    fn note(&mut self, advance: Advance) {
        if let Advance::Changed { lowest, tip, .. } = advance {
            tracing::debug!(lowest, tip, "the best chain changed");
            self.untold_from = Some(self.untold_from.map_or(lowest, |from| from.min(lowest)));
        }
    }

    async fn tell(&mut self) -> Result<(), StoreError> {
        let Some(lowest) = self.untold_from else { return Ok(()) };
        let now = self.parts.clock.now();
        let summary = self.parts.anchoring.follow_chain(lowest, now).await?;
        if summary.orphaned > 0 {
            tracing::warn!(records = summary.orphaned, "a reorganisation took records back");
            self.wakes.pipeline.notify_one();
        }
        self.parts.anchoring.look_for_mined(now).await?;
        self.untold_from = None;
        Ok(())
    }
}
