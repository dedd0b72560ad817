//! Tells listeners what happens, while there are any.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::service::console::{ConsoleService, Told};
use crate::storage::StoreError;
use crate::worker::WorkerParts;

/// Between two looks at the overview, the log and the imports while somebody listens: four a second.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The task that tells what happens.
pub struct LiveTask {
    parts: WorkerParts,
}

impl LiveTask {
    /// Makes the task.
    pub const fn new(parts: WorkerParts) -> Self {
        Self { parts }
    }

    /// Runs until `shutdown` turns true, then ends every stream.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let console = &self.parts.console;
        loop {
            tokio::select! {
                biased;
                _ = shutdown.wait_for(|is_over| *is_over) => break,
                () = console.feed.woken() => {}
            }
            tokio::select! {
                biased;
                _ = shutdown.wait_for(|is_over| *is_over) => break,
                () = self.tell() => {}
            }
        }
        console.feed.close();
    }

    /// Tells until nobody is waited for any more.
    async fn tell(&self) {
        let console = &self.parts.console;
        let mut told = console.begin(self.parts.clock.now()).unwrap_or_else(|error| {
            tracing::warn!(%error, "claims that wait could not be looked up");
            Told::default()
        });
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while console.feed.is_awake() {
            let outcome = tokio::select! {
                changes = console.store.changes() => {
                    console.tell(&mut told, changes, self.parts.clock.now())
                }
                _ = ticks.tick() => self.tick(console, &mut told),
            };
            if let Err(error) = outcome {
                tracing::warn!(%error, "listeners could not be told what happened");
                console.feed.forget();
            }
        }
    }

    fn tick(&self, console: &ConsoleService, told: &mut Told) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        console.tell_log(told);
        console.tell_imports(told)?;
        console.feed.rest(now);
        console.tell_expired(told, now)?;
        console.look_again(told, now)
    }
}
