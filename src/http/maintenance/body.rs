//! What maintenance is asked and answered, on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bitcoin::Address;
use crate::service::funding::SyncSummary;
use crate::service::maintenance::{MaintenanceStatus, Report, Step};
use crate::service::treasury::StaleLease;
use crate::types::{Network, RecordId, Txid};

/// What is to be done for the pool.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct MaintainRequest {
    /// `auto` (sync, sweep and split as needed), `sync`, `sweep`, `split`, `sweep-change` or
    /// `unlock-stale`; `auto` if not said.
    #[schema(nullable = false)]
    pub(super) action: Option<String>,
    /// Whether it is only to be said what would be done; false if not said, true for
    /// `unlock-stale`.
    #[schema(nullable = false)]
    pub(super) dry_run: Option<bool>,
    /// Outputs to spend, each as transaction, colon and number.
    #[schema(nullable = false)]
    pub(super) outpoints: Option<Vec<String>>,
    /// How many outputs a split makes.
    #[schema(nullable = false)]
    pub(super) count: Option<u64>,
    /// What each of them is to be worth.
    #[schema(nullable = false)]
    pub(super) size_satoshis: Option<u64>,
    /// The change address, held against ours.
    #[schema(nullable = false)]
    pub(super) change_address: Option<String>,
    /// The signer's name for the change key, held against ours.
    #[schema(nullable = false)]
    pub(super) change_key_id: Option<String>,
    /// Where swept money goes; the funding address if not said.
    #[schema(nullable = false)]
    pub(super) destination_address: Option<String>,
    /// Whether that may be an address that is not ours: a withdrawal.
    #[schema(nullable = false)]
    pub(super) allow_foreign_destination: Option<bool>,
    /// How many minutes a lease must have been idle to be stale; 60 if not said.
    #[schema(nullable = false)]
    pub(super) older_than_mins: Option<u64>,
    /// The most stale leases to take back; 500 if not said.
    #[schema(nullable = false)]
    pub(super) limit: Option<usize>,
    /// Whether to answer after the network has taken what was started, within ten seconds; true if
    /// not said.
    #[schema(nullable = false)]
    pub(super) wait: Option<bool>,
}

/// What was done for the pool.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MaintainBody {
    success: bool,
    action: &'static str,
    dry_run: bool,
    steps: Vec<StepBody>,
}

/// What one step did, or would do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StepBody {
    action: &'static str,
    /// The transaction, once signed.
    #[schema(value_type = Option<String>)]
    txid: Option<Txid>,
    /// The operation, which `unlock-stale` and the audit trail name.
    #[schema(value_type = Option<String>)]
    operation_id: Option<RecordId>,
    inputs: Vec<InputBody>,
    outputs: Vec<OutputBody>,
    fee_satoshis: u64,
    /// The rate that the fee follows; none where nothing is paid.
    fee_rate_sat_per_kb: Option<u64>,
    /// Why nothing was done, or what holds it up.
    reason: Option<String>,
    /// What a sync brought.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sync: Option<SyncBody>,
    /// What `unlock-stale` found held, and what became of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    leases: Vec<LeaseBody>,
}

/// An output that is spent.
#[derive(Debug, Serialize, ToSchema)]
struct InputBody {
    outpoint: String,
    satoshis: u64,
}

/// An output that is made.
#[derive(Debug, Serialize, ToSchema)]
struct OutputBody {
    satoshis: u64,
    address: String,
}

/// What a sync brought, in outputs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SyncBody {
    listed: usize,
    added: usize,
    updated: usize,
    skipped: usize,
    spent_elsewhere: usize,
}

/// An output that a job holds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LeaseBody {
    outpoint: String,
    satoshis: u64,
    #[schema(value_type = String)]
    job_id: RecordId,
    /// Whether it is taken back.
    freed: bool,
    reason: String,
}

/// What maintenance is doing and what it did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusBody {
    /// The run that is under way.
    running: Option<RunningBody>,
    /// The last run that ended.
    last: Option<LastBody>,
    /// When the scheduler runs next; none when it is off.
    next_run_at: Option<String>,
    /// When outputs were last split.
    last_split_at: Option<String>,
}

/// A run that is under way.
#[derive(Debug, Serialize, ToSchema)]
struct RunningBody {
    action: &'static str,
    since: String,
}

/// A run that has ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LastBody {
    started_at: String,
    requested_by: String,
    result: MaintainBody,
}

impl MaintainBody {
    /// Writes a report down.
    pub(super) fn of(report: &Report, network: Network) -> Self {
        Self {
            success: report.is_success(),
            action: report.action.as_str(),
            dry_run: report.dry_run,
            steps: report.steps.iter().map(|step| StepBody::of(step, network)).collect(),
        }
    }
}

impl StepBody {
    fn of(step: &Step, network: Network) -> Self {
        let plan = step.plan.as_ref();
        let inputs = plan.map_or(&[][..], |plan| &plan.inputs);
        let outputs = plan.map_or(&[][..], |plan| &plan.outputs);
        Self {
            action: step.action.as_str(),
            txid: step.txid,
            operation_id: step.operation,
            inputs: inputs
                .iter()
                .map(|it| InputBody { outpoint: it.outpoint.to_string(), satoshis: it.value.get() })
                .collect(),
            outputs: outputs
                .iter()
                .map(|it| OutputBody {
                    satoshis: it.value.get(),
                    address: Address::of_hash(it.key_hash, network).to_string(),
                })
                .collect(),
            fee_satoshis: plan.map_or(0, |plan| plan.fee.get()),
            fee_rate_sat_per_kb: plan.and_then(|plan| plan.fee_rate).map(|rate| rate.sat_per_kb()),
            reason: step.reason.clone(),
            sync: step.sync.map(SyncBody::from),
            leases: step.leases.iter().map(LeaseBody::from).collect(),
        }
    }
}

impl From<SyncSummary> for SyncBody {
    fn from(summary: SyncSummary) -> Self {
        let SyncSummary { listed, added, updated, skipped, spent_elsewhere } = summary;
        Self { listed, added, updated, skipped, spent_elsewhere }
    }
}

impl From<&StaleLease> for LeaseBody {
    fn from(lease: &StaleLease) -> Self {
        Self {
            outpoint: lease.outpoint.to_string(),
            satoshis: lease.value.get(),
            job_id: lease.job,
            freed: lease.is_freed,
            reason: lease.reason.clone(),
        }
    }
}

impl StatusBody {
    /// Writes a status down.
    pub(super) fn of(status: &MaintenanceStatus, network: Network) -> Self {
        Self {
            running: status.running.map(|running| RunningBody {
                action: running.action.as_str(),
                since: running.since.to_string(),
            }),
            last: status.last.as_ref().map(|report| LastBody {
                started_at: report.started_at.to_string(),
                requested_by: report.requested_by.clone(),
                result: MaintainBody::of(report, network),
            }),
            next_run_at: status.next_run.map(|at| at.to_string()),
            last_split_at: status.last_split.map(|at| at.to_string()),
        }
    }
}
