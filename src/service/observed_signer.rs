//! A signer whose answers and silences are noted, so that readiness can name it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::crypto::PublicKey;
use crate::service::readiness::Observations;
use crate::signer::{SignRequest, Signer, SignerError, VerifiedSignature};
use crate::types::Clock;

/// Asks another signer and notes what came of it.
pub struct ObservedSigner {
    /// Who is asked.
    pub signer: Arc<dyn Signer>,
    /// Where it is noted.
    pub observations: Observations,
    /// When.
    pub clock: Arc<dyn Clock>,
}

impl ObservedSigner {
    fn note<T>(&self, outcome: &Result<T, SignerError>) {
        let is_silent = matches!(outcome, Err(SignerError::Unavailable(_)));
        self.observations.note_signer_silence(is_silent);
        let outcome = outcome.as_ref().map(|_| ()).map_err(ToString::to_string);
        self.observations.note_signer(outcome, self.clock.now());
    }
}

#[async_trait]
impl Signer for ObservedSigner {
    async fn sign(&self, requests: &[SignRequest]) -> Result<Vec<VerifiedSignature>, SignerError> {
        let outcome = self.signer.sign(requests).await;
        self.note(&outcome);
        outcome
    }

    async fn public_key(&self, key_identifier: &str) -> Result<Option<PublicKey>, SignerError> {
        let outcome = self.signer.public_key(key_identifier).await;
        self.note(&outcome);
        outcome
    }
}
