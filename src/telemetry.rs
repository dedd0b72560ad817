//! The counters, gauges and histograms of the product, under the names that dashboards use.
//!
//! A leaf: any floor may count. Guarantees that the text says exactly the names of the contract,
//! in OpenMetrics or in the older Prometheus format. Labels take values from closed lists only,
//! never from a request.

mod backups;
mod edge;
mod lag;
mod log;
mod outside;
mod process;
mod store;
mod svd;
mod tls;
mod traces;
mod zero;

use std::fmt;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use backups::BackupGauges;
pub use edge::EdgeMeters;
pub use lag::{Lag, LagWindow};
pub use log::LogGauges;
pub use outside::OutsideGauges;
pub use process::ProcessGauges;
pub use store::{StoreGauges, StoreMeters};
use svd::SvdFamilies;
pub use svd::SvdMetrics;
pub use tls::TlsMetrics;
pub use traces::{ServedRequest, TraceParent, Traces, TracesError};

type Labels<const N: usize> = [(&'static str, String); N];

type HistogramFamily<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// Upper bounds in seconds of the HTTP latency buckets.
const LATENCY_SECONDS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// The media type of [`Metrics::open_metrics`].
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The media type of [`Metrics::prometheus`].
pub const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every metric of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Challenges handed out for passwordless login.
    pub challenges_issued: Counter,
    /// Tokens issued after a successful login.
    pub jwt_success: Counter,
    /// Logins begun, by key or by mail; for the overview.
    pub logins_begun: Counter,
    /// Logins refused, by key or by mail; for the overview.
    pub logins_failed: Counter,
    /// How long records took to reach the network; for the overview.
    pub anchoring_lag: LagWindow,
    /// Records waiting for the network.
    pub records_pending: Gauge,
    /// Whole days that the pool lasts; -1 while nobody can say.
    pub pool_runway_days: Gauge,
    /// Age of the oldest record that the network has not taken; 0 if there is none.
    pub oldest_unanchored_seconds: Gauge,
    locked_satoshis: Family<Labels<1>, Gauge>,
    /// Records that wait for an operator.
    pub records_held: Gauge,
    /// Blocks that the deepest reorganisation seen took off.
    pub reorganisation_depth: Gauge,
    /// Where a span of each request is sent, if it is.
    pub traces: OnceLock<Arc<Traces>>,
    /// Records that were refused for good.
    pub records_failed: Gauge,
    /// The process.
    pub process: ProcessGauges,
    /// The store.
    pub store: StoreGauges,
    /// What the process depends on.
    pub outside: OutsideGauges,
    /// Whoever is at the door.
    pub edge: EdgeMeters,
    jobs: Family<Labels<1>, Gauge>,
    audit_lines: Counter,
    /// Mails that wait.
    pub mail_spool: Gauge,
    /// The log of all commitments.
    pub log: LogGauges,
    /// Backups.
    pub backups: BackupGauges,
    /// The certificate that connections are secured with.
    pub tls: TlsMetrics,
    mails: Family<Labels<1>, Counter>,
    email_codes: Family<Labels<1>, Counter>,
    svd: SvdFamilies,
    utxo_count: Family<Labels<2>, Gauge>,
    utxo_satoshis: Family<Labels<2>, Gauge>,
    broadcasts: Family<Labels<1>, Counter>,
    anchored: Family<Labels<1>, Counter>,
    endpoints: Family<Labels<1>, Gauge>,
    http_latency: HistogramFamily<3>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Makes an empty set.
    pub fn new() -> Self {
        Self::over(StoreMeters::default())
    }

    /// Makes an empty set, but for what a store has measured of itself since it was opened.
    pub fn over(store: StoreMeters) -> Self {
        let mut registry = Registry::default();
        let metrics = Self {
            challenges_issued: Counter::default(),
            jwt_success: Counter::default(),
            logins_begun: Counter::default(),
            logins_failed: Counter::default(),
            anchoring_lag: LagWindow::register(&mut registry),
            records_pending: Gauge::default(),
            pool_runway_days: Gauge::default(),
            oldest_unanchored_seconds: Gauge::default(),
            locked_satoshis: Family::default(),
            records_held: Gauge::default(),
            reorganisation_depth: Gauge::default(),
            traces: OnceLock::new(),
            records_failed: Gauge::default(),
            process: ProcessGauges::register(&mut registry),
            store: StoreGauges::register(&mut registry, store),
            outside: OutsideGauges::register(&mut registry),
            edge: EdgeMeters::register(&mut registry),
            jobs: Family::default(),
            audit_lines: Counter::default(),
            mail_spool: Gauge::default(),
            mails: Family::default(),
            email_codes: Family::default(),
            svd: SvdFamilies::register(&mut registry),
            log: LogGauges::register(&mut registry),
            backups: BackupGauges::register(&mut registry),
            tls: TlsMetrics::register(&mut registry),
            utxo_count: Family::default(),
            utxo_satoshis: Family::default(),
            broadcasts: Family::default(),
            anchored: Family::default(),
            endpoints: Family::default(),
            http_latency: Family::new_with_constructor(|| Histogram::new(LATENCY_SECONDS)),
            registry,
        };
        metrics.register().start_at_zero()
    }

    fn register(mut self) -> Self {
        let registry = &mut self.registry;
        let challenges = BareCounter(self.challenges_issued.clone());
        registry.register("pp_challenges_issued", "Login challenges issued", challenges);
        let successes = BareCounter(self.jwt_success.clone());
        registry.register("pp_jwt_success", "Tokens issued after a login", successes);
        let pending = self.records_pending.clone();
        registry.register("records_pending", "Records waiting for the network", pending);
        let days = self.pool_runway_days.clone();
        let help = "Days that the pool lasts, -1 while nobody can say";
        registry.register("pool_runway_days", help, days);
        let oldest = self.oldest_unanchored_seconds.clone();
        registry.register("oldest_unanchored_seconds", "Age of the oldest open record", oldest);
        let locked = self.locked_satoshis.clone();
        registry.register("locked_satoshis", "Satoshis that jobs hold, by their stage", locked);
        let held = self.records_held.clone();
        registry.register("records_held", "Records that wait for an operator", held);
        let depth = self.reorganisation_depth.clone();
        let help = "Blocks that the deepest reorganisation seen took off";
        registry.register("reorganisation_depth", help, depth);
        let failed = self.records_failed.clone();
        registry.register("records_failed", "Records that were refused for good", failed);
        let help = "Records, batches and operations of the pool, by their stage";
        registry.register("anchoring_jobs", help, self.jobs.clone());
        let lines = self.audit_lines.clone();
        let help = "Lines of the audit trail, those of former runs included";
        registry.register("audit_lines", help, lines);
        let spool = self.mail_spool.clone();
        registry.register("mail_spool", "Mails that wait", spool);
        registry.register("mail_sent", "Tries to send a mail", self.mails.clone());
        registry.register("email_codes", "Codes to mailboxes", self.email_codes.clone());
        let count = self.utxo_count.clone();
        registry.register("utxo_count", "Outputs in the pool", count);
        let satoshis = self.utxo_satoshis.clone();
        registry.register("utxo_satoshis", "Satoshis in the pool", satoshis);
        let broadcasts = self.broadcasts.clone();
        registry.register("broadcast", "Transactions sent to the network", broadcasts);
        let anchored = self.anchored.clone();
        registry.register("anchor_records", "Records anchored", anchored);
        let endpoints = self.endpoints.clone();
        let help = "Endpoints of the network: 0 asked, 1 on trial, 2 left alone";
        registry.register("endpoint_state", help, endpoints);
        let latency = self.http_latency.clone();
        let help = "Time from the request's head to the answer's head";
        registry.register("http_request_duration_seconds", help, latency);
        self
    }

    /// Returns the login metrics under the key id `kid` and the build `sha`, zero at first.
    pub fn svd(&self, kid: &str, sha: &str) -> Arc<SvdMetrics> {
        self.svd.under(kid, sha)
    }

    /// Says how many outputs of a key stand in a status and what they are worth.
    pub fn set_pool(&self, key_identifier: &str, status: &'static str, count: i64, satoshis: i64) {
        let labels = [("keyIdentifier", key_identifier.to_owned()), ("status", status.to_owned())];
        self.utxo_count.get_or_create(&labels).set(count);
        self.utxo_satoshis.get_or_create(&labels).set(satoshis);
    }

    /// Says how many lines the audit trail has, which never gets shorter.
    pub fn audit_lines_are(&self, lines: u64) {
        self.audit_lines.inc_by(lines.saturating_sub(self.audit_lines.get()));
    }

    /// Says how an endpoint of the network is treated: 0 asked, 1 on trial, 2 left alone.
    pub fn set_endpoint(&self, endpoint: &'static str, state: u8) {
        self.endpoints.get_or_create(&[("endpoint", endpoint.to_owned())]).set(i64::from(state));
    }

    /// Says what jobs hold, by stage; a stage that holds nothing is zero.
    pub fn set_locked(&self, reason: &'static str, satoshis: i64) {
        self.locked_satoshis.get_or_create(&[("reason", reason.to_owned())]).set(satoshis);
    }

    /// Says how many jobs are in a stage; a batch counts once.
    pub fn set_jobs(&self, stage: &'static str, count: i64) {
        self.jobs.get_or_create(&[("stage", stage.to_owned())]).set(count);
    }

    /// Counts one transaction sent, by what came of it.
    pub fn count_broadcast(&self, result: &'static str) {
        self.broadcasts.get_or_create(&[("result", result.to_owned())]).inc();
    }

    /// Counts one try to send a mail, by what came of it.
    pub fn count_mail(&self, result: &'static str) {
        self.mails.get_or_create(&[("result", result.to_owned())]).inc();
    }

    /// Counts one request for a code, or one code presented, by what came of it.
    pub fn count_email_code(&self, result: &'static str) {
        self.email_codes.get_or_create(&[("result", result.to_owned())]).inc();
    }

    /// Counts records anchored, by the way it was done.
    pub fn count_anchored(&self, mode: &'static str, records: u64) {
        self.anchored.get_or_create(&[("mode", mode.to_owned())]).inc_by(records);
    }

    /// Returns the latency histogram of a route, to be kept and observed without a look-up.
    pub fn http_latency(&self, method: &str, route: &str, status_class: &'static str) -> Histogram {
        self.http_latency
            .get_or_create(&[
                ("method", method.to_owned()),
                ("route", route.to_owned()),
                ("status", status_class.to_owned()),
            ])
            .clone()
    }

    /// Writes all metrics as OpenMetrics text.
    pub fn open_metrics(&self) -> String {
        let mut output = String::with_capacity(8 * 1024);
        text::encode(&mut output, &self.registry).expect("writing to a string does not fail");
        output
    }

    /// Writes all metrics in the Prometheus text format 0.0.4, where a counter is called in its
    /// description as it is in its samples and the type `unknown` does not exist.
    pub fn prometheus(&self) -> String {
        let source = self.open_metrics();
        let mut output = String::with_capacity(source.len() + 256);
        let mut help = None;
        for line in source.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                help = rest.split_once(' ');
            } else if let Some((name, kind)) =
                line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
            {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "unknown" => ("", "counter"),
                    other => ("", other),
                };
                let help = help.take().map_or("", |(_, help)| help);
                let _ =
                    write!(output, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n");
            } else if line != "# EOF" {
                output.push_str(line);
                output.push('\n');
            }
        }
        output
    }
}

