//! Looks after the pool: every now and then, when money is short, and when told to.

use std::time::Duration;

use tokio::sync::watch;

use crate::crypto::random_bytes;
use crate::service::maintenance::{Action, MaintenanceError, MaintenanceRequest, SCHEDULER};
use crate::storage::StoreHealth;
use crate::types::Timestamp;
use crate::worker::{Wakes, WorkerParts};

/// A sleep that ends by a wake-up only.
const LONG: Duration = Duration::from_secs(86_400);

/// When the pool is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Schedule {
    /// How often; none for only when told to.
    pub interval: Option<Duration>,
    /// The least time between two splits.
    pub split_cooldown: Duration,
    /// Whether splits are only planned.
    pub splits_dry: bool,
}

/// The task that looks after the pool.
pub struct MaintenanceTask {
    parts: WorkerParts,
    wakes: Wakes,
    /// Whether money was short when a split was not allowed yet.
    is_short: bool,
    /// When the next regular run is due.
    next_run: Option<Timestamp>,
}

impl MaintenanceTask {
    /// Makes the task.
    pub const fn new(parts: WorkerParts, wakes: Wakes) -> Self {
        Self { parts, wakes, is_short: false, next_run: None }
    }

    /// Runs until `shutdown` turns true.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        loop {
            let wait = self.plan_next();
            let action = tokio::select! {
                () = self.wakes.maintenance.notified() => Action::Auto,
                () = self.wakes.shortage.notified() => Action::Split,
                () = tokio::time::sleep(wait) => self.due_action(),
                _ = shutdown.wait_for(|is_over| *is_over) => return,
            };
            tokio::select! {
                () = self.round(action) => {}
                _ = shutdown.wait_for(|is_over| *is_over) => return,
            }
        }
    }

    /// Says how long it is until something is due. What wakes the task in between does not put the
    /// next regular run off.
    fn plan_next(&mut self) -> Duration {
        let now = self.parts.clock.now();
        if self.next_run.is_none() {
            self.next_run = self.parts.schedule.interval.map(|it| now.plus(spread(it)));
        }
        self.parts.maintenance.state.note_next_run(self.next_run);
        let regular = self.next_run.map(|at| at.since(now).min(LONG));
        let cooldown = self.is_short.then(|| self.cooldown_left(now));
        cooldown.into_iter().chain(regular).min().unwrap_or(LONG)
    }

    fn due_action(&self) -> Action {
        let is_regular = self.next_run.is_some_and(|at| at <= self.parts.clock.now());
        if self.is_short && !is_regular { Action::Split } else { Action::Auto }
    }

    fn cooldown_left(&self, now: Timestamp) -> Duration {
        let last = self.parts.maintenance.state.status().last_split;
        let passed = last.map_or(LONG, |last| now.since(last));
        self.parts.schedule.split_cooldown.saturating_sub(passed)
    }

    async fn round(&mut self, action: Action) {
        let now = self.parts.clock.now();
        if action == Action::Split {
            // Where nobody wants a schedule, nobody wants its splits.
            self.is_short = self.parts.schedule.interval.is_some();
            if !self.is_short || !self.cooldown_left(now).is_zero() {
                return;
            }
            self.is_short = false;
            if self.parts.maintenance.treasury.is_split_idle(now).unwrap_or(true) {
                return;
            }
        } else {
            self.next_run = None;
        }
        if self.parts.store.health() != StoreHealth::Writable {
            return tracing::debug!("the store takes no writes: the pool is looked after later");
        }
        if self.parts.observations.signer().failure.is_some() {
            return tracing::debug!("the signer is away: the pool is looked after later");
        }
        let request = MaintenanceRequest {
            splits_dry: self.parts.schedule.splits_dry,
            ..MaintenanceRequest::of(action, SCHEDULER)
        };
        match self.parts.maintenance.run(&request, now).await {
            Ok(report) => {
                for step in report.steps.iter().filter(|step| step.operation.is_some()) {
                    tracing::info!(action = step.action.as_str(), "the pool was looked after");
                }
            }
            Err(MaintenanceError::Running(_) | MaintenanceError::Fenced) => {}
            Err(error) => tracing::warn!(%error, "the pool could not be looked after"),
        }
    }
}

/// Adds up to a tenth, so that installations do not all ask their provider at once.
fn spread(interval: Duration) -> Duration {
    let [byte] = random_bytes::<1>();
    interval.saturating_add(interval.saturating_mul(u32::from(byte)) / 2560)
}
