//! From accepted to signed: issuer's statement, lease, transaction, signatures, all stored before
//! the first byte leaves. Many records share each call to the signer and each storage transaction.

use crate::anchor::lifecycle::{Effect, Event, Stage};
use crate::bitcoin::Transaction;
use crate::crypto::{Signature, sha256};
use crate::service::anchoring::apply::apply_events;
use crate::service::anchoring::plan::PrepareError;
use crate::service::anchoring::{AnchoringService, plan};
use crate::service::keys::Keyring;
use crate::signer::{ExpectedKey, SignKind, SignRequest, SignerError, VerifiedSignature};
use crate::storage::jobs::expect_job;
use crate::storage::records::expect_record;
use crate::storage::utxos::leased_by;
use crate::storage::{
    StoreError, StoredRecord, StoredTransaction, TransactionOrigin, TransactionState, WriteTx,
};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{Digest, OutPoint, RecordId, Timestamp, Txid};
use crate::wallet::builder::{SignedTransaction, UnsignedTransaction};
use crate::wallet::utxo::{OutputPurpose, Utxo, UtxoState};

impl AnchoringService {
    /// Takes records from accepted or reserved to signed and sends them.
    pub async fn prepare(&self, ids: &[RecordId], now: Timestamp) -> Result<(), StoreError> {
        let accepted = self.records_in(ids, &Stage::Accepted)?;
        if !accepted.is_empty() {
            self.reserve(accepted, now).await?;
        }
        let reserved = self.records_in(ids, &Stage::Reserved)?;
        let signed = self.sign_all(reserved, now).await?;
        let sends =
            signed.into_iter().map(|(id, txid)| self.carry_out(id, Effect::Send { txid }, now));
        futures_util::future::try_join_all(sends).await.map(drop)
    }

    fn records_in(&self, ids: &[RecordId], stage: &Stage) -> Result<Vec<StoredRecord>, StoreError> {
        self.store.read(|tx| {
            let mut records = Vec::new();
            for id in ids {
                if expect_job(tx, *id)?.stage == *stage {
                    records.push(expect_record(tx, *id)?);
                }
            }
            Ok(records)
        })
    }

    /// Gets the issuer's signatures and leases outputs.
    async fn reserve(&self, records: Vec<StoredRecord>, now: Timestamp) -> Result<(), StoreError> {
        let requests =
            records.iter().map(|record| vec![statement_request(record, &self.keyring)]).collect();
        let mut signed: Vec<(RecordId, Signature)> = Vec::with_capacity(records.len());
        let mut refused = Vec::new();
        for (record, answer) in records.iter().zip(self.sign_each(requests).await) {
            match answer {
                Ok(answer) => signed.extend(answer.first().map(|it| (record.id, it.signature))),
                Err(error) => refused.push((record.id, error)),
            }
        }
        let service = self.clone();
        let applied = self
            .store
            .write(move |tx| {
                let mut applied = Vec::new();
                for (id, error) in &refused {
                    applied.push(service.apply_in(tx, *id, &[signer_event(error)], now)?);
                }
                for (id, signature) in &signed {
                    reserve_one(tx, *id, signature, now, &service)?;
                }
                Ok::<_, StoreError>(applied)
            })
            .await?;
        applied.iter().for_each(|it| self.announce(it));
        Ok(())
    }

    /// Asks for the signatures of all records at once. When that is refused, asks for each record's
    /// alone: the others must not suffer for one that the signer will not sign.
    async fn sign_each(
        &self,
        requests: Vec<Vec<SignRequest>>,
    ) -> Vec<Result<Vec<VerifiedSignature>, SignerError>> {
        let all: Vec<SignRequest> = requests.iter().flatten().cloned().collect();
        let error = match self.signer.sign(&all).await {
            Ok(signatures) => return share_out(&requests, signatures),
            Err(error) => error,
        };
        tracing::warn!(%error, records = requests.len(), "the signer did not sign");
        if requests.len() == 1 || matches!(error, SignerError::Unavailable(_)) {
            return requests.iter().map(|_| Err(error.clone())).collect();
        }
        let mut answers = Vec::with_capacity(requests.len());
        for group in &requests {
            answers.push(self.signer.sign(group).await);
        }
        answers
    }

