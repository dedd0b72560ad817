//! The background: tasks with a period, a wake-up and a status.
//!
//! Each task calls a service and decides nothing itself. Tests wake a task; they never wait for a
//! timer. A task that panics is logged and goes on; one that finds the store unwritable waits.

mod backfill;
mod backup;
mod batches;
mod chain;
mod history;
mod housekeeping;
mod imports;
mod live;
mod log;
mod mail;
mod maintenance;
mod outside;
mod pipeline;
mod policy;
mod resync;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::chain::{EndpointBoard, NetworkPolicy, PolicySource};
use crate::service::anchoring::AnchoringService;
use crate::service::api_keys::ApiKeyService;
use crate::service::audit::AuditService;
use crate::service::backups::BackupService;
use crate::service::batches::BatchService;
use crate::service::console::ConsoleService;
use crate::service::email_codes::MailSpool;
use crate::service::headers::HeaderService;
use crate::service::imports::ImportService;
use crate::service::log::LogService;
use crate::service::maintenance::MaintenanceService;
use crate::service::privacy::PrivacyService;
use crate::service::readiness::Observations;
use crate::service::restores::RestoreService;
use crate::service::resync::ResyncService;
use crate::service::runway::RunwayService;
use crate::storage::Store;
use crate::telemetry::Metrics;
use crate::types::Clock;

pub use backfill::BackfillTask;
pub use backup::BackupTask;
pub use batches::BatchTask;
pub use chain::ChainTask;
pub use history::HistoryTask;
pub use housekeeping::HousekeepingTask;
pub use imports::ImportTask;
pub use live::LiveTask;
pub use log::LogTask;
pub use mail::MailTask;
pub use maintenance::{MaintenanceTask, Schedule};
pub use outside::{PostTask, SignerTask};
pub use pipeline::PipelineTask;
pub use policy::PolicyTask;
pub use resync::ResyncTask;

/// How often tasks look by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periods {
    /// Between two looks at the chain's tip.
    pub chain: Duration,
    /// Between two rounds of housekeeping.
    pub housekeeping: Duration,
    /// The longest sleep of the pipeline when nothing is due.
    pub pipeline: Duration,
    /// Between two questions to the mail server whether it would take a letter.
    pub mail: Duration,
}

impl Default for Periods {
    fn default() -> Self {
        Self {
            chain: Duration::from_secs(5),
            housekeeping: Duration::from_secs(5),
            pipeline: Duration::from_secs(5),
            mail: Duration::from_secs(60),
        }
    }
}

/// What the tasks work with.
#[derive(Clone)]
pub struct WorkerParts {
    /// The store.
    pub store: Store,
    /// Carries records to the chain.
    pub anchoring: AnchoringService,
    /// Follows the headers.
    pub headers: HeaderService,
    /// Looks after the pool.
    pub maintenance: MaintenanceService,
    /// Forms batches.
    pub batches: BatchService,
    /// Signs the log of all commitments.
    pub log: LogService,
    /// How often it does, at most.
    pub log_period: Duration,
    /// Registers the rows of files.
    pub imports: ImportService,
    /// Makes and keeps backups.
    pub backups: BackupService,
    /// Restores them beside the running store.
    pub restores: RestoreService,
    /// Brings a restored store to agree with the chain.
    pub resync: ResyncService,
    /// Tells how long the pool lasts.
    pub runway: RunwayService,
    /// Notes which API keys were used.
    pub api_keys: ApiKeyService,
    /// Writes down what was refused.
    pub audit: AuditService,
    /// Erases what was to be erased.
    pub privacy: PrivacyService,
    /// Sends the mails that wait, if this process does.
    pub mails: Option<MailSpool>,
    /// What the console watches.
    pub console: ConsoleService,
    /// When the pool is looked after.
    pub schedule: Schedule,
    /// Where the tasks note what they saw.
    pub observations: Observations,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How often tasks look by themselves.
    pub periods: Periods,
    /// Publishes the network's fee policy, if anybody does.
    pub policy_source: Option<Arc<dyn PolicySource>>,
    /// What it said last.
    pub network_policy: NetworkPolicy,
    /// How the network's endpoints are.
    pub endpoints: EndpointBoard,
}

