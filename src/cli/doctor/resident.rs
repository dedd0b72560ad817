//! The doctor in the house: what a running server can examine of itself without asking the network.

use std::sync::Arc;

use async_trait::async_trait;

use crate::cli::desk::Place;
use crate::cli::doctor::finding::{Finding, Findings, Level};
use crate::cli::doctor::{place, records, store, tls};
use crate::cli::store::ReadStore;
use crate::config::Config;
use crate::service::system::{Doctor, SystemFinding};
use crate::storage::Store;
use crate::types::Clock;

/// Examines the data folder, its disk, the store, the records and the files with secrets.
pub(in crate::cli) struct ResidentDoctor {
    config: Arc<Config>,
    store: Store,
    clock: Arc<dyn Clock>,
}

impl ResidentDoctor {
    /// Makes the doctor of a server.
    pub(in crate::cli) const fn new(
        config: Arc<Config>,
        store: Store,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { config, store, clock }
    }
}

#[async_trait]
impl Doctor for ResidentDoctor {
    async fn examine(&self) -> Vec<SystemFinding> {
        let (config, now) = (Arc::clone(&self.config), self.clock.now());
        let opened = ReadStore::Alone(self.store.clone());
        // It writes to the disk and may read the whole store: not on a thread that answers requests.
        let examined = tokio::task::spawn_blocking(move || {
            let mut findings = Findings::default();
            let (data_dir, socket) = (config.data_dir.clone(), config.control_socket.clone());
            place::examine(&Place { data_dir, socket }, &mut findings);
            place::examine_files(Some(&config), &mut findings);
            store::examine(&opened, &mut findings);
            store::examine_pool(&opened, None, &mut findings);
            records::examine(&opened, now, &mut findings);
            tls::examine(&config, now, &mut findings);
            findings
        });
        match examined.await {
            Ok(findings) => findings.all().iter().map(told).collect(),
            Err(error) => {
                tracing::error!(%error, "the examination was not finished");
                Vec::new()
            }
        }
    }
}

fn told(finding: &Finding) -> SystemFinding {
    SystemFinding {
        check: finding.check.to_owned(),
        level: match finding.level {
            Level::Ok => "ok",
            Level::Warning => "warn",
            Level::Failure => "fail",
        },
        finding: finding.finding.clone(),
        remedy: finding.remedy.clone(),
    }
}
