//! From accepted to signed: issuer's statement, lease, transaction, signatures, all stored before
//! the first byte leaves. Many records share each call to the signer and each storage transaction.

use crate::anchor::lifecycle::{Effect, Event, Stage};
use crate::anchor::payload::Payload;
use crate::bitcoin::Transaction;
use crate::crypto::{Signature, sha256};
use crate::patch::record::Purpose;
use crate::service::anchoring::apply::apply_events;
use crate::service::anchoring::{AnchoringService, AnchoringSettings};
use crate::service::keys::Keyring;
use crate::signer::{ExpectedKey, SignKind, SignRequest, SignerError, VerifiedSignature};
use crate::storage::jobs::expect_job;
use crate::storage::records::expect_record;
use crate::storage::utxos::{candidates, expect_utxo, leased_by};
use crate::storage::{
    StoreError, StoredRecord, StoredTransaction, Tables, TransactionOrigin, TransactionState,
    WriteTx,
};
use crate::types::{Digest, OutPoint, RecordId, Satoshis, Timestamp, Txid};
use crate::wallet::builder::{
    AnchorPlan, BuildError, SignedTransaction, Spend, UnsignedTransaction,
};
use crate::wallet::coin_selection::SelectionError;
use crate::wallet::utxo::{OutputPurpose, Utxo, UtxoState};

/// Outputs looked at for each transaction when one of them is to pay alone.
const SINGLE_CANDIDATES: usize = 8;
/// Outputs looked at when several must pay together.
const MANY_CANDIDATES: usize = 200;

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
        let requests: Vec<SignRequest> =
            records.iter().map(|record| statement_request(record, &self.keyring)).collect();
        let signatures = match self.signer.sign(&requests).await {
            Ok(signatures) => signatures,
            Err(error) => {
                let ids: Vec<RecordId> = records.iter().map(|record| record.id).collect();
                return self.report_signer(&ids, &error, now).await;
            }
        };
        let signed: Vec<(RecordId, Signature)> = records
            .iter()
            .zip(&signatures)
            .map(|(record, answer)| (record.id, answer.signature))
            .collect();
        let service = self.clone();
        self.store
            .write(move |tx| {
                for (id, signature) in &signed {
                    reserve_one(tx, *id, signature, now, &service)?;
                }
                Ok(())
            })
            .await
    }

    /// Tells all jobs of a batch what the signer did. When a batch is refused for one bad request
    /// the others must not suffer for long: each comes back by itself, and alone.
    async fn report_signer(
        &self,
        ids: &[RecordId],
        error: &SignerError,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tracing::warn!(%error, records = ids.len(), "the signer did not sign");
        let event = match error {
            SignerError::Unavailable(_) => Event::SignerSilent(error.to_string()),
            SignerError::Refused(_) | SignerError::Untrustworthy(_) => {
                Event::SignerWrong(error.to_string())
            }
        };
        let (service, ids) = (self.clone(), ids.to_vec());
        self.store
            .write(move |tx| {
                for id in &ids {
                    service.apply_in(tx, *id, std::slice::from_ref(&event), now)?;
                }
                Ok(())
            })
            .await
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
        let requests: Vec<SignRequest> =
            drafts.iter().flat_map(|draft| spend_requests(&draft.unsigned)).collect();
        match self.signer.sign(&requests).await {
            Ok(signatures) => self.store_signed(drafts, &signatures, now).await,
            Err(error) => {
                let ids: Vec<RecordId> = drafts.iter().map(|draft| draft.id).collect();
                self.report_signer(&ids, &error, now).await?;
                Ok(Vec::new())
            }
        }
    }

    /// Builds the unsigned transactions; records whose lease no longer pays go back.
    async fn draft_all(
        &self,
        records: Vec<StoredRecord>,
        now: Timestamp,
    ) -> Result<Vec<Draft>, StoreError> {
        let mut drafts = Vec::with_capacity(records.len());
        for record in records {
            let built = self.store.read(|tx| build(tx, &record, &self.keyring, &self.settings));
            match built {
                Ok(unsigned) => drafts.push(Draft { id: record.id, unsigned }),
                Err(PrepareError::Store(error)) => return Err(error),
                Err(PrepareError::Build(error)) => {
                    tracing::warn!(record = %record.id, %error, "the lease no longer pays");
                    self.apply(record.id, vec![not_funded(&error)], now).await?;
                }
            }
        }
        Ok(drafts)
    }

    async fn store_signed(
        &self,
        drafts: Vec<Draft>,
        signatures: &[VerifiedSignature],
        now: Timestamp,
    ) -> Result<Vec<(RecordId, Txid)>, StoreError> {
        let mut remaining = signatures;
        let mut finished = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let inputs = draft.unsigned.input_count();
            let (mine, rest) = remaining.split_at(inputs.min(remaining.len()));
            remaining = rest;
            let parts: Vec<_> = mine.iter().map(|s| (s.signature, s.public_key)).collect();
            match draft.unsigned.sign(&parts) {
                Ok(signed) => finished.push((draft.id, signed)),
                Err(error) => {
                    let wrong = Event::SignerWrong(error.to_string());
                    self.apply(draft.id, vec![wrong], now).await?;
                }
            }
        }
        let service = self.clone();
        self.store
            .write(move |tx| {
                let mut stored = Vec::with_capacity(finished.len());
                for (id, signed) in &finished {
                    stored.extend(store_one(tx, *id, signed, now, &service)?);
                }
                Ok(stored)
            })
            .await
    }
}

