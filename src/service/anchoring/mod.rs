//! Carries records to the chain: does what the lifecycle decides, reports back what happened.
//!
//! [`prepare`](self) signs statements, leases outputs, signs transactions, many records at a time,
//! as `plan` lays them out (`signing` asks for the signatures); a maintenance operation of the pool
//! joins in with its lease made, and a batch whose records `statements` had signed (`subject`); `caps` stops it all where the fees end; `submit` sends;
//! `observe` looks for blocks and `spenders` for those who spend our inputs; `recover` takes up what
//! has stopped; `apply` makes the changes of a step in one storage transaction, those of
//! `custody` among them; `adopt` takes over what a restored store did not know, if it is `adoptable`;
//! `follow` tells records what happened to the chain of headers.

mod adopt;
mod adoptable;
mod ancestors;
mod apply;
mod caps;
mod custody;
mod follow;
mod observe;
mod outside;
mod plan;
mod prepare;
mod recover;
mod signing;
mod spenders;
mod statements;
mod subject;
mod submit;
mod waiting;

use std::sync::Arc;

use crate::anchor::lifecycle::{Effect, Event, Job, RetryPolicy, Stage, step};
use crate::chain::{Broadcaster, ChainTracker};
use crate::service::headers::TrustAnchors;
use crate::service::keys::Keyring;
use crate::service::progress::Progress;
use crate::service::registration::Wake;
use crate::service::resync::is_fenced;
use crate::service::settings::RuntimeSettings;
use crate::signer::Signer;
use crate::storage::jobs::{due_jobs, expect_job, jobs_due_after, next_due};
use crate::storage::{Store, StoreError, WriteTx};
use crate::telemetry::Metrics;
use crate::types::{RecordId, Timestamp, Txid};

pub(super) use adoptable::{Adoption, Obstacle};
pub(super) use apply::is_on_network;
pub use apply::{Anchored, Applied};
pub use caps::FeeCaps;
pub(super) use observe::{Proved, prove};
pub use recover::{Recovery, judge_recovery};
pub(super) use statements::is_ready_for_batch;
pub(super) use waiting::take_up as take_up_waiting;

/// The most records prepared in one go: one call to the signer, one storage transaction.
pub const PREPARE_BATCH: usize = 64;
/// The most transactions asked about in one go.
pub const LOOK_BATCH: usize = 20;

/// What an operator decides about anchoring.
#[derive(Debug, Clone)]
pub struct AnchoringSettings {
    /// Fee rate and confirmations, which may change at any time.
    pub runtime: RuntimeSettings,
    /// Unmined transactions in a row beyond which an output waits for a block.
    pub max_chain_depth: u32,
    /// Whether the record's JSON is published beside its commitment.
    pub publishes_records: bool,
    /// What may be spent in fees.
    pub caps: FeeCaps,
    /// Waiting times.
    pub policy: RetryPolicy,
}

/// Carries records to the chain.
#[derive(Clone)]
pub struct AnchoringService {
    /// The store.
    pub store: Store,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Signs.
    pub signer: Arc<dyn Signer>,
    /// Sends.
    pub broadcaster: Arc<dyn Broadcaster>,
    /// Looks.
    pub tracker: Arc<dyn ChainTracker>,
    /// Where requests wait.
    pub progress: Progress,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Called when records find nothing to pay with.
    pub shortage: Wake,
    /// What the operator decided.
    pub settings: Arc<AnchoringSettings>,
    /// What our chain of headers hangs on; while it contradicts that, it proves nothing.
    pub anchors: TrustAnchors,
}

/// Work that is due, by what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DueWork {
    /// Records to sign and fund.
    pub prepare: Vec<RecordId>,
    /// Records whose transactions are to be sent, or whose trouble is to be looked into.
    pub submit: Vec<RecordId>,
    /// Records whose transactions are to be looked for.
    pub look: Vec<RecordId>,
}

