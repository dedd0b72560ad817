//! Makes backups on a schedule, keeps their gauges true, and warns when they are late.

use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::service::backups::{BackupsError, SCHEDULER};
use crate::worker::{WorkerParts, next_round};

/// Between two looks at whether one is due.
const LOOK: Duration = Duration::from_secs(60);

/// The task that makes backups.
pub struct BackupTask {
    parts: WorkerParts,
}

impl BackupTask {
    /// Makes the task.
    pub const fn new(parts: WorkerParts) -> Self {
        Self { parts }
    }

    /// Runs until `shutdown` turns true; a backup that is being made or read then ends without a result.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let never = Notify::new();
        loop {
            tokio::select! {
                () = self.round() => {}
                _ = shutdown.wait_for(|is_over| *is_over) => {}
            }
            self.measure();
            let period = LOOK.min(self.parts.periods.housekeeping.saturating_mul(12));
            if !next_round(&never, period, &mut shutdown).await {
                self.parts.backups.stop();
                return self.parts.restores.stop();
            }
        }
    }

    async fn round(&self) {
        let now = self.parts.clock.now();
        if self.parts.backups.due_at().is_none_or(|due| due > now) {
            return;
        }
        match self.parts.backups.run(SCHEDULER, now).await {
            // What failed is logged where it failed.
            Ok(_) | Err(BackupsError::Running) => {}
            Err(error) => tracing::debug!(%error, "the next backup is tried later"),
        }
    }

    fn measure(&self) {
        let now = self.parts.clock.now();
        let status = self.parts.backups.status();
        let age = status.newest.map(|newest| now.since(newest));
        let newest = status.newest.map(|newest| newest.as_secs());
        self.parts.metrics.backups.set(age, newest, status.bytes, status.failures);
        let warning = self.parts.backups.warning(now);
        let text = warning.clone();
        if self.parts.observations.note_warning("backup", warning) {
            match text {
                Some(text) => tracing::warn!("{text}"),
                None => tracing::info!("backups are as planned again"),
            }
        }
    }
}
