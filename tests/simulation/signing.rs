//! The signer: real keys in this process, and everything that a signer can do wrong.

use std::sync::Arc;

use async_trait::async_trait;

use patchproof::crypto::{PublicKey, SecretKey, sha256_parts};
use patchproof::signer::{
    KeyPurpose, Keystore, KeystoreKey, SignKind, SignRequest, Signer, SignerError,
    VerifiedSignature,
};
use patchproof::types::{Digest, Timestamp};

use crate::net::Net;
use crate::weather::{Kind, Trouble};

pub(crate) struct SimSigner {
    keystore: Keystore,
    /// Nothing for a signer that always works.
    net: Option<Arc<Net>>,
}

/// Returns the secret key for one use, of one seed.
pub(crate) fn secret_key(seed: u64, what: &str, number: u64) -> SecretKey {
    let parts = [what.as_bytes(), &seed.to_le_bytes(), &number.to_le_bytes()];
    SecretKey::from_bytes(&sha256_parts(&parts)).unwrap()
}

/// Returns the keys of one seed.
pub(crate) fn keystore(seed: u64) -> Keystore {
    let key = |purpose: KeyPurpose| {
        let secret = secret_key(seed, purpose.as_str(), 0);
        KeystoreKey::new(purpose.as_str(), purpose, secret, Timestamp::from_millis(0))
    };
    Keystore::from_keys(KeyPurpose::ALL.map(key).into()).unwrap()
}

impl SimSigner {
    pub(crate) fn calm(seed: u64) -> Self {
        Self { keystore: keystore(seed), net: None }
    }

    pub(crate) fn new(seed: u64, net: Arc<Net>) -> Self {
        Self { keystore: keystore(seed), net: Some(net) }
    }

    fn sign_one(&self, request: &SignRequest) -> Result<VerifiedSignature, SignerError> {
        let key = self.keystore.get(&request.key_identifier);
        let key = key.filter(|key| key.purpose.kind() == request.kind);
        let key = key.ok_or_else(|| SignerError::Refused("no such key".into()))?;
        let signature = key.sign(&request.sighash);
        Ok(VerifiedSignature { signature, public_key: key.public_key() })
    }
}

#[async_trait]
impl Signer for SimSigner {
    async fn sign(&self, requests: &[SignRequest]) -> Result<Vec<VerifiedSignature>, SignerError> {
        let trouble = match &self.net {
            Some(net) => {
                net.gates.pass().await;
                net.weather().strike(Kind::Sign, 0)
            }
            None => None,
        };
        let mut signed: Vec<VerifiedSignature> =
            requests.iter().map(|request| self.sign_one(request)).collect::<Result<_, _>>()?;
        match trouble {
            Some(Trouble::Unreachable) => Err(SignerError::Unavailable("time-out".into())),
            Some(Trouble::Refused) => Err(SignerError::Refused("403".into())),
            Some(Trouble::Untrustworthy) => Err(SignerError::Untrustworthy("wrong key".into())),
            Some(Trouble::WrongSignature) => {
                // What spends money is checked again behind the port.
                for (answer, request) in signed.iter_mut().zip(requests) {
                    if request.kind == SignKind::Transaction {
                        let key = self.keystore.get(&request.key_identifier).unwrap();
                        answer.signature = key.sign(&Digest::from_bytes([1; 32]));
                    }
                }
                Ok(signed)
            }
            Some(_) | None => Ok(signed),
        }
    }

    async fn public_key(&self, key_identifier: &str) -> Result<Option<PublicKey>, SignerError> {
        Ok(self.keystore.get(key_identifier).map(KeystoreKey::public_key))
    }
}
