//! secp256k1 keys and ECDSA signatures, accepted only in their one canonical form.
//!
//! Sources: SEC 1, BIP 66 (strict DER), BIP 62 (low S), RFC 6979 (deterministic nonces).

use std::fmt;
use std::str::FromStr;

use secp256k1::{Message, Scalar, ecdh, ecdsa};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::crypto::hash::hash160;
use crate::types::Digest;

/// Bytes that are no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not 33 bytes that begin with 02 or 03.
    #[error("a public key is 33 bytes that begin with 02 or 03")]
    NotCompressed,
    /// The point is not on the curve.
    #[error("the public key is not a point of secp256k1")]
    NotOnCurve,
    /// Not a number from 1 to the order of the curve less one.
    #[error("the secret key is out of range")]
    OutOfRange,
}

/// Bytes that are no acceptable signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not the one DER form of two numbers.
    #[error("the signature is not strict DER")]
    NotDer,
    /// S is in the upper half: the same signature in its malleable second form.
    #[error("the signature has a high S")]
    HighS,
    /// The signature is of another message or by another key.
    #[error("the signature does not match message and key")]
    Mismatch,
}

/// A compressed public key on the curve.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(secp256k1::PublicKey);

impl PublicKey {
    /// Reads 33 bytes; uncompressed and hybrid forms are refused although the curve library would
    /// take them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() != 33 || !matches!(bytes[0], 2 | 3) {
            return Err(KeyError::NotCompressed);
        }
        secp256k1::PublicKey::from_slice(bytes).map(Self).map_err(|_| KeyError::NotOnCurve)
    }

    /// Returns the 33 bytes.
    pub fn to_bytes(self) -> [u8; 33] {
        self.0.serialize()
    }

    /// Returns RIPEMD-160(SHA-256(key)), the part of an address that names the key.
    pub fn hash160(&self) -> [u8; 20] {
        hash160(&self.to_bytes())
    }

    /// Returns the point `key + tweak·G`, the key of whoever holds the secret key plus `tweak`.
    pub fn plus(&self, tweak: &Digest) -> Result<Self, KeyError> {
        self.0.add_exp_tweak(&scalar(tweak)?).map(Self).map_err(|_| KeyError::OutOfRange)
    }

    /// Checks `signature` over the 32-byte `digest` (standard big-endian reading).
    pub fn verify(&self, digest: &Digest, signature: &Signature) -> Result<(), SignatureError> {
        signature
            .0
            .verify(Message::from_digest(digest.to_bytes()), &self.0)
            .map_err(|_| SignatureError::Mismatch)
    }

    /// Checks `signature` over `digest` under the key `self + tweak·G` without working that key out.
    ///
    /// With z the digest, (r, s) the signature and K this key, SEC 1 asks for the point
    /// z/s·G + r/s·(K + tweak·G), which is (z + r·tweak)/s·G + r/s·K: what it asks for K and the digest
    /// z + r·tweak. That spares a multiplication of a point. The two ways differ for one key only,
    /// -tweak·G, which no owner keeps: its secret, -tweak, is known to all who know the tweak.
    pub fn verify_tweaked(
        &self,
        tweak: &Digest,
        digest: &Digest,
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        let shifted = shifted_digest(tweak, digest, signature).ok_or(SignatureError::Mismatch)?;
        self.verify(&shifted, signature)
    }
}

