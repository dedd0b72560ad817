//! Bearer tokens: JSON Web Tokens (RFC 7519) that this product issues and nobody else does.
//!
//! Verification takes nothing on trust from the token: the algorithm is HS256 and no other, the
//! header holds what ours hold and nothing more, every claim must be there, and times are compared
//! with a time that is passed in. No text of a token reaches an error.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::auth::{Bearer, Subject, TokenRejection, TokenScope, Tokens};
use crate::crypto::hmac_sha256;
use crate::types::Timestamp;

/// Who issues our tokens.
pub const ISSUER: &str = "patchproof";
/// Who accepts them.
pub const AUDIENCE: &str = "patchproof-api";
/// How long a token is valid unless told otherwise.
pub const DEFAULT_TTL: Duration = Duration::from_secs(600);
/// The longest that a token may be valid.
pub const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Tells our tokens from other JSON Web Tokens (RFC 9068), so that none is taken for another.
const TYPE: &str = "at+jwt";
/// A token is valid this much before its issue, for verifiers whose clocks are behind.
const NOT_BEFORE_SKEW_SECS: i64 = 30;
/// How far two clocks may be apart.
const LEEWAY_SECS: i64 = 5;
/// HMAC-SHA-256 is as strong as its key, up to its output (RFC 7518, section 3.2).
const MIN_KEY_BYTES: usize = 32;
/// Ours are far shorter; a longer text is not worth hashing.
const MAX_TOKEN_BYTES: usize = 4096;
const KEY_ID_PURPOSE: &[u8] = b"PatchProof token key";

/// Keys or claims that no token can be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The key can be guessed.
    #[error("the key of tokens has {length} bytes, it needs {MIN_KEY_BYTES}")]
    WeakKey {
        /// Its length.
        length: usize,
    },
    /// The subject is empty.
    #[error("a token needs a subject")]
    Nameless,
    /// The life is zero or too long.
    #[error("a token lives for 1 to {} seconds", MAX_TTL.as_secs())]
    Life,
    /// The claims cannot be signed.
    #[error("the token cannot be signed")]
    Signing,
}

/// What a token of ours says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenClaims {
    /// Whom it speaks for.
    pub sub: String,
    /// Who issued it.
    pub iss: String,
    /// Who accepts it.
    pub aud: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// From when it is valid.
    pub nbf: i64,
    /// From when it is no longer valid.
    pub exp: i64,
    /// Its own identifier.
    pub jti: String,
    /// How its bearer proved who he is.
    pub scope: TokenScope,
    /// How often the subject's tokens had been taken back when it was issued.
    pub epoch: u64,
    /// What a login bound it to (RFC 7800), for `svd` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

/// What a login bound a token to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// SHA-256 of the challenge in hexadecimal; the same as `jti`.
    pub msha256: String,
    /// Shows to the user that the server's key took part; absent when the signer was silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub svd_proof: Option<String>,
}

/// What a token is issued for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whom it speaks for.
    pub subject: Subject,
    /// The subject's present epoch.
    pub epoch: u64,
    /// Its identifier, never used before.
    pub jti: String,
    /// The proof of a login in hexadecimal, if there is one.
    pub svd_proof: Option<String>,
    /// How long it is valid.
    pub ttl: Duration,
}

/// The keys that sign and verify tokens.
pub struct TokenKeys {
    signing: EncodingKey,
    /// The present key and the one before the last rotation.
    verifying: Vec<(String, DecodingKey)>,
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.verifying.iter().map(|(key_id, _)| key_id);
        formatter.debug_set().entries(names).finish()
    }
}

impl TokenKeys {
    /// Takes the present key and the one before the last rotation, each of 32 bytes at least.
    pub fn new(current: &[u8], previous: Option<&[u8]>) -> Result<Self, TokenError> {
        Self::with_least(current, previous, MIN_KEY_BYTES)
    }

    /// Takes keys of any length but none, for environments in which nothing is at stake.
    pub fn for_development(current: &[u8], previous: Option<&[u8]>) -> Result<Self, TokenError> {
        Self::with_least(current, previous, 1)
    }

