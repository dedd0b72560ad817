//! Salted commitments: what stands on a chain that cannot forget.
//!
//! SHA-256 of a random 16-byte salt and the canonical bytes. Erasing salt and bytes leaves a
//! number on chain that says nothing about anyone, because the salt cannot be guessed.

use serde::{Deserialize, Serialize};

use crate::crypto::sha256_parts;
use crate::types::Digest;

/// The random 16 bytes of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salt([u8; 16]);

impl Salt {
    /// Wraps 16 random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Returns SHA-256(salt ‖ canonical bytes).
pub fn commit(salt: &Salt, canonical: &[u8]) -> Digest {
    Digest::from_bytes(sha256_parts(&[&salt.0, canonical]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn salt_and_bytes_both_count() {
        let salt = Salt::from_bytes([1; 16]);
        let commitment = commit(&salt, b"record");
        assert_ne!(commitment, commit(&Salt::from_bytes([2; 16]), b"record"));
        assert_ne!(commitment, commit(&salt, b"recore"));
    }
}
