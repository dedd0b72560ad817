//! Asks the signer and the mail server whether they are there while nobody needs them.

use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::worker::{WorkerParts, next_round};

/// A signer that answered so recently is not asked.
const TRUSTED_FOR: Duration = Duration::from_secs(30);

/// The part of the mail server's period after which it is asked first.
const FIRST_PART: u32 = 12;

/// The task that watches the mail server, if this process sends mail. It waits for a while first:
/// letters that are left from the last run go out now, and show more.
pub struct PostTask {
    parts: WorkerParts,
}

impl PostTask {
    /// Makes the task.
    pub const fn new(parts: WorkerParts) -> Self {
        Self { parts }
    }

    /// Runs until `shutdown` turns true.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let never = Notify::new();
        let period = self.parts.periods.mail;
        let mut wait = period / FIRST_PART;
        while next_round(&never, wait, &mut shutdown).await {
            wait = period;
            let prober = &self.parts.console.overview.readiness.prober;
            tokio::select! {
                () = prober.ask_mail() => {}
                _ = shutdown.wait_for(|is_over| *is_over) => return,
            }
        }
    }
}

/// The task that watches the signer.
pub struct SignerTask {
    parts: WorkerParts,
}

impl SignerTask {
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
            let period = self.parts.periods.housekeeping;
            if !next_round(&never, period, &mut shutdown).await {
                return;
            }
        }
    }

    async fn round(&self) {
        let seen = self.parts.observations.signer();
        let now = self.parts.clock.now();
        let is_trusted = seen.last_success.is_some_and(|at| now.since(at) < TRUSTED_FOR);
        if is_trusted && seen.failure.is_none() {
            return;
        }
        let issuer = &self.parts.anchoring.keyring.issuer.identifier;
        if let Err(error) = self.parts.anchoring.signer.public_key(issuer).await {
            tracing::debug!(%error, "the signer does not answer");
        }
    }
}
