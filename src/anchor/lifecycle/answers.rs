//! What the network's answers mean for a record whose transaction is signed.

use std::time::Duration;

use crate::anchor::lifecycle::step::{Next, STATE_GONE};
use crate::anchor::lifecycle::{
    Change, DEEPEST_FOLLOWED, Effect, HeldReason, SendResult, Sighting, Spender, Stage,
};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{BlockHash, Txid};

/// Verdicts against the bytes in a row, with nothing else heard, after which the transaction is
/// looked for; they are believed if the network does not know it.
const VERDICT_PATIENCE: u32 = 4;
/// Refusals of the fee in a row after which a record is shown as held.
const FEE_PATIENCE: u32 = 5;
/// Attempts that taught nothing after which the transaction is looked for.
const DOUBT_PATIENCE: u32 = 3;
/// Unknown parents in a row after which the spenders of the inputs are looked up.
const ORPHAN_PATIENCE: u32 = 3;

impl Next<'_> {
    pub(super) fn sent(&mut self, txid: Txid, result: &SendResult) {
        match result {
            SendResult::Taken => self.settle(txid),
            SendResult::Unknown { reason, retry_after_ms } => {
                self.retry(reason.clone());
                self.job.was_doubtful = true;
                #[cfg(feature = "planted-bugs")]
                if Defect::ReleaseAfterDoubt.is_planted() {
                    self.changes.push(Change::ReturnLease);
                } else if Defect::SignAgainAfterDoubt.is_planted() {
                    self.abandon(txid, None);
                    return self.enter(Stage::Accepted);
                }
                if let Some(pause_ms) = retry_after_ms {
                    let asked = Duration::from_millis(*pause_ms);
                    let least = self.policy.wait(self.job.id, 0);
                    self.due_in(asked.clamp(least, self.policy.longest_look_wait));
                } else if self.job.attempts.is_multiple_of(DOUBT_PATIENCE) {
                    // It may be out there although every answer was lost or contradicted.
                    self.effects.push(Effect::Look { txid });
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
                #[cfg(feature = "planted-bugs")]
                if Defect::KnownIsFailure.is_planted()
                    || (Defect::BelieveVerdicts.is_planted() && self.is_condemned())
                {
                    return self.reject(txid);
                }
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
        self.job.refusals >= VERDICT_PATIENCE && !self.job.was_seen
    }

    fn reject(&mut self, txid: Txid) {
        let verdict = self.job.problem.take();
        self.abandon(txid, None);
        self.give_up(&verdict.unwrap_or_default());
    }

    /// A transaction that was seen is sent again because the network lost it: whatever the answer,
    /// it stays seen unless the inputs are proved to be spent elsewhere.
    pub(super) fn sent_again(&mut self, txid: Txid, result: &SendResult) {
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

    pub(super) fn looked(&mut self, txid: Txid, sighting: &Sighting) {
        let is_seen = matches!(self.job.stage, Stage::Seen { .. });
        match sighting {
            Sighting::Mined { block, height } => self.bury(txid, *block, *height),
            Sighting::InMempool if !is_seen => self.settle(txid),
            Sighting::InMempool => {
                self.job.attempts = self.job.attempts.saturating_add(1);
                self.job.problem = None;
                self.due_in(self.policy.look(self.job.id, self.job.attempts));
            }
            // What was sent without an answer may arrive after the verdict: no input is freed.
            Sighting::Missing if self.is_condemned() && self.job.was_doubtful => {
                self.hold(Some(txid), HeldReason::Refused);
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

    pub(super) fn bury(&mut self, txid: Txid, block: BlockHash, height: u32) {
        if !matches!(self.job.stage, Stage::Seen { .. }) {
            self.changes.push(Change::Settle { txid });
            self.job.was_seen = true;
        }
        self.changes.push(Change::Bury { txid, block, height });
        self.enter(Stage::Mined { txid, block, height });
        self.job.due = None;
    }

    pub(super) fn unbury(&mut self, txid: Txid, depth: u32) {
        self.changes.push(Change::Unbury { txid });
        #[cfg(feature = "planted-bugs")]
        let depth = if Defect::FollowAnyDepth.is_planted() { 1 } else { depth };
        if depth > DEEPEST_FOLLOWED {
            // Nothing new may stand upon what an operator has yet to look into.
            self.changes.push(Change::Freeze { txid });
            return self.hold(Some(txid), HeldReason::DeepReorganisation);
        }
        self.enter(Stage::Signed { txid });
        self.job.problem = Some("its block left the best chain; it is sent again".into());
        self.effects.push(Effect::Send { txid });
    }

    pub(super) fn spender_found(&mut self, txid: Txid, spender: &Spender) {
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
            Spender::PlanDead(other) => {
                self.abandon(txid, Some(*other));
                self.give_up(&format!("{other} spent an input of {txid}"));
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
