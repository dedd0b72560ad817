//! Starting maintenance operations: planned by pure rules on what is in the store at that moment,
//! written down and leased in one storage transaction, then carried on by the pipeline like a record.
//!
//! An output that is not available makes no job; a dry run reads the same and writes nothing.

mod error;
mod selection;
mod stale;

use std::sync::Arc;

use crate::anchor::lifecycle::{Job, Stage};
use crate::bitcoin::Address;
use crate::crypto::random_bytes;
use crate::service::anchoring::AnchoringService;
use crate::service::keys::Keyring;
use crate::storage::jobs::expect_job;
use crate::storage::utxos::{expect_utxo, pool_totals};
use crate::storage::{Store, StoreError, Tables, TreasuryOperation, WriteTx};
use crate::types::{OutPoint, RecordId, Satoshis, Timestamp, Txid};
use crate::wallet::operation::{OperationKind, OperationPlan};
use crate::wallet::policy::{PoolPolicy, PoolPolicySource};
use crate::wallet::split::{SplitRequest, split_of, split_plan};
use crate::wallet::sweep::{SweepCandidate, dust_of, sweep_plans};
use crate::wallet::utxo::UtxoStatus;

pub use error::TreasuryError;
pub use stale::{StaleLease, StaleLimits};

/// What is asked of the treasury.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreasuryRequest {
    /// Make outputs of the useful size.
    Split {
        /// The outputs to split; chosen if none are named.
        outpoints: Vec<OutPoint>,
        /// How many to make; as many as are missing if not said.
        count: Option<u64>,
        /// What each is to be worth.
        size: Option<Satoshis>,
    },
    /// Gather dust, or the outputs that are named.
    Sweep {
        /// The outputs to gather; the dust if none are named.
        outpoints: Vec<OutPoint>,
        /// Where to; the funding key if not said.
        destination: Option<Address>,
        /// Whether it may be an address that is not ours.
        allows_foreign: bool,
    },
    /// Gather what the change key holds, or those of its outputs that are named.
    SweepChange {
        /// The outputs to gather; all of the change key's if none are named.
        outpoints: Vec<OutPoint>,
        /// Where to; the funding key if not said.
        destination: Option<Address>,
        /// Whether it may be an address that is not ours.
        allows_foreign: bool,
    },
}

/// An operation that was started, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The operation; none of a dry run.
    pub id: Option<RecordId>,
    /// Its plan.
    pub plan: OperationPlan,
}

/// Starts maintenance operations.
#[derive(Clone)]
pub struct TreasuryService {
    /// The store.
    pub store: Store,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Carries operations to the chain.
    pub anchoring: AnchoringService,
    /// What the operator decides about the pool.
    pub policy: PoolPolicySource,
}

impl TreasuryService {
    /// Plans what is asked for and, unless it is a dry run, starts it.
    ///
    /// # Errors
    ///
    /// [`TreasuryError`] says why there is nothing to do, with the numbers, or which output is not
    /// available; then nothing was written.
    pub async fn start(
        &self,
        request: TreasuryRequest,
        actor: &str,
        dry_run: bool,
        now: Timestamp,
    ) -> Result<Vec<Started>, TreasuryError> {
        let policy = self.policy.current();
        if dry_run {
            let plans = self.store.read(|tx| self.plan(tx, &request, &policy, now))?;
            return Ok(plans.into_iter().map(|plan| Started { id: None, plan }).collect());
        }
        let (service, actor) = (self.clone(), actor.to_owned());
        self.store
            .write(move |tx| {
                let plans = service.plan(tx, &request, &policy, now)?;
                plans
                    .into_iter()
                    .map(|plan| {
                        let id = service.put(tx, &plan, &actor, now)?;
                        Ok(Started { id: Some(id), plan })
                    })
                    .collect::<Result<Vec<_>, TreasuryError>>()
            })
            .await
    }

