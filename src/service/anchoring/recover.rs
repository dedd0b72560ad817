//! Takes up again what has stopped, where that cannot anchor a record twice.
//!
//! A held record goes on with the bytes that it has, if it has any. A failed registration begins
//! anew only when each transaction that was ever signed for it is proved dead: another transaction
//! that spends one of its inputs is buried deep enough to be final. A refusal is no such proof.

use crate::anchor::lifecycle::{Event, FINAL_CONFIRMATIONS, Job, Stage};
use crate::patch::record::Purpose;
use crate::service::anchoring::AnchoringService;
use crate::service::anchoring::subject::{Subject, subject_of};
use crate::storage::headers::chain_head;
use crate::storage::jobs::expect_job;
use crate::storage::transactions::transaction;
use crate::storage::utxos::utxo;
use crate::storage::{StoreError, Tables, TransactionState};
use crate::types::{RecordId, Timestamp, Txid};
use crate::wallet::utxo::UtxoState;

/// Whether the work on a record can be taken up again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// It can.
    Possible,
    /// It is under way, or done.
    NotNeeded,
    /// The owner's claim was given up when the transfer failed; only he can renew it.
    OwnerMustSign,
    /// A transaction of the record may still be mined: another one could anchor it twice.
    MayStillBeMined(Txid),
}

impl Recovery {
    /// Says in a sentence what an operator should know; nothing where all is well.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Possible => None,
            Self::NotNeeded => Some("it is under way or done; nothing is to be recovered".into()),
            Self::OwnerMustSign => Some(
                "a transfer that failed is not tried again: its owner signs a new one for the \
                 present state"
                    .into(),
            ),
            Self::MayStillBeMined(txid) => Some(format!(
                "its transaction {txid} was refused, and nothing proves that it can never be mined: \
                 another one could anchor the record twice. It is proved once a transaction that \
                 spends one of its inputs is {FINAL_CONFIRMATIONS} blocks deep"
            )),
        }
    }
}

impl AnchoringService {
    /// Takes up the work on a record again, because an operator has seen to its cause; changes
    /// nothing where that is not [`Recovery::Possible`]. The line of the audit trail is written together
    /// with what is changed.
    pub async fn recover(
        &self,
        id: RecordId,
        actor: &str,
        now: Timestamp,
    ) -> Result<Recovery, StoreError> {
        let (service, actor) = (self.clone(), actor.to_owned());
        let (recovery, applied) = self
            .store
            .write(move |tx| {
                let recovery = judge_recovery(tx, &expect_job(tx, id)?)?;
                let events: &[Event] = match recovery {
                    Recovery::Possible => &[Event::Resumed],
                    Recovery::NotNeeded
                    | Recovery::OwnerMustSign
                    | Recovery::MayStillBeMined(_) => &[],
                };
                if recovery == Recovery::Possible {
                    tx.append_audit(now, &actor, "record.recover", &id.to_string())?;
                }
                Ok::<_, StoreError>((recovery, service.apply_in(tx, id, events, now)?))
            })
            .await?;
        self.announce(&applied);
        Ok(recovery)
    }
}

/// Says whether the work on a record can be taken up again.
pub fn judge_recovery(tables: &impl Tables, job: &Job) -> Result<Recovery, StoreError> {
    match &job.stage {
        Stage::Held { .. } => Ok(Recovery::Possible),
        Stage::Failed { .. } => judge_failed(tables, job),
        Stage::Accepted
        | Stage::Reserved
        | Stage::Signed { .. }
        | Stage::Seen { .. }
        | Stage::Mined { .. }
        | Stage::Final { .. } => Ok(Recovery::NotNeeded),
    }
}

fn judge_failed(tables: &impl Tables, job: &Job) -> Result<Recovery, StoreError> {
    match subject_of(tables, job.id)? {
        Subject::Record(record) => match record.purpose {
            Purpose::TransferOwnership => return Ok(Recovery::OwnerMustSign),
            Purpose::RegisterPatch => {}
        },
        Subject::Batch(_) => {}
        // It is planned anew when it is asked for again.
        Subject::Operation(_) => return Ok(Recovery::NotNeeded),
    }
    for txid in &job.dead {
        if !is_proved_dead(tables, *txid)? {
            return Ok(Recovery::MayStillBeMined(*txid));
        }
    }
    Ok(Recovery::Possible)
}

/// Says whether a final transaction spends an input of this one.
fn is_proved_dead(tables: &impl Tables, txid: Txid) -> Result<bool, StoreError> {
    let Some(dead) = transaction(tables, txid)? else { return Ok(false) };
    for input in &dead.parse()?.inputs {
        let Some(spent) = utxo(tables, input.previous)? else { continue };
        if let UtxoState::Spent { by } = spent.state
            && by != txid
            && is_final(tables, by)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_final(tables: &impl Tables, txid: Txid) -> Result<bool, StoreError> {
    let (Some(stored), Some(head)) = (transaction(tables, txid)?, chain_head(tables)?) else {
        return Ok(false);
    };
    match stored.state {
        TransactionState::Mined { height, .. } => {
            Ok((head.height + 1).saturating_sub(height) >= FINAL_CONFIRMATIONS)
        }
        TransactionState::Signed | TransactionState::Seen | TransactionState::Dead { .. } => {
            Ok(false)
        }
    }
}
