//! What is measured of backups.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How old and how large the newest backup is, and how many have failed.
#[derive(Debug, Default)]
pub struct BackupGauges {
    age: Gauge,
    last: Gauge,
    bytes: Gauge,
    failures: Counter,
}

impl BackupGauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        let help = "Age of the newest good backup, -1 while there is none";
        registry.register("backup_age_seconds", help, gauges.age.clone());
        let help =
            "When the newest good backup was made, in seconds since 1970; 0 while there is none";
        registry.register("backup_last_success_timestamp_seconds", help, gauges.last.clone());
        registry.register("backup_bytes", "Bytes of the newest good backup", gauges.bytes.clone());
        registry.register("backup_failures", "Backups that failed", gauges.failures.clone());
        gauges.age.set(-1);
        gauges
    }

    /// Says how old the newest backup is, when it was made (seconds since 1970), its bytes, and how many
    /// have failed since the start.
    pub fn set(&self, age: Option<Duration>, newest: Option<i64>, bytes: u64, failures: u64) {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.age.set(age.map_or(-1, |age| number(age.as_secs())));
        self.last.set(newest.unwrap_or(0));
        self.bytes.set(number(bytes));
        self.failures.inc_by(failures.saturating_sub(self.failures.get()));
    }
}
