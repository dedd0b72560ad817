//! A claim at a point of sale: the nonce that is given out for one, and what a customer signs.
//!
//! docs/CLAIMS.md tells the protocol. A nonce carries its time and an authentication code of ours, so
//! that giving one out stores nothing.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::bitcoin::Address;
use crate::crypto::{constant_time_eq, hkdf_sha256, hmac_sha256};
use crate::patch::tag::UidTag;
use crate::types::Timestamp;

/// The bytes of a nonce: 8 of time in milliseconds, 12 at random, 12 of the code.
pub const NONCE_BYTES: usize = 32;

const SIGNED_BYTES: usize = 20;
const CODE_PURPOSE: &[u8] = b"patchproof/claim/nonce/v1";
const ID_PURPOSE: &[u8] = b"patchproof/claim/id/v1";
/// What keeps the parts of the message apart.
const SEPARATOR: char = '|';
/// How far ahead of ours the clock may be that dated a nonce: it is our own, before a restart.
const MAX_AHEAD: Duration = Duration::from_secs(5);

/// A nonce for one claim of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClaimNonce([u8; NONCE_BYTES]);

impl ClaimNonce {
    /// Wraps the bytes.
    pub const fn from_bytes(bytes: [u8; NONCE_BYTES]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn to_bytes(self) -> [u8; NONCE_BYTES] {
        self.0
    }

    /// Returns the time it says that it was given out.
    pub fn issued_at(&self) -> Timestamp {
        let mut millis = [0u8; 8];
        millis.copy_from_slice(&self.0[..8]);
        Timestamp::from_millis(i64::from_be_bytes(millis))
    }
}

/// Why a nonce makes no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NonceRejection {
    /// Not one of ours, or for another product.
    #[error("the nonce was not given out for this product")]
    NotIssued,
    /// Its time is over.
    #[error("the nonce has expired")]
    Expired,
}

/// A tag that no claim message can name without being mistaken for another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tag with a {SEPARATOR} in it cannot be claimed; transfer the product instead")]
pub struct Unclaimable;

/// What nonces are given out and recognised with, and claims are named with; derived from the master
/// secret.
#[derive(Clone)]
pub struct ClaimKey {
    code: Zeroizing<[u8; 32]>,
    id: Zeroizing<[u8; 32]>,
}

impl ClaimKey {
    /// Derives the key from the master secret.
    pub fn derive(master_secret: &[u8]) -> Self {
        let derive = |purpose| Zeroizing::new(hkdf_sha256(master_secret, b"", purpose));
        Self { code: derive(CODE_PURPOSE), id: derive(ID_PURPOSE) }
    }

    /// Gives out a nonce; `random` must be random.
    pub fn issue(&self, uid: &UidTag, now: Timestamp, random: &[u8; 12]) -> ClaimNonce {
        let mut bytes = [0u8; NONCE_BYTES];
        bytes[..8].copy_from_slice(&now.as_millis().to_be_bytes());
        bytes[8..SIGNED_BYTES].copy_from_slice(random);
        let code = self.code(uid, &bytes[..SIGNED_BYTES]);
        bytes[SIGNED_BYTES..].copy_from_slice(&code);
        ClaimNonce(bytes)
    }

