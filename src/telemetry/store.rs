//! What is measured of the store, its writer and its disk.

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::telemetry::observe;

/// Upper bounds in seconds of the commit buckets; a commit is two syncs of a disk.
const COMMIT_SECONDS: [f64; 11] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What the writer thread measures itself, made with the store; clones count together.
#[derive(Debug, Clone)]
pub struct StoreMeters {
    queued: Gauge,
    commits: Histogram,
}

impl Default for StoreMeters {
    fn default() -> Self {
        Self { queued: Gauge::default(), commits: Histogram::new(COMMIT_SECONDS) }
    }
}

impl StoreMeters {
    /// Notes that a write waits for the writer.
    pub fn queue(&self) {
        self.queued.inc();
    }

    /// Notes that `count` writes wait no longer.
    pub fn take(&self, count: usize) {
        self.queued.dec_by(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Notes how long a transaction took from its beginning to the disk.
    pub fn committed(&self, took: Duration) {
        observe(&self.commits, took);
    }
}

/// Whether the store takes writes, and how much room there is.
#[derive(Debug, Default)]
pub struct StoreGauges {
    /// 1 if it can be written to, else 0.
    pub writable: Gauge,
    /// 1 while it is fenced after a restore, else 0.
    pub fenced: Gauge,
    /// Size of its file in bytes; 0 where it is in none.
    pub bytes: Gauge,
    /// Bytes free on the disk of its folder; -1 where it is in none.
    pub disk_free_bytes: Gauge,
    /// Commits since the start.
    pub commits: Gauge,
    /// Writes that those commits carried.
    pub writes: Gauge,
}

impl StoreGauges {
    pub(super) fn register(registry: &mut Registry, meters: StoreMeters) -> Self {
        let gauges = Self::default();
        let help = "Whether the store takes writes: 1 if so, else 0";
        registry.register("store_writable", help, gauges.writable.clone());
        let help = "Whether the store is fenced after a restore: 1 if so, else 0";
        registry.register("store_fenced", help, gauges.fenced.clone());
        let help = "Size of the store's file in bytes";
        registry.register("store_bytes", help, gauges.bytes.clone());
        let help = "Bytes free on the disk of the data folder, -1 if there is none";
        registry.register("disk_free_bytes", help, gauges.disk_free_bytes.clone());
        let help = "Commits of the store since the start";
        registry.register("store_commits", help, gauges.commits.clone());
        let help = "Writes that those commits carried";
        registry.register("store_writes", help, gauges.writes.clone());
        let help = "Writes that wait for the writer";
        registry.register("store_queued_writes", help, meters.queued);
        let help = "Time of a storage transaction from its beginning to the disk";
        registry.register("store_commit_duration_seconds", help, meters.commits);
        gauges
    }
}
