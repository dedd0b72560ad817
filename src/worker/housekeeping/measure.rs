//! Keeps the gauges true: what is counted where it happens needs nobody, the rest is looked at here.

use crate::service::readiness::FENCE;
use crate::service::runway::Runway;
use crate::storage::audit::audit_count;
use crate::storage::headers::{chain_head, header};
use crate::storage::jobs::job_totals;
use crate::storage::mails::mail_count;
use crate::storage::sessions::list_sessions;
use crate::storage::utxos::pool_totals;
use crate::storage::{ReadTx, StageName, StoreError, StoreHealth};
use crate::types::Timestamp;
use crate::wallet::utxo::UtxoStatus;
use crate::worker::housekeeping::HousekeepingTask;

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl HousekeepingTask {
    /// Sets the gauges of one round.
    pub(super) fn measure(&self, now: Timestamp) -> Result<(), StoreError> {
        self.measure_machine();
        self.measure_outside(now);
        self.parts.store.read(|tx| {
            self.measure_store(tx)?;
            self.measure_headers(tx)
        })?;
        self.measure_records()?;
        self.measure_pool()
    }

    /// The process, its disk and whoever is at the door; none of it is in the store.
    fn measure_machine(&self) {
        let (metrics, store) = (&self.parts.metrics, &self.parts.store);
        metrics.process.measure();
        metrics.edge.listeners.set(gauge(self.parts.console.feed.listeners() as u64));
        metrics.store.writable.set(i64::from(store.health() == StoreHealth::Writable));
        metrics.store.fenced.set(i64::from(self.parts.resync.fence.is_up()));
        metrics.store.commits.set(gauge(store.commit_count()));
        metrics.store.writes.set(gauge(store.write_count()));
        let overview = &self.parts.console.overview;
        metrics.store.bytes.set(gauge(overview.store_bytes().unwrap_or(0)));
        metrics.store.disk_free_bytes.set(overview.disk().map_or(-1, |disk| gauge(disk.free)));
    }

    /// What the process depends on, as `/ready` names it.
    fn measure_outside(&self, now: Timestamp) {
        let metrics = &self.parts.metrics;
        for endpoint in self.parts.endpoints.snapshot(now) {
            metrics.set_endpoint(endpoint.name.as_str(), endpoint.state.as_number());
        }
        for one in self.parts.console.overview.readiness.dependencies() {
            if one.name == FENCE {
                // It is named only while it is up; a series of it would be down for ever.
                continue;
            }
            let last = one.last_success.map(Timestamp::as_secs);
            metrics.outside.set_dependency(one.name, one.is_ok(), last);
        }
    }

    fn measure_store(&self, tx: &ReadTx) -> Result<(), StoreError> {
        let metrics = &self.parts.metrics;
        metrics.audit_lines_are(audit_count(tx)?);
        metrics.mail_spool.set(gauge(mail_count(tx)?));
        metrics.edge.sessions.set(gauge(list_sessions(tx)?.len() as u64));
        Ok(())
    }

    fn measure_headers(&self, tx: &ReadTx) -> Result<(), StoreError> {
        let Some(head) = chain_head(tx)? else { return Ok(()) };
        let outside = &self.parts.metrics.outside;
        outside.tip_height.set(i64::from(head.height));
        if let Some(newest) = header(tx, head.hash)? {
            outside.tip_time.set(i64::from(newest.header.time));
        }
        Ok(())
    }

    fn measure_records(&self) -> Result<(), StoreError> {
        let metrics = &self.parts.metrics;
        let jobs = self.parts.store.read(job_totals)?;
        let count = |stage: StageName| -> u64 {
            jobs.iter().filter(|(it, _)| *it == stage).map(|(_, count)| count).sum()
        };
        for stage in StageName::ALL {
            metrics.set_jobs(stage.as_str(), gauge(count(stage)));
        }
        let pending: u64 = StageName::ALL.into_iter().filter(|it| is_pending(*it)).map(count).sum();
        let pending = pending.saturating_add(self.parts.batches.waiting()?);
        metrics.records_pending.set(gauge(pending));
        metrics.records_held.set(gauge(count(StageName::Held)));
        metrics.records_failed.set(gauge(count(StageName::Failed)));
        Ok(())
    }

    fn measure_pool(&self) -> Result<(), StoreError> {
        let pool = self.parts.store.read(pool_totals)?;
        let available = pool.iter().filter(|((_, status), _)| *status == UtxoStatus::Available);
        let available: u64 = available.map(|(_, total)| total.count).sum();
        if available < self.parts.maintenance.treasury.policy.current().min_utxo_count {
            self.wakes.shortage.notify_one();
        }
        let metrics = &self.parts.metrics;
        // A pool that was never funded is an empty one, and not none: its alert must find a series.
        let funding = &self.parts.anchoring.keyring.funding.identifier;
        for status in UtxoStatus::ALL {
            if !pool.contains_key(&(funding.clone(), status)) {
                metrics.set_pool(funding, status.as_str(), 0, 0);
            }
        }
        for ((key_identifier, status), total) in pool {
            let (count, satoshis) = (gauge(total.count), gauge(total.satoshis));
            metrics.set_pool(&key_identifier, status.as_str(), count, satoshis);
        }
        Ok(())
    }

    /// Sets the gauges of the runway.
    pub(super) fn gauge_runway(&self, runway: &Runway) {
        let metrics = &self.parts.metrics;
        metrics.pool_runway_days.set(runway.days_left.map_or(-1, gauge));
        metrics.oldest_unanchored_seconds.set(gauge(runway.oldest_unanchored_secs.unwrap_or(0)));
        for stage in StageName::ALL {
            let held = runway.locked.get(stage.as_str()).copied().unwrap_or(0);
            metrics.set_locked(stage.as_str(), gauge(held));
        }
    }
}

const fn is_pending(stage: StageName) -> bool {
    matches!(stage, StageName::Accepted | StageName::Reserved | StageName::Signed | StageName::Held)
}