    /// Builds, signs and stores the transactions of reserved records.
    async fn sign_all(
        &self,
        records: Vec<StoredRecord>,
        now: Timestamp,
    ) -> Result<Vec<(RecordId, Txid)>, StoreError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let drafts = self.draft_all(records, now).await?;
        let requests = drafts.iter().map(|draft| spend_requests(&draft.unsigned)).collect();
        let answers = self.sign_each(requests).await;
        self.store_signed(drafts, answers, now).await
    }

    /// Builds the unsigned transactions; records whose lease no longer pays go back.
    async fn draft_all(
        &self,
        records: Vec<StoredRecord>,
        now: Timestamp,
    ) -> Result<Vec<Draft>, StoreError> {
        let settings = self.settings_in_force();
        let mut drafts = Vec::with_capacity(records.len());
        for record in records {
            let built = self.store.read(|tx| plan::build(tx, &record, &self.keyring, &settings));
            match built {
                Ok(unsigned) => drafts.push(Draft { id: record.id, unsigned }),
                Err(PrepareError::Store(error)) => return Err(error),
                Err(PrepareError::Build(error)) => {
                    tracing::warn!(record = %record.id, %error, "the lease no longer pays");
                    self.apply(record.id, vec![plan::not_funded(&error)], now).await?;
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

/// Deals one answer out to the records whose requests it answers; a port answers all or none.
fn share_out(
    requests: &[Vec<SignRequest>],
    signatures: Vec<VerifiedSignature>,
) -> Vec<Result<Vec<VerifiedSignature>, SignerError>> {
    let mut rest = signatures.into_iter();
    requests.iter().map(|group| Ok(rest.by_ref().take(group.len()).collect())).collect()
}

fn signer_event(error: &SignerError) -> Event {
    match error {
        SignerError::Unavailable(_) => Event::SignerSilent(error.to_string()),
        SignerError::Refused(_) | SignerError::Untrustworthy(_) => {
            Event::SignerWrong(error.to_string())
        }
    }
}

fn statement_request(record: &StoredRecord, keyring: &Keyring) -> SignRequest {
    SignRequest {
        key_identifier: keyring.issuer.identifier.clone(),
        sighash: Digest::from_bytes(sha256(&record.canonical)),
        expected: ExpectedKey::Key(keyring.issuer.public_key),
        kind: SignKind::Message,
    }
}

fn spend_requests(unsigned: &UnsignedTransaction) -> Vec<SignRequest> {
    unsigned
        .signature_requests()
        .into_iter()
        .map(|(spend, sighash)| SignRequest {
            key_identifier: spend.key_identifier,
            sighash,
            expected: ExpectedKey::Hash160(spend.key_hash),
            kind: SignKind::Transaction,
        })
        .collect()
}

/// Stores the issuer's signature and leases what the transaction will spend.
fn reserve_one(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    signature: &Signature,
    now: Timestamp,
    service: &AnchoringService,
) -> Result<(), StoreError> {
    if expect_job(tx, id)?.stage != Stage::Accepted {
        return Ok(());
    }
    let record = expect_record(tx, id)?;
    let record = StoredRecord { issuer_signature: Some(signature.into()), ..record };
    tx.put_record(&record)?;
    let event = match plan::lease(tx, &record, &service.keyring, &service.settings_in_force()) {
        Ok(()) => Event::Reserved,
        Err(PrepareError::Build(error)) => plan::not_funded(&error),
        Err(PrepareError::Store(error)) => return Err(error),
    };
    apply_events(tx, id, &[event], now, &service.settings).map(drop)
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
    let txid = signed.transaction.txid();
    tx.put_transaction(&StoredTransaction {
        txid,
        raw: signed.raw.clone(),
        origin: TransactionOrigin::Record(id),
        state: TransactionState::Signed,
        fee: signed.fee,
        stored_at: now,
    })?;
    let seal = store_own_outputs(tx, id, &signed.transaction, txid, &service.keyring)?;
    let record = expect_record(tx, id)?;
    tx.put_record(&StoredRecord { txid: Some(txid), seal, ..record })?;
    apply_events(tx, id, &[Event::SignedStored { txid }], now, &service.settings)?;
    #[cfg(feature = "planted-bugs")]
    if Defect::CustodyBeforeNetwork.is_planted() {
        crate::service::anchoring::custody::advance(tx, id, txid, now)?;
    }
    Ok(Some((id, txid)))
}

/// Puts the outputs that pay our keys into the pool, and returns the seal among them.
fn store_own_outputs(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    transaction: &Transaction,
    txid: Txid,
    keyring: &Keyring,
) -> Result<Option<OutPoint>, StoreError> {
    let depth = leased_by(tx, id)?.iter().map(|utxo| utxo.chain_depth).max().unwrap_or(0);
    let mut seal = None;
    for (vout, output) in (0u32..).zip(&transaction.outputs) {
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
