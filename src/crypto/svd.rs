//! The key arithmetic of the passwordless login: per-challenge keys and the secret that user and
//! server share.
//!
//! With h = SHA-256(M) as a number and G the base point, the user's key of one challenge is
//! V = PMC + h·G, the server's is P = PMS + h, and both sides know the point P·V.

use zeroize::Zeroizing;

use crate::crypto::{KeyError, PublicKey, SecretKey, hmac_sha256, sha256, sha256_parts};
use crate::types::Digest;

/// Returns V = PMC + h·G, the key that signs `challenge` for the owner of `user_key`.
pub fn svd_challenge_key(user_key: &PublicKey, challenge: &[u8]) -> Result<PublicKey, KeyError> {
    user_key.plus(&challenge_scalar(challenge))
}

/// Returns the secret that the server (`server_key`, PMS) shares with the user (`user_key`, PMC)
/// for `challenge` (M): HMAC(HMAC(SHA-256(PMS_pub ‖ PMC ‖ M), X of P·V), "SVD-Session").
pub fn svd_shared_secret(
    server_key: &SecretKey,
    user_key: &PublicKey,
    challenge: &[u8],
) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let theirs = svd_challenge_key(user_key, challenge)?;
    let x = server_key.plus(&challenge_scalar(challenge))?.shared_x(&theirs);
    let server_public = server_key.public_key().to_bytes();
    let salt = sha256_parts(&[&server_public, &user_key.to_bytes(), challenge]);
    let session_key = Zeroizing::new(hmac_sha256(&salt, x.as_slice()));
    Ok(Zeroizing::new(hmac_sha256(session_key.as_slice(), b"SVD-Session")))
}

