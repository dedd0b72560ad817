//! From accepted to signed: issuer's statement, lease, transaction, signatures, all stored before
//! the first byte leaves. Many records share each call to the signer and each storage transaction.

use crate::anchor::lifecycle::{Effect, Event, Stage};
use crate::bitcoin::Transaction;
use crate::crypto::Signature;
use crate::service::anchoring::apply::{Applied, apply_events};
use crate::service::anchoring::plan::PrepareError;
use crate::service::anchoring::signing::{signer_event, spend_requests, statement_request};
use crate::service::anchoring::subject::{Subject, Subjects, subject_of};
use crate::service::anchoring::{AnchoringService, plan};
use crate::service::keys::Keyring;
use crate::signer::{SignerError, VerifiedSignature};
use crate::storage::fence::found_elsewhere;
use crate::storage::jobs::expect_job;
use crate::storage::records::expect_record;
use crate::storage::transactions::transaction;
use crate::storage::treasury_operations::expect_treasury_operation;
use crate::storage::utxos::{leased_by, utxo};
use crate::storage::{
    StoreError, StoredBatch, StoredRecord, StoredTransaction, TransactionOrigin, TransactionState,
    TreasuryOperation, WriteTx,
};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{OutPoint, RecordId, Timestamp, Txid};
use crate::wallet::builder::{SignedTransaction, UnsignedTransaction};
use crate::wallet::utxo::{OutputPurpose, Utxo, UtxoState};

impl AnchoringService {
    /// Takes records from accepted or reserved to signed and sends them.
    pub async fn prepare(&self, ids: &[RecordId], now: Timestamp) -> Result<(), StoreError> {
        if let Some(capped) = self.capped(0, 1, now)? {
            return self.tell_all(ids, &capped, now).await;
        }
        let accepted = self.subjects_in(ids, &Stage::Accepted)?;
        for operation in accepted.operations {
            let void =
                Event::PlanVoid("its outputs were taken back; it may be asked for again".into());
            self.apply(operation.id, vec![void], now).await?;
        }
        for batch in accepted.batches {
            self.reserve_batch(batch, now).await?;
        }
        if !accepted.records.is_empty() {
            self.reserve(accepted.records, now).await?;
        }
        let reserved = self.subjects_in(ids, &Stage::Reserved)?;
        let signed = self.sign_all(reserved, now).await?;
        let sends =
            signed.into_iter().map(|(id, txid)| self.carry_out(id, Effect::Send { txid }, now));
        futures_util::future::try_join_all(sends).await.map(drop)
    }

    /// Tells jobs for which nothing is signed the same.
    async fn tell_all(
        &self,
        ids: &[RecordId],
        event: &Event,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (service, ids, events) = (self.clone(), ids.to_vec(), [event.clone()]);
        let applied = self
            .store
            .write(move |tx| ids.iter().map(|id| service.apply_in(tx, *id, &events, now)).collect())
            .await?;
        let applied: Vec<Applied> = applied;
        applied.iter().for_each(|it| self.announce(it));
        Ok(())
    }

