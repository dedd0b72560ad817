//! Bodies in the coding that a client takes, each form with its own entity tag.

#[cfg(any(test, feature = "console"))]
use std::borrow::Cow;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::http::headers::{EntityTag, IfNoneMatch};

/// A form of a body, with its entity tag.
type Form = (Bytes, EntityTag);

/// A body, plain and compressed.
#[derive(Debug, Clone)]
pub(in crate::http) struct Encoded {
    /// Inflated for the first who takes nothing else, where there was only the other.
    plain: Arc<OnceLock<Form>>,
    gzip: Form,
    media_type: &'static str,
}

impl Encoded {
    /// Compresses a body once, with as much work as `level` says (1 to 9).
    pub(in crate::http) fn new(body: Vec<u8>, media_type: &'static str, level: u32) -> Self {
        let gzip = with_tag(gzip(&body, level).into());
        Self { plain: Arc::new(with_tag(body.into()).into()), gzip, media_type }
    }

    /// Takes a file of the binary that is compressed already.
    #[cfg(any(test, feature = "console"))]
    pub(in crate::http) fn compressed(gzip: Cow<'static, [u8]>, media_type: &'static str) -> Self {
        let bytes = match gzip {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        };
        Self { plain: Arc::default(), gzip: with_tag(bytes), media_type }
    }

    /// Gives it to whoever does not have it, in the coding that he takes.
    pub(in crate::http) fn give(&self, known: &IfNoneMatch, headers: &HeaderMap) -> Response {
        let is_gzip = takes_gzip(headers);
        let (bytes, tag) = if is_gzip { &self.gzip } else { self.plain() };
        let common = [(ETAG, tag.header_value())];
        if known.has(tag) {
            return (StatusCode::NOT_MODIFIED, common).into_response();
        }
        let kind = [(CONTENT_TYPE, HeaderValue::from_static(self.media_type))];
        let mut answer = (common, kind, bytes.clone()).into_response();
        if is_gzip {
            answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        answer
    }

    fn plain(&self) -> &Form {
        self.plain.get_or_init(|| {
            let mut body = Vec::new();
            GzDecoder::new(self.gzip.0.as_ref())
                .read_to_end(&mut body)
                .expect("the build compressed it whole");
            with_tag(body.into())
        })
    }
}

fn with_tag(bytes: Bytes) -> Form {
    let tag = EntityTag::of(&bytes);
    (bytes, tag)
}

/// Without name and time: the same bytes give the same file and so the same entity tag.
fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::new(level));
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("memory takes whatever is written to it")
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|it| it.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|weight| weight > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_by_whoever_says_so() {
        for (value, takes) in [
            ("gzip", true),
            ("br, GZip;q=0.5", true),
            ("deflate", false),
            ("gzip;q=0", false),
            ("gzip;q=x", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().unwrap())]);
            assert_eq!(takes_gzip(&headers), takes, "{value}");
        }
    }

    #[test]
    fn each_form_has_its_own_tag() {
        let body = Encoded::new(b"the same again, the same again".to_vec(), "text/plain", 9);
        assert_ne!(body.plain().1, body.gzip.1);
        assert_eq!(gzip(b"x", 9), gzip(b"x", 9));
    }

    #[test]
    fn what_was_compressed_before_is_given_plain_to_whoever_wants_that() {
        let body = Encoded::compressed(gzip(b"a script", 9).into(), "text/javascript");
        assert_eq!(body.plain().0.as_ref(), b"a script");
        assert_ne!(body.plain().1, body.gzip.1);
    }
}
