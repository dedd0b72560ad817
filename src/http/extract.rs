//! Bodies, paths and queries as types, with refusals that are problem documents.
//!
//! A request body is read only here, after the extractors to its left have let the client in.

use axum::body::Bytes;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, RawPathParams, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::crypto::sha256;
use crate::http::edge::read_body;
use crate::http::json;
use crate::http::problem::{FieldError, Problem, ProblemCode};
use crate::types::Digest;

/// A JSON body; `T` refuses unknown fields itself where that is wanted.
#[derive(Debug, Clone, Copy)]
pub struct ApiJson<T>(pub T);

/// A JSON body and the SHA-256 of its bytes, by which two requests are recognised as the same.
#[derive(Debug, Clone, Copy)]
pub struct ApiJsonDigest<T> {
    /// The body.
    pub value: T,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

/// A body of any media type, as it came; content codings are refused.
#[derive(Debug, Clone)]
pub struct ApiBytes(pub Bytes);

/// The parameters of a path.
#[derive(Debug, Clone, Copy)]
pub struct ApiPath<T>(pub T);

/// The parameters of a query.
#[derive(Debug, Clone, Copy)]
pub struct ApiQuery<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        json::parse(&json_body(request).await?).map(Self)
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for ApiJsonDigest<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = json_body(request).await?;
        let digest = Digest::from_bytes(sha256(&bytes));
        json::parse(&bytes).map(|value| Self { value, digest })
    }
}

async fn json_body(request: Request) -> Result<Bytes, Problem> {
    refuse_coding(request.headers())?;
    if !is_json(request.headers()) {
        let problem = Problem::new(ProblemCode::UnsupportedMediaType);
        return Err(problem.detail("The body must be sent as application/json in UTF-8."));
    }
    Ok(read_body(request.into_body()).await?)
}

impl<S: Sync> FromRequest<S> for ApiBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        refuse_coding(request.headers())?;
        Ok(Self(read_body(request.into_body()).await?))
    }
}

/// Unpacking would let a small body become a large one.
fn refuse_coding(headers: &HeaderMap) -> Result<(), Problem> {
    let is_plain = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_plain {
        return Ok(());
    }
    let problem = Problem::new(ProblemCode::UnsupportedMediaType);
    Err(problem.detail("The body must be sent without content coding."))
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let Ok(text) = value.to_str() else {
        return false;
    };
    let mut parts = text.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.filter(|parameter| !parameter.is_empty()).all(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                name.eq_ignore_ascii_case("charset")
                    && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            })
        })
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for ApiPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(rejection) => {
                let names = RawPathParams::from_request_parts(parts, state).await.ok();
                let name = names.as_ref().and_then(|names| names.iter().next());
                Err(path_problem(rejection, name.map_or("path", |(name, _)| name)))
            }
        }
    }
}

/// Names the parameter; where the rejection does not, there is only the `first`.
fn path_problem(rejection: PathRejection, first: &str) -> Problem {
    let PathRejection::FailedToDeserializePathParams(failed) = rejection else {
        // The route and its handler disagree about the parameters: our fault.
        return Problem::new(ProblemCode::Internal);
    };
    let first = first.to_owned();
    let (field, message) = match failed.into_kind() {
        ErrorKind::InvalidUtf8InPathParam { key } => (key, "must be UTF-8".to_owned()),
        ErrorKind::ParseError { expected_type, .. } => (first, json::must_be(expected_type)),
        ErrorKind::ParseErrorAtKey { key, expected_type, .. } => {
            (key, json::must_be(expected_type))
        }
        ErrorKind::DeserializeError { key, message, .. } => (key, json::describe(&message).message),
        ErrorKind::Message(message) => (first, json::describe(&message).message),
        // The enum may grow; whatever it says, the parameter is what is wrong.
        ErrorKind::WrongNumberOfParameters { .. } | ErrorKind::UnsupportedType { .. } | _ => {
            (first, "is not acceptable".to_owned())
        }
    };
    Problem::invalid_field(field, message)
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if !is_utf8_when_decoded(parts.uri.query().unwrap_or_default()) {
            return Err(Problem::invalid_field("query", "must be UTF-8"));
        }
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(query_problem(&rejection)),
        }
    }
}

