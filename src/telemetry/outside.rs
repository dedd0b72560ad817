//! What is seen of everything that the process depends on, and of the chain of headers.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::telemetry::Labels;

/// Whether each dependency of `/ready` works, and how new our newest block is.
#[derive(Debug, Default)]
pub struct OutsideGauges {
    up: Family<Labels<1>, Gauge>,
    last_success: Family<Labels<1>, Gauge>,
    /// Height of the newest block of our own chain of headers.
    pub tip_height: Gauge,
    /// Time of that block by its own word, in seconds since 1970; 0 before the first.
    pub tip_time: Gauge,
}

impl OutsideGauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        let help = "Whether a dependency works: 1 if so, else 0";
        registry.register("dependency_up", help, gauges.up.clone());
        let help = "When a dependency last worked, in seconds since 1970, 0 if never";
        let last = gauges.last_success.clone();
        registry.register("dependency_last_success_timestamp_seconds", help, last);
        let help = "Height of the newest block of our headers";
        registry.register("header_tip_height", help, gauges.tip_height.clone());
        let help = "Time of the newest block of our headers, in seconds since 1970";
        registry.register("header_tip_timestamp_seconds", help, gauges.tip_time.clone());
        gauges
    }

    /// Says whether a dependency works, and when it last did, in seconds since 1970.
    pub fn set_dependency(&self, name: &'static str, is_up: bool, last_success: Option<i64>) {
        let labels = [("dependency", name.to_owned())];
        self.up.get_or_create(&labels).set(i64::from(is_up));
        self.last_success.get_or_create(&labels).set(last_success.unwrap_or(0));
    }
}