    fn plan(
        &self,
        tables: &impl Tables,
        request: &TreasuryRequest,
        policy: &PoolPolicy,
        now: Timestamp,
    ) -> Result<Vec<OperationPlan>, TreasuryError> {
        let plans = match request {
            TreasuryRequest::Split { outpoints, count, size } => {
                vec![self.plan_split(tables, outpoints, (*count, *size), policy)?]
            }
            TreasuryRequest::Sweep { outpoints, destination, allows_foreign } => {
                let to = self.destination(*destination, *allows_foreign)?;
                let outputs = match outpoints.as_slice() {
                    [] => dust_of(&selection::available(tables, policy, |_| true)?, policy)?,
                    named => selection::named(tables, named, policy)?,
                };
                sweep_plans(OperationKind::Sweep, &outputs, to, policy)?
            }
            TreasuryRequest::SweepChange { outpoints, destination, allows_foreign } => {
                let to = self.destination(*destination, *allows_foreign)?;
                let change = *self.keyring.change.address.hash160();
                if to == change {
                    return Err(TreasuryError::ChangeToItself);
                }
                let outputs = match outpoints.as_slice() {
                    [] => selection::available(tables, policy, |it| it.key_hash == change)?,
                    named => selection::named(tables, named, policy)?,
                };
                sweep_plans(OperationKind::SweepChange, &outputs, to, policy)?
            }
        };
        self.check_fees(tables, &plans, now)?;
        match plans.iter().all(OperationPlan::is_sound) {
            true => Ok(plans),
            false => Err(TreasuryError::Unsound),
        }
    }

    /// Refuses what the caps would only let wait, with its inputs leased.
    fn check_fees(
        &self,
        tables: &impl Tables,
        plans: &[OperationPlan],
        now: Timestamp,
    ) -> Result<(), TreasuryError> {
        let caps = self.anchoring.settings.caps;
        if let Some(plan) = plans.iter().find(|plan| plan.fee > caps.per_transaction) {
            let (fee, cap) = (plan.fee.get(), caps.per_transaction.get());
            return Err(TreasuryError::FeeCap { fee, cap });
        }
        let fees = plans.iter().fold(0u64, |sum, plan| sum.saturating_add(plan.fee.get()));
        caps.reached(tables, fees, now)?.map_or(Ok(()), |told| Err(TreasuryError::Capped(told)))
    }

    fn plan_split(
        &self,
        tables: &impl Tables,
        outpoints: &[OutPoint],
        (count, size): (Option<u64>, Option<Satoshis>),
        policy: &PoolPolicy,
    ) -> Result<OperationPlan, TreasuryError> {
        let request = SplitRequest {
            count,
            size,
            key_hash: *self.keyring.funding.address.hash160(),
            change_key_hash: *self.keyring.change.address.hash160(),
            living: living(tables)?,
        };
        let usable = |outputs: Vec<SweepCandidate>| {
            outputs.into_iter().map(|it| it.candidate).collect::<Vec<_>>()
        };
        if outpoints.is_empty() {
            let candidates = usable(selection::available(tables, policy, |_| true)?);
            return Ok(split_plan(&candidates, &request, policy)?);
        }
        let inputs = usable(selection::named(tables, outpoints, policy)?);
        Ok(split_of(&inputs, &request, policy)?)
    }

    /// Returns the key hash of where the money is to go. Custody's address is never one: what lies
    /// there is taken for a seal.
    fn destination(
        &self,
        wanted: Option<Address>,
        allows_foreign: bool,
    ) -> Result<[u8; 20], TreasuryError> {
        let Some(wanted) = wanted else { return Ok(*self.keyring.funding.address.hash160()) };
        let is_custody =
            self.keyring.custody.as_ref().is_some_and(|custody| custody.address == wanted);
        if is_custody || wanted.hash160() == &self.keyring.issuer.public_key.hash160() {
            return Err(TreasuryError::NotForPayments(wanted));
        }
        let is_ours = self.keyring.payment_keys().iter().any(|key| key.address == wanted);
        if !is_ours && !allows_foreign {
            return Err(TreasuryError::ForeignDestination(wanted));
        }
        Ok(*wanted.hash160())
    }

