//! Sending stored transactions, and what the answers mean.

use crate::anchor::lifecycle::{Event, SendResult};
use crate::bitcoin::{Script, TxOut};
use crate::chain::{BroadcastOutcome, Submission};
use crate::service::anchoring::{AnchoringService, PREPARE_BATCH};
use crate::storage::jobs::jobs_in_stage;
use crate::storage::transactions::expect_transaction;
use crate::storage::utxos::utxo;
use crate::storage::{StageName, StoreError, StoredTransaction, Tables};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{Timestamp, Txid};

impl AnchoringService {
    /// Notes after a start that what was being sent when the process ended may still arrive.
    pub async fn note_interruption(&self, now: Timestamp) -> Result<(), StoreError> {
        for stage in [StageName::Signed, StageName::Held] {
            let mut after = None;
            loop {
                let jobs = self.store.read(|tx| jobs_in_stage(tx, stage, after, PREPARE_BATCH))?;
                let Some(last) = jobs.last() else { break };
                after = Some(last.id);
                let service = self.clone();
                self.store
                    .write(move |tx| {
                        for job in &jobs {
                            service.apply_in(tx, job.id, &[Event::Interrupted], now)?;
                        }
                        Ok::<_, StoreError>(())
                    })
                    .await?;
            }
        }
        Ok(())
    }

    /// Sends the stored bytes of a transaction as they are.
    pub(super) async fn send(&self, txid: Txid) -> Result<Event, StoreError> {
        let (stored, spent) = self.store.read(|tx| {
            let stored = expect_transaction(tx, txid)?;
            let spent = spent_outputs(tx, &stored)?;
            Ok::<_, StoreError>((stored, spent))
        })?;
        let submission = Submission { txid, raw: &stored.raw, spent: spent.as_deref() };
        let outcome = self.broadcaster.broadcast(submission).await;
        let (result, label) = interpret(outcome);
        self.metrics.count_broadcast(label);
        if !matches!(result, SendResult::Taken) {
            tracing::debug!(%txid, ?result, "a transaction was sent and not taken");
        }
        Ok(Event::Sent(result))
    }
}

/// Returns the outputs that a transaction spends, if all of them are in the pool's books.
fn spent_outputs(
    tables: &impl Tables,
    stored: &StoredTransaction,
) -> Result<Option<Vec<TxOut>>, StoreError> {
    let inputs = stored.parse()?.inputs;
    let mut spent = Vec::with_capacity(inputs.len());
    for input in inputs {
        let Some(output) = utxo(tables, input.previous)? else { return Ok(None) };
        let locking_script = Script::pay_to_public_key_hash(&output.key_hash);
        spent.push(TxOut { value: output.value, locking_script });
    }
    Ok(Some(spent))
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
