//! Turns what services know of their dependencies into the answer of `/ready`.

use async_trait::async_trait;

use crate::http::health::{Dependency, Readiness, ReadinessReport, ReadinessStatus};
use crate::service::readiness::{DependencyState, ReadinessService};
use crate::storage::StoreHealth;

/// The readiness of the services.
pub(super) struct ReportedReadiness(pub(super) ReadinessService);

#[async_trait]
impl Readiness for ReportedReadiness {
    async fn look(&self) {
        self.0.look().await;
    }

    fn report(&self) -> ReadinessReport {
        let states = self.0.dependencies();
        let all_ok = states.iter().all(DependencyState::is_ok);
        let status = match self.0.store_health() {
            StoreHealth::Full => ReadinessStatus::StorageFull,
            StoreHealth::Failing => ReadinessStatus::Unavailable,
            StoreHealth::Writable if all_ok => ReadinessStatus::Ok,
            StoreHealth::Writable
                if states.iter().any(|state| !state.is_ok() && state.is_vital) =>
            {
                ReadinessStatus::Unavailable
            }
            StoreHealth::Writable => ReadinessStatus::Degraded,
        };
        let now = self.0.clock.now();
        let dependencies = states
            .into_iter()
            .map(|state| Dependency {
                name: state.name.to_owned(),
                ok: state.is_ok(),
                state: state.condition.as_str().to_owned(),
                last_success: state.last_success.map(|at| at.to_string()),
                age_seconds: state.last_success.map(|at| now.since(at).as_secs()),
                detail: state.detail,
            })
            .collect();
        ReadinessReport { status, dependencies, warnings: self.0.warnings() }
    }
}
