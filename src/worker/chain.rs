//! Follows the chain of headers and tells records what it means for them.

use tokio::sync::watch;

use crate::anchor::lifecycle::DEEPEST_FOLLOWED;
use crate::service::headers::{Advance, FollowError};
use crate::service::readiness::HeadersObservation;
use crate::storage::StoreError;
use crate::storage::untold::untold_change;
use crate::worker::{Wakes, WorkerParts, next_round};

/// The task that follows the chain.
pub struct ChainTask {
    parts: WorkerParts,
    wakes: Wakes,
    /// Whether transactions have been looked for since the start.
    has_looked: bool,
    /// What was last said about our headers, so that it is logged once.
    said: HeadersObservation,
}

impl ChainTask {
    /// Makes the task.
    pub fn new(parts: WorkerParts, wakes: Wakes) -> Self {
        Self { parts, wakes, has_looked: false, said: HeadersObservation::default() }
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
                note(advance);
            }
            Err(FollowError::Store(error)) => {
                tracing::warn!(%error, "headers could not be stored");
            }
            Err(error) => {
                tracing::warn!(%error, "the chain could not be followed");
                self.parts.observations.note_network(Err(error.to_string()), now);
            }
        }
        self.look_at_headers();
        if let Err(error) = self.parts.anchoring.prove_money(now).await {
            tracing::warn!(%error, "proofs could not be stored; tried again");
        }
        if let Err(error) = self.tell().await {
            tracing::warn!(%error, "records could not be told about the chain; tried again");
        }
        self.look_at_headers();
    }

    /// Keeps readiness and the gauge true, and logs what an operator must look into.
    fn look_at_headers(&mut self) {
        let headers = &self.parts.headers;
        let seen = headers.observe().and_then(|seen| Ok((seen, headers.deepest_reorganisation()?)));
        let (seen, deepest) = match seen {
            Ok(seen) => seen,
            Err(error) => return tracing::warn!(%error, "the headers could not be looked at"),
        };
        let gauge = &self.parts.metrics.reorganisation_depth;
        gauge.set(gauge.get().max(i64::from(deepest)));
        self.parts.observations.note_headers(seen.clone(), self.parts.clock.now());
        if seen == self.said {
            return;
        }
        for (now, before) in
            [(&seen.contradiction, &self.said.contradiction), (&seen.alarm, &self.said.alarm)]
        {
            if let Some(problem) = now.as_ref().filter(|_| now != before) {
                tracing::error!(problem, "the chain of headers needs an operator");
            }
        }
        if self.said.contradiction.is_some() && seen.contradiction.is_none() {
            tracing::info!("the chain of headers agrees with the checkpoints again");
        }
        self.said = seen;
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
        // Headers that contradict a checkpoint prove nothing: what they say is told again later.
        let proves = self.parts.headers.observe()?.contradiction.is_none();
        match untold.filter(|_| proves) {
            Some(change) => self.parts.store.write(move |tx| tx.clear_untold(&change)).await,
            None => Ok(()),
        }
    }
}

fn note(advance: Advance) {
    let Advance::Changed { lowest, tip, depth } = advance else { return };
    if depth > DEEPEST_FOLLOWED {
        tracing::error!(depth, lowest, tip, "a reorganisation is deeper than is followed");
    } else {
        tracing::debug!(depth, lowest, tip, "the best chain changed");
    }
}
