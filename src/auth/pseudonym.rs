//! Names for persons where their own must not stand: in logs and in the audit trail, which cannot forget.
//!
//! A pseudonym is a keyed hash. Whoever has the key and an identifier finds the lines about it; the lines
//! alone lead to nobody, and guessing identifiers does not help without the key.

use zeroize::Zeroizing;

use crate::crypto::{hkdf_sha256, hmac_sha256};

const PURPOSE: &[u8] = b"patchproof/pseudonym/v1";
/// What every pseudonym begins with, and no identifier does.
pub const PREFIX: &str = "person:";
/// 96 bits: no two persons share one by chance.
const BYTES: usize = 12;

/// What pseudonyms are made with; derived from the master secret.
#[derive(Clone)]
pub struct PseudonymKey(Zeroizing<[u8; 32]>);

impl PseudonymKey {
    /// Derives the key from the master secret.
    pub fn derive(master_secret: &[u8]) -> Self {
        Self(Zeroizing::new(hkdf_sha256(master_secret, b"", PURPOSE)))
    }

    /// Returns the pseudonym of an identifier: `person:` and 24 hexadecimal digits, always the same.
    pub fn of(&self, identifier: &str) -> String {
        let digest = hmac_sha256(self.0.as_slice(), identifier.as_bytes());
        format!("{PREFIX}{}", hex::encode(&digest[..BYTES]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h5_a_pseudonym_is_always_the_same_and_says_nothing() {
        let key = PseudonymKey::derive(b"master");
        let (user, other) = ("65a1b2c3d4e5f60718293a4b", "65a1b2c3d4e5f60718293a4c");
        assert_eq!(key.of(user), key.of(user));
        assert_ne!(key.of(user), key.of(other));
        assert_ne!(key.of(user), PseudonymKey::derive(b"other").of(user));
        assert!(!key.of(user).contains(&user[..8]));
        assert_eq!(key.of("").len(), "person:".len() + 2 * BYTES);
    }
}
