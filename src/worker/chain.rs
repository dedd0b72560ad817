//! Follows the chain of headers and tells records what it means for them.

use tokio::sync::watch;

use crate::service::headers::{Advance, FollowError};
use crate::storage::StoreError;
use crate::storage::untold::untold_change;
use crate::worker::{Wakes, WorkerParts, next_round};

/// The task that follows the chain.
pub struct ChainTask {
    parts: WorkerParts,
    wakes: Wakes,
    /// Whether transactions have been looked for since the start.
    has_looked: bool,
}

impl ChainTask {
    /// Makes the task.
    pub const fn new(parts: WorkerParts, wakes: Wakes) -> Self {
        Self { parts, wakes, has_looked: false }
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
                if let Advance::Changed { lowest, tip } = advance {
                    tracing::debug!(lowest, tip, "the best chain changed");
                }
            }
            Err(FollowError::Store(error)) => {
                tracing::warn!(%error, "headers could not be stored");
            }
            Err(error) => {
                tracing::warn!(%error, "the chain could not be followed");
                self.parts.observations.note_network(Err(error.to_string()), now);
            }
        }
        if let Err(error) = self.parts.anchoring.prove_money().await {
            tracing::warn!(%error, "proofs could not be stored; tried again");
        }
        if let Err(error) = self.tell().await {
            tracing::warn!(%error, "records could not be told about the chain; tried again");
        }
    }

    /// Tells records what changed since they were told last, before a crash too.
    async fn tell(&mut self) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        let untold = self.parts.store.read(untold_change)?;
        if let Some(change) = untold {
            let summary = self.parts.anchoring.follow_chain(change.lowest, now).await?;
            if summary.orphaned > 0 {
                tracing::warn!(records = summary.orphaned, "a reorganisation took records back");
                self.wakes.pipeline.notify_one();
            }
        }
        if untold.is_some() || !self.has_looked {
            self.parts.anchoring.look_for_mined(now).await?;
            self.has_looked = true;
        }
        match untold {
            Some(change) => self.parts.store.write(move |tx| tx.clear_untold(&change)).await,
            None => Ok(()),
        }
    }
}
