//! Lets expire what has expired and keeps the gauges true.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::service::login::REMEMBERED;
use crate::storage::audit::audit_count;
use crate::storage::jobs::job_totals;
use crate::storage::mails::mail_count;
use crate::storage::utxos::pool_totals;
use crate::storage::{StageName, StoreError};
use crate::types::Timestamp;
use crate::wallet::utxo::UtxoStatus;
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

    fn measure(&self, now: Timestamp) -> Result<(), StoreError> {
        for endpoint in self.parts.endpoints.snapshot(now) {
            let state = endpoint.state.as_number();
            self.parts.metrics.set_endpoint(endpoint.name.as_str(), state);
        }
        let (commits, writes) = (self.parts.store.commit_count(), self.parts.store.write_count());
        self.parts.metrics.store_commits.set(i64::try_from(commits).unwrap_or(i64::MAX));
        self.parts.metrics.store_writes.set(i64::try_from(writes).unwrap_or(i64::MAX));
        let (lines, mails) =
            self.parts.store.read(|tx| Ok::<_, StoreError>((audit_count(tx)?, mail_count(tx)?)))?;
        self.parts.metrics.audit_lines_are(lines);
        self.parts.metrics.mail_spool.set(i64::try_from(mails).unwrap_or(i64::MAX));
        let (jobs, pool) =
            self.parts.store.read(|tx| Ok::<_, StoreError>((job_totals(tx)?, pool_totals(tx)?)))?;
        let pending: u64 =
            jobs.iter().filter(|(stage, _)| is_pending(*stage)).map(|(_, count)| count).sum();
        let pending = pending.saturating_add(self.parts.batches.waiting()?);
        self.parts.metrics.records_pending.set(i64::try_from(pending).unwrap_or(i64::MAX));
        let available = pool.iter().filter(|((_, status), _)| *status == UtxoStatus::Available);
        let available: u64 = available.map(|(_, total)| total.count).sum();
        if available < self.parts.maintenance.treasury.policy.current().min_utxo_count {
            self.wakes.shortage.notify_one();
        }
        let held = jobs.iter().filter(|(stage, _)| *stage == StageName::Held);
        let held: u64 = held.map(|(_, count)| count).sum();
        self.parts.metrics.records_held.set(i64::try_from(held).unwrap_or(i64::MAX));
        for ((key_identifier, status), total) in pool {
            let count = i64::try_from(total.count).unwrap_or(i64::MAX);
            let satoshis = i64::try_from(total.satoshis).unwrap_or(i64::MAX);
            self.parts.metrics.set_pool(&key_identifier, status.as_str(), count, satoshis);
        }
        Ok(())
    }

    /// Sets the gauges of the runway, and warns once when it gets short or the day's fees are spent.
    fn measure_runway(&self, now: Timestamp) -> Result<(), StoreError> {
        let runway = self.parts.runway.look(now)?;
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let metrics = &self.parts.metrics;
        metrics.pool_runway_days.set(runway.days_left.map_or(-1, gauge));
        metrics.oldest_unanchored_seconds.set(gauge(runway.oldest_unanchored_secs.unwrap_or(0)));
        for stage in StageName::ALL {
            let held = runway.locked.get(stage.as_str()).copied().unwrap_or(0);
            metrics.set_locked(stage.as_str(), gauge(held));
        }
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

const fn is_pending(stage: StageName) -> bool {
    matches!(stage, StageName::Accepted | StageName::Reserved | StageName::Signed | StageName::Held)
}
