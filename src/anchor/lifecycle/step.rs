//! The transition function of the lifecycle.

use std::time::Duration;

use crate::anchor::lifecycle::{
    Change, Effect, Event, FINAL_CONFIRMATIONS, HeldReason, Job, RetryPolicy, SendResult, Sighting,
    Spender, Stage,
};
use crate::types::{BlockHash, Timestamp, Txid};

/// Wrong answers of the signer in a row after which a record is held.
const SIGNER_PATIENCE: u32 = 5;
/// Verdicts against the bytes in a row, with nothing else heard, that are believed.
const VERDICT_PATIENCE: u32 = 4;
/// Refusals of the fee in a row after which a record is shown as held.
const FEE_PATIENCE: u32 = 5;
/// Unknown parents in a row after which the spenders of the inputs are looked up.
const ORPHAN_PATIENCE: u32 = 3;

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
        (Stage::Held { txid: Some(txid), .. }, Event::Sent(SendResult::Taken)) => {
            next.settle(*txid);
        }
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
        (Stage::Mined { txid, .. }, Event::BlockOrphaned) => next.unbury(*txid),
        (Stage::Final { txid, .. }, Event::BlockOrphaned) => {
            next.changes.push(Change::Unbury { txid: *txid });
            next.hold(Some(*txid), HeldReason::DeepReorganisation);
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
            | Event::BlockOrphaned
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
        self.job.problem = None;
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
                self.retry(format!(
                    "the pool has {available} usable satoshis, {needed} are needed"
                ));
            }
            Event::SignerSilent(reason) => self.retry(reason.clone()),
            Event::SignerWrong(reason) => self.distrust_signer(reason),
            Event::Woken
            | Event::SignedStored { .. }
            | Event::Sent(_)
            | Event::Looked(_)
            | Event::SpenderFound(_)
            | Event::BlockOrphaned
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
                self.retry(format!("the leased outputs bring {available}, {needed} are needed"));
            }
            Event::SignerSilent(reason) => self.retry(reason.clone()),
            Event::SignerWrong(reason) => self.distrust_signer(reason),
            Event::SignedStored { txid } => {
                self.enter(Stage::Signed { txid: *txid });
                self.effects.push(Effect::Send { txid: *txid });
            }
            Event::Woken
            | Event::Reserved
            | Event::Sent(_)
            | Event::Looked(_)
            | Event::SpenderFound(_)
            | Event::BlockOrphaned
            | Event::Buried { .. } => {}
        }
    }

    fn due_in(&mut self, wait: Duration) {
        self.job.due = Some(self.now.plus(wait));
    }

    fn retry(&mut self, problem: String) {
        self.job.attempts = self.job.attempts.saturating_add(1);
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
        self.retry(reason.to_owned());
        if self.job.attempts >= SIGNER_PATIENCE {
            let problem = self.job.problem.take();
            self.hold(None, HeldReason::Signer);
            self.job.problem = problem;
        }
    }

    fn hold(&mut self, txid: Option<Txid>, reason: HeldReason) {
        self.enter(Stage::Held { txid, reason });
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
                self.retry(reason.clone());
                if self.job.attempts >= VERDICT_PATIENCE {
                    self.reject(txid, reason);
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

    fn reject(&mut self, txid: Txid, reason: &str) {
        self.changes.push(Change::Abandon { txid, killed_by: None });
        self.changes.push(Change::GiveUp);
        self.job.dead.push(txid);
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
            Spender::Other(_) => self.hold(Some(txid), HeldReason::InputSpentElsewhere),
            Spender::OtherFinal(other) if *other == txid => self.look_elsewhere(txid),
            Spender::OtherFinal(other) => {
                self.changes.push(Change::Abandon { txid, killed_by: Some(*other) });
                self.job.dead.push(txid);
                self.enter(Stage::Accepted);
                self.job.problem = Some(format!("{other} spent an input of {txid}"));
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
