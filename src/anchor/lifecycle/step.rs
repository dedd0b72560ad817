//! The transition function of the lifecycle.

use std::time::Duration;

use crate::anchor::lifecycle::{
    Change, Effect, Event, FINAL_CONFIRMATIONS, HeldReason, Job, RetryPolicy, SendResult, Sighting,
    Stage,
};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{Timestamp, Txid};

/// Wrong answers of the signer in a row after which a record is held.
const SIGNER_PATIENCE: u32 = 5;

/// Why a transfer fails whose starting point was double-spent.
pub(super) const STATE_GONE: &str =
    "the transaction of the state that was handed over is dead; the owner must sign again";

/// What follows from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The job afterwards.
    pub job: Job,
    /// What else changes in the same storage transaction.
    pub changes: Vec<Change>,
    /// What the worker does next, at once.
    pub effects: Vec<Effect>,
}

/// Decides what follows when `event` happens to `job`.
///
/// An event that does not fit the stage is late or repeated: it changes nothing.
pub fn step(job: &Job, event: &Event, now: Timestamp, policy: &RetryPolicy) -> Step {
    let mut next = Next { job: job.clone(), changes: vec![], effects: vec![], now, policy };
    match (&job.stage, event) {
        (_, Event::Woken) => next.wake(),
        (Stage::Accepted, _) => next.while_accepted(event),
        (Stage::Reserved, _) => next.while_reserved(event),
        (Stage::Signed { txid }, Event::Sent(result)) => next.sent(*txid, result),
        (Stage::Seen { txid }, Event::Sent(result)) => next.sent_again(*txid, result),
        (Stage::Signed { .. } | Stage::Held { txid: Some(_), .. }, Event::Interrupted) => {
            next.job.was_doubtful = true;
        }
        (Stage::Held { txid, .. }, _) => next.while_held(*txid, event),
        (Stage::Signed { txid } | Stage::Seen { txid }, Event::Looked(sighting)) => {
            next.looked(*txid, sighting);
        }
        (Stage::Signed { txid } | Stage::Seen { txid }, Event::SpenderFound(spender)) => {
            next.spender_found(*txid, spender);
        }
        (Stage::Failed { .. }, Event::Resumed) => next.enter(Stage::Accepted),
        (Stage::Mined { txid, .. } | Stage::Final { txid, .. }, Event::BlockOrphaned { depth }) => {
            next.unbury(*txid, *depth)
        }
        (Stage::Mined { txid, block, height }, Event::Buried { confirmations })
            if *confirmations >= FINAL_CONFIRMATIONS =>
        {
            next.enter(Stage::Final { txid: *txid, block: *block, height: *height });
            next.job.due = None;
        }
        (
            _,
            Event::Reserved
            | Event::NotFunded { .. }
            | Event::SignerSilent(_)
            | Event::SignerWrong(_)
            | Event::SignedStored { .. }
            | Event::Sent(_)
            | Event::Looked(_)
            | Event::SpenderFound(_)
            | Event::StateGone
            | Event::BlockOrphaned { .. }
            | Event::Resumed
            | Event::Interrupted
            | Event::Capped(_)
            | Event::LeaseRevoked
            | Event::PlanVoid(_)
            | Event::Buried { .. },
        ) => {}
    }
    Step { job: next.job, changes: next.changes, effects: next.effects }
}

/// A step in the making.
pub(super) struct Next<'a> {
    pub(super) job: Job,
    pub(super) changes: Vec<Change>,
    pub(super) effects: Vec<Effect>,
    now: Timestamp,
    pub(super) policy: &'a RetryPolicy,
}

