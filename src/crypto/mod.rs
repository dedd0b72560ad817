//! Hashes, keys, encryption and randomness: the only user of a random number generator and of the
//! curve library.
//!
//! Everything that parses bytes from outside is strict: keys are 33 bytes on the curve,
//! signatures are canonical DER with low S, ciphertexts are authenticated.

mod aead;
mod ecdsa;
mod hash;
mod passphrase;
mod random;
mod stream;
mod svd;

pub use aead::{AeadError, AeadKey};
pub use ecdsa::{KeyError, PublicKey, SecretKey, Signature, SignatureError};
pub use hash::{
    RunningSha256, constant_time_eq, hash160, hkdf_sha256, hmac_sha256, sha256, sha256_parts,
    sha256d,
};
pub use passphrase::{PassphraseCost, PassphraseError, derive_key};
pub use random::random_bytes;
pub use stream::{OpeningReader, SealingWriter, StreamDamage};
pub use svd::{svd_challenge_key, svd_shared_secret};
