//! Bearer tokens (placeholder until the full one is merged).
use crate::auth::{Subject, TokenRejection, Tokens};
use crate::types::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::time::Duration;
/// Keys.
pub struct TokenKeys {
    enc: EncodingKey,
    dec: DecodingKey,
}
#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
}
/// Error.
#[derive(Debug, thiserror::Error)]
#[error("bad")]
pub struct TokenKeyError;
impl TokenKeys {
    /// New.
    pub fn new(secret: &[u8], _previous: Option<&[u8]>) -> Result<Self, TokenKeyError> {
        Ok(Self { enc: EncodingKey::from_secret(secret), dec: DecodingKey::from_secret(secret) })
    }
    /// Issue.
    pub fn issue(
        &self,
        sub: &str,
        now: Timestamp,
        ttl: Duration,
        _jti: &[u8; 16],
    ) -> Result<String, TokenKeyError> {
        jsonwebtoken::encode(
            &Header::new(Algorithm::HS256),
            &Claims { sub: sub.into(), exp: now.plus(ttl).as_secs() },
            &self.enc,
        )
        .map_err(|_| TokenKeyError)
    }
}
impl Tokens for TokenKeys {
    fn verify(&self, token: &str, _now: Timestamp) -> Result<Subject, TokenRejection> {
        jsonwebtoken::decode::<Claims>(token, &self.dec, &Validation::new(Algorithm::HS256))
            .map(|c| Subject(c.claims.sub))
            .map_err(|_| TokenRejection::Malformed)
    }
}