    /// Gets the issuer's signatures and leases outputs.
    async fn reserve(&self, records: Vec<StoredRecord>, now: Timestamp) -> Result<(), StoreError> {
        // What was erased is not signed anew, whatever became of the block that it was buried under.
        let (erased, records): (Vec<StoredRecord>, Vec<StoredRecord>) =
            records.into_iter().partition(StoredRecord::is_erased);
        // A record's statement is signed once; waiting for money costs the signer nothing.
        let (known, unsigned): (Vec<StoredRecord>, Vec<StoredRecord>) =
            records.into_iter().partition(|record| record.issuer_signature.is_some());
        let requests =
            unsigned.iter().map(|record| vec![statement_request(record, &self.keyring)]).collect();
        let mut signed: Vec<(RecordId, Option<Signature>)> =
            known.iter().map(|record| (record.id, None)).collect();
        let gone = || SignerError::Refused("the record's content was erased".into());
        let mut refused: Vec<_> = erased.iter().map(|record| (record.id, gone())).collect();
        for (record, answer) in unsigned.iter().zip(self.sign_each(requests).await) {
            match answer {
                Ok(answer) => {
                    signed.extend(answer.first().map(|it| (record.id, Some(it.signature))));
                }
                Err(error) => refused.push((record.id, error)),
            }
        }
        // Oldest first: money that comes back goes to who has waited longest.
        signed.sort_by_key(|(id, _)| *id);
        let service = self.clone();
        let (applied, is_short) = self
            .store
            .write(move |tx| {
                let (mut applied, mut is_short) = (Vec::new(), false);
                for (id, error) in &refused {
                    applied.push(service.apply_in(tx, *id, &[signer_event(error)], now)?);
                }
                for (id, signature) in &signed {
                    let (is_paid, told) = reserve_one(tx, *id, signature.as_ref(), now, &service)?;
                    is_short |= !is_paid;
                    applied.extend(told);
                }
                Ok::<_, StoreError>((applied, is_short))
            })
            .await?;
        applied.iter().for_each(|it| self.announce(it));
        if is_short {
            (self.shortage)();
        }
        Ok(())
    }

    /// Leases outputs for a batch, whose records are signed since before it was formed.
    async fn reserve_batch(&self, batch: StoredBatch, now: Timestamp) -> Result<(), StoreError> {
        let service = self.clone();
        let applied = self
            .store
            .write(move |tx| {
                if expect_job(tx, batch.id)?.stage != Stage::Accepted {
                    return Ok(None);
                }
                if let Some(txid) = found_elsewhere(tx, batch.id)? {
                    let applied = service.adopt_or_wait(tx, batch.id, txid, now)?;
                    return Ok(Some((applied, true)));
                }
                let leased = plan::lease_batch(tx, &batch, &service.keyring, &service.settings);
                let event = plan::reserved_or_not(leased)?;
                let is_paid = event == Event::Reserved;
                let applied = service.apply_in(tx, batch.id, &[event], now)?;
                Ok::<_, StoreError>(Some((applied, is_paid)))
            })
            .await?;
        if let Some((applied, is_paid)) = applied {
            self.announce(&applied);
            if !is_paid {
                (self.shortage)();
            }
        }
        Ok(())
    }

    /// Builds, signs and stores the transactions of reserved jobs.
    async fn sign_all(
        &self,
        reserved: Subjects,
        now: Timestamp,
    ) -> Result<Vec<(RecordId, Txid)>, StoreError> {
        let drafts = self.draft_all(reserved, now).await?;
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let requests = drafts.iter().map(|draft| spend_requests(&draft.unsigned)).collect();
        let answers = self.sign_each(requests).await;
        self.store_signed(drafts, answers, now).await
    }

    /// Builds the unsigned transactions, as far as the day's fees allow; records and batches whose
    /// lease no longer pays go back, operations fail.
    async fn draft_all(
        &self,
        reserved: Subjects,
        now: Timestamp,
    ) -> Result<Vec<Draft>, StoreError> {
        let mut built = Vec::new();
        for record in reserved.records {
            let outcome =
                self.store.read(|tx| plan::build(tx, &record, &self.keyring, &self.settings));
            built.push((record.id, outcome, true));
        }
        for batch in reserved.batches {
            let outcome =
                self.store.read(|tx| plan::build_batch(tx, &batch, &self.keyring, &self.settings));
            built.push((batch.id, outcome, true));
        }
        for operation in reserved.operations {
            let outcome = self.store.read(|tx| plan::build_planned(tx, &operation, &self.settings));
            built.push((operation.id, outcome, false));
        }
        let (mut drafts, mut planned) = (Vec::with_capacity(built.len()), 0u64);
        for (id, outcome, begins_anew) in built {
            match outcome {
                Ok(unsigned) => {
                    let fee = unsigned.fee().get();
                    if let Some(capped) = self.capped(planned, fee, now)? {
                        self.apply(id, vec![capped], now).await?;
                        continue;
                    }
                    planned = planned.saturating_add(fee);
                    drafts.push(Draft { id, unsigned });
                }
                Err(PrepareError::Store(error)) => return Err(error),
                Err(PrepareError::Build(error)) => {
                    tracing::warn!(record = %id, %error, "the lease no longer pays");
                    let void = Event::PlanVoid(error.to_string());
                    let event = if begins_anew { plan::not_funded(&error) } else { void };
                    self.apply(id, vec![event], now).await?;
                }
            }
        }
        Ok(drafts)
    }

