//! An answer, read whole.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads an answer to its end.
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap().to_vec(),
        }
    }

    /// Returns a header that occurs once.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        assert!(self.headers.get_all(name).iter().count() <= 1, "{name} occurs twice");
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Returns the cookie of a name that the answer sets, with its flags.
    #[track_caller]
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let begin = format!("{name}=");
        let all = self.headers.get_all("set-cookie").iter().map(|it| it.to_str().unwrap());
        let found: Vec<&str> = all.filter(|it| it.starts_with(&begin)).collect();
        assert!(found.len() <= 1, "{name} is set twice");
        found.first().copied()
    }

    /// Returns the body as text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Returns the body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let read = serde_json::from_slice(&self.body);
        read.unwrap_or_else(|error| unreachable!("{error}: {}", self.text()))
    }

    /// Asserts the status and returns the body.
    #[must_use]
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// Asserts a whole problem document and returns it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("/docs/errors/{}", code.to_lowercase()));
        assert_eq!(problem["requestId"].as_str(), self.header("x-request-id"));
        problem
    }

    /// Asserts a refusal that names exactly these fields.
    #[track_caller]
    pub(crate) fn invalid(&self, fields: &[&str]) {
        let problem = self.problem(400, "VALIDATION_FAILED");
        let errors = problem["errors"].as_array().unwrap();
        let named: Vec<&str> = errors.iter().map(|e| e["field"].as_str().unwrap()).collect();
        assert_eq!(named, fields, "{problem}");
    }
}
