//! Authenticated encryption: AES-256-GCM (NIST SP 800-38D), 12-byte nonce, tag at the end.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::Zeroizing;

use crate::crypto::random_bytes;

/// A ciphertext that the key and associated data do not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ciphertext does not open: wrong key, wrong context or changed bytes")]
pub struct AeadError;

/// A 256-bit encryption key.
#[derive(Clone)]
pub struct AeadKey(Zeroizing<[u8; 32]>);

impl AeadKey {
    /// Wraps a key.
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    /// Encrypts `plaintext`, binding it to `context`; returns nonce ‖ ciphertext ‖ tag.
    pub fn seal(&self, plaintext: &[u8], context: &[u8]) -> Vec<u8> {
        let nonce = random_bytes::<12>();
        let sealed = self
            .cipher()
            .encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad: context })
            .expect("AES-GCM encrypts anything below 64 GiB");
        [&nonce[..], &sealed].concat()
    }

    /// Decrypts what [`Self::seal`] made with the same context.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<Vec<u8>, AeadError> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<12>().ok_or(AeadError)?;
        self.open_detached(nonce, ciphertext, context)
    }

    /// Decrypts a ciphertext whose nonce travels apart.
    pub fn open_detached(
        &self,
        nonce: &[u8; 12],
        ciphertext: &[u8],
        context: &[u8],
    ) -> Result<Vec<u8>, AeadError> {
        self.cipher()
            .decrypt(&Nonce::from(*nonce), Payload { msg: ciphertext, aad: context })
            .map_err(|_| AeadError)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&(*self.0).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_with_key_context_and_every_bit() {
        let key = AeadKey::new([7; 32]);
        let sealed = key.seal(b"content", b"uid");
        assert_eq!(key.open(&sealed, b"uid"), Ok(b"content".to_vec()));
        assert_eq!(key.open(&sealed, b"other"), Err(AeadError));
        assert_eq!(AeadKey::new([8; 32]).open(&sealed, b"uid"), Err(AeadError));
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(key.open(&changed, b"uid"), Err(AeadError));
        }
        assert_eq!(key.open(&sealed[..11], b"uid"), Err(AeadError));
    }
}
