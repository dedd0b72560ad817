//! Looking after the pool: what the scheduler, operators and commands ask for, one run at a time.
//!
//! A run is a list of steps: take in what the network lists, gather dust, split. Each says what it
//! did, or would do, or why there was nothing to do. The last run is remembered for whoever asks.

mod request;
mod state;

use std::sync::Arc;
use std::time::Duration;

use crate::service::funding::{FundingError, FundingService, SyncSummary};
use crate::service::progress::Progress;
use crate::service::registration::Wake;
use crate::service::resync::is_fenced;
use crate::service::treasury::{
    StaleLease, StaleLimits, Started, TreasuryError, TreasuryRequest, TreasuryService,
};
use crate::storage::{StoreError, WriteTx};
use crate::types::{RecordId, Timestamp, Txid};
use crate::wallet::operation::OperationPlan;

pub use request::{Action, MaintenanceRequest, SCHEDULER};
pub use state::{MaintenanceState, MaintenanceStatus, Running};

/// What one step of a run did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which step.
    pub action: Action,
    /// The operation, where one was started.
    pub operation: Option<RecordId>,
    /// Its transaction, once signed.
    pub txid: Option<Txid>,
    /// Its plan, where there is one.
    pub plan: Option<OperationPlan>,
    /// What a sync brought.
    pub sync: Option<SyncSummary>,
    /// What unlock-stale looked at.
    pub leases: Vec<StaleLease>,
    /// Why nothing was done, or what holds the transaction up.
    pub reason: Option<String>,
    /// Whether the step failed, other than for want of something to do.
    pub is_failed: bool,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What was asked for.
    pub action: Action,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// What was done, in this order.
    pub steps: Vec<Step>,
    /// When it began.
    pub started_at: Timestamp,
    /// Who asked for it.
    pub requested_by: String,
}

