//! Errors as clients see them: RFC 9457 problem documents with a stable code.
//!
//! The only file that turns errors into HTTP. A [`Problem`] carries no text from the request
//! beyond the names of fields, and a 5xx says nothing about our inside. The edge layer adds what a
//! handler does not know (request id, path) and writes the body, so that every answer of the
//! process, from whichever floor, has the same shape.

mod code;
mod money;
mod pages;
mod services;

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

pub use code::ProblemCode;
pub(in crate::http) use pages::TEXT_POLICY;
pub use pages::{ERRORS_MD, errors_markdown, routes};
pub use services::invalid_fields;

/// The media type of problem documents.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// One field of a request and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field's path, `product.name` or `items[2].id`.
    pub field: String,
    /// What it must be.
    pub message: String,
}

/// An error on its way to a client.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: ProblemCode,
    detail: Option<Cow<'static, str>>,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Where this kind of problem is explained, `/docs/errors/{code}`.
    #[serde(rename = "type")]
    type_path: String,
    /// What kind of problem it is, in a few words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    /// The path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    /// The stable name of this kind of problem.
    code: &'a str,
    /// Identifies the request in our logs.
    #[serde(rename = "requestId")]
    request_id: &'a str,
    /// The fields that are wrong, for `VALIDATION_FAILED`.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl Problem {
    /// Starts a problem of one kind.
    pub fn new(code: ProblemCode) -> Self {
        let mut headers = Vec::new();
        if let Some(challenge) = code.challenge() {
            headers.push((WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
        }
        if code.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.push((RETRY_AFTER, HeaderValue::from_static("5")));
        }
        Self(Box::new(Inner { code, detail: None, errors: Vec::new(), headers }))
    }

    /// Starts a `VALIDATION_FAILED` about one field.
    pub fn invalid_field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ProblemCode::ValidationFailed).field(field, message)
    }

    /// Says what happened this time; never with text from the request.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds a field that is wrong.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.errors.push(FieldError { field: field.into(), message: message.into() });
        self
    }

    /// Says after how many seconds a retry has a chance.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Sets a header of the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.retain(|(known, _)| *known != name);
        self.0.headers.push((name, value));
        self
    }

    /// Returns the kind.
    pub fn code(&self) -> ProblemCode {
        self.0.code
    }

    /// Writes the document.
    pub fn to_json(&self, request_id: &str, instance: Option<&str>) -> Vec<u8> {
        let code = self.0.code;
        let body = ProblemBody {
            type_path: code.documentation_path(),
            title: code.title(),
            status: code.status().as_u16(),
            detail: self.0.detail.as_deref(),
            instance,
            code: code.as_str(),
            request_id,
            errors: &self.0.errors,
        };
        serde_json::to_vec(&body).expect("a problem document has only strings and numbers")
    }
}

/// Leaves the body to the edge layer, which finds the problem in the answer's extensions.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.code().status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        for (name, value) in &self.0.headers {
            headers.insert(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_every_member_of_the_contract() {
        let problem = Problem::invalid_field("product.name", "must be a string")
            .detail("One field is not acceptable.");
        let json = problem.to_json("0123456789", Some("/v1/patches"));
        assert_eq!(
            String::from_utf8(json).unwrap(),
            "{\"type\":\"/docs/errors/validation_failed\",\"title\":\"Validation failed\",\
             \"status\":400,\"detail\":\"One field is not acceptable.\",\
             \"instance\":\"/v1/patches\",\"code\":\"VALIDATION_FAILED\",\
             \"requestId\":\"0123456789\",\
             \"errors\":[{\"field\":\"product.name\",\"message\":\"must be a string\"}]}"
        );
    }

    #[test]
    fn what_a_client_may_repeat_says_when() {
        let response = Problem::new(ProblemCode::SignerUnavailable).retry_after(30).into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "30");
        assert_eq!(response.headers().get_all(RETRY_AFTER).iter().count(), 1);
    }
}
