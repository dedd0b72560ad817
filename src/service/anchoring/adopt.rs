//! Taking over a transaction of ours that a store restored from a backup did not know: the record whose
//! commitment it carries goes on from where it had come, and is not anchored a second time.

use crate::anchor::lifecycle::{Event, Stage};
use crate::service::anchoring::AnchoringService;
use crate::service::anchoring::adoptable::{Adoptable, Adoption};
use crate::service::anchoring::apply::{Applied, deepen};
use crate::service::anchoring::prepare::store_own_outputs;
use crate::service::anchoring::subject::Subject;
use crate::service::resync::ACTOR;
use crate::storage::fence::{finding, findings};
use crate::storage::records::expect_record;
use crate::storage::transactions::transaction;
use crate::storage::utxos::{expect_utxo, utxo};
use crate::storage::{
    StoreError, StoredFinding, StoredRecord, StoredTransaction, TransactionOrigin,
    TransactionState, WriteTx,
};
use crate::types::{OutPoint, RecordId, Timestamp, Txid};
use crate::wallet::utxo::{Utxo, UtxoState};

impl AnchoringService {
    /// Takes a transaction that a resync found over for the job whose commitment it carries, if it
    /// passes every check; all that hangs on it changes in this storage transaction. Call
    /// [`Self::announce`] once it is stored.
    pub(in crate::service) fn adopt_in(
        &self,
        tx: &mut WriteTx<'_>,
        id: RecordId,
        txid: Txid,
        now: Timestamp,
    ) -> Result<Option<Applied>, StoreError> {
        match self.judge_adoption(tx, id, txid)? {
            Adoption::Possible(found) => self.take_over_in(tx, id, *found, now).map(Some),
            Adoption::Done | Adoption::Waits(_) | Adoption::Refused(_) => Ok(None),
        }
    }

    /// The same for a job that is about to begin; where the transaction is not taken over, the job
    /// waits with the reason, because another transaction would anchor it twice.
    pub(super) fn adopt_or_wait(
        &self,
        tx: &mut WriteTx<'_>,
        id: RecordId,
        txid: Txid,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let reason = match self.judge_adoption(tx, id, txid)? {
            Adoption::Possible(found) => return self.take_over_in(tx, id, *found, now),
            Adoption::Done => String::new(),
            Adoption::Waits(wait) => format!(": {wait}"),
            Adoption::Refused(obstacle) => format!(" and is not taken over: {obstacle}"),
        };
        let waits = Event::Capped(format!(
            "its commitment is on chain in {txid}, which the backup that was restored did not \
             know{reason}"
        ));
        self.apply_in(tx, id, &[waits], now)
    }

    fn take_over_in(
        &self,
        tx: &mut WriteTx<'_>,
        id: RecordId,
        found: Adoptable,
        now: Timestamp,
    ) -> Result<Applied, StoreError> {
        let txid = found.stored.txid;
        // What the job holds for another transaction, which nobody has signed, goes back.
        match found.job.stage {
            Stage::Reserved => drop(self.apply_in(tx, id, &[Event::LeaseRevoked], now)?),
            Stage::Held { .. } => drop(self.apply_in(tx, id, &[Event::Resumed], now)?),
            Stage::Accepted
            | Stage::Signed { .. }
            | Stage::Seen { .. }
            | Stage::Mined { .. }
            | Stage::Final { .. }
            | Stage::Failed { .. } => {}
        }
        for spent in &found.spent {
            let held = expect_utxo(tx, spent.outpoint)?.hold_for_spender(txid, id)?;
            tx.put_utxo(&held)?;
        }
        let origin = match &found.subject {
            Subject::Batch(_) => TransactionOrigin::Batch(id),
            Subject::Record(_) | Subject::Operation(_) => TransactionOrigin::Record(id),
        };
        let state = TransactionState::Signed;
        let fee = found.fee;
        tx.put_transaction(&StoredTransaction { origin, state, fee, ..found.stored })?;
        let seal = store_own_outputs(tx, id, &found.transaction, txid, &self.keyring)?;
        if let Subject::Record(record) = found.subject {
            tx.put_record(&StoredRecord { txid: Some(txid), seal, ..*record })?;
        }
        let events = [
            Event::Reserved,
            Event::SignedStored { txid },
            Event::Looked(found.sighting),
            Event::Buried { confirmations: found.confirmations },
        ];
        let applied = self.apply_in(tx, id, &events, now)?;
        deepen(tx, txid)?;
        if let Some(finding) = finding(tx, txid)? {
            tx.settle_finding(&finding)?;
        }
        if let Some(seal) = seal {
            dispute_what_follows(tx, id, seal)?;
        }
        tx.append_audit(now, ACTOR, "restore.adopted", &format!("{id} {txid}"))?;
        tracing::warn!(record = %id, %txid, "a transaction that the backup did not know is taken over");
        Ok(applied)
    }
}

/// A seal that has come into the store with its transaction may be spent by another that was found: who
/// owns the product now stands in a record that is lost.
fn dispute_what_follows(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    seal: OutPoint,
) -> Result<(), StoreError> {
    for other in findings(tx, usize::MAX)? {
        let Some(stored) = transaction(tx, other.txid)? else { continue };
        if stored.origin != TransactionOrigin::External {
            continue;
        }
        let spends_it = stored.parse()?.inputs.iter().any(|input| input.previous == seal);
        if !spends_it || other.spends.contains(&seal) {
            continue;
        }
        if let Some(output) = utxo(tx, seal)? {
            set_aside(tx, output, &stored)?;
        }
        let uid = expect_record(tx, id)?.uid.as_str().to_owned();
        let (mut spends, mut products) = (other.spends.clone(), other.products.clone());
        spends.push(seal);
        products.push(uid);
        tx.put_finding(&StoredFinding { spends, products, ..other })?;
    }
    Ok(())
}

fn set_aside(
    tx: &mut WriteTx<'_>,
    output: Utxo,
    spender: &StoredTransaction,
) -> Result<(), StoreError> {
    match (output.state, spender.state) {
        (UtxoState::Available | UtxoState::Unconfirmed, TransactionState::Mined { .. }) => {
            tx.put_outside_spend(&output.spend_elsewhere(spender.txid)?, spender.txid)
        }
        (UtxoState::Available, _) => tx.put_utxo(&Utxo { state: UtxoState::Unconfirmed, ..output }),
        (UtxoState::Unconfirmed | UtxoState::Locked { .. } | UtxoState::Spent { .. }, _) => Ok(()),
    }
}
