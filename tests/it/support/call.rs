//! One request in the making. Every answer is held against the description of the API.

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Request};
use serde_json::Value;

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::schema::Documentation;

/// A request in the making.
pub(crate) struct Call<'a> {
    app: &'a TestApp,
    request: Request,
}

impl<'a> Call<'a> {
    /// Begins a request to a path, given by its segments, whatever they contain.
    pub(crate) fn new(app: &'a TestApp, method: Method, segments: &[&str]) -> Self {
        let mut url = app.base.clone();
        url.path_segments_mut().unwrap().pop_if_empty().extend(segments);
        Self { app, request: Request::new(method, url) }
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.request.headers_mut().append(HeaderName::from_static(name), value);
        self
    }

    /// Adds a Bearer token.
    #[must_use]
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Adds a query.
    #[must_use]
    pub(crate) fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        self.request.url_mut().query_pairs_mut().extend_pairs(pairs);
        self
    }

    /// Adds a body of a media type.
    #[must_use]
    pub(crate) fn body(mut self, kind: &str, bytes: impl Into<Vec<u8>>) -> Self {
        *self.request.body_mut() = Some(bytes.into().into());
        self.header("content-type", kind)
    }

    /// Adds a JSON body.
    #[must_use]
    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Adds a JSON body as it is written.
    #[must_use]
    pub(crate) fn text(self, body: impl Into<Vec<u8>>) -> Self {
        self.body("application/json", body)
    }

    /// Sends the request and reads the answer.
    pub(crate) async fn send(self) -> Answer {
        let (method, path) = (self.request.method().clone(), self.request.url().path().to_owned());
        let answer = Answer::of(self.app.client.execute(self.request).await.unwrap()).await;
        let documentation =
            self.app.documentation.get_or_init(|| Documentation::fetch(self.app)).await;
        documentation.hold_against(&method, &path, &answer);
        answer
    }
}
