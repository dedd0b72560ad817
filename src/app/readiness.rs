//! Turns what services know of their dependencies into the answer of `/ready`.

use crate::http::health::{Dependency, Readiness, ReadinessReport, ReadinessStatus};
use crate::service::readiness::ReadinessService;
use crate::storage::StoreHealth;

/// The readiness of the services.
pub(super) struct ReportedReadiness(pub(super) ReadinessService);

impl Readiness for ReportedReadiness {
    fn report(&self) -> ReadinessReport {
        let states = self.0.dependencies();
        let all_ok = states.iter().all(|state| state.is_ok);
        let status = match self.0.store_health() {
            StoreHealth::Full => ReadinessStatus::StorageFull,
            StoreHealth::Failing => ReadinessStatus::Unavailable,
            StoreHealth::Writable if all_ok => ReadinessStatus::Ok,
            StoreHealth::Writable if states.iter().any(|state| !state.is_ok && state.is_vital) => {
                ReadinessStatus::Unavailable
            }
            StoreHealth::Writable => ReadinessStatus::Degraded,
        };
        let dependencies = states
            .into_iter()
            .map(|state| Dependency {
                name: state.name.to_owned(),
                ok: state.is_ok,
                detail: state.detail,
            })
            .collect();
        ReadinessReport { status, dependencies, warnings: self.0.warnings() }
    }
}
