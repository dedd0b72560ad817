//! What is said of the process itself: its build, its age, what it takes of the machine.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::telemetry::Labels;

/// The build, the start and the size of the process.
#[derive(Debug, Default)]
pub struct ProcessGauges {
    build: Family<Labels<2>, Gauge>,
    /// When it started, in seconds since 1970.
    pub started_at: Gauge,
    resident_bytes: Gauge,
    open_files: Gauge,
}

impl ProcessGauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        let help = "The build that runs: always 1";
        registry.register("build_info", help, gauges.build.clone());
        let help = "When the process started, in seconds since 1970";
        registry.register("process_start_time_seconds", help, gauges.started_at.clone());
        let help = "Memory of the process that is in use, in bytes";
        registry.register("process_resident_memory_bytes", help, gauges.resident_bytes.clone());
        let help = "Files and connections that the process has open";
        registry.register("process_open_fds", help, gauges.open_files.clone());
        gauges
    }

    /// Says which build runs: its version, and the commit that was deployed, if that was said.
    pub fn set_build(&self, version: &str, sha: Option<&str>) {
        let sha = sha.unwrap_or("unknown").to_owned();
        self.build.get_or_create(&[("version", version.to_owned()), ("sha", sha)]).set(1);
    }

    /// Asks the kernel (proc(5)) what the process takes; where it does not say, nothing changes.
    pub fn measure(&self) {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok());
        if let Some(kib) = resident {
            self.resident_bytes.set(i64::saturating_mul(kib, 1024));
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            self.open_files.set(i64::try_from(open.count()).unwrap_or(i64::MAX));
        }
    }
}
