//! API keys that an operator hands out: `pp_<identifier>_<secret>`.
//!
//! The identifier names a key in lists, logs and the audit trail; the secret is seen once, by whoever
//! the key is made for, and only its hash is kept. 256 bits at random need no slow hash.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::sha256;
use crate::types::Digest;

const PREFIX: &str = "pp_";

/// Names an API key; no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ApiKeyId([u8; 8]);

/// Text that names no API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an API key is named by 16 hexadecimal digits")]
pub struct ApiKeyIdParseError;

impl ApiKeyId {
    /// Wraps the bytes.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0
    }
}

/// 16 lower-case hexadecimal digits.
impl fmt::Display for ApiKeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl FromStr for ApiKeyId {
    type Err = ApiKeyIdParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let mut bytes = [0u8; 8];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ApiKeyIdParseError)?;
        if is_lower { Ok(Self(bytes)) } else { Err(ApiKeyIdParseError) }
    }
}

/// The secret half of an API key.
#[derive(Clone)]
pub struct ApiKeySecret(Zeroizing<[u8; 32]>);

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl ApiKeySecret {
    /// Wraps 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns what is kept of it: SHA-256.
    pub fn digest(&self) -> Digest {
        Digest::from_bytes(sha256(self.0.as_slice()))
    }

    /// Writes down the whole key, for the one time that it is shown.
    pub fn whole_key(&self, id: ApiKeyId) -> String {
        format!("{PREFIX}{id}_{}", hex::encode(self.0.as_slice()))
    }
}

/// Takes a key apart that somebody presents; nothing if it does not have the form of ours.
pub fn parse_api_key(presented: &str) -> Option<(ApiKeyId, ApiKeySecret)> {
    let (id, secret) = presented.strip_prefix(PREFIX)?.split_once('_')?;
    let is_lower = !secret.bytes().any(|byte| byte.is_ascii_uppercase());
    let mut bytes = Zeroizing::new([0u8; 32]);
    hex::decode_to_slice(secret, bytes.as_mut_slice()).ok().filter(|()| is_lower)?;
    Some((id.parse().ok()?, ApiKeySecret(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_in_exactly_one_form() {
        let (id, secret) = (ApiKeyId::from_bytes([0xab; 8]), ApiKeySecret::new([0xcd; 32]));
        let whole = secret.whole_key(id);
        assert_eq!(whole.len(), 3 + 16 + 1 + 64);
        let (read, read_secret) = parse_api_key(&whole).unwrap();
        assert_eq!((read, read_secret.digest()), (id, secret.digest()));
        assert_eq!(format!("{secret:?}"), "***");
        for bad in [
            whole.to_uppercase(),
            whole.replace("cd", "CD"),
            whole.replace("ab", "AB"),
            whole[..whole.len() - 1].to_owned(),
            format!("{whole}0"),
            format!(" {whole}"),
            whole.replace("pp_", "pq_"),
            "pp__".to_owned(),
            String::new(),
        ] {
            assert!(parse_api_key(&bad).is_none(), "{bad}");
        }
    }
}