    /// Writes an operation down, leases what it spends and starts its job.
    fn put(
        &self,
        tx: &mut WriteTx<'_>,
        plan: &OperationPlan,
        actor: &str,
        now: Timestamp,
    ) -> Result<RecordId, TreasuryError> {
        let unix_ms = u64::try_from(now.as_millis()).unwrap_or(0);
        let id = RecordId::from_parts(unix_ms, &random_bytes());
        tx.put_treasury_operation(&TreasuryOperation {
            id,
            kind: plan.kind,
            inputs: plan.inputs.iter().map(|input| input.outpoint).collect(),
            outputs: plan.outputs.clone(),
            fee_rate: plan.fee_rate,
            requested_by: actor.to_owned(),
            created_at: now,
            txid: None,
        })?;
        for input in &plan.inputs {
            let leased = expect_utxo(tx, input.outpoint)?.lease(id);
            tx.put_utxo(&leased.map_err(StoreError::Transition)?)?;
        }
        tx.put_job(&Job::planned(id, now))?;
        tx.append_audit(now, actor, &format!("utxo.{}", plan.kind.as_str()), &id.to_string())?;
        for output in &plan.outputs {
            let is_ours = self.keyring.owner_of_output(&output.key_hash).is_some();
            if !is_ours {
                let to = Address::of_hash(output.key_hash, self.keyring.network);
                let subject = format!("{} satoshis to {to} by {id}", output.value);
                tx.append_audit(now, actor, "utxo.withdraw", &subject)?;
            }
        }
        Ok(id)
    }

    /// Says whether a split would find nothing to do.
    pub fn is_split_idle(&self, now: Timestamp) -> Result<bool, StoreError> {
        let request = TreasuryRequest::Split { outpoints: Vec::new(), count: None, size: None };
        let policy = self.policy.current();
        match self.store.read(|tx| self.plan(tx, &request, &policy, now)) {
            Ok(_) => Ok(false),
            Err(TreasuryError::Store(error)) => Err(error),
            Err(_) => Ok(true),
        }
    }

    /// Says whether too few outputs are available, or too much is dust.
    pub fn is_wanting(&self) -> Result<bool, StoreError> {
        let policy = self.policy.current();
        self.store.read(|tx| {
            let available = selection::available(tx, &policy, |_| true)?;
            let least = policy.least_useful();
            let useful = available.iter().filter(|it| it.candidate.value >= least).count();
            let useful = u64::try_from(useful).unwrap_or(u64::MAX);
            Ok(useful < policy.min_utxo_count || dust_of(&available, &policy).is_ok())
        })
    }

    /// Says whether the whole pool, whatever its state, brings what one anchoring costs.
    pub fn can_ever_pay(&self) -> Result<bool, StoreError> {
        let cost = self.policy.current().anchor_cost().get();
        let totals = self.store.read(pool_totals)?;
        let unspent = totals.iter().filter(|((_, status), _)| *status != UtxoStatus::Spent);
        let value = unspent.fold(0u64, |sum, (_, total)| sum.saturating_add(total.satoshis));
        Ok(value >= cost)
    }

    /// Returns an operation's transaction, once the network has taken it, and what holds it up.
    pub fn progress(&self, id: RecordId) -> Result<OperationProgress, StoreError> {
        self.store.read(|tx| {
            let job = expect_job(tx, id)?;
            let is_settled = match &job.stage {
                Stage::Accepted | Stage::Reserved | Stage::Signed { .. } => false,
                Stage::Seen { .. }
                | Stage::Mined { .. }
                | Stage::Final { .. }
                | Stage::Held { .. }
                | Stage::Failed { .. } => true,
            };
            let problem = match &job.stage {
                Stage::Failed { reason } => Some(reason.clone()),
                Stage::Accepted
                | Stage::Reserved
                | Stage::Signed { .. }
                | Stage::Seen { .. }
                | Stage::Mined { .. }
                | Stage::Final { .. }
                | Stage::Held { .. } => job.problem.clone(),
            };
            let is_failed = matches!(job.stage, Stage::Failed { .. });
            Ok(OperationProgress { txid: job.txid(), is_settled, is_failed, problem })
        })
    }
}

/// How far an operation has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationProgress {
    /// Its signed transaction.
    pub txid: Option<Txid>,
    /// Whether the network has taken it, or it is stuck or failed.
    pub is_settled: bool,
    /// Whether it will never be.
    pub is_failed: bool,
    /// What went wrong last.
    pub problem: Option<String>,
}

/// Counts the outputs of the pool that are available, under way or bound to come back.
fn living(tables: &impl Tables) -> Result<u64, StoreError> {
    let totals = pool_totals(tables)?;
    let living = totals.iter().filter(|((_, status), _)| *status != UtxoStatus::Spent);
    Ok(living.map(|(_, total)| total.count).sum())
}