    /// Checks that a nonce was given out for a product, at most `ttl` ago.
    pub fn check(
        &self,
        nonce: &ClaimNonce,
        uid: &UidTag,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<(), NonceRejection> {
        let (signed, code) = nonce.0.split_at(SIGNED_BYTES);
        if !constant_time_eq(&self.code(uid, signed), code) {
            return Err(NonceRejection::NotIssued);
        }
        let issued = nonce.issued_at();
        let is_ahead = issued > now.plus(MAX_AHEAD);
        if is_ahead || issued.plus(ttl) <= now { Err(NonceRejection::Expired) } else { Ok(()) }
    }

    /// Returns the identifier of the one claim that a nonce can make: nobody else can work it out.
    pub fn claim_id(&self, uid: &UidTag, nonce: &ClaimNonce) -> [u8; 16] {
        // The nonce has a fixed length, so the parts cannot run into one another.
        let named = [&nonce.0[..], uid.as_str().as_bytes()].concat();
        let mut id = [0u8; 16];
        id.copy_from_slice(&hmac_sha256(self.id.as_slice(), &named)[..16]);
        id
    }

    fn code(&self, uid: &UidTag, signed: &[u8]) -> [u8; NONCE_BYTES - SIGNED_BYTES] {
        let mut code = [0u8; NONCE_BYTES - SIGNED_BYTES];
        let named = [signed, uid.as_str().as_bytes()].concat();
        let length = code.len();
        code.copy_from_slice(&hmac_sha256(self.code.as_slice(), &named)[..length]);
        code
    }
}

/// Checks that a claim can name a tag.
pub fn check_claimable(uid: &UidTag) -> Result<(), Unclaimable> {
    if uid.as_str().contains(SEPARATOR) { Err(Unclaimable) } else { Ok(()) }
}

/// Returns the text that a customer signs to be handed a product.
pub fn claim_message(
    uid: &UidTag,
    address: &Address,
    nonce: &ClaimNonce,
) -> Result<String, Unclaimable> {
    check_claimable(uid)?;
    let (ts, nonce) = (nonce.issued_at().as_millis(), hex::encode(nonce.0));
    Ok(format!("PATCHPROOF_CLAIM|uid:{uid}|addr:{address}|ts:{ts}|nonce:{nonce}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::Network;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_123);
    const TTL: Duration = Duration::from_secs(180);

    fn tag(text: &str) -> UidTag {
        UidTag::parse(text).unwrap()
    }

    fn address(byte: u8) -> Address {
        Address::of_hash([byte; 20], Network::Test)
    }

    #[test]
    fn the_message_is_the_contracts() {
        let key = ClaimKey::derive(b"master");
        let nonce = key.issue(&tag("TAG-1"), NOW, &[7; 12]);
        let hex = hex::encode(nonce.to_bytes());
        assert_eq!(
            claim_message(&tag("TAG-1"), &address(6), &nonce).unwrap(),
            format!("PATCHPROOF_CLAIM|uid:TAG-1|addr:{}|ts:1790000000123|nonce:{hex}", address(6))
        );
    }

    #[test]
    fn a_nonce_is_good_for_its_product_and_its_time() {
        let key = ClaimKey::derive(b"master");
        let nonce = key.issue(&tag("TAG-1"), NOW, &[7; 12]);
        let last = NOW.plus(TTL).minus(Duration::from_millis(1));
        assert_eq!(key.check(&nonce, &tag("TAG-1"), last, TTL), Ok(()));
        let expired = Err(NonceRejection::Expired);
        assert_eq!(key.check(&nonce, &tag("TAG-1"), NOW.plus(TTL), TTL), expired);
        let before = NOW.minus(Duration::from_secs(6));
        assert_eq!(key.check(&nonce, &tag("TAG-1"), before, TTL), expired);
        let foreign = Err(NonceRejection::NotIssued);
        assert_eq!(key.check(&nonce, &tag("TAG-2"), NOW, TTL), foreign);
        assert_eq!(ClaimKey::derive(b"other").check(&nonce, &tag("TAG-1"), NOW, TTL), foreign);
        for place in 0..NONCE_BYTES {
            let mut bytes = nonce.to_bytes();
            bytes[place] ^= 1;
            let forged = ClaimNonce::from_bytes(bytes);
            assert_eq!(key.check(&forged, &tag("TAG-1"), NOW, TTL), foreign, "byte {place}");
        }
    }

    #[test]
    fn c24_a_tag_that_could_pass_for_another_address_is_refused() {
        let nonce = ClaimKey::derive(b"master").issue(&tag("TAG-1"), NOW, &[7; 12]);
        for text in ["A|addr:mx", "AB|", "|AB"] {
            let uid = tag(text);
            assert_eq!(claim_message(&uid, &address(1), &nonce), Err(Unclaimable), "{text}");
        }
    }

    proptest! {
        /// What can be taken apart again in one way only was put together in one way only.
        #[test]
        fn c24_no_two_claims_have_the_same_bytes(
            text in "[|:adr0-9 ]{3,12}", hash: [u8; 20], nonce: [u8; 32],
        ) {
            let Ok(uid) = UidTag::parse(&text) else { return Ok(()) };
            let (address, nonce) =
                (Address::of_hash(hash, Network::Test), ClaimNonce::from_bytes(nonce));
            let Ok(message) = claim_message(&uid, &address, &nonce) else {
                prop_assert!(text.contains('|'));
                return Ok(());
            };
            let parts: Vec<&str> = message.split('|').collect();
            prop_assert_eq!(parts.len(), 5);
            prop_assert_eq!(parts[1], format!("uid:{uid}"));
            prop_assert_eq!(parts[2], format!("addr:{address}"));
            prop_assert_eq!(parts[4], format!("nonce:{}", hex::encode(nonce.to_bytes())));
        }
    }
}
