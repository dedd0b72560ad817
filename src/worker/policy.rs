//! Asks for the network's fee policy from time to time.

use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::worker::{WorkerParts, next_round};

/// Between two looks at whether the policy is stale.
const PERIOD: Duration = Duration::from_secs(30);

/// The task that keeps the fee policy fresh.
pub struct PolicyTask {
    parts: WorkerParts,
}

impl PolicyTask {
    /// Makes the task.
    pub const fn new(parts: WorkerParts) -> Self {
        Self { parts }
    }

    /// Runs until `shutdown` turns true.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let never = Notify::new();
        loop {
            tokio::select! {
                () = self.round() => {}
                _ = shutdown.wait_for(|is_over| *is_over) => return,
            }
            if !next_round(&never, PERIOD, &mut shutdown).await {
                return;
            }
        }
    }

    async fn round(&self) {
        let Some(source) = &self.parts.policy_source else { return };
        let policy = &self.parts.network_policy;
        let now = self.parts.clock.now();
        if policy.is_stale(now) {
            policy.refresh(source.as_ref(), now).await;
            self.parts.anchoring.settings.runtime.set_network_fee_rate(policy.current());
        }
    }
}
