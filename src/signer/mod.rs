//! The edge to the keys: what we ask of a signer, how its answers are checked, and the signer that
//! this product brings for those who have none.
//!
//! The process that serves the API never holds a private key. A signature is used only after it
//! was verified against the hash and the key that were asked for.

mod keystore;
mod keystore_file;
mod kms;
mod kms_answer;
mod problem;
mod server;
mod signing_log;
mod split;

use async_trait::async_trait;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{PublicKey, Signature};
use crate::types::Digest;

pub use keystore::{KeyPurpose, Keystore, KeystoreError, KeystoreKey};
pub use kms::{KmsConfig, KmsConfigError, KmsSigner};
pub use server::{MAX_BATCH, SignerServerConfig, signer_router, svd_kid};
pub use signing_log::{SigningLog, SigningLogError};
pub use split::SplitSigner;

/// What a hash is the hash of: a key signs one or the other, never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignKind {
    /// A statement or another message.
    Message,
    /// The preimage of a transaction input.
    Transaction,
}

/// Which key is expected to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedKey {
    /// Exactly this key.
    Key(PublicKey),
    /// The key with this RIPEMD-160(SHA-256(key)), as a P2PKH script demands.
    Hash160([u8; 20]),
    /// Any: only to learn the key of an identifier for the first time, before it is pinned.
    Any,
}

/// One hash to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignRequest {
    /// The signer's name for the key.
    pub key_identifier: String,
    /// The hash, bytes as hashed.
    pub sighash: Digest,
    /// What it is the hash of; a signer that separates key uses checks it.
    pub kind: SignKind,
    /// Who must have signed.
    pub expected: ExpectedKey,
}

/// A signature that was verified against its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSignature {
    /// Strict DER, low S.
    pub signature: Signature,
    /// The key that made it.
    pub public_key: PublicKey,
}

/// Why there is no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// No answer in time, a connection error, 429 or 5xx after all attempts. To be asked again.
    #[error("the signer did not answer: {0}")]
    Unavailable(String),
    /// The signer refuses the request (4xx): asking again will not help.
    #[error("the signer refuses: {0}")]
    Refused(String),
    /// An answer that fails a check: wrong count, key, hash, form. Nothing of it is used.
    #[error("the signer's answer is not to be trusted: {0}")]
    Untrustworthy(String),
}

/// Signs hashes.
#[async_trait]
pub trait Signer: Send + Sync {
    /// Signs all of `requests`, in their order, or none. Every signature returned was verified.
    async fn sign(&self, requests: &[SignRequest]) -> Result<Vec<VerifiedSignature>, SignerError>;

    /// Returns the public key of an identifier where the signer can tell (`GET /keys`), else none.
    async fn public_key(&self, key_identifier: &str) -> Result<Option<PublicKey>, SignerError>;
}

/// A secret that this server and one user share for one login challenge.
#[derive(Clone)]
pub struct DerivedSecret {
    /// The secret.
    pub secret: Zeroizing<[u8; 32]>,
    /// The identifier of the server's key.
    pub kid: String,
}

impl std::fmt::Debug for DerivedSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "DerivedSecret({}, ***)", self.kid)
    }
}

/// Derives login secrets with the server's key, which never leaves the signer.
#[async_trait]
pub trait SecretDeriver: Send + Sync {
    /// Derives the secret shared with the owner of `user_key` for `challenge` (M).
    async fn derive_secret(
        &self,
        challenge: &[u8; 24],
        user_key: &PublicKey,
    ) -> Result<DerivedSecret, SignerError>;
}