    async fn store_signed(
        &self,
        drafts: Vec<Draft>,
        answers: Vec<Result<Vec<VerifiedSignature>, SignerError>>,
        now: Timestamp,
    ) -> Result<Vec<(RecordId, Txid)>, StoreError> {
        let mut finished = Vec::with_capacity(drafts.len());
        for (draft, answer) in drafts.into_iter().zip(answers) {
            let outcome = answer.map_err(|error| signer_event(&error)).and_then(|signatures| {
                let parts: Vec<_> =
                    signatures.iter().map(|it| (it.signature, it.public_key)).collect();
                // A signature that passed for one and does not unlock: nothing of it is used.
                draft.unsigned.sign(&parts).map_err(|error| Event::SignerWrong(error.to_string()))
            });
            finished.push((draft.id, outcome));
        }
        let service = self.clone();
        let (stored, applied) = self
            .store
            .write(move |tx| {
                let mut stored = Vec::with_capacity(finished.len());
                let mut applied = Vec::new();
                for (id, outcome) in &finished {
                    match outcome {
                        Ok(signed) => stored.extend(store_one(tx, *id, signed, now, &service)?),
                        Err(event) => {
                            let event = std::slice::from_ref(event);
                            applied.push(service.apply_in(tx, *id, event, now)?);
                        }
                    }
                }
                Ok::<_, StoreError>((stored, applied))
            })
            .await?;
        applied.iter().for_each(|it| self.announce(it));
        Ok(stored)
    }
}

/// A transaction that waits for its signatures.
struct Draft {
    id: RecordId,
    unsigned: UnsignedTransaction,
}

/// Stores the issuer's signature, if it is new, and leases what the transaction will spend; says
/// whether the pool could pay, and what is to be announced.
fn reserve_one(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    signature: Option<&Signature>,
    now: Timestamp,
    service: &AnchoringService,
) -> Result<(bool, Option<Applied>), StoreError> {
    if expect_job(tx, id)?.stage != Stage::Accepted {
        return Ok((true, None));
    }
    let mut record = expect_record(tx, id)?;
    if let Some(signature) = signature {
        record = StoredRecord { issuer_signature: Some(signature.into()), ..record };
        tx.put_record(&record)?;
    }
    if let Some(txid) = found_elsewhere(tx, id)? {
        return Ok((true, Some(service.adopt_or_wait(tx, id, txid, now)?)));
    }
    let leased = plan::lease(tx, &record, &service.keyring, &service.settings);
    let event = plan::reserved_or_not(leased)?;
    let is_paid = event == Event::Reserved;
    Ok((is_paid, Some(apply_events(tx, id, &[event], now, &service.settings)?)))
}

