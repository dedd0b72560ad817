//! Sending stored transactions, and what the answers mean.

use crate::anchor::lifecycle::{Event, SendResult};
use crate::chain::BroadcastOutcome;
use crate::service::anchoring::AnchoringService;
use crate::storage::StoreError;
use crate::storage::transactions::expect_transaction;
use crate::types::Txid;
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;

impl AnchoringService {
    /// Sends the stored bytes of a transaction as they are.
    pub(super) async fn send(&self, txid: Txid) -> Result<Event, StoreError> {
        let stored = self.store.read(|tx| expect_transaction(tx, txid))?;
        let outcome = self.broadcaster.broadcast(txid, &stored.raw).await;
        let (result, label) = interpret(outcome);
        self.metrics.count_broadcast(label);
        if !matches!(result, SendResult::Taken) {
            tracing::debug!(%txid, ?result, "a transaction was sent and not taken");
        }
        Ok(Event::Sent(result))
    }
}

fn interpret(outcome: BroadcastOutcome) -> (SendResult, &'static str) {
    match outcome {
        BroadcastOutcome::Accepted => (SendResult::Taken, "accepted"),
        #[cfg(feature = "planted-bugs")]
        BroadcastOutcome::AlreadyKnown if Defect::KnownIsFailure.is_planted() => {
            (SendResult::Invalid("already known".into()), "invalid")
        }
        BroadcastOutcome::AlreadyKnown => (SendResult::Taken, "already_known"),
        BroadcastOutcome::Unknown { reason, retry_after_ms } => {
            (SendResult::Unknown { reason, retry_after_ms }, "unknown")
        }
        BroadcastOutcome::Conflict { reason } => (SendResult::Conflict(reason), "conflict"),
        BroadcastOutcome::Invalid { reason } => (SendResult::Invalid(reason), "invalid"),
        BroadcastOutcome::FeeTooLow { reason } => (SendResult::FeeTooLow(reason), "fee_too_low"),
        BroadcastOutcome::Orphan { reason } => (SendResult::Orphan(reason), "orphan"),
    }
}