/// Decodes only to look: the query reader would put replacement characters in.
fn is_utf8_when_decoded(query: &str) -> bool {
    if !query.contains('%') {
        return true;
    }
    let mut decoded = Vec::with_capacity(query.len());
    let mut pieces = query.split('%');
    decoded.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        let Some((digits, rest)) = piece.split_at_checked(2) else {
            return false;
        };
        let Ok(byte) = u8::from_str_radix(digits, 16) else {
            return false;
        };
        decoded.push(byte);
        decoded.extend_from_slice(rest.as_bytes());
    }
    std::str::from_utf8(&decoded).is_ok()
}

fn query_problem(rejection: &QueryRejection) -> Problem {
    let text = rejection.body_text();
    let text = text.split_once("query string: ").map_or(text.as_str(), |(_, after)| after);
    let is_name =
        |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let (path, message) = match text.split_once(": ") {
        Some((name, message)) if is_name(name) => (name, message),
        _ => ("", text),
    };
    let FieldError { field, message } = json::describe(message);
    let field = if field.is_empty() { path.to_owned() } else { field };
    Problem::invalid_field(field, message)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::response::IntoResponse;
    use serde::Deserialize;

    use super::*;

    async fn status_of(headers: &[(&str, &str)], body: &'static str) -> StatusCode {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        match ApiJson::<serde_json::Value>::from_request(request, &()).await {
            Ok(_) => StatusCode::OK,
            Err(problem) => problem.into_response().status(),
        }
    }

    #[tokio::test]
    async fn only_plain_json_in_utf_8_is_read() {
        let kinds = [
            ("application/json", 200),
            ("Application/JSON; charset=UTF-8", 200),
            ("application/json; charset=\"utf-8\"", 200),
            ("application/json;", 200),
            ("application/json; charset=utf-7", 415),
            ("application/json; boundary=x", 415),
            ("text/json", 415),
            ("application/jsonp", 415),
            ("application/x-www-form-urlencoded", 415),
        ];
        for (kind, status) in kinds {
            assert_eq!(status_of(&[("content-type", kind)], "{}").await, status, "{kind}");
        }
        assert_eq!(status_of(&[], "{}").await, 415);
        let twice = [("content-type", "application/json"), ("content-type", "text/plain")];
        assert_eq!(status_of(&twice, "{}").await, 415);
    }

    #[tokio::test]
    async fn content_codings_are_refused() {
        for (coding, status) in [("gzip", 415), ("br", 415), ("identity", 200), ("gzip, br", 415)] {
            let headers = [("content-type", "application/json"), ("content-encoding", coding)];
            assert_eq!(status_of(&headers, "{}").await, status, "{coding}");
        }
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Page {
        #[serde(default)]
        limit: Option<u8>,
        #[serde(default)]
        search: Option<String>,
    }

    async fn page(query: &str) -> Result<Page, String> {
        let uri = format!("/list?{query}");
        let (mut parts, ()) = Request::builder().uri(uri).body(()).unwrap().into_parts();
        match ApiQuery::<Page>::from_request_parts(&mut parts, &()).await {
            Ok(ApiQuery(page)) => Ok(page),
            Err(problem) => Err(String::from_utf8(problem.to_json("", None)).unwrap()),
        }
    }

    #[tokio::test]
    async fn a_query_is_read_strictly() {
        let read = page("limit=7&search=a%20%C3%BC").await.unwrap();
        assert_eq!((read.limit, read.search.as_deref()), (Some(7), Some("a ü")));
        for (query, field) in [
            ("limit=S3CRET", "limit"),
            ("limit=256", "limit"),
            ("limit=1&limit=2", "limit"),
            ("other=1", "other"),
            ("search=%ff", "query"),
        ] {
            let json = page(query).await.unwrap_err();
            assert!(json.contains(&format!("\"field\":\"{field}\"")), "{query}: {json}");
            assert!(!json.contains("S3CRET"), "{json}");
        }
    }
}
