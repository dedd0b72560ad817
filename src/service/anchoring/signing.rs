//! Asking for signatures: many jobs share each call to the signer, none suffers for another.

use crate::anchor::lifecycle::Event;
use crate::crypto::sha256;
use crate::service::anchoring::AnchoringService;
use crate::service::keys::Keyring;
use crate::signer::{ExpectedKey, SignKind, SignRequest, SignerError, VerifiedSignature};
use crate::storage::StoredRecord;
use crate::types::Digest;
use crate::wallet::builder::UnsignedTransaction;

impl AnchoringService {
    /// Asks for the signatures of all records at once. When that is refused, asks for each record's
    /// alone: the others must not suffer for one that the signer will not sign.
    pub(super) async fn sign_each(
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
}

/// Deals one answer out to the records whose requests it answers; a port answers all or none.
fn share_out(
    requests: &[Vec<SignRequest>],
    signatures: Vec<VerifiedSignature>,
) -> Vec<Result<Vec<VerifiedSignature>, SignerError>> {
    let mut rest = signatures.into_iter();
    requests.iter().map(|group| Ok(rest.by_ref().take(group.len()).collect())).collect()
}

/// Returns what a job is told whose signatures did not come.
pub(super) fn signer_event(error: &SignerError) -> Event {
    match error {
        SignerError::Unavailable(_) => Event::SignerSilent(error.to_string()),
        SignerError::Refused(_) | SignerError::Untrustworthy(_) => {
            Event::SignerWrong(error.to_string())
        }
    }
}

/// Returns the request for the issuer's signature of a record.
pub(super) fn statement_request(record: &StoredRecord, keyring: &Keyring) -> SignRequest {
    SignRequest {
        key_identifier: keyring.issuer.identifier.clone(),
        sighash: Digest::from_bytes(sha256(&record.canonical)),
        expected: ExpectedKey::Key(keyring.issuer.public_key),
        kind: SignKind::Message,
    }
}

/// Returns the requests for the signatures of a transaction, input by input.
pub(super) fn spend_requests(unsigned: &UnsignedTransaction) -> Vec<SignRequest> {
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
