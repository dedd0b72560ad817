//! Files out of the binary: scripts, styles, descriptions.
//!
//! Each has an entity tag, so a browser that has it is told so in one short answer.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::http::headers::{EntityTag, IfNoneMatch};

/// One file, ready to be sent.
#[derive(Debug, Clone)]
pub struct Asset {
    bytes: Bytes,
    media_type: &'static str,
    tag: EntityTag,
    max_age_secs: u32,
}

impl Asset {
    /// Prepares a file; a client may use it for `max_age_secs` without asking again.
    pub fn new(bytes: Cow<'static, [u8]>, media_type: &'static str, max_age_secs: u32) -> Self {
        let bytes = match bytes {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        let tag = EntityTag::of(&bytes);
        Self { bytes, media_type, tag, max_age_secs }
    }

    /// Answers with the file, or with 304 if the client has it.
    pub fn answer(&self, known: &IfNoneMatch) -> Response {
        let max_age = format!("public, max-age={}", self.max_age_secs);
        let headers = [
            (ETAG, self.tag.header_value()),
            (CACHE_CONTROL, HeaderValue::from_str(&max_age).expect("digits are allowed")),
        ];
        if known.has(&self.tag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let kind = HeaderValue::from_static(self.media_type);
        (headers, [(CONTENT_TYPE, kind)], Body::from(self.bytes.clone())).into_response()
    }
}

/// Returns the media type of a file by the end of its name.
pub fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json") => "application/json",
        Some(_) | None => "text/plain; charset=utf-8",
    }
}