/// Wakes tasks from anywhere; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Wakes {
    /// There are records to carry.
    pub pipeline: Arc<Notify>,
    /// The chain may have grown.
    pub chain: Arc<Notify>,
    /// The pool is to be looked after now.
    pub maintenance: Arc<Notify>,
    /// A record waits for a batch.
    pub batches: Arc<Notify>,
    /// An import has begun.
    pub imports: Arc<Notify>,
    /// A mail waits.
    pub mail: Arc<Notify>,
    /// Records find nothing to pay with, or too few outputs are left.
    pub shortage: Arc<Notify>,
}

/// Runs all tasks.
pub struct Driver {
    parts: WorkerParts,
    wakes: Wakes,
}

impl Driver {
    /// Puts the tasks together.
    pub const fn new(parts: WorkerParts, wakes: Wakes) -> Self {
        Self { parts, wakes }
    }

    /// Runs until `shutdown` turns true and the work in hand is done.
    pub async fn run(self, shutdown: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        let pipeline = PipelineTask::new(self.parts.clone(), self.wakes.clone());
        tasks.spawn(pipeline.run(shutdown.clone()));
        let chain = ChainTask::new(self.parts.clone(), self.wakes.clone());
        tasks.spawn(chain.run(shutdown.clone()));
        let maintenance = MaintenanceTask::new(self.parts.clone(), self.wakes.clone());
        tasks.spawn(maintenance.run(shutdown.clone()));
        let batches = self.parts.batches.clone();
        let batches = BatchTask::new(batches, self.parts.clone(), self.wakes.clone());
        tasks.spawn(batches.run(shutdown.clone()));
        let (log, period) = (self.parts.log.clone(), self.parts.log_period);
        tasks.spawn(LogTask::new(log, self.parts.clone(), period).run(shutdown.clone()));
        let imports = ImportTask::new(self.parts.clone(), self.wakes.clone());
        tasks.spawn(imports.run(shutdown.clone()));
        if let Some(mails) = self.parts.mails.clone() {
            let mail = MailTask::new(mails, self.parts.clone(), self.wakes.clone());
            tasks.spawn(mail.run(shutdown.clone()));
            tasks.spawn(PostTask::new(self.parts.clone()).run(shutdown.clone()));
        }
        tasks.spawn(BackfillTask::new(self.parts.clone()).run(shutdown.clone()));
        let housekeeping = HousekeepingTask::new(self.parts.clone(), self.wakes.clone());
        tasks.spawn(housekeeping.run(shutdown.clone()));
        tasks.spawn(HistoryTask::new(self.parts.clone()).run(shutdown.clone()));
        tasks.spawn(LiveTask::new(self.parts.clone()).run(shutdown.clone()));
        tasks.spawn(ResyncTask::new(self.parts.clone(), self.wakes.clone()).run(shutdown.clone()));
        tasks.spawn(BackupTask::new(self.parts.clone()).run(shutdown.clone()));
        let policy = PolicyTask::new(self.parts.clone());
        tasks.spawn(policy.run(shutdown.clone()));
        let signer = SignerTask::new(self.parts);
        tasks.spawn(signer.run(shutdown));
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                // A task that died would be missed by nobody: end the process, which starts anew.
                tracing::error!(%error, "a background task died");
                std::process::abort();
            }
        }
    }
}

/// Waits for a wake-up, the period, or the end; true to go on.
async fn next_round(wake: &Notify, period: Duration, shutdown: &mut watch::Receiver<bool>) -> bool {
    if *shutdown.borrow() {
        return false;
    }
    tokio::select! {
        () = wake.notified() => true,
        () = tokio::time::sleep(period) => true,
        _ = shutdown.wait_for(|is_over| *is_over) => false,
    }
}
