//! The issuer's signatures of records that wait for a batch: each is signed before it gets a leaf, so
//! that a batch on chain holds nothing unsigned.

use crate::crypto::Signature;
use crate::service::anchoring::signing::statement_request;
use crate::service::anchoring::{AnchoringService, PREPARE_BATCH};
use crate::signer::SignerError;
use crate::storage::batches::waits_for_batch;
use crate::storage::records::expect_record;
use crate::storage::{StoreError, StoredRecord};
use crate::types::RecordId;

/// Calls to the signer at a time.
const CALLS_AT_ONCE: usize = 4;

impl AnchoringService {
    /// Has those of the records signed that are not; returns the last refusal, if there was one.
    ///
    /// A record that the signer refuses stays as it is, and the others do not suffer for it.
    pub(in crate::service) async fn sign_statements(
        &self,
        ids: &[RecordId],
    ) -> Result<Option<SignerError>, StoreError> {
        let mut refusal = None;
        for round in ids.chunks(CALLS_AT_ONCE * PREPARE_BATCH) {
            let groups: Vec<Vec<RecordId>> =
                round.chunks(PREPARE_BATCH).map(<[RecordId]>::to_vec).collect();
            let calls = groups.into_iter().map(|group| self.sign_group(group));
            let refusals = futures_util::future::try_join_all(calls).await?;
            refusal = refusals.into_iter().flatten().last().or(refusal);
            if matches!(refusal, Some(SignerError::Unavailable(_))) {
                // Who does not answer one call will not answer the next.
                break;
            }
        }
        Ok(refusal)
    }

    async fn sign_group(&self, ids: Vec<RecordId>) -> Result<Option<SignerError>, StoreError> {
        let unsigned: Vec<StoredRecord> = self.store.read(|tx| {
            let found = ids.iter().map(|id| expect_record(tx, *id));
            found.collect::<Result<Vec<_>, StoreError>>()
        })?;
        let unsigned: Vec<StoredRecord> =
            unsigned.into_iter().filter(|it| !is_ready_for_batch(it)).collect();
        if unsigned.is_empty() {
            return Ok(None);
        }
        let requests = unsigned.iter().map(|it| vec![statement_request(it, &self.keyring)]);
        let answers = self.sign_each(requests.collect()).await;
        let (mut signed, mut refusal) = (Vec::new(), None);
        for (record, answer) in unsigned.iter().zip(answers) {
            match answer {
                Ok(answer) => signed.extend(answer.first().map(|it| (record.id, it.signature))),
                Err(error) => refusal = Some(error),
            }
        }
        self.store_statements(signed).await?;
        Ok(refusal)
    }

    async fn store_statements(&self, signed: Vec<(RecordId, Signature)>) -> Result<(), StoreError> {
        self.store
            .write(move |tx| {
                for (id, signature) in &signed {
                    let record = expect_record(tx, *id)?;
                    // Erased or taken into a batch meanwhile: nothing is to be added to it.
                    if is_ready_for_batch(&record) || !waits_for_batch(tx, *id)? {
                        continue;
                    }
                    let issuer_signature = Some(signature.into());
                    tx.put_record(&StoredRecord { issuer_signature, ..record })?;
                }
                Ok(())
            })
            .await
    }
}

/// Says whether a record can get a leaf: it is signed, or was erased and has nothing to sign any more.
pub(in crate::service) fn is_ready_for_batch(record: &StoredRecord) -> bool {
    record.issuer_signature.is_some() || record.is_erased()
}
