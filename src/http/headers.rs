//! Request headers with a meaning of their own: idempotency keys, preferences, entity tags.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::{HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;

use crate::crypto::sha256;
use crate::http::problem::Problem;

/// The header of [`IdempotencyKeyHeader`].
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The key under which a client may repeat a request without doing it twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKeyHeader(pub Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKeyHeader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        let is_acceptable = (1..=255).contains(&value.len())
            && value.as_bytes().iter().all(|byte| (0x21..=0x7e).contains(byte))
            && values.next().is_none();
        match value.to_str() {
            Ok(key) if is_acceptable => Ok(Self(Some(key.to_owned()))),
            Ok(_) | Err(_) => Err(Problem::invalid_field(
                "Idempotency-Key",
                "must occur once and be 1 to 255 visible ASCII characters",
            )),
        }
    }
}

/// What a client would like, if it can be had (RFC 7240).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prefer {
    /// Whether an answer before the work is done is preferred.
    pub respond_async: bool,
}

impl<S: Sync> FromRequestParts<S> for Prefer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let respond_async = items(&parts.headers, &PREFER).any(|preference| {
            let name = preference.split([';', '=']).next().unwrap_or_default();
            name.trim().eq_ignore_ascii_case("respond-async")
        });
        Ok(Self { respond_async })
    }
}

/// The version of a representation, strong (RFC 9110, section 8.8.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag(HeaderValue);

impl EntityTag {
    /// Makes the tag of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = sha256(bytes);
        let text = format!("\"{}\"", hex::encode(&digest[..16]));
        Self(HeaderValue::from_str(&text).expect("a quoted hexadecimal number is a header value"))
    }

    /// Returns the tag as the value of a header.
    pub fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// The versions that a client has already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IfNoneMatch(Vec<String>);

impl IfNoneMatch {
    /// Tells whether the client has this version, so that 304 is the answer.
    pub fn has(&self, tag: &EntityTag) -> bool {
        self.0.iter().any(|known| known == "*" || known.as_bytes() == tag.0.as_bytes())
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The comparison is the weak one: it does not look at the prefix.
        let tags = items(&parts.headers, &IF_NONE_MATCH)
            .map(|tag| tag.strip_prefix("W/").unwrap_or(tag).to_owned());
        Ok(Self(tags.collect()))
    }
}

/// The versions to one of which a change is to be made; none is whatever there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IfMatch(Option<Vec<String>>);

impl IfMatch {
    /// Tells whether the change may be made to this version.
    pub fn allows(&self, tag: &EntityTag) -> bool {
        self.0.as_ref().is_none_or(|tags| {
            tags.iter().any(|expected| expected == "*" || expected.as_bytes() == tag.0.as_bytes())
        })
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The comparison is the strong one: a weak tag is never the same.
        let is_given = parts.headers.contains_key(IF_MATCH);
        let tags = || items(&parts.headers, &IF_MATCH).map(str::to_owned).collect();
        Ok(Self(is_given.then(tags)))
    }
}

/// Splits a list header into its items; our own entity tags have no commas.
fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter();
    lines.filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    async fn key(headers: &[(&str, &str)]) -> Result<Option<String>, ()> {
        let found = IdempotencyKeyHeader::from_request_parts(&mut parts(headers), &()).await;
        found.map(|IdempotencyKeyHeader(key)| key).map_err(drop)
    }

    #[tokio::test]
    async fn an_idempotency_key_is_short_visible_ascii() {
        let long = "k".repeat(255);
        assert_eq!(key(&[]).await, Ok(None));
        assert_eq!(key(&[("idempotency-key", &long)]).await, Ok(Some(long.clone())));
        for bad in ["", "a b", "ż", &[long.as_str(), "k"].concat()] {
            assert_eq!(key(&[("idempotency-key", bad)]).await, Err(()), "{bad}");
        }
        let twice = [("idempotency-key", "a"), ("idempotency-key", "a")];
        assert_eq!(key(&twice).await, Err(()));
    }

    #[tokio::test]
    async fn a_preference_is_found_among_others() {
        for (value, respond_async) in [
            ("respond-async", true),
            ("return=minimal, Respond-Async; wait=10", true),
            ("respond-async-not, wait=5", false),
        ] {
            let found = Prefer::from_request_parts(&mut parts(&[("prefer", value)]), &()).await;
            assert_eq!(found, Ok(Prefer { respond_async }), "{value}");
        }
    }

    #[tokio::test]
    async fn a_change_is_made_to_the_version_that_was_read() {
        let tag = EntityTag::of(b"x");
        let text = tag.0.to_str().unwrap();
        let weak = format!("W/{text}");
        let list = format!("\"other\", {text}");
        for (value, allows) in
            [(text, true), (list.as_str(), true), ("*", true), (weak.as_str(), false), ("", false)]
        {
            let mut parts = parts(&[("if-match", value)]);
            let found = IfMatch::from_request_parts(&mut parts, &()).await.unwrap();
            assert_eq!(found.allows(&tag), allows, "{value}");
        }
        assert!(IfMatch::default().allows(&tag));
    }

    #[tokio::test]
    async fn versions_are_compared_weakly() {
        let tag = EntityTag::of(b"x");
        let text = tag.0.to_str().unwrap();
        let weak = format!("\"other\", W/{text}");
        for (value, has) in [(text, true), (weak.as_str(), true), ("*", true), ("\"a\"", false)] {
            let mut parts = parts(&[("if-none-match", value)]);
            let found = IfNoneMatch::from_request_parts(&mut parts, &()).await.unwrap();
            assert_eq!(found.has(&tag), has, "{value}");
        }
    }
}
