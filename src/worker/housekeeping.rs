//! Lets expire what has expired and keeps the gauges true.

mod measure;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::service::login::REMEMBERED;
use crate::storage::StoreError;
use crate::types::Timestamp;
use crate::worker::{Wakes, WorkerParts, next_round};

/// Rows that expire in one storage transaction.
const BATCH: usize = 500;
/// Between two times at which refusals are written down.
const REFUSALS_EVERY: Duration = Duration::from_secs(60);

/// The task that tidies up.
pub struct HousekeepingTask {
    parts: WorkerParts,
    wakes: Wakes,
    /// When refusals were written down last.
    refused_at: Mutex<Option<Timestamp>>,
}

impl HousekeepingTask {
    /// Makes the task.
    pub fn new(parts: WorkerParts, wakes: Wakes) -> Self {
        Self { parts, wakes, refused_at: Mutex::default() }
    }

    /// Runs until `shutdown` turns true.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let never = Notify::new();
        loop {
            let now = self.parts.clock.now();
            if let Err(error) = self.round(now).await {
                tracing::warn!(%error, "housekeeping was not finished");
            }
            let period = self.parts.periods.housekeeping;
            if !next_round(&never, period, &mut shutdown).await {
                return;
            }
        }
    }

    /// Does one round.
    pub async fn round(&self, now: Timestamp) -> Result<(), StoreError> {
        self.measure(now)?;
        self.parts.api_keys.note_uses().await?;
        self.write_refusals(now).await?;
        self.measure_runway(now)?;
        self.parts.privacy.finish(now).await?;
        loop {
            let gone = self
                .parts
                .store
                .write(move |tx| {
                    let nonces = tx.expire_challenges(now, BATCH)?;
                    let logins = tx.forget_used_challenges(now, REMEMBERED, BATCH)?;
                    let claims = tx.forget_claims(now, BATCH)?;
                    let codes = tx.expire_email_codes(now, BATCH)?;
                    let guesses = tx.expire_email_guesses(now, BATCH)?;
                    let imports = tx.forget_imports(now, BATCH)?;
                    let answers = tx.expire_idempotency(now, BATCH)?;
                    let sessions = tx.forget_sessions(now, BATCH)?;
                    let links = tx.forget_setup_links(now, BATCH)?;
                    let rest = claims + codes + guesses + answers + imports + sessions + links;
                    Ok::<_, StoreError>(nonces + logins + rest)
                })
                .await?;
            if gone < BATCH {
                return Ok(());
            }
        }
    }

    /// Gives what was refused its lines, once a minute: more would be noise.
    async fn write_refusals(&self, now: Timestamp) -> Result<(), StoreError> {
        {
            let mut last = self.refused_at.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|at| at <= now && now.since(at) < REFUSALS_EVERY) {
                return Ok(());
            }
            *last = Some(now);
        }
        self.parts.audit.write_refusals(now).await
    }

    /// Sets the gauges of the runway, and warns once when it gets short or the day's fees are spent.
    fn measure_runway(&self, now: Timestamp) -> Result<(), StoreError> {
        let runway = self.parts.runway.look(now)?;
        self.gauge_runway(&runway);
        let short = runway.days_left.ok().filter(|_| runway.is_short());
        let short = short.map(|days| {
            format!("the pool lasts {days} more days at the rate of the last seven; fund it")
        });
        self.warn("runway", short, "the pool lasts a week again");
        let capped = runway.is_capped.then(|| {
            format!(
                "fees of {} satoshis are signed for today, and MAX_FEE_PER_DAY_SATS has no room for \
                 another record: what is new waits until tomorrow",
                runway.fees_today
            )
        });
        self.warn("fee cap", capped, "fees may be paid again");
        Ok(())
    }

    /// Notes a warning for `/ready`, and logs it when it begins and when it ends.
    fn warn(&self, subject: &'static str, warning: Option<String>, over: &'static str) {
        let text = warning.clone();
        if !self.parts.observations.note_warning(subject, warning) {
            return;
        }
        match text {
            Some(text) => tracing::warn!("{text}"),
            None => tracing::info!("{over}"),
        }
    }
}