impl Report {
    /// Says whether no step failed.
    pub fn is_success(&self) -> bool {
        self.steps.iter().all(|step| !step.is_failed)
    }
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// Another one is under way.
    #[error("{} is under way since {}", .0.action.as_str(), .0.since)]
    Running(Running),
    /// The store was restored, and the chain has not been asked about everything.
    #[error("the store was restored and is fenced; `patchproof restore status` says how far it is")]
    Fenced,
    /// An address or key that is not what it must be.
    #[error("{field} {expected}")]
    Mismatch {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: String,
    },
    /// The only step cannot be done as asked.
    #[error(transparent)]
    Treasury(#[from] TreasuryError),
    /// The only step asks the network, which does not answer.
    #[error("the network's list was not taken in")]
    Funding(#[from] FundingError),
    /// The store does not work.
    #[error("the store does not work")]
    Store(#[from] StoreError),
}

/// Looks after the pool.
#[derive(Clone)]
pub struct MaintenanceService {
    /// Takes money in.
    pub funding: FundingService,
    /// Starts operations.
    pub treasury: TreasuryService,
    /// Where requests wait for operations.
    pub progress: Progress,
    /// Wakes the pipeline.
    pub wake: Wake,
    /// What runs, and what ran.
    pub state: Arc<MaintenanceState>,
}

impl MaintenanceService {
    /// Does what is asked for, unless a run is under way.
    ///
    /// # Errors
    ///
    /// [`MaintenanceError::Running`] while another run is under way; the error of a step when it was
    /// the only one asked for. A run of several steps reports what fails as a step.
    pub async fn run(
        &self,
        request: &MaintenanceRequest,
        now: Timestamp,
    ) -> Result<Report, MaintenanceError> {
        self.check(request)?;
        if self.funding.store.read(is_fenced)? {
            return Err(MaintenanceError::Fenced);
        }
        let turn = self.state.begin(request.action, now).map_err(MaintenanceError::Running)?;
        self.note(request, now).await?;
        let mut steps = Vec::new();
        for action in request.action.steps() {
            let outcome = self.step(*action, request, now).await;
            match outcome {
                Ok(done) => steps.extend(done),
                Err(error) if request.action == Action::Auto => {
                    tracing::warn!(%error, step = action.as_str(), "a step of maintenance failed");
                    let reason = Some(error.to_string());
                    steps.push(Step { reason, is_failed: true, ..Step::of(*action) });
                }
                Err(error) => return Err(error),
            }
        }
        let report = Report {
            action: request.action,
            dry_run: request.dry_run,
            steps,
            started_at: now,
            requested_by: request.actor.clone(),
        };
        turn.finish(&report);
        Ok(report)
    }

    /// Writes down who asked for a run before it begins. One of the schedule leaves the lines of what it
    /// does and no other: most find nothing to do.
    async fn note(
        &self,
        request: &MaintenanceRequest,
        now: Timestamp,
    ) -> Result<(), MaintenanceError> {
        if request.dry_run || request.actor == SCHEDULER {
            return Ok(());
        }
        let (actor, action) = (request.actor.clone(), request.action.as_str());
        let note =
            move |tx: &mut WriteTx<'_>| tx.append_audit(now, &actor, "utxo.maintain", action);
        Ok(self.funding.store.write(note).await?)
    }

    async fn step(
        &self,
        action: Action,
        request: &MaintenanceRequest,
        now: Timestamp,
    ) -> Result<Vec<Step>, MaintenanceError> {
        let wanted = match action {
            Action::Auto => return Ok(Vec::new()),
            Action::Sync => return self.sync(request, now).await,
            Action::UnlockStale => return self.unlock_stale(request, now).await,
            Action::Sweep => TreasuryRequest::Sweep {
                outpoints: request.outpoints.clone(),
                destination: request.destination,
                allows_foreign: request.allows_foreign,
            },
            Action::SweepChange => TreasuryRequest::SweepChange {
                outpoints: request.outpoints.clone(),
                destination: request.destination,
                allows_foreign: request.allows_foreign,
            },
            Action::Split => TreasuryRequest::Split {
                outpoints: request.outpoints.clone(),
                count: request.count,
                size: request.size,
            },
        };
        let dry_run = request.dry_run || (action == Action::Split && request.splits_dry);
        match self.treasury.start(wanted, &request.actor, dry_run, now).await {
            Ok(started) => self.follow(action, started, request.wait).await,
            Err(error) if error.is_idle() => {
                Ok(vec![Step { reason: Some(error.to_string()), ..Step::of(action) }])
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn sync(
        &self,
        request: &MaintenanceRequest,
        now: Timestamp,
    ) -> Result<Vec<Step>, MaintenanceError> {
        if request.dry_run {
            let reason = Some("a sync only takes note of facts; it is not tried dry".to_owned());
            return Ok(vec![Step { reason, ..Step::of(Action::Sync) }]);
        }
        let summary = self.funding.sync(&request.actor, now).await?;
        if summary.added + summary.updated > 0 {
            // Records may have waited for just that.
            (self.wake)();
        }
        Ok(vec![Step { sync: Some(summary), ..Step::of(Action::Sync) }])
    }

    async fn unlock_stale(
        &self,
        request: &MaintenanceRequest,
        now: Timestamp,
    ) -> Result<Vec<Step>, MaintenanceError> {
        let limits = StaleLimits { older_than: request.older_than, limit: request.limit };
        let treasury = &self.treasury;
        let leases = treasury.unlock_stale(limits, &request.actor, request.dry_run, now).await?;
        if leases.iter().any(|lease| lease.is_freed) {
            (self.wake)();
        }
        Ok(vec![Step { leases, ..Step::of(Action::UnlockStale) }])
    }

    /// Waits for the operations, as long as the caller likes, and tells how far they have come.
    async fn follow(
        &self,
        action: Action,
        started: Vec<Started>,
        patience: Duration,
    ) -> Result<Vec<Step>, MaintenanceError> {
        let ids: Vec<RecordId> = started.iter().filter_map(|it| it.id).collect();
        let waiters: Vec<_> = ids.iter().map(|id| self.progress.watch(*id)).collect();
        if !ids.is_empty() {
            (self.wake)();
        }
        // One that was faster than this is not waited for: its news is in the store.
        let is_open = |id: &RecordId| self.treasury.progress(*id).is_ok_and(|it| !it.is_settled);
        if !patience.is_zero() && ids.iter().any(is_open) {
            let all = waiters.into_iter().map(|waiter| waiter.wait(patience));
            futures_util::future::join_all(all).await;
        }
        let mut steps = Vec::new();
        for it in started {
            let progress = it.id.map(|id| self.treasury.progress(id)).transpose()?;
            let (txid, reason, is_failed) =
                progress.map_or((None, None, false), |it| (it.txid, it.problem, it.is_failed));
            let plan = Some(it.plan);
            steps.push(Step {
                operation: it.id,
                txid,
                plan,
                reason,
                is_failed,
                ..Step::of(action)
            });
        }
        Ok(steps)
    }

    /// Holds keys and addresses that a request names against ours.
    fn check(&self, request: &MaintenanceRequest) -> Result<(), MaintenanceError> {
        let change = &self.treasury.keyring.change;
        let mismatch = |field, expected| Err(MaintenanceError::Mismatch { field, expected });
        if let Some(address) = request.change_address
            && address != change.address
        {
            let expected = format!("must be the change address, {}", change.address);
            return mismatch("changeAddress", expected);
        }
        match &request.change_key_id {
            Some(identifier) if *identifier != change.identifier => {
                mismatch("changeKeyId", format!("must be {:?}", change.identifier))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Step {
    fn of(action: Action) -> Self {
        Self {
            action,
            operation: None,
            txid: None,
            plan: None,
            sync: None,
            leases: Vec::new(),
            reason: None,
            is_failed: false,
        }
    }
}
