//! Keys from passphrases: argon2id (RFC 9106).

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What one derivation costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassphraseCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl PassphraseCost {
    /// RFC 9106's second recommended option (64 MiB, 3 passes, 4 lanes).
    pub const RECOMMENDED: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
    /// For a passphrase that is itself 256 random bits: stretching adds nothing to it.
    pub const RANDOM_PASSPHRASE: Self = Self { memory_kib: 8 * 1024, passes: 1, lanes: 1 };
}

/// A cost that argon2 refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("argon2 does not accept these cost parameters")]
pub struct PassphraseError;

/// Derives a 256-bit key from `passphrase` and a random `salt`.
pub fn derive_key(
    passphrase: &[u8],
    salt: &[u8; 16],
    cost: PassphraseCost,
) -> Result<Zeroizing<[u8; 32]>, PassphraseError> {
    // A stored file states its own cost: bound it, or a forged file could ask for all memory.
    if cost.memory_kib > 1024 * 1024 || cost.passes > 64 || cost.lanes > 64 {
        return Err(PassphraseError);
    }
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
        .map_err(|_| PassphraseError)?;
    let mut key = Zeroizing::new([0u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, key.as_mut_slice())
        .map_err(|_| PassphraseError)?;
    Ok(key)
}