/// Stores a signed transaction with everything that hangs on it: from here on these bytes, and no
/// others, are sent for this record.
fn store_one(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    signed: &SignedTransaction,
    now: Timestamp,
    service: &AnchoringService,
) -> Result<Option<(RecordId, Txid)>, StoreError> {
    let inputs = signed.transaction.inputs.iter().map(|input| input.previous);
    if expect_job(tx, id)?.stage != Stage::Reserved || !plan::spends_lease(tx, id, inputs)? {
        return Ok(None);
    }
    if let Some(problem) = service.settings.caps.reached(tx, signed.fee.get(), now)? {
        // Others were faster: the signatures are dropped, the lease stays.
        apply_events(tx, id, &[Event::Capped(problem)], now, &service.settings)?;
        return Ok(None);
    }
    let txid = signed.transaction.txid();
    take_over(tx, id, txid)?;
    let subject = subject_of(tx, id)?;
    let origin = match &subject {
        Subject::Record(_) => TransactionOrigin::Record(id),
        Subject::Operation(_) => TransactionOrigin::Treasury(id),
        Subject::Batch(_) => TransactionOrigin::Batch(id),
    };
    tx.put_transaction(&StoredTransaction {
        txid,
        raw: signed.raw.clone(),
        origin,
        state: TransactionState::Signed,
        fee: signed.fee,
        stored_at: now,
    })?;
    let seal = store_own_outputs(tx, id, &signed.transaction, txid, &service.keyring)?;
    match subject {
        Subject::Record(record) => {
            tx.put_record(&StoredRecord { txid: Some(txid), seal, ..*record })?;
        }
        Subject::Operation(operation) => {
            let signed = TreasuryOperation { txid: Some(txid), ..operation };
            tx.put_treasury_operation(&signed)?;
        }
        // Its job says which transaction it has.
        Subject::Batch(_) => {}
    }
    apply_events(tx, id, &[Event::SignedStored { txid }], now, &service.settings)?;
    #[cfg(feature = "planted-bugs")]
    if Defect::CustodyBeforeNetwork.is_planted() {
        crate::service::anchoring::custody::advance(tx, id, txid, now)?;
    }
    Ok(Some((id, txid)))
}

/// Two operations with the same plan have the same transaction: when the first was refused and its
/// inputs are planned with again, what was dead lives as the second's.
fn take_over(tx: &mut WriteTx<'_>, id: RecordId, txid: Txid) -> Result<(), StoreError> {
    let Some(before) = transaction(tx, txid)? else { return Ok(()) };
    let TransactionOrigin::Treasury(other) = before.origin else { return Ok(()) };
    if other == id {
        return Ok(());
    }
    let mut job = expect_job(tx, other)?;
    job.dead.retain(|dead| *dead != txid);
    tx.put_job(&job)?;
    let operation = expect_treasury_operation(tx, other)?;
    tx.put_treasury_operation(&TreasuryOperation { txid: None, ..operation })
}

/// Puts the outputs that pay our keys into the pool, unless they are there, and returns the seal among
/// them.
pub(super) fn store_own_outputs(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    made: &Transaction,
    txid: Txid,
    keyring: &Keyring,
) -> Result<Option<OutPoint>, StoreError> {
    let depth = leased_by(tx, id)?.iter().map(|utxo| utxo.chain_depth).max().unwrap_or(0);
    let mut seal = None;
    for (vout, output) in (0u32..).zip(&made.outputs) {
        let Some(hash) = output.locking_script.as_public_key_hash() else { continue };
        let Some((key_identifier, purpose)) = keyring.owner_of_output(&hash) else { continue };
        #[cfg(feature = "planted-bugs")]
        if purpose == OutputPurpose::Pool && Defect::LoseChange.is_planted() {
            continue;
        }
        let outpoint = OutPoint::new(txid, vout);
        if purpose == OutputPurpose::Seal {
            seal = Some(outpoint);
        }
        if utxo(tx, outpoint)?.is_some() {
            continue;
        }
        tx.put_utxo(&Utxo {
            outpoint,
            value: output.value,
            key_identifier,
            key_hash: hash,
            purpose,
            state: UtxoState::Unconfirmed,
            height: None,
            chain_depth: depth.saturating_add(1),
        })?;
    }
    Ok(seal)
}
