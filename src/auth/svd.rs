//! The rules of the passwordless login (SVD): users, challenges and the proof in a token.
//!
//! A challenge is not stored when it is given out: it carries its time and an authentication code
//! under a key of ours, so that giving one out costs nothing, nobody can use up another's, and an
//! unknown user's looks like anybody's. What is stored, and decides, is that a challenge was used.
//! docs/SVD_AUTH.md tells why that is as good as a row for each.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{
    PublicKey, SecretKey, Signature, constant_time_eq, hkdf_sha256, hmac_sha256, sha256,
    sha256_parts,
};
use crate::types::{Digest, Timestamp};

/// The bytes of a challenge: 8 of time, 8 at random, 8 of the code.
pub const CHALLENGE_BYTES: usize = 24;

const SIGNED_BYTES: usize = 16;
const CODE_PURPOSE: &[u8] = b"patchproof/svd/challenge/v1";
const DECOY_PURPOSE: &[u8] = b"patchproof/svd/decoy/v1";
/// How far ahead of ours the clock may be that dated a challenge: it is our own, before a restart.
const MAX_AHEAD_SECS: i64 = 5;

/// A user, as clients name one: 12 bytes, written as 24 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserId([u8; 12]);

/// Text that names no user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user is named by 24 hexadecimal digits")]
pub struct UserIdParseError;

impl UserId {
    /// Wraps the 12 bytes.
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// Returns the 12 bytes.
    pub const fn to_bytes(self) -> [u8; 12] {
        self.0
    }
}

/// 24 lower-case digits, whatever the case they came in.
impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex::<24>(formatter, &self.0)
    }
}

/// Writes bytes as lower-case digits, `N` of them, from a buffer instead of one digit after another:
/// every login does so several times.
fn write_hex<const N: usize>(formatter: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let mut text = [0u8; N];
    hex::encode_to_slice(bytes, &mut text).map_err(|_| fmt::Error)?;
    formatter.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

impl FromStr for UserId {
    type Err = UserIdParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0u8; 12];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| UserIdParseError)?;
        Ok(Self(bytes))
    }
}

/// A challenge, the contract's M.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Challenge([u8; CHALLENGE_BYTES]);

/// 48 lower-case digits.
impl fmt::Display for Challenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex::<{ 2 * CHALLENGE_BYTES }>(formatter, &self.0)
    }
}

/// Why a challenge cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeRejection {
    /// Not one of ours, or another user's.
    #[error("the challenge was not issued to this user")]
    NotIssued,
    /// Its time is over, or lies ahead.
    #[error("the challenge has expired")]
    Expired,
}

/// Why a signature of a challenge is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerRejection {
    /// It would verify in its other form, which anybody can make of it.
    #[error("the signature has a high S")]
    Malleable,
    /// It is none, or another key's, or of something else.
    #[error("the signature does not verify")]
    Wrong,
}

impl Challenge {
    /// Wraps the bytes.
    pub const fn from_bytes(bytes: [u8; CHALLENGE_BYTES]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn to_bytes(self) -> [u8; CHALLENGE_BYTES] {
        self.0
    }

    /// Returns SHA-256 of the bytes: what is signed, and the identifier of the token it leads to.
    pub fn digest(&self) -> Digest {
        Digest::from_bytes(sha256(&self.0))
    }

    /// Returns the time it says that it was issued, in whole seconds.
    pub fn issued_at(&self) -> Timestamp {
        let mut secs = [0u8; 8];
        secs.copy_from_slice(&self.0[..8]);
        Timestamp::from_secs(i64::from_be_bytes(secs))
    }

    /// Checks a signature over the challenge under the user's key of this challenge, V = PMC + h·G:
    /// strict DER, low S.
    pub fn check_answer(
        &self,
        user_key: &PublicKey,
        signature_der: &[u8],
    ) -> Result<(), AnswerRejection> {
        let hash = self.digest();
        let verifies = |signature: &Signature| user_key.verify_tweaked(&hash, &hash, signature);
        let Ok(signature) = Signature::from_der(signature_der) else {
            let low = Signature::from_der_normalizing(signature_der);
            let is_twin = low.is_ok_and(|low| verifies(&low).is_ok());
            return Err(if is_twin { AnswerRejection::Malleable } else { AnswerRejection::Wrong });
        };
        verifies(&signature).map_err(|_| AnswerRejection::Wrong)
    }
}

/// What challenges are issued and recognised with; derived from the master secret.
#[derive(Clone)]
pub struct ChallengeKey {
    code: Zeroizing<[u8; 32]>,
    decoy: Zeroizing<[u8; 32]>,
}

impl ChallengeKey {
    /// Derives the key from the master secret.
    pub fn derive(master_secret: &[u8]) -> Self {
        let derive = |purpose| Zeroizing::new(hkdf_sha256(master_secret, b"", purpose));
        Self { code: derive(CODE_PURPOSE), decoy: derive(DECOY_PURPOSE) }
    }