/// Returns digest + r·tweak modulo the order of the curve; nothing if that is zero or a number is out of
/// range, as good as no hash is.
fn shifted_digest(tweak: &Digest, digest: &Digest, signature: &Signature) -> Option<Digest> {
    let mut r = [0u8; 32];
    r.copy_from_slice(&signature.to_compact()[..32]);
    let product =
        secp256k1::SecretKey::from_secret_bytes(r).ok()?.mul_tweak(&scalar(tweak).ok()?).ok()?;
    let sum = product.add_tweak(&scalar(digest).ok()?).ok()?;
    Some(Digest::from_bytes(sum.to_secret_bytes()))
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.to_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0u8; 33];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| KeyError::NotCompressed)?;
        Self::from_bytes(&bytes)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A secret key; never printed, wiped from its own copies.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// Reads 32 bytes big-endian.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        secp256k1::SecretKey::from_secret_bytes(*bytes).map_err(|_| KeyError::OutOfRange)?;
        Ok(Self(Zeroizing::new(*bytes)))
    }

    /// Makes a key from the machine's randomness.
    pub fn generate() -> Self {
        loop {
            let bytes = Zeroizing::new(crate::crypto::random_bytes::<32>());
            if let Ok(key) = Self::from_bytes(&bytes) {
                return key;
            }
        }
    }

    /// Returns the 32 bytes, for an encrypted keystore.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// Returns the public key.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(secp256k1::PublicKey::from_secret_key(&self.inner()))
    }

    /// Signs a 32-byte digest with the nonce of RFC 6979; the result has a low S.
    pub fn sign(&self, digest: &Digest) -> Signature {
        Signature(ecdsa::sign(Message::from_digest(digest.to_bytes()), &self.inner()))
    }

    /// Returns the key `key + tweak` modulo the order of the curve.
    pub fn plus(&self, tweak: &Digest) -> Result<Self, KeyError> {
        let sum = self.inner().add_tweak(&scalar(tweak)?).map_err(|_| KeyError::OutOfRange)?;
        Ok(Self(Zeroizing::new(sum.to_secret_bytes())))
    }

    /// Returns the X coordinate of `key·point`: always 32 bytes, leading zeros included.
    pub fn shared_x(&self, point: &PublicKey) -> Zeroizing<[u8; 32]> {
        let coordinates = Zeroizing::new(ecdh::shared_secret_point(&point.0, &self.inner()));
        let mut x = Zeroizing::new([0u8; 32]);
        x.copy_from_slice(&coordinates[..32]);
        x
    }

    fn inner(&self) -> secp256k1::SecretKey {
        secp256k1::SecretKey::from_secret_bytes(*self.0).expect("the range was checked at creation")
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretKey(***)")
    }
}

/// Reads a hash as a number below the order of the curve. No hash at or above it can be found on
/// purpose, so refusing one is the same as reducing it.
fn scalar(digest: &Digest) -> Result<Scalar, KeyError> {
    Scalar::from_be_bytes(digest.to_bytes()).map_err(|_| KeyError::OutOfRange)
}

/// An ECDSA signature in strict DER with a low S.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(ecdsa::Signature);

impl Signature {
    /// Reads strict DER; anything that would print differently again is refused.
    pub fn from_der(bytes: &[u8]) -> Result<Self, SignatureError> {
        let parsed = parse_strict_der(bytes)?;
        let mut low = parsed;
        low.normalize_s();
        if low == parsed { Ok(Self(parsed)) } else { Err(SignatureError::HighS) }
    }

    /// Reads strict DER and turns a high S into the low one of the same signature.
    ///
    /// Only for a signer of our own: hardware modules make both forms, and both say the same. From
    /// anyone else a high S is a changed signature, and [`Self::from_der`] refuses it. The caller
    /// verifies the result before using it.
    pub fn from_der_normalizing(bytes: &[u8]) -> Result<Self, SignatureError> {
        let mut signature = parse_strict_der(bytes)?;
        signature.normalize_s();
        Ok(Self(signature))
    }

    /// Reads the 64 bytes r ‖ s, each big-endian; nothing for a high S, zero and numbers that are not below
    /// the curve's order.
    pub fn from_compact(bytes: &[u8; 64]) -> Option<Self> {
        let parsed = ecdsa::Signature::from_compact(bytes).ok().filter(|it| !has_zero(it))?;
        let mut low = parsed;
        low.normalize_s();
        (low == parsed).then_some(Self(parsed))
    }

    /// Returns the 64 bytes r ‖ s, each big-endian.
    pub fn to_compact(&self) -> [u8; 64] {
        self.0.serialize_compact()
    }

    /// Returns the strict DER bytes, at most 72.
    pub fn to_der(&self) -> Vec<u8> {
        self.0.serialize_der().to_vec()
    }
}

fn parse_strict_der(bytes: &[u8]) -> Result<ecdsa::Signature, SignatureError> {
    let parsed = ecdsa::Signature::from_der(bytes).map_err(|_| SignatureError::NotDer)?;
    // The curve library turns negative or overlong numbers into zero instead of refusing.
    if *parsed.serialize_der() != *bytes || has_zero(&parsed) {
        return Err(SignatureError::NotDer);
    }
    Ok(parsed)
}

fn has_zero(signature: &ecdsa::Signature) -> bool {
    let compact = signature.serialize_compact();
    compact[..32].iter().all(|byte| *byte == 0) || compact[32..].iter().all(|byte| *byte == 0)
}

impl fmt::Display for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.to_der()))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signature({self})")
    }
}

impl FromStr for Signature {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = hex::decode(text).map_err(|_| SignatureError::NotDer)?;
        Self::from_der(&bytes)
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
