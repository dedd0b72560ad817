//! Tokens that were tampered with, made up, or come at the wrong time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

const KEY: &[u8] = b"a key of thirty-two bytes, no less";
const OTHER_KEY: &[u8] = b"another key of thirty-two bytes, ok";
const JTI: [u8; 16] = [9; 16];
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn keys() -> TokenKeys {
    TokenKeys::new(KEY, None).unwrap()
}

fn token() -> String {
    keys().issue("alice", NOW, DEFAULT_TTL, &JTI).unwrap()
}

fn good_header() -> Value {
    json!({"typ": "at+jwt", "alg": "HS256", "kid": key_id(KEY)})
}

fn good_claims() -> Value {
    let iat = NOW.as_secs();
    json!({
        "sub": "alice", "iss": "patchproof", "aud": "patchproof-api",
        "iat": iat, "nbf": iat - 30, "exp": iat + 600, "jti": "09".repeat(16),
        "scope": "operator", "epoch": 0,
    })
}

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// Signs any two texts as header and claims, with HMAC-SHA-256 of our own.
fn sign_texts(header: &str, claims: &str, key: &[u8]) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(hmac_sha256(key, message.as_bytes()));
    format!("{message}.{signature}")
}

fn sign(header: &Value, claims: &Value) -> String {
    sign_texts(&header.to_string(), &claims.to_string(), KEY)
}

fn with(mut value: Value, name: &str, other: Value) -> Value {
    value[name] = other;
    value
}

#[track_caller]
fn refused(token: &str) -> TokenRejection {
    keys().claims(token, NOW).expect_err("the token is not acceptable")
}

#[test]
fn a_token_says_whom_it_speaks_for_and_for_how_long() {
    let claims = keys().claims(&token(), NOW).unwrap();
    assert_eq!(serde_json::to_value(&claims).unwrap(), good_claims());
    assert_eq!(
        keys().verify(&token(), NOW),
        Ok(Subject { id: "alice".into(), scope: TokenScope::Operator })
    );
    let header = token().split('.').next().map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let header: Value = serde_json::from_slice(&header.unwrap()).unwrap();
    assert_eq!(header, good_header());
}

#[test]
fn a_token_made_by_other_code_with_our_key_is_accepted() {
    assert!(keys().claims(&sign(&good_header(), &good_claims()), NOW).is_ok());
}

#[test]
fn b10_other_algorithms_are_refused() {
    let unsigned = format!(
        "{}.{}.",
        encode(&with(good_header(), "alg", json!("none")).to_string()),
        encode(&good_claims().to_string())
    );
    refused(&unsigned);
    for algorithm in ["none", "None", "HS384", "HS512", "RS256", "ES256", "hs256", ""] {
        refused(&sign(&with(good_header(), "alg", json!(algorithm)), &good_claims()));
    }
    let mut header = header(&key_id(KEY));
    header.alg = Algorithm::HS384;
    let claims = good_claims();
    refused(&jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(KEY)).unwrap());
}