/// Observes a duration in seconds.
pub fn observe(histogram: &Histogram, duration: Duration) {
    histogram.observe(duration.as_secs_f64());
}

/// A counter whose name in the contract lacks the suffix `_total`, which the encoder would append
/// to a counter; OpenMetrics calls such a one `unknown`.
#[derive(Debug)]
struct BareCounter(Counter);

impl EncodeMetric for BareCounter {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), fmt::Error> {
        encoder.encode_gauge(&self.0.get())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Metrics {
        let metrics = Metrics::new();
        metrics.challenges_issued.inc_by(3);
        metrics.svd("svd-00", "abc").begin.inc();
        metrics.set_pool("funding", "available", 10, 50_000);
        metrics.count_broadcast("accepted");
        metrics.count_anchored("batch", 7);
        metrics.audit_lines_are(5);
        metrics.audit_lines_are(9);
        observe(&metrics.http_latency("GET", "/health", "2xx"), Duration::from_millis(2));
        metrics
    }

    #[test]
    fn names_come_out_exactly_as_dashboards_expect_them() {
        let text = filled().prometheus();
        for line in [
            "pp_challenges_issued 3",
            "pp_jwt_success 0",
            "svd_begin_total{kid=\"svd-00\",sha=\"abc\"} 1",
            "svd_complete_total{kid=\"svd-00\",sha=\"abc\"} 0",
            "svd_invalid_total{kid=\"svd-00\",sha=\"abc\"} 0",
            "svd_expired_total{kid=\"svd-00\",sha=\"abc\"} 0",
            "svd_replayed_total{kid=\"svd-00\",sha=\"abc\"} 0",
            "svd_malleable_reject_total{kid=\"svd-00\",sha=\"abc\"} 0",
            "svd_challenge_age_seconds_count{kid=\"svd-00\",sha=\"abc\"} 0",
            "utxo_count{keyIdentifier=\"funding\",status=\"available\"} 10",
            "utxo_satoshis{keyIdentifier=\"funding\",status=\"available\"} 50000",
            "broadcast_total{result=\"accepted\"} 1",
            "anchor_records_total{mode=\"batch\"} 7",
            "audit_lines_total 9",
            "records_pending 0",
            "records_held 0",
            "reorganisation_depth 0",
            "backup_age_seconds -1",
            "backup_last_success_timestamp_seconds 0",
            "backup_bytes 0",
            "backup_failures_total 0",
            "http_request_duration_seconds_count{method=\"GET\",route=\"/health\",status=\"2xx\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing from\n{text}");
        }
    }

    #[test]
    fn the_old_format_describes_counters_under_the_name_of_their_samples() {
        let text = filled().prometheus();
        assert!(text.contains("# TYPE svd_begin_total counter\n"));
        assert!(text.contains("# TYPE pp_challenges_issued counter\n"));
        assert!(text.contains("# HELP broadcast_total Transactions sent to the network.\n"));
        assert!(!text.contains(" unknown\n") && !text.contains("# EOF"));
    }

    #[test]
    fn open_metrics_ends_with_its_marker() {
        let text = filled().open_metrics();
        assert!(text.ends_with("# EOF\n"));
        assert!(text.contains("# TYPE svd_begin counter\n"));
        assert!(text.contains("# TYPE pp_challenges_issued unknown\n"));
    }
}
