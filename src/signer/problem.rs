//! What the signer answers when it refuses (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal. `code` is stable, `detail` is for people and holds nothing secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Problem {
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MALFORMED_REQUEST", detail)
    }

    pub(super) fn unknown_key(identifier: &str) -> Self {
        let detail = format!("There is no key with the identifier {identifier:?}.");
        Self::new(StatusCode::BAD_REQUEST, "UNKNOWN_KEY", detail)
    }

    pub(super) fn key_use(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "KEY_USE_REFUSED", detail)
    }

    pub(super) fn unauthorized() -> Self {
        let detail = "The request needs the signer's API key as a bearer token.";
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", detail)
    }

    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "REQUEST_TOO_LARGE", detail)
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing at this path.")
    }

    pub(super) fn method_not_allowed() -> Self {
        let detail = "This path does not take this method.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", detail)
    }

    pub(super) fn log_unavailable() -> Self {
        let detail = "The signing log cannot be written, so nothing was signed.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "LOG_UNAVAILABLE", detail)
    }

    pub(super) fn interrupted() -> Self {
        let detail = "The signer is stopping; nothing was signed.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "INTERRUPTED", detail)
    }

    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        let media_type = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, media_type);
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