/// A transaction that waits for its signatures.
struct Draft {
    id: RecordId,
    unsigned: UnsignedTransaction,
}

#[derive(Debug, thiserror::Error)]
enum PrepareError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Build(#[from] BuildError),
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
    let seal = previous_seal(tx, &record)?;
    let plan = plan_of(&record, seal.as_ref(), &service.keyring, &service.settings);
    let event = match choose(tx, &plan, service.settings.max_chain_depth) {
        Ok(chosen) => {
            if let Some(seal) = seal {
                tx.put_utxo(&seal.lease_seal(id)?)?;
            }
            for outpoint in chosen {
                let leased = expect_utxo(tx, outpoint)?.lease(id)?;
                tx.put_utxo(&leased)?;
            }
            Event::Reserved
        }
        Err(PrepareError::Build(error)) => not_funded(&error),
        Err(PrepareError::Store(error)) => return Err(error),
    };
    apply_events(tx, id, &[event], now, &service.settings).map(drop)
}

fn not_funded(error: &BuildError) -> Event {
    match error {
        BuildError::Selection(SelectionError::Insufficient { needed, available }) => {
            Event::NotFunded { needed: *needed, available: *available }
        }
        BuildError::Selection(SelectionError::TooFragmented | SelectionError::Amount(_))
        | BuildError::Amount(_)
        | BuildError::FeeCap { .. }
        | BuildError::SignatureCount { .. }
        | BuildError::Check(_) => Event::NotFunded { needed: 0, available: 0 },
    }
}

/// Returns the seal that a transfer spends, unless it is held by someone else.
fn previous_seal(tx: &WriteTx<'_>, record: &StoredRecord) -> Result<Option<Utxo>, StoreError> {
    let Some(previous) = record.previous else { return Ok(None) };
    match expect_record(tx, previous)?.seal {
        Some(outpoint) => expect_utxo(tx, outpoint).map(Some),
        None => Ok(None),
    }
}

fn plan_of(
    record: &StoredRecord,
    seal: Option<&Utxo>,
    keyring: &Keyring,
    settings: &AnchoringSettings,
) -> AnchorPlan {
    let payload = match record.purpose {
        Purpose::RegisterPatch => Payload::Register(record.commitment),
        Purpose::TransferOwnership => Payload::Transfer(record.commitment),
    };
    let published = settings.publishes_records.then_some(record.canonical.as_slice());
    AnchorPlan {
        data: payload.to_script(published),
        seal: seal.map(spend_of),
        next_seal: keyring.custody.as_ref().map(|key| *key.address.hash160()),
        change_key_hash: *keyring.change.address.hash160(),
        fee_rate: settings.fee_rate,
    }
}

fn spend_of(utxo: &Utxo) -> Spend {
    Spend {
        outpoint: utxo.outpoint,
        value: utxo.value,
        key_hash: utxo.key_hash,
        key_identifier: utxo.key_identifier.clone(),
    }
}

fn choose(
    tx: &WriteTx<'_>,
    plan: &AnchorPlan,
    deepest: u32,
) -> Result<Vec<OutPoint>, PrepareError> {
    let least = plan.least_single_value()?;
    let mut pool = candidates(tx, least, SINGLE_CANDIDATES, deepest)?;
    if pool.is_empty() {
        pool = candidates(tx, Satoshis::from_const(1), MANY_CANDIDATES, deepest)?;
    }
    let selection = plan.select(&pool)?;
    Ok(selection.chosen.into_iter().map(|candidate| candidate.outpoint).collect())
}

/// Builds the transaction that a reserved record's lease pays for; the same lease gives the same
/// transaction, so that a crash between signing and storing changes nothing.
fn build(
    tables: &impl Tables,
    record: &StoredRecord,
    keyring: &Keyring,
    settings: &AnchoringSettings,
) -> Result<UnsignedTransaction, PrepareError> {
    let leased = leased_by(tables, record.id)?;
    let (seals, pool): (Vec<Utxo>, Vec<Utxo>) =
        leased.into_iter().partition(|utxo| utxo.purpose == OutputPurpose::Seal);
    let plan = plan_of(record, seals.first(), keyring, settings);
    Ok(plan.build(pool.iter().map(spend_of).collect())?)
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
    if expect_job(tx, id)?.stage != Stage::Reserved {
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
