//! Which web pages of other origins may call the API from a browser.
//!
//! An origin that is not on the list gets the plain answer without permission to read it, never
//! an error: the browser does the refusing.

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-match, if-none-match, prefer, x-api-key, \
     x-request-id",
);
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "etag, link, location, ratelimit, ratelimit-policy, retry-after, x-request-id",
);

/// The origins that may call from a browser.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Only the origin of the API itself.
    #[default]
    SameOrigin,
    /// Every origin; never in production.
    Any,
    /// Exactly these, compared byte by byte.
    Listed(Vec<HeaderValue>),
}

/// What a request's origin is to be told.
#[derive(Debug, Default)]
pub(super) struct CorsGrant {
    allow: Option<HeaderValue>,
    varies: bool,
}

impl CorsOrigins {
    /// Decides for one request.
    pub(super) fn grant(&self, headers: &HeaderMap) -> CorsGrant {
        match self {
            Self::SameOrigin => CorsGrant::default(),
            Self::Any => {
                let asked = headers.contains_key(ORIGIN);
                CorsGrant { allow: asked.then(|| HeaderValue::from_static("*")), varies: false }
            }
            Self::Listed(origins) => {
                let origin = headers.get(ORIGIN).filter(|origin| origins.contains(origin));
                CorsGrant { allow: origin.cloned(), varies: true }
            }
        }
    }
}

impl CorsGrant {
    /// Adds the permission to any answer, errors included.
    pub(super) fn apply(self, headers: &mut HeaderMap) {
        if self.varies {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = self.allow {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
    }

    /// Answers a browser's question before the real request.
    pub(super) fn preflight(&self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if self.allow.is_some() {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
        response
    }
}

/// Tells whether a request is a browser's question before the real request.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
