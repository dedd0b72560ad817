//! Bodies in the coding that a client takes, each form with its own entity tag.

use std::io::Write as _;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::http::headers::{EntityTag, IfNoneMatch};

/// A body, plain and compressed.
#[derive(Debug, Clone)]
pub(in crate::http) struct Encoded {
    plain: (Bytes, EntityTag),
    gzip: (Bytes, EntityTag),
    media_type: &'static str,
}

impl Encoded {
    /// Compresses a body once, with as much work as `level` says (1 to 9).
    pub(in crate::http) fn new(body: Vec<u8>, media_type: &'static str, level: u32) -> Self {
        let with_tag = |bytes: Vec<u8>| {
            let tag = EntityTag::of(&bytes);
            (Bytes::from(bytes), tag)
        };
        let gzip = with_tag(gzip(&body, level));
        Self { plain: with_tag(body), gzip, media_type }
    }

    /// Gives it to whoever does not have it, in the coding that he takes.
    pub(in crate::http) fn give(&self, known: &IfNoneMatch, headers: &HeaderMap) -> Response {
        let is_gzip = takes_gzip(headers);
        let (bytes, tag) = if is_gzip { &self.gzip } else { &self.plain };
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
        assert_ne!(body.plain.1, body.gzip.1);
        assert_eq!(gzip(b"x", 9), gzip(b"x", 9));
    }
}
