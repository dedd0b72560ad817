//! What is measured of whoever is at the door: who is in, who listens, who was sent away.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::telemetry::Labels;

/// Sessions, listeners and refusals.
#[derive(Debug, Default)]
pub struct EdgeMeters {
    /// Sessions of the console that are remembered.
    pub sessions: Gauge,
    /// Consoles that listen to the stream of events.
    pub listeners: Gauge,
    refused: Family<Labels<1>, Counter>,
}

impl EdgeMeters {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let meters = Self::default();
        let help = "Sessions of the console";
        registry.register("console_sessions", help, meters.sessions.clone());
        let help = "Listeners of the stream of events";
        registry.register("event_stream_clients", help, meters.listeners.clone());
        let help = "Requests refused because their sender had used up a limit";
        registry.register("limits_refused", help, meters.refused.clone());
        meters
    }

    /// Returns the counter of requests that the limit of a class refused, zero at first.
    pub fn refused(&self, class: &'static str) -> Counter {
        self.refused.get_or_create(&[("class", class.to_owned())]).clone()
    }
}