#[test]
fn b10_headers_that_are_not_exactly_ours_are_refused() {
    for (name, value) in [
        ("typ", json!("JWT")),
        ("typ", Value::Null),
        ("kid", json!("pp-0000000000000000")),
        ("kid", Value::Null),
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("jku", json!("https://evil.example/keys")),
        ("cty", json!("JWT")),
        ("jwk", json!({"kty": "oct", "k": "AAAA"})),
    ] {
        refused(&sign(&with(good_header(), name, value), &good_claims()));
    }
    let twice =
        format!(r#"{{"alg":"HS256","alg":"HS256","typ":"at+jwt","kid":"{}"}}"#, key_id(KEY));
    refused(&sign_texts(&twice, &good_claims().to_string(), KEY));
}

#[test]
fn b10_b11_every_claim_must_be_there_and_of_its_kind() {
    for name in ["sub", "iss", "aud", "iat", "nbf", "exp", "jti"] {
        let mut claims = good_claims();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(refused(&sign(&good_header(), &claims)), TokenRejection::WrongClaims, "{name}");
    }
    let iat = NOW.as_secs();
    for (name, value) in [
        ("sub", json!("")),
        ("sub", json!(7)),
        ("jti", json!("")),
        ("iss", json!("other")),
        ("iss", json!(["patchproof"])),
        ("aud", json!("other")),
        ("aud", json!(["patchproof-api"])),
        ("exp", json!((iat + 600).to_string())),
        ("exp", json!(1e18)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(iat + 86_401)),
        ("exp", json!(iat)),
        ("exp", json!(u64::MAX)),
        ("exp", Value::Null),
        ("nbf", json!("0")),
        ("nbf", json!(iat + 1)),
        ("iat", json!(i64::MIN)),
        ("iat", json!(true)),
    ] {
        let token = sign(&good_header(), &with(good_claims(), name, value.clone()));
        assert_eq!(refused(&token), TokenRejection::WrongClaims, "{name} {value}");
    }
    let claims = good_claims().to_string();
    let twice = claims.replacen('{', r#"{"sub":"mallory","#, 1);
    refused(&sign_texts(&good_header().to_string(), &twice, KEY));
}

#[test]
fn b10_a_token_of_another_service_with_our_secret_is_refused() {
    // What any library makes of the same secret: no audience, no issuer, the usual type.
    let header = json!({"typ": "JWT", "alg": "HS256"});
    let iat = NOW.as_secs();
    let claims = json!({"sub": "alice", "iat": iat, "exp": iat + 600, "jti": "09".repeat(16)});
    refused(&sign(&header, &claims));
    refused(&sign(&good_header(), &claims));
    // And one that is made as ours are, for somebody else's audience.
    for (name, value) in [("iss", "billing"), ("aud", "billing-api")] {
        let token = sign(&good_header(), &with(good_claims(), name, json!(value)));
        assert_eq!(refused(&token), TokenRejection::WrongClaims, "{name}");
    }
}

#[test]
fn b11_a_token_without_an_end_is_refused_and_none_has_one_far_away() {
    let mut claims = good_claims();
    claims.as_object_mut().unwrap().remove("exp");
    assert_eq!(refused(&sign(&good_header(), &claims)), TokenRejection::WrongClaims);
    let day = i64::try_from(MAX_TTL.as_secs()).unwrap();
    let far = with(good_claims(), "exp", json!(NOW.as_secs() + day + 1));
    assert_eq!(refused(&sign(&good_header(), &far)), TokenRejection::WrongClaims);
}

#[test]
fn b12_two_claims_that_agree_with_each_other_prove_nothing() {
    let bound = with(good_claims(), "cnf", json!({"msha256": "09".repeat(16)}));
    let bound = with(bound, "scope", json!("svd"));
    let forged = sign_texts(&good_header().to_string(), &bound.to_string(), OTHER_KEY);
    assert_eq!(refused(&forged), TokenRejection::WrongSignature);
    let mut endless = bound.clone();
    endless.as_object_mut().unwrap().remove("exp");
    assert_eq!(refused(&sign(&good_header(), &endless)), TokenRejection::WrongClaims);
    let over = Timestamp::from_secs(NOW.as_secs() + 606);
    let token = sign(&good_header(), &bound);
    assert_eq!(keys().claims(&token, over).unwrap_err(), TokenRejection::Expired);
}

#[test]
fn times_are_compared_with_a_leeway_of_five_seconds() {
    let token = token();
    let at =
        |offset: i64| keys().claims(&token, Timestamp::from_secs(NOW.as_secs() + offset)).err();
    assert_eq!(at(0), None);
    assert_eq!(at(604), None);
    assert_eq!(at(605), Some(TokenRejection::Expired));
    assert_eq!(at(606), Some(TokenRejection::Expired));
    assert_eq!(at(-5), None);
    assert_eq!(at(-6), Some(TokenRejection::NotYetValid));
    let from_the_future = with(good_claims(), "iat", json!(NOW.as_secs() + 20));
    let from_the_future = with(from_the_future, "nbf", json!(NOW.as_secs() + 6));
    assert_eq!(refused(&sign(&good_header(), &from_the_future)), TokenRejection::NotYetValid);
}

#[test]
fn texts_that_are_no_tokens_are_refused() {
    let token = token();
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts.try_into().unwrap();
    for text in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{header}.{claims}.{claims}.{signature}"),
        format!("{token}="),
        format!("{token} "),
        format!(" {token}"),
        format!("{header}.{claims}.{}", signature.to_lowercase()),
        format!("{header}.{claims}.{}", &signature[1..]),
        format!("{header}.{claims}.{signature}AAAA"),
        "a".repeat(10_000),
        format!("{header}.{}.{signature}", "A".repeat(5_000)),
    ] {
        refused(&text);
    }
}

#[test]
fn no_changed_character_goes_unnoticed() {
    let token = token();
    for (place, letter) in token.bytes().enumerate() {
        for other in [b'A', b'B', b'_', b'.'] {
            if other == letter {
                continue;
            }
            let mut bytes = token.clone().into_bytes();
            bytes[place] = other;
            refused(&String::from_utf8(bytes).unwrap());
        }
    }
}

#[test]
fn tokens_of_other_keys_are_refused_and_those_of_the_former_key_are_not() {
    let former = TokenKeys::new(OTHER_KEY, None).unwrap();
    let old = former.issue("alice", NOW, DEFAULT_TTL, &JTI).unwrap();
    assert_eq!(refused(&old), TokenRejection::WrongSignature);
    let forged = sign_texts(&good_header().to_string(), &good_claims().to_string(), OTHER_KEY);
    assert_eq!(refused(&forged), TokenRejection::WrongSignature);

    let rotated = TokenKeys::new(KEY, Some(OTHER_KEY)).unwrap();
    assert!(rotated.claims(&old, NOW).is_ok());
    let new = rotated.issue("alice", NOW, DEFAULT_TTL, &JTI).unwrap();
    assert!(keys().claims(&new, NOW).is_ok());
    assert_eq!(former.claims(&new, NOW), Err(TokenRejection::WrongSignature));
}

#[test]
fn b14_short_keys_are_refused() {
    for length in [0, 1, 31] {
        let key = vec![7; length];
        let refusal = TokenError::WeakKey { length };
        assert_eq!(TokenKeys::new(&key, None).err(), Some(refusal));
        assert_eq!(TokenKeys::new(KEY, Some(&key)).err(), Some(refusal));
    }
    assert!(TokenKeys::for_development(b"test_jwt_secret", None).is_ok());
    assert!(TokenKeys::for_development(b"", None).is_err());
    assert!(!format!("{:?}", keys()).contains("thirty-two"));
}

#[test]
fn tokens_without_a_subject_or_with_a_life_of_any_length_are_not_issued() {
    let issue = |subject, ttl| keys().issue(subject, NOW, ttl, &JTI).err();
    assert_eq!(issue("", DEFAULT_TTL), Some(TokenError::Nameless));
    assert_eq!(issue("alice", Duration::from_millis(999)), Some(TokenError::Life));
    assert_eq!(issue("alice", MAX_TTL + Duration::from_secs(1)), Some(TokenError::Life));
    assert_eq!(issue("alice", MAX_TTL), None);
}
