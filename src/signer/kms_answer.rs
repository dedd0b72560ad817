//! What a signer answered, checked entry by entry: all of it is right, or nothing is used.
//!
//! Pure. Checked are the number of entries, the form of each signature and key, that the key is the
//! expected one, and that the signature is of the hash that was asked for. An answer in another
//! order fails the last check.

use serde::Deserialize;

use crate::crypto::{PublicKey, Signature};
use crate::outbound::excerpt;
use crate::signer::{ExpectedKey, SignRequest, SignerError, VerifiedSignature};

#[derive(Deserialize)]
#[serde(untagged)]
enum SignAnswer {
    Wrapped { signatures: Vec<SignedEntry> },
    Bare(Vec<SignedEntry>),
}

#[derive(Deserialize)]
struct SignedEntry {
    #[serde(rename = "signatureHex")]
    signature_hex: String,
    #[serde(rename = "pubKeyHex")]
    public_key_hex: String,
}

/// Reads and verifies the answer to `requests`.
pub(super) fn verify_answer(
    requests: &[SignRequest],
    body: &[u8],
) -> Result<Vec<VerifiedSignature>, SignerError> {
    let answer: SignAnswer = serde_json::from_slice(body).map_err(|_| {
        SignerError::Untrustworthy("it is not the JSON of a list of signatures".to_owned())
    })?;
    let entries = match answer {
        SignAnswer::Wrapped { signatures } => signatures,
        SignAnswer::Bare(signatures) => signatures,
    };
    if entries.len() != requests.len() {
        let (answered, asked) = (entries.len(), requests.len());
        let text = format!("{answered} signatures for {asked} requests");
        return Err(SignerError::Untrustworthy(text));
    }
    let pairs = requests.iter().zip(&entries).enumerate();
    pairs.map(|(index, (request, entry))| verify_entry(index, request, entry)).collect()
}

fn verify_entry(
    index: usize,
    request: &SignRequest,
    entry: &SignedEntry,
) -> Result<VerifiedSignature, SignerError> {
    let refuse = |what: String| {
        let identifier = excerpt(&request.key_identifier);
        SignerError::Untrustworthy(format!("signature {index} (key {identifier}): {what}"))
    };
    let public_key: PublicKey =
        entry.public_key_hex.parse().map_err(|error| refuse(format!("{error}")))?;
    let expected = match &request.expected {
        ExpectedKey::Key(key) => *key == public_key,
        ExpectedKey::Hash160(hash) => *hash == public_key.hash160(),
        ExpectedKey::Any => true,
    };
    if !expected {
        return Err(refuse("it is by another key than expected".to_owned()));
    }
    let der = hex::decode(&entry.signature_hex)
        .map_err(|_| refuse("the signature is not hexadecimal".to_owned()))?;
    // Hardware modules make high S as often as low; once verified, the low form says the same.
    let signature =
        Signature::from_der_normalizing(&der).map_err(|error| refuse(format!("{error}")))?;
    public_key.verify(&request.sighash, &signature).map_err(|error| refuse(format!("{error}")))?;
    Ok(VerifiedSignature { signature, public_key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SecretKey;
    use crate::signer::SignKind;
    use crate::types::Digest;

    fn request(byte: u8, expected: ExpectedKey) -> SignRequest {
        let sighash = Digest::from_bytes([byte; 32]);
        SignRequest {
            key_identifier: "issuer".to_owned(),
            sighash,
            kind: SignKind::Message,
            expected,
        }
    }

    fn entry(key: &SecretKey, byte: u8) -> serde_json::Value {
        let signature = key.sign(&Digest::from_bytes([byte; 32]));
        serde_json::json!({
            "signatureHex": signature.to_string(),
            "pubKeyHex": key.public_key().to_string(),
        })
    }

    #[test]
    fn both_forms_of_a_right_answer_are_taken() {
        let key = SecretKey::generate();
        let requests = [
            request(1, ExpectedKey::Key(key.public_key())),
            request(2, ExpectedKey::Hash160(key.public_key().hash160())),
        ];
        let entries = serde_json::json!([entry(&key, 1), entry(&key, 2)]);
        let wrapped = serde_json::json!({ "signatures": entries });
        for answer in [entries.to_string(), wrapped.to_string()] {
            let verified = verify_answer(&requests, answer.as_bytes()).unwrap();
            assert_eq!(verified[1].signature, key.sign(&Digest::from_bytes([2; 32])));
        }
    }

    #[test]
    fn any_wrong_entry_spoils_the_whole_answer() {
        let key = SecretKey::generate();
        let other = SecretKey::generate();
        let expected = || ExpectedKey::Key(key.public_key());
        let requests = [request(1, expected()), request(2, expected())];
        let first = entry(&key, 1);
        let mut uncompressed = entry(&key, 2);
        uncompressed["pubKeyHex"] = format!("04{}", "11".repeat(64)).into();
        let mut padded = entry(&key, 2);
        padded["signatureHex"] = format!("{}00", padded["signatureHex"].as_str().unwrap()).into();
        let mut borrowed = entry(&other, 2);
        borrowed["pubKeyHex"] = key.public_key().to_string().into();
        for wrong in [
            serde_json::json!([first]),
            serde_json::json!([first, entry(&key, 2), entry(&key, 3)]),
            serde_json::json!([entry(&key, 2), first]),
            serde_json::json!([first, entry(&other, 2)]),
            serde_json::json!([first, entry(&key, 3)]),
            serde_json::json!([first, uncompressed]),
            serde_json::json!([first, padded]),
            serde_json::json!([first, borrowed]),
            serde_json::json!([first, null]),
            serde_json::json!({ "signatures": null }),
            serde_json::json!({}),
        ] {
            let outcome = verify_answer(&requests, wrong.to_string().as_bytes());
            assert!(matches!(outcome, Err(SignerError::Untrustworthy(_))), "{wrong}");
        }
    }
}