impl AnchoringService {
    /// Returns what is due at `now`, at most `limit` records, leaving out those that `is_busy`.
    pub fn due_work(
        &self,
        now: Timestamp,
        limit: usize,
        is_busy: impl Fn(RecordId) -> bool,
    ) -> Result<DueWork, StoreError> {
        self.store.read(|tx| {
            let mut work = DueWork::default();
            if is_fenced(tx)? {
                return Ok(work);
            }
            // What is due later than any wait lasts was put off before the clock was set back.
            let stranded = jobs_due_after(tx, now.plus(self.settings.policy.longest()), limit)?;
            for id in due_jobs(tx, now, limit)?.into_iter().chain(stranded) {
                if is_busy(id) {
                    continue;
                }
                let job = expect_job(tx, id)?;
                match first_effect(&job, now, &self.settings.policy) {
                    Some(Effect::Reserve | Effect::Sign) => work.prepare.push(id),
                    Some(Effect::Look { .. }) => work.look.push(id),
                    Some(Effect::Send { .. } | Effect::FindSpender { .. }) | None => {
                        work.submit.push(id);
                    }
                }
            }
            Ok(work)
        })
    }

    /// Returns when the next record is due, if any is.
    pub fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.read(next_due)
    }

    /// Carries out the first effect of each of these records, one after another; for records whose
    /// transactions are signed.
    pub async fn submit(&self, id: RecordId, now: Timestamp) -> Result<(), StoreError> {
        let job = self.store.read(|tx| expect_job(tx, id))?;
        match first_effect(&job, now, &self.settings.policy) {
            Some(effect) => self.carry_out(id, effect, now).await,
            None => self.apply(id, vec![Event::Woken], now).await.map(drop),
        }
    }

    /// Carries out an effect and all that follow from it at once.
    async fn carry_out(
        &self,
        id: RecordId,
        effect: Effect,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut effects = vec![effect];
        // A bound, not a limit in practice: the longest way is look, send, find the spender.
        for _ in 0..4 {
            let Some(effect) = effects.pop() else { return Ok(()) };
            let applied = match effect {
                Effect::Send { txid } => {
                    let sent = self.send(txid).await?;
                    self.apply_about(id, txid, vec![Event::Woken, sent], now).await?
                }
                Effect::Look { txid } => {
                    let follow_up = self.look(&[(id, txid)], now).await?;
                    effects.extend(follow_up.into_iter().map(|(_, effect)| effect));
                    continue;
                }
                Effect::FindSpender { txid } => self.find_spender(id, txid, now).await?,
                Effect::Reserve | Effect::Sign => return Box::pin(self.prepare(&[id], now)).await,
            };
            effects.extend(applied.effects);
        }
        Ok(())
    }

    /// Applies events to a job in one storage transaction.
    async fn apply(
        &self,
        id: RecordId,
        events: Vec<Event>,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let service = self.clone();
        let applied = self.store.write(move |tx| service.apply_in(tx, id, &events, now)).await?;
        self.announce(&applied);
        Ok(applied)
    }

    /// Applies events about a transaction, unless the record has another one by now.
    async fn apply_about(
        &self,
        id: RecordId,
        txid: Txid,
        events: Vec<Event>,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let service = self.clone();
        let applied =
            self.store.write(move |tx| service.apply_about_in(tx, id, txid, &events, now)).await?;
        self.announce(&applied);
        Ok(applied)
    }

    fn apply_about_in(
        &self,
        tx: &mut WriteTx<'_>,
        id: RecordId,
        txid: Txid,
        events: &[Event],
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let is_about_it = expect_job(tx, id)?.txid() == Some(txid);
        self.apply_in(tx, id, if is_about_it { events } else { &[] }, now)
    }

    fn apply_in(
        &self,
        tx: &mut WriteTx<'_>,
        id: RecordId,
        events: &[Event],
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        apply::apply_events(tx, id, events, now, &self.settings)
    }

    /// Tells waiting requests what a step decided; only after it is on disk.
    pub(in crate::service) fn announce(&self, applied: &Applied) {
        if applied.is_settled {
            self.progress.announce(applied.id);
        }
        if applied.anchored.is_some() {
            self.metrics.anchoring_lag.note(applied.took);
        }
        match applied.anchored {
            Some(Anchored::Direct) => self.metrics.count_anchored("direct", 1),
            Some(Anchored::Batch(records)) => self.metrics.count_anchored("batch", records),
            None => {}
        }
    }
}

/// Returns what a job needs first when it is due.
fn first_effect(job: &Job, now: Timestamp, policy: &RetryPolicy) -> Option<Effect> {
    step(job, &Event::Woken, now, policy).effects.first().copied()
}

/// Says whether a stage is one that requests wait for.
const fn ends_waiting(stage: &Stage) -> bool {
    matches!(
        stage,
        Stage::Seen { .. }
            | Stage::Mined { .. }
            | Stage::Final { .. }
            | Stage::Failed { .. }
            | Stage::Held { .. }
    )
}
