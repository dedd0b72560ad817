//! What maintenance is doing and what it did: one run at a time, the last one remembered.

use std::sync::{Arc, Mutex, PoisonError};

use crate::service::maintenance::{Action, Report};
use crate::types::Timestamp;

/// A run that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// What it does.
    pub action: Action,
    /// When it began.
    pub since: Timestamp,
}

/// What whoever asks is told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MaintenanceStatus {
    /// The run that is under way.
    pub running: Option<Running>,
    /// The last run that ended.
    pub last: Option<Report>,
    /// When the scheduler runs next; none when it is off.
    pub next_run: Option<Timestamp>,
    /// When outputs were last split.
    pub last_split: Option<Timestamp>,
}

/// Remembers what runs and what ran, in this process.
#[derive(Debug, Default)]
pub struct MaintenanceState(Mutex<MaintenanceStatus>);

/// The turn of one run; given back however the run ends.
pub(super) struct Turn(Arc<MaintenanceState>);

impl MaintenanceState {
    /// Takes the turn, or says who has it.
    pub(super) fn begin(self: &Arc<Self>, action: Action, now: Timestamp) -> Result<Turn, Running> {
        let mut status = self.lock();
        if let Some(running) = status.running {
            return Err(running);
        }
        status.running = Some(Running { action, since: now });
        Ok(Turn(Arc::clone(self)))
    }

    /// Returns what runs and what ran.
    pub fn status(&self) -> MaintenanceStatus {
        self.lock().clone()
    }

    /// Notes when the scheduler runs next.
    pub fn note_next_run(&self, at: Option<Timestamp>) {
        self.lock().next_run = at;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, MaintenanceStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Remembers what the run did.
    pub(super) fn finish(self, report: &Report) {
        let has_split =
            report.steps.iter().any(|it| it.action == Action::Split && it.operation.is_some());
        let mut status = self.0.lock();
        if has_split {
            status.last_split = Some(report.started_at);
        }
        status.last = Some(report.clone());
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.lock().running = None;
    }
}