impl Next<'_> {
    pub(super) fn enter(&mut self, stage: Stage) {
        self.job.stage = stage;
        self.job.stage_since = self.now;
        self.job.attempts = 0;
        self.job.refusals = 0;
        self.job.problem = None;
        self.job.waits_for_money = false;
        self.job.due = Some(self.now);
    }

    /// Nothing of the record has left, and nothing is leased.
    fn while_accepted(&mut self, event: &Event) {
        match event {
            Event::Reserved => {
                self.enter(Stage::Reserved);
                self.effects.push(Effect::Sign);
            }
            Event::NotFunded { needed, available } => {
                self.wait_for_money(format!(
                    "the pool has {available} usable satoshis, {needed} are needed"
                ));
            }
            Event::SignerSilent(reason) | Event::Capped(reason) => self.retry(reason.clone()),
            Event::SignerWrong(reason) => self.distrust_signer(reason),
            Event::StateGone => self.lose_state(),
            Event::PlanVoid(reason) => self.drop_plan(reason),
            Event::Woken
            | Event::SignedStored { .. }
            | Event::Sent(_)
            | Event::Looked(_)
            | Event::SpenderFound(_)
            | Event::BlockOrphaned { .. }
            | Event::Resumed
            | Event::Interrupted
            | Event::LeaseRevoked
            | Event::Buried { .. } => {}
        }
    }

    /// Outputs are leased; nothing of the record has left.
    fn while_reserved(&mut self, event: &Event) {
        match event {
            Event::NotFunded { needed, available } => {
                // The fee rate rose since the lease: choose again.
                self.changes.push(Change::ReturnLease);
                self.enter(Stage::Accepted);
                self.wait_for_money(format!(
                    "the leased outputs bring {available}, {needed} are needed"
                ));
            }
            Event::LeaseRevoked => {
                self.changes.push(Change::ReturnLease);
                self.enter(Stage::Accepted);
                self.retry("an operator took back its outputs".into());
            }
            Event::SignerSilent(reason) | Event::Capped(reason) => self.retry(reason.clone()),
            Event::SignerWrong(reason) => self.distrust_signer(reason),
            Event::StateGone => self.lose_state(),
            Event::PlanVoid(reason) => self.drop_plan(reason),
            Event::SignedStored { txid } => {
                // The same inputs make the same transaction again, if they came back to life.
                self.job.dead.retain(|dead| dead != txid);
                self.enter(Stage::Signed { txid: *txid });
                self.effects.push(Effect::Send { txid: *txid });
            }
            Event::Woken
            | Event::Reserved
            | Event::Sent(_)
            | Event::Looked(_)
            | Event::SpenderFound(_)
            | Event::BlockOrphaned { .. }
            | Event::Resumed
            | Event::Interrupted
            | Event::Buried { .. } => {}
        }
    }

    /// Something is wrong that time alone does not mend.
    fn while_held(&mut self, signed: Option<Txid>, event: &Event) {
        match (signed, event) {
            (Some(txid), Event::Sent(SendResult::Taken)) => self.settle(txid),
            (Some(txid), Event::Sent(SendResult::Conflict(_) | SendResult::Orphan(_))) => {
                self.effects.push(Effect::FindSpender { txid });
            }
            (Some(txid), Event::Looked(Sighting::Mined { block, height })) => {
                self.bury(txid, *block, *height);
            }
            (Some(txid), Event::SpenderFound(spender)) => self.spender_found(txid, spender),
            (Some(txid), Event::Resumed) => self.enter(Stage::Signed { txid }),
            (None, Event::Resumed) => {
                // Nothing was signed: begin anew, and with other outputs if need be.
                self.changes.push(Change::ReturnLease);
                self.enter(Stage::Accepted);
            }
            (None, Event::StateGone) => self.lose_state(),
            (None, Event::LeaseRevoked) => self.changes.push(Change::ReturnLease),
            (None, Event::PlanVoid(reason)) => self.drop_plan(reason),
            (
                _,
                Event::Woken
                | Event::Reserved
                | Event::NotFunded { .. }
                | Event::SignerSilent(_)
                | Event::SignerWrong(_)
                | Event::SignedStored { .. }
                | Event::Sent(_)
                | Event::Looked(_)
                | Event::SpenderFound(_)
                | Event::StateGone
                | Event::BlockOrphaned { .. }
                | Event::Interrupted
                | Event::Capped(_)
                | Event::LeaseRevoked
                | Event::PlanVoid(_)
                | Event::Buried { .. },
            ) => {}
        }
    }

    pub(super) fn due_in(&mut self, wait: Duration) {
        self.job.due = Some(self.now.plus(wait));
    }

    pub(super) fn retry(&mut self, problem: String) {
        self.job.attempts = self.job.attempts.saturating_add(1);
        self.job.refusals = 0;
        self.job.waits_for_money = false;
        self.job.problem = Some(problem);
        self.due_in(self.policy.wait(self.job.id, self.job.attempts));
    }

    /// The wait ends early when money comes back: whoever brings it looks for those who wait.
    fn wait_for_money(&mut self, problem: String) {
        self.retry(problem);
        self.job.waits_for_money = true;
    }

    fn wake(&mut self) {
        #[cfg(feature = "planted-bugs")]
        if Defect::ReapByClock.is_planted()
            && matches!(self.job.stage, Stage::Signed { .. })
            && self.now.since(self.job.stage_since) > Duration::from_secs(1800)
        {
            self.changes.push(Change::ReturnLease);
        }
        let effect = match &self.job.stage {
            Stage::Accepted => Some(Effect::Reserve),
            Stage::Reserved => Some(Effect::Sign),
            Stage::Signed { txid } => Some(Effect::Send { txid: *txid }),
            Stage::Seen { txid } => Some(Effect::Look { txid: *txid }),
            Stage::Held { txid: Some(txid), reason } => Some(match reason {
                HeldReason::FeeTooLow | HeldReason::Signer | HeldReason::Refused => {
                    Effect::Send { txid: *txid }
                }
                HeldReason::InputSpentElsewhere => Effect::FindSpender { txid: *txid },
                HeldReason::DeepReorganisation => Effect::Look { txid: *txid },
            }),
            Stage::Held { txid: None, .. }
            | Stage::Mined { .. }
            | Stage::Final { .. }
            | Stage::Failed { .. } => None,
        };
        match (&effect, &self.job.stage) {
            (Some(_), Stage::Held { .. }) => self.due_in(self.policy.held_wait),
            // The outcome decides when the job is due again; should it never come (a crash, a lost
            // task), the job comes back by itself after the longest wait.
            (Some(_), _) => self.due_in(self.policy.longest_wait),
            (None, _) => self.job.due = None,
        }
        self.effects.extend(effect);
    }

    fn distrust_signer(&mut self, reason: &str) {
        let refusals = self.job.refusals.saturating_add(1);
        self.retry(reason.to_owned());
        self.job.refusals = refusals;
        if refusals >= SIGNER_PATIENCE {
            let problem = self.job.problem.take();
            self.hold(None, HeldReason::Signer);
            self.job.problem = problem;
        }
    }

    pub(super) fn hold(&mut self, txid: Option<Txid>, reason: HeldReason) {
        let held = Stage::Held { txid, reason };
        if self.job.stage == held {
            self.due_in(self.policy.held_wait);
            return;
        }
        self.enter(held);
        self.job.problem = Some(reason.advice().to_owned());
        self.job.due = txid.is_some().then(|| self.now.plus(self.policy.held_wait));
    }

    pub(super) fn settle(&mut self, txid: Txid) {
        self.changes.push(Change::Settle { txid });
        self.job.was_seen = true;
        self.enter(Stage::Seen { txid });
        self.due_in(self.policy.look(self.job.id, 0));
    }

    pub(super) fn abandon(&mut self, txid: Txid, killed_by: Option<Txid>) {
        self.changes.push(Change::Abandon { txid, killed_by });
        self.job.was_seen = false;
        self.job.was_doubtful = false;
        self.job.dead.push(txid);
    }

    /// Nothing is signed, and what the owner signed can never come true.
    fn lose_state(&mut self) {
        self.changes.push(Change::ReturnLease);
        self.give_up(STATE_GONE);
    }

    /// Nothing is signed for a treasury operation, and nothing will be.
    fn drop_plan(&mut self, reason: &str) {
        self.changes.push(Change::ReturnLease);
        self.give_up(reason);
    }

    pub(super) fn give_up(&mut self, reason: &str) {
        self.changes.push(Change::GiveUp);
        self.enter(Stage::Failed { reason: reason.to_owned() });
        self.job.due = None;
    }
}
