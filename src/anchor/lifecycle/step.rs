//! The transition function of the lifecycle.

use std::time::Duration;

use crate::anchor::lifecycle::{
    Change, Effect, Event, FINAL_CONFIRMATIONS, HeldReason, Job, RetryPolicy, SendResult, Sighting,
    Spender, Stage,
};
use crate::types::{BlockHash, Timestamp, Txid};

/// Wrong answers of the signer in a row after which a record is held.
const SIGNER_PATIENCE: u32 = 5;
/// Verdicts against the bytes in a row, with nothing else heard, after which the transaction is
/// looked for; they are believed if the network does not know it.
const VERDICT_PATIENCE: u32 = 4;
/// Refusals of the fee in a row after which a record is shown as held.
const FEE_PATIENCE: u32 = 5;
/// Unknown parents in a row after which the spenders of the inputs are looked up.
const ORPHAN_PATIENCE: u32 = 3;

/// Why a transfer fails whose starting point was double-spent.
const STATE_GONE: &str =
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
        (Stage::Accepted, Event::Reserved) => {
            next.enter(Stage::Reserved);
            next.effects.push(Effect::Sign);
        }
        (Stage::Accepted, Event::NotFunded { needed, available }) => {
            next.retry(format!("the pool has {available} usable satoshis, {needed} are needed"));
        }
        (Stage::Reserved, Event::NotFunded { needed, available }) => {
            // The fee rate rose since the lease: choose again.
            next.changes.push(Change::ReturnLease);
            next.enter(Stage::Accepted);
            next.retry(format!("the leased outputs bring {available}, {needed} are needed"));
        }
        (Stage::Accepted | Stage::Reserved, Event::SignerSilent(reason)) => {
            next.retry(reason.clone());
        }
        (Stage::Accepted | Stage::Reserved, Event::SignerWrong(reason)) => {
            next.distrust_signer(reason);
        }
        (Stage::Reserved, Event::SignedStored { txid }) => {
            next.enter(Stage::Signed { txid: *txid });
            next.effects.push(Effect::Send { txid: *txid });
        }
        (Stage::Signed { txid }, Event::Sent(result)) => next.sent(*txid, result),
        (Stage::Seen { txid }, Event::Sent(result)) => next.sent_again(*txid, result),
        (Stage::Held { txid: Some(txid), .. }, Event::Sent(SendResult::Taken)) => {
            next.settle(*txid);
        }
        (
            Stage::Held { txid: Some(txid), .. },
            Event::Sent(SendResult::Conflict(_) | SendResult::Orphan(_)),
        ) => next.effects.push(Effect::FindSpender { txid: *txid }),
        (Stage::Signed { txid } | Stage::Seen { txid }, Event::Looked(sighting)) => {
            next.looked(*txid, sighting);
        }
        (
            Stage::Held { txid: Some(txid), .. },
            Event::Looked(Sighting::Mined { block, height }),
        ) => next.bury(*txid, *block, *height),
        (
            Stage::Signed { txid } | Stage::Seen { txid } | Stage::Held { txid: Some(txid), .. },
            Event::SpenderFound(spender),
        ) => next.spender_found(*txid, spender),
        (Stage::Accepted | Stage::Reserved | Stage::Held { txid: None, .. }, Event::StateGone) => {
            next.changes.push(Change::ReturnLease);
            next.give_up(STATE_GONE);
        }
        (Stage::Mined { txid, .. }, Event::BlockOrphaned) => next.unbury(*txid),
        (Stage::Final { txid, .. }, Event::BlockOrphaned) => {
            next.changes.push(Change::Unbury { txid: *txid });
            next.hold(Some(*txid), HeldReason::DeepReorganisation);
        }
        (Stage::Held { txid: Some(txid), .. }, Event::Resumed) => {
            next.enter(Stage::Signed { txid: *txid });
        }
        (Stage::Held { txid: None, .. }, Event::Resumed) => {
            // Nothing was signed: begin anew, and with other outputs if need be.
            next.changes.push(Change::ReturnLease);
            next.enter(Stage::Accepted);
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
            | Event::BlockOrphaned
            | Event::Resumed
            | Event::Buried { .. },
        ) => {}
    }
    Step { job: next.job, changes: next.changes, effects: next.effects }
}