    /// Issues a challenge; `random` must be random.
    pub fn issue(&self, user: UserId, now: Timestamp, random: &[u8; 8]) -> Challenge {
        let mut bytes = [0u8; CHALLENGE_BYTES];
        bytes[..8].copy_from_slice(&now.as_secs().to_be_bytes());
        bytes[8..SIGNED_BYTES].copy_from_slice(random);
        let code = self.code(user, &bytes[..SIGNED_BYTES]);
        bytes[SIGNED_BYTES..].copy_from_slice(&code);
        Challenge(bytes)
    }

    /// Says whether a challenge was issued to this user and may still be answered at `now`.
    pub fn check(
        &self,
        challenge: &Challenge,
        user: UserId,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<(), ChallengeRejection> {
        let (signed, code) = challenge.0.split_at(SIGNED_BYTES);
        if !constant_time_eq(&self.code(user, signed), code) {
            return Err(ChallengeRejection::NotIssued);
        }
        let issued = challenge.issued_at();
        let is_ahead = issued.as_secs() > now.as_secs().saturating_add(MAX_AHEAD_SECS);
        if is_ahead || now >= issued.plus(ttl) {
            return Err(ChallengeRejection::Expired);
        }
        Ok(())
    }

    /// Returns the key that an unknown user seems to have: always the same, and nobody's.
    pub fn decoy(&self, user: UserId) -> PublicKey {
        let mut seed = hmac_sha256(self.decoy.as_slice(), &user.0);
        loop {
            // All but 1 in 2^128 of the numbers of 32 bytes are keys.
            if let Ok(key) = SecretKey::from_bytes(&seed) {
                return key.public_key();
            }
            seed = sha256(&seed);
        }
    }

    fn code(&self, user: UserId, signed: &[u8]) -> [u8; 8] {
        let code = hmac_sha256(self.code.as_slice(), &[&user.0, signed].concat());
        let mut short = [0u8; 8];
        short.copy_from_slice(&code[..8]);
        short
    }
}

/// Returns the proof that a token was issued by one who knows the secret `shared` with the user:
/// HMAC(HMAC(SHA-256(userId ‖ jti), shared), "JWT-Token"), the user's name as text.
pub fn svd_proof(user: UserId, jti: &Digest, shared: &[u8; 32]) -> [u8; 32] {
    let salt = sha256_parts(&[user.to_string().as_bytes(), jti.as_bytes()]);
    let key = Zeroizing::new(hmac_sha256(&salt, shared));
    hmac_sha256(key.as_slice(), b"JWT-Token")
}

/// Returns what the owner of a login key signs to replace it: SHA-256 of compact JSON with the keys in
/// this order.
pub fn change_key_digest(user: UserId, new_key: &PublicKey, challenge: &Challenge) -> Digest {
    let message = format!(
        r#"{{"purpose":"svd_change_key","userId":"{user}","newPmcHex":"{new_key}","M":"{challenge}"}}"#
    );
    Digest::from_bytes(sha256(message.as_bytes()))
}

/// Returns what the owner of a login key signs to revoke it: SHA-256 of compact JSON with the keys in
/// this order.
pub fn revoke_digest(user: UserId, challenge: &Challenge) -> Digest {
    let message = format!(r#"{{"purpose":"svd_revoke","userId":"{user}","M":"{challenge}"}}"#);
    Digest::from_bytes(sha256(message.as_bytes()))
}

#[cfg(test)]
mod tests;
