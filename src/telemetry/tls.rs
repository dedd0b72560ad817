//! What is measured of the certificate that connections are secured with.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::telemetry::Labels;

/// Where a certificate comes from.
const SOURCES: [&str; 2] = ["acme", "files"];

/// How long the certificate is good, and how often there was no new one.
#[derive(Debug, Default)]
pub struct TlsMetrics {
    expiry: Gauge,
    failures: Family<Labels<1>, Counter>,
}

impl TlsMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "When the certificate in use ends, in seconds since 1970; 0 without one";
        let expiry = metrics.expiry.clone();
        registry.register("tls_certificate_expiry_timestamp_seconds", help, expiry);
        let help = "Times that there should have been a new certificate and was none";
        registry.register("tls_certificate_failures", help, metrics.failures.clone());
        // Zero from the start: what appears only once it has grown cannot be seen to grow.
        for source in SOURCES {
            drop(metrics.failures.get_or_create(&[("source", source.to_owned())]));
        }
        metrics
    }

    /// Says when the certificate in use ends, in seconds since 1970.
    pub fn set_expiry(&self, seconds: i64) {
        self.expiry.set(seconds);
    }

    /// Counts a certificate that could not be had, by where it should have come from.
    pub fn count_failure(&self, source: &'static str) {
        self.failures.get_or_create(&[("source", source.to_owned())]).inc();
    }
}
