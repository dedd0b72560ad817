//! The identifier of a request, in every answer and every log line about it.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::{Builder, Uuid};

use crate::crypto::random_bytes;
use crate::types::Timestamp;

/// The header that carries the identifier both ways.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Identifies one request; handlers find it in the request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// Takes the client's identifier if it is harmless in logs and headers, else makes one.
    pub fn from_headers(headers: &HeaderMap, now: Timestamp) -> Self {
        headers
            .get(&X_REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .filter(|text| is_acceptable(text))
            .map_or_else(|| Self::generate(now), |text| Self(text.into()))
    }

    /// Makes an identifier that sorts by time (UUID version 7).
    pub fn generate(now: Timestamp) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        let id = Builder::from_unix_timestamp_millis(millis, &random_bytes()).into_uuid();
        let mut text = Uuid::encode_buffer();
        Self((&*id.hyphenated().encode_lower(&mut text)).into())
    }

    /// Returns the identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the identifier as the value of a header.
    pub fn header_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("letters, digits and hyphens are allowed in headers")
    }
}

/// Tells whether a client's identifier may be echoed: `^[A-Za-z0-9-]{8,64}$`.
fn is_acceptable(text: &str) -> bool {
    (8..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_plain_identifiers_are_kept() {
        for good in ["abcd-123", &"Z".repeat(64)] {
            assert!(is_acceptable(good));
        }
        for bad in ["", "short12", &"a".repeat(65), "with space", "a\tb-12345", "żółw-12345"] {
            assert!(!is_acceptable(bad), "{bad}");
        }
    }

    #[test]
    fn identifiers_made_here_are_acceptable_and_differ() {
        let now = Timestamp::from_secs(1_739_624_725);
        let (first, second) = (RequestId::generate(now), RequestId::generate(now));
        assert!(is_acceptable(first.as_str()));
        assert_ne!(first, second);
        assert_eq!(first.as_str().as_bytes()[14], b'7');
    }
}