    fn with_least(
        current: &[u8],
        previous: Option<&[u8]>,
        least: usize,
    ) -> Result<Self, TokenError> {
        let keys = std::iter::once(current).chain(previous);
        let verifying = keys
            .map(|key| match key.len() {
                length if length < least => Err(TokenError::WeakKey { length }),
                _ => Ok((key_id(key), DecodingKey::from_secret(key))),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { signing: EncodingKey::from_secret(current), verifying })
    }

    /// Issues a token to an operator for `subject`, before anything of the subject's was taken back;
    /// `jti` must be random.
    pub fn issue(
        &self,
        subject: &str,
        now: Timestamp,
        ttl: Duration,
        jti: &[u8; 16],
    ) -> Result<String, TokenError> {
        let subject = Subject { id: subject.to_owned(), scope: TokenScope::Operator };
        let jti = hex::encode(jti);
        self.grant(&Grant { subject, epoch: 0, jti, svd_proof: None, ttl }, now)
    }

    /// Issues a token.
    pub fn grant(&self, grant: &Grant, now: Timestamp) -> Result<String, TokenError> {
        let Subject { id, scope } = &grant.subject;
        if id.is_empty() {
            return Err(TokenError::Nameless);
        }
        let life = i64::try_from(grant.ttl.as_secs()).unwrap_or(i64::MAX);
        if life == 0 || grant.ttl > MAX_TTL {
            return Err(TokenError::Life);
        }
        let iat = now.as_secs();
        let claims = TokenClaims {
            sub: id.clone(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat,
            nbf: iat.saturating_sub(NOT_BEFORE_SKEW_SECS),
            exp: iat.saturating_add(life),
            jti: grant.jti.clone(),
            scope: *scope,
            epoch: grant.epoch,
            cnf: (*scope == TokenScope::Svd).then(|| Confirmation {
                msha256: grant.jti.clone(),
                svd_proof: grant.svd_proof.clone(),
            }),
        };
        let (key_id, _) = self.verifying.first().ok_or(TokenError::Signing)?;
        jsonwebtoken::encode(&header(key_id), &claims, &self.signing)
            .map_err(|_| TokenError::Signing)
    }

    /// Returns what `token` says if a key of ours signed it and it is valid at `now`.
    pub fn claims(&self, token: &str, now: Timestamp) -> Result<TokenClaims, TokenRejection> {
        let parts = token.split('.').filter(|part| !part.is_empty()).count();
        if token.len() > MAX_TOKEN_BYTES || parts != 3 || token.matches('.').count() != 2 {
            return Err(TokenRejection::Malformed);
        }
        let found = jsonwebtoken::decode_header(token).map_err(|_| TokenRejection::Malformed)?;
        // The key is found by its identifier, and the rest of the header must be as we write it:
        // there is nothing in there (crit, jku, another algorithm) that would be obeyed.
        let signed_by = |(key_id, _): &&(String, DecodingKey)| found.kid.as_ref() == Some(key_id);
        let (key_id, key) =
            self.verifying.iter().find(signed_by).ok_or(TokenRejection::WrongSignature)?;
        if found != header(key_id) {
            return Err(TokenRejection::Malformed);
        }
        let claims = jsonwebtoken::decode::<TokenClaims>(token, key, &signature_only())
            .map_err(|error| rejection(error.kind()))?
            .claims;
        check(&claims, now)?;
        Ok(claims)
    }
}

impl Tokens for TokenKeys {
    fn verify(&self, token: &str, now: Timestamp) -> Result<Subject, TokenRejection> {
        self.claims(token, now).map(|claims| Subject { id: claims.sub, scope: claims.scope })
    }

    fn bearer(&self, token: &str, now: Timestamp) -> Option<Bearer> {
        let claims = self.claims(token, now).ok()?;
        let subject = Subject { id: claims.sub, scope: claims.scope };
        Some(Bearer { subject, epoch: claims.epoch })
    }
}

/// Names a key without giving away anything that helps to guess it.
fn key_id(key: &[u8]) -> String {
    format!("pp-{}", hex::encode(&hmac_sha256(key, KEY_ID_PURPOSE)[..8]))
}

fn header(key_id: &str) -> Header {
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(key_id.to_owned());
    header
}

/// Has the library check algorithm and signature only: for the claims it would ask the machine's
/// clock, and let some of them be missing.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn check(claims: &TokenClaims, now: Timestamp) -> Result<(), TokenRejection> {
    let is_ours = claims.iss == ISSUER && claims.aud == AUDIENCE;
    let is_named = !claims.sub.is_empty() && !claims.jti.is_empty();
    let max_life = i64::try_from(MAX_TTL.as_secs()).unwrap_or(i64::MAX);
    let life = claims.exp.checked_sub(claims.iat);
    let is_bounded = life.is_some_and(|life| (1..=max_life).contains(&life));
    let is_bound = match (claims.scope, &claims.cnf) {
        (TokenScope::Svd, Some(cnf)) => cnf.msha256 == claims.jti,
        (TokenScope::Svd, None) | (_, Some(_)) => false,
        (_, None) => true,
    };
    if !(is_ours && is_named && is_bounded && is_bound && claims.nbf <= claims.iat) {
        return Err(TokenRejection::WrongClaims);
    }
    let now_secs = now.as_secs();
    if now_secs >= claims.exp.saturating_add(LEEWAY_SECS) {
        return Err(TokenRejection::Expired);
    }
    let latest_start = now_secs.saturating_add(LEEWAY_SECS);
    if claims.nbf > latest_start || claims.iat > latest_start {
        return Err(TokenRejection::NotYetValid);
    }
    Ok(())
}

/// Says why a token whose header was read was not accepted.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's list is open")]
fn rejection(kind: &ErrorKind) -> TokenRejection {
    match kind {
        ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm => TokenRejection::WrongSignature,
        // The header was read before, and claims are read only once the signature is ours.
        ErrorKind::Json(_) | ErrorKind::Utf8(_) => TokenRejection::WrongClaims,
        _ => TokenRejection::Malformed,
    }
}

#[cfg(test)]
mod tests;
