//! Two signers behind one: statements here, transactions there, where an operator keeps them apart.

use std::sync::Arc;

use async_trait::async_trait;

use crate::crypto::PublicKey;
use crate::signer::{SignKind, SignRequest, Signer, SignerError, VerifiedSignature};

/// Sends each kind of request to its own signer.
#[derive(Clone)]
pub struct SplitSigner {
    /// Signs statements.
    pub messages: Arc<dyn Signer>,
    /// Signs transactions.
    pub transactions: Arc<dyn Signer>,
}

#[async_trait]
impl Signer for SplitSigner {
    async fn sign(&self, requests: &[SignRequest]) -> Result<Vec<VerifiedSignature>, SignerError> {
        let (messages, transactions): (Vec<_>, Vec<_>) =
            requests.iter().cloned().partition(|request| request.kind == SignKind::Message);
        let mut messages = sign_some(&self.messages, &messages).await?.into_iter();
        let mut transactions = sign_some(&self.transactions, &transactions).await?.into_iter();
        requests
            .iter()
            .map(|request| match request.kind {
                SignKind::Message => messages.next(),
                SignKind::Transaction => transactions.next(),
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| SignerError::Untrustworthy("fewer signatures than requests".into()))
    }

    async fn public_key(&self, key_identifier: &str) -> Result<Option<PublicKey>, SignerError> {
        match self.messages.public_key(key_identifier).await? {
            Some(key) => Ok(Some(key)),
            None => self.transactions.public_key(key_identifier).await,
        }
    }
}

async fn sign_some(
    signer: &Arc<dyn Signer>,
    requests: &[SignRequest],
) -> Result<Vec<VerifiedSignature>, SignerError> {
    if requests.is_empty() { Ok(Vec::new()) } else { signer.sign(requests).await }
}