struct Next<'a> {
    job: Job,
    changes: Vec<Change>,
    effects: Vec<Effect>,
    now: Timestamp,
    policy: &'a RetryPolicy,
}

impl Next<'_> {
    fn enter(&mut self, stage: Stage) {
        self.job.stage = stage;
        self.job.stage_since = self.now;
        self.job.attempts = 0;
        self.job.refusals = 0;
        self.job.problem = None;
        self.job.due = Some(self.now);
    }

    fn due_in(&mut self, wait: Duration) {
        self.job.due = Some(self.now.plus(wait));
    }

    fn retry(&mut self, problem: String) {
        self.job.attempts = self.job.attempts.saturating_add(1);
        self.job.refusals = 0;
        self.job.problem = Some(problem);
        self.due_in(self.policy.wait(self.job.id, self.job.attempts));
    }

    fn wake(&mut self) {
        let effect = match &self.job.stage {
            Stage::Accepted => Some(Effect::Reserve),
            Stage::Reserved => Some(Effect::Sign),
            Stage::Signed { txid } => Some(Effect::Send { txid: *txid }),
            Stage::Seen { txid } => Some(Effect::Look { txid: *txid }),
            Stage::Held { txid: Some(txid), reason } => Some(match reason {
                HeldReason::FeeTooLow | HeldReason::Signer => Effect::Send { txid: *txid },
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

    fn hold(&mut self, txid: Option<Txid>, reason: HeldReason) {
        let held = Stage::Held { txid, reason };
        if self.job.stage == held {
            self.due_in(self.policy.held_wait);
            return;
        }
        self.enter(held);
        self.job.problem = Some(reason.advice().to_owned());
        self.job.due = txid.is_some().then(|| self.now.plus(self.policy.held_wait));
    }

    fn settle(&mut self, txid: Txid) {
        self.changes.push(Change::Settle { txid });
        self.enter(Stage::Seen { txid });
        self.due_in(self.policy.look(self.job.id, 0));
    }

    fn sent(&mut self, txid: Txid, result: &SendResult) {
        match result {
            SendResult::Taken => self.settle(txid),
            SendResult::Unknown { reason, retry_after_ms } => {
                self.retry(reason.clone());
                if let Some(pause_ms) = retry_after_ms {
                    let asked = Duration::from_millis(*pause_ms);
                    let least = self.policy.wait(self.job.id, 0);
                    self.due_in(asked.clamp(least, self.policy.longest_look_wait));
                }
            }
            SendResult::Orphan(reason) => {
                self.retry(reason.clone());
                if self.job.attempts >= ORPHAN_PATIENCE {
                    self.effects.push(Effect::FindSpender { txid });
                }
            }
            SendResult::Conflict(reason) => {
                self.retry(reason.clone());
                self.effects.push(Effect::FindSpender { txid });
            }
            SendResult::Invalid(reason) => {
                let refusals = self.job.refusals.saturating_add(1);
                self.retry(reason.clone());
                self.job.refusals = refusals;
                if self.is_condemned() {
                    // An endpoint may be wrong, and an earlier answer may have been lost.
                    self.effects.push(Effect::Look { txid });
                }
            }
            SendResult::FeeTooLow(reason) => {
                self.retry(reason.clone());
                if self.job.attempts >= FEE_PATIENCE {
                    self.hold(Some(txid), HeldReason::FeeTooLow);
                }
            }
        }
    }

    const fn is_condemned(&self) -> bool {
        self.job.refusals >= VERDICT_PATIENCE
    }

    fn reject(&mut self, txid: Txid) {
        let verdict = self.job.problem.take();
        self.abandon(txid, None);
        self.give_up(&verdict.unwrap_or_default());
    }

    fn abandon(&mut self, txid: Txid, killed_by: Option<Txid>) {
        self.changes.push(Change::Abandon { txid, killed_by });
        self.job.dead.push(txid);
    }

    fn give_up(&mut self, reason: &str) {
        self.changes.push(Change::GiveUp);
        self.enter(Stage::Failed { reason: reason.to_owned() });
        self.job.due = None;
    }

    /// A transaction that was seen is sent again because the network lost it: whatever the answer,
    /// it stays seen unless the inputs are proved to be spent elsewhere.
    fn sent_again(&mut self, txid: Txid, result: &SendResult) {
        match result {
            SendResult::Taken => {
                self.job.problem = None;
                self.due_in(self.policy.look(self.job.id, self.job.attempts));
            }
            SendResult::Conflict(reason) | SendResult::Orphan(reason) => {
                self.retry(reason.clone());
                self.effects.push(Effect::FindSpender { txid });
            }
            SendResult::Unknown { reason, .. }
            | SendResult::Invalid(reason)
            | SendResult::FeeTooLow(reason) => self.retry(reason.clone()),
        }
    }

    fn looked(&mut self, txid: Txid, sighting: &Sighting) {
        let is_seen = matches!(self.job.stage, Stage::Seen { .. });
        match sighting {
            Sighting::Mined { block, height } => self.bury(txid, *block, *height),
            Sighting::InMempool if !is_seen => self.settle(txid),
            Sighting::InMempool => {
                self.job.attempts = self.job.attempts.saturating_add(1);
                self.job.problem = None;
                self.due_in(self.policy.look(self.job.id, self.job.attempts));
            }
            Sighting::Missing if self.is_condemned() => self.reject(txid),
            Sighting::Missing => {
                // Lists lag: absence proves nothing. The same bytes again settle it either way.
                self.retry("the network does not list the transaction; it is sent again".into());
                self.effects.push(Effect::Send { txid });
            }
            Sighting::Unproved(reason) => self.retry(reason.clone()),
        }
    }

    fn bury(&mut self, txid: Txid, block: BlockHash, height: u32) {
        if !matches!(self.job.stage, Stage::Seen { .. }) {
            self.changes.push(Change::Settle { txid });
        }
        self.changes.push(Change::Bury { txid, block, height });
        self.enter(Stage::Mined { txid, block, height });
        self.job.due = None;
    }

    fn unbury(&mut self, txid: Txid) {
        self.changes.push(Change::Unbury { txid });
        self.enter(Stage::Signed { txid });
        self.job.problem = Some("its block left the best chain; it is sent again".into());
        self.effects.push(Effect::Send { txid });
    }

    fn spender_found(&mut self, txid: Txid, spender: &Spender) {
        match spender {
            Spender::Nobody => self.look_elsewhere(txid),
            Spender::Other(other) if *other == txid => self.look_elsewhere(txid),
            Spender::Other(_) => {
                self.changes.push(Change::Freeze { txid });
                self.hold(Some(txid), HeldReason::InputSpentElsewhere);
            }
            Spender::OtherFinal(other) if *other == txid => self.look_elsewhere(txid),
            Spender::OtherFinal(other) => {
                self.abandon(txid, Some(*other));
                self.enter(Stage::Accepted);
                self.job.problem = Some(format!("{other} spent an input of {txid}"));
            }
            Spender::StateGone(other) => {
                self.abandon(txid, Some(*other));
                self.give_up(STATE_GONE);
            }
        }
    }

    /// Nobody else spends the inputs: a held record goes back to being sent.
    fn look_elsewhere(&mut self, txid: Txid) {
        if matches!(self.job.stage, Stage::Held { reason: HeldReason::InputSpentElsewhere, .. }) {
            self.enter(Stage::Signed { txid });
            self.effects.push(Effect::Look { txid });
        } else if self.job.attempts.is_multiple_of(2) {
            self.effects.push(Effect::Look { txid });
        }
    }
}
