//! What is measured of the log of all commitments.

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How large the log is, and how much of it is signed since when.
#[derive(Debug, Default)]
pub struct LogGauges {
    size: Gauge,
    checkpoint_size: Gauge,
    checkpoint_age: Gauge,
}

impl LogGauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        registry.register("log_size", "Commitments in the log", gauges.size.clone());
        let help = "Commitments that the newest signed checkpoint of the log covers";
        registry.register("log_checkpoint_size", help, gauges.checkpoint_size.clone());
        let help = "Age of the newest signed checkpoint while the log has grown beyond it, else 0";
        registry.register("log_checkpoint_age_seconds", help, gauges.checkpoint_age.clone());
        gauges
    }

    /// Says how many commitments there are, how many the newest checkpoint covers and how old that
    /// is. One that covers everything does not age.
    pub fn set(&self, size: u64, signed: Option<(u64, Duration)>) {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let (signed_size, age) = signed.unwrap_or_default();
        self.size.set(number(size));
        self.checkpoint_size.set(number(signed_size));
        self.checkpoint_age.set(if signed_size < size { number(age.as_secs()) } else { 0 });
    }
}
