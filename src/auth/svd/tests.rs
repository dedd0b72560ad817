//! What a challenge is good for, by example, by vector and by changed bit.

use super::*;

const TTL: Duration = Duration::from_secs(180);
const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_123);

fn vectors() -> Vec<serde_json::Value> {
    let text = include_str!("../../../tests/vectors/svd-owner.json");
    let all: serde_json::Value = serde_json::from_str(text).unwrap();
    all["svd"].as_array().unwrap().clone()
}

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 12])
}

fn challenge_of(vector: &serde_json::Value) -> Challenge {
    let mut bytes = [0u8; CHALLENGE_BYTES];
    hex::decode_to_slice(vector["M"].as_str().unwrap(), &mut bytes).unwrap();
    Challenge::from_bytes(bytes)
}

#[test]
fn answers_identifiers_and_proofs_match_the_vectors_of_another_implementation() {
    for vector in vectors() {
        let challenge = challenge_of(&vector);
        let key: PublicKey = vector["pmcHex"].as_str().unwrap().parse().unwrap();
        let low = hex::decode(vector["signatureHex"].as_str().unwrap()).unwrap();
        let high = hex::decode(vector["highSSignatureHex"].as_str().unwrap()).unwrap();
        assert_eq!(challenge.check_answer(&key, &low), Ok(()));
        assert_eq!(challenge.check_answer(&key, &high), Err(AnswerRejection::Malleable));
        let jti = challenge.digest();
        assert_eq!(hex::encode(jti.as_bytes()), vector["jti"].as_str().unwrap());
        let mut shared = [0u8; 32];
        hex::decode_to_slice(vector["sharedSecretHex"].as_str().unwrap(), &mut shared).unwrap();
        let user: UserId = vector["userId"].as_str().unwrap().parse().unwrap();
        let proof = svd_proof(user, &jti, &shared);
        assert_eq!(hex::encode(proof), vector["svdProof"].as_str().unwrap());
    }
}

#[test]
fn any_changed_bit_of_a_signature_or_key_is_refused() {
    let vector = &vectors()[0];
    let challenge = challenge_of(vector);
    let key: PublicKey = vector["pmcHex"].as_str().unwrap().parse().unwrap();
    let signature = hex::decode(vector["signatureHex"].as_str().unwrap()).unwrap();
    for index in 0..signature.len() * 8 {
        let mut changed = signature.clone();
        changed[index / 8] ^= 1 << (index % 8);
        assert!(challenge.check_answer(&key, &changed).is_err(), "bit {index}");
    }
    for length in 0..signature.len() {
        assert!(challenge.check_answer(&key, &signature[..length]).is_err());
    }
    let other: PublicKey = vectors()[1]["pmcHex"].as_str().unwrap().parse().unwrap();
    assert_eq!(challenge.check_answer(&other, &signature), Err(AnswerRejection::Wrong));
}

#[test]
fn a_challenge_is_good_for_its_user_and_its_time_only() {
    let key = ChallengeKey::derive(b"master");
    let challenge = key.issue(user(1), NOW, &[7; 8]);
    assert_eq!(challenge.issued_at(), Timestamp::from_secs(1_790_000_000));
    let check = |challenge: &Challenge, of, now| key.check(challenge, of, now, TTL);
    assert_eq!(check(&challenge, user(1), NOW), Ok(()));
    assert_eq!(check(&challenge, user(2), NOW), Err(ChallengeRejection::NotIssued));
    let last = Timestamp::from_millis(1_790_000_179_999);
    assert_eq!(check(&challenge, user(1), last), Ok(()));
    let over = Timestamp::from_secs(1_790_000_180);
    assert_eq!(check(&challenge, user(1), over), Err(ChallengeRejection::Expired));
    // A clock that was set back revives nothing and lets nothing live longer.
    let back = Timestamp::from_secs(1_789_999_990);
    assert_eq!(check(&challenge, user(1), back), Err(ChallengeRejection::Expired));
    let other = ChallengeKey::derive(b"another");
    let issued = other.check(&challenge, user(1), NOW, TTL);
    assert_eq!(issued, Err(ChallengeRejection::NotIssued));
}

#[test]
fn no_bit_of_a_challenge_can_be_changed() {
    let key = ChallengeKey::derive(b"master");
    let challenge = key.issue(user(1), NOW, &[7; 8]);
    for index in 0..CHALLENGE_BYTES * 8 {
        let mut bytes = challenge.to_bytes();
        bytes[index / 8] ^= 1 << (index % 8);
        let checked = key.check(&Challenge::from_bytes(bytes), user(1), NOW, TTL);
        assert_eq!(checked, Err(ChallengeRejection::NotIssued), "bit {index}");
    }
}

#[test]
fn a7_a_stranger_seems_to_have_a_key_of_his_own() {
    let key = ChallengeKey::derive(b"master");
    assert_eq!(key.decoy(user(1)), key.decoy(user(1)));
    assert_ne!(key.decoy(user(1)), key.decoy(user(2)));
    assert_ne!(key.decoy(user(1)), ChallengeKey::derive(b"another").decoy(user(1)));
}

#[test]
fn a14_a_user_is_the_same_in_either_case_and_nothing_else_names_one() {
    let lower: UserId = "3f92107747fcccc58db83812".parse().unwrap();
    assert_eq!("3F92107747FCCCC58DB83812".parse(), Ok(lower));
    assert_eq!(lower.to_string(), "3f92107747fcccc58db83812");
    for bad in [
        "",
        "3f92",
        "3f92107747fcccc58db8381",
        "3f92107747fcccc58db83812a",
        "zz92107747fcccc58db83812",
    ] {
        assert_eq!(bad.parse::<UserId>(), Err(UserIdParseError), "{bad}");
    }
}