fn challenge_scalar(challenge: &[u8]) -> Digest {
    Digest::from_bytes(sha256(challenge))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::crypto::{Signature, SignatureError};

    fn vectors() -> Vec<serde_json::Value> {
        let text = include_str!("../../tests/vectors/svd-owner.json");
        let all: serde_json::Value = serde_json::from_str(text).unwrap();
        all["svd"].as_array().unwrap().clone()
    }

    fn secret(vector: &serde_json::Value, field: &str) -> SecretKey {
        let mut bytes = [0u8; 32];
        hex::decode_to_slice(vector[field].as_str().unwrap(), &mut bytes).unwrap();
        SecretKey::from_bytes(&bytes).unwrap()
    }

    #[test]
    fn a9_challenge_keys_and_secrets_match_the_vectors_of_another_implementation() {
        for vector in vectors() {
            let user_key: PublicKey = vector["pmcHex"].as_str().unwrap().parse().unwrap();
            let challenge = hex::decode(vector["M"].as_str().unwrap()).unwrap();
            let key = svd_challenge_key(&user_key, &challenge).unwrap();
            assert_eq!(key.to_string(), vector["v2cHex"].as_str().unwrap());
            let user_secret = secret(&vector, "pmcPrivHex");
            let derived = user_secret.plus(&challenge_scalar(&challenge)).unwrap();
            assert_eq!(hex::encode(derived.to_bytes()), vector["p2cPrivHex"].as_str().unwrap());
            let server_key = secret(&vector, "pmsPrivHex");
            let shared = svd_shared_secret(&server_key, &user_key, &challenge).unwrap();
            assert_eq!(hex::encode(shared), vector["sharedSecretHex"].as_str().unwrap());
            let signature: Signature = vector["signatureHex"].as_str().unwrap().parse().unwrap();
            let hash = challenge_scalar(&challenge);
            assert_eq!(key.verify(&hash, &signature), Ok(()));
            assert_eq!(user_key.verify_tweaked(&hash, &hash, &signature), Ok(()));
        }
    }

    proptest! {
        #[test]
        fn a9_a_signature_is_judged_alike_with_and_without_working_its_key_out(
            secret in any::<[u8; 32]>(), tweak in any::<[u8; 32]>(), digest in any::<[u8; 32]>(),
            flipped in 0..4usize, bit in 0..256usize,
        ) {
            let Ok(secret) = SecretKey::from_bytes(&secret) else { return Ok(()) };
            let (tweak, digest) = (Digest::from_bytes(tweak), Digest::from_bytes(digest));
            let Ok(once) = secret.plus(&tweak) else { return Ok(()) };
            let mut parts = [tweak.to_bytes(), digest.to_bytes(), [0; 32], [0; 32]];
            let signed = once.sign(&digest).to_compact();
            parts[2].copy_from_slice(&signed[..32]);
            parts[3].copy_from_slice(&signed[32..]);
            let judged = |parts: &[[u8; 32]; 4]| {
                let [tweak, digest] = [parts[0], parts[1]].map(Digest::from_bytes);
                let mut compact = [0u8; 64];
                compact[..32].copy_from_slice(&parts[2]);
                compact[32..].copy_from_slice(&parts[3]);
                let signature = Signature::from_compact(&compact)?;
                let plain = secret.public_key().plus(&tweak).ok()?.verify(&digest, &signature);
                Some((plain, secret.public_key().verify_tweaked(&tweak, &digest, &signature)))
            };
            prop_assert_eq!(judged(&parts), Some((Ok(()), Ok(()))));
            parts[flipped][bit / 8] ^= 1 << (bit % 8);
            if let Some((plain, short)) = judged(&parts) {
                prop_assert_eq!(plain, short);
                prop_assert!(short.is_err());
            }
        }
    }

    #[test]
    fn a9_the_key_of_one_challenge_gives_the_login_key_away_and_the_documents_say_so() {
        for vector in vectors() {
            let challenge = hex::decode(vector["M"].as_str().unwrap()).unwrap();
            let leaked = secret(&vector, "p2cPrivHex");
            let found = leaked.plus(&negated(&challenge_scalar(&challenge))).unwrap();
            assert_eq!(hex::encode(found.to_bytes()), vector["pmcPrivHex"].as_str().unwrap());
        }
        let page = include_str!("../../docs/SVD_AUTH.md");
        for said in ["svd-v1", "Keys of single challenges protect nothing", "names neither site"] {
            assert!(page.contains(said), "docs/SVD_AUTH.md does not say: {said}");
        }
    }

    /// Returns the order of the group less a number.
    fn negated(number: &Digest) -> Digest {
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        let mut bytes = [0u8; 32];
        hex::decode_to_slice(order, &mut bytes).unwrap();
        let mut borrow = false;
        for (digit, taken) in bytes.iter_mut().zip(number.as_bytes()).rev() {
            let (less, first) = digit.overflowing_sub(*taken);
            let (less, second) = less.overflowing_sub(u8::from(borrow));
            (*digit, borrow) = (less, first || second);
        }
        Digest::from_bytes(bytes)
    }

    #[test]
    fn only_normalizing_accepts_the_high_form_and_gives_the_low_one() {
        for vector in vectors() {
            let high = hex::decode(vector["highSSignatureHex"].as_str().unwrap()).unwrap();
            assert_eq!(Signature::from_der(&high), Err(SignatureError::HighS));
            let low = Signature::from_der_normalizing(&high).unwrap();
            assert_eq!(low.to_string(), vector["signatureHex"].as_str().unwrap());
            let mut trailing = high.clone();
            trailing.push(0);
            assert_eq!(Signature::from_der_normalizing(&trailing), Err(SignatureError::NotDer));
        }
    }

    #[test]
    fn a11_a_small_x_coordinate_keeps_its_leading_zeros() {
        // Walks multiples of the base point until one has a leading zero byte, as 1 in 256 does.
        let mut one = [0u8; 32];
        one[31] = 1;
        let step = Digest::from_bytes(one);
        let unit = SecretKey::from_bytes(&one).unwrap();
        let mut key = unit.clone();
        let point = loop {
            key = key.plus(&step).unwrap();
            let point = key.public_key();
            if point.to_bytes()[1] == 0 {
                break point;
            }
        };
        assert_eq!(unit.shared_x(&point).as_slice(), &point.to_bytes()[1..]);
        assert_eq!(unit.shared_x(&point)[0], 0);
    }
}
