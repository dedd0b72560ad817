//! The way out: problem documents, headers, metrics and the access log.

use std::any::Any;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::Instant;

use crate::http::edge::cors::CorsGrant;
use crate::http::edge::request_id::{RequestId, X_REQUEST_ID};
use crate::http::edge::{EdgeLimits, Scheme};
use crate::http::limits::{LimitClass, Standing};
use crate::http::problem::{Problem, ProblemCode};
use crate::telemetry::{Metrics, ServedRequest, TraceParent, observe};

/// The header that carries an API key.
pub(in crate::http) const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Says whose span a request belongs to (W3C Trace Context).
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// How many headers a common answer is given here: room for all is made at once.
const MOST_ADDED: usize = 6;
/// An answer of the API is data: nothing in it may run, load or be framed.
const API_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; frame-ancestors 'none'");
/// Unknown methods share one label, so that a client cannot make new ones.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::OPTIONS,
];
const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What is known of one route: how it is limited, and its latency histograms, made when first needed.
pub(super) struct RouteMetrics {
    name: String,
    class: LimitClass,
    histograms: [[OnceLock<Histogram>; STATUS_CLASSES.len()]; METHODS.len() + 1],
    metrics: Arc<Metrics>,
}

impl RouteMetrics {
    /// Starts with none; requests that match no route are all counted as `other`.
    pub(super) fn new(metrics: &Arc<Metrics>, route: Option<&str>) -> Self {
        let name = route.unwrap_or("other").to_owned();
        let class = LimitClass::of_route(&name);
        let metrics = Arc::clone(metrics);
        Self { name, class, histograms: Default::default(), metrics }
    }

    /// Returns the class in which requests of the route are limited.
    pub(super) const fn class(&self) -> LimitClass {
        self.class
    }

    fn histogram(&self, method: &Method, status: StatusCode) -> &Histogram {
        let row = METHODS.iter().position(|known| known == method).unwrap_or(METHODS.len());
        let class = usize::from(status.as_u16() / 100).clamp(1, STATUS_CLASSES.len()) - 1;
        self.histograms[row][class].get_or_init(|| {
            let method = METHODS.get(row).map_or("OTHER", Method::as_str);
            self.metrics.http_latency(method, &self.name, STATUS_CLASSES[class])
        })
    }
}

/// What is remembered of a request until its answer leaves.
pub(super) struct Exchange {
    id: RequestId,
    method: Method,
    uri: Uri,
    cors: CorsGrant,
    has_credentials: bool,
    /// How long its sender is to come back over HTTPS only, if it came so.
    hsts_max_age: Option<Duration>,
    /// The span of whoever sent it.
    parent: Option<TraceParent>,
    /// What its sender has left, once it was counted.
    pub(super) standing: Option<Standing>,
    started: Instant,
}

impl Exchange {
    /// Remembers a request.
    pub(super) fn begin(request: &Request, id: RequestId, limits: &EdgeLimits) -> Self {
        let headers = request.headers();
        let is_https = request.extensions().get() == Some(&Scheme::Https);
        let credentials = [&AUTHORIZATION, &X_API_KEY, &COOKIE];
        Self {
            id,
            method: request.method().clone(),
            uri: request.uri().clone(),
            cors: limits.cors.grant(headers),
            has_credentials: credentials.iter().any(|name| headers.contains_key(*name)),
            hsts_max_age: is_https.then_some(limits.hsts_max_age),
            parent: headers
                .get(TRACEPARENT)
                .and_then(|value| TraceParent::parse(value.to_str().ok()?)),
            standing: None,
            started: Instant::now(),
        }
    }

    /// Logs a handler's panic, the only trace of it besides the 500.
    pub(super) fn log_panic(&self, panic: &(dyn Any + Send)) {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let message = text.unwrap_or("a value that is no text");
        tracing::error!(request_id = self.id.as_str(), message, "a handler panicked");
    }

    /// Makes of a handler's answer what the client gets.
    pub(super) fn finish(
        mut self,
        response: Response,
        route: &RouteMetrics,
        now: Instant,
    ) -> Response {
        let mut response = self.render(response);
        let standing = self.standing.take();
        let status = response.status();
        let elapsed = now.duration_since(self.started);
        observe(route.histogram(&self.method, status), elapsed);
        log_access(&self.method, &route.name, status, elapsed, self.id.as_str());
        if let Some(traces) = route.metrics.traces.get() {
            traces.served(&ServedRequest {
                method: &self.method,
                route: &route.name,
                status: status.as_u16(),
                request_id: self.id.as_str(),
                parent: self.parent,
                took: elapsed,
            });
        }
        let headers = response.headers_mut();
        headers.reserve(MOST_ADDED);
        self.secure(headers, status);
        headers.insert(X_REQUEST_ID, self.id.into_header_value());
        if let Some(standing) = standing {
            standing.apply(headers);
        }
        self.cors.apply(headers);
        response
    }

    /// Writes the body of a problem, and makes one of an error that has only a status and text.
    fn render(&self, mut response: Response) -> Response {
        let status = response.status();
        if status == StatusCode::METHOD_NOT_ALLOWED && self.method == Method::OPTIONS {
            // The router adds the header Allow, which is all the answer there is.
            return StatusCode::NO_CONTENT.into_response();
        }
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            return self.write(&problem, response);
        }
        if status.as_u16() < 400 || !is_bare(response.headers()) {
            return response;
        }
        let problem = Problem::new(ProblemCode::for_status(status));
        let mut replacement = self.write(&problem, problem.clone().into_response());
        *replacement.status_mut() = problem.code().status();
        replacement
    }

    fn write(&self, problem: &Problem, mut response: Response) -> Response {
        let path = self.uri.path();
        let instance = (problem.code() != ProblemCode::UriTooLong).then_some(path);
        *response.body_mut() = Body::from(problem.to_json(self.id.as_str(), instance));
        response.headers_mut().remove(CONTENT_LENGTH);
        response
    }

    /// Adds what keeps browsers and caches from doing more with an answer than we mean. With a page
    /// older browsers are told the same in their own words; data has nothing to be framed or left.
    fn secure(&self, headers: &mut HeaderMap, status: StatusCode) {
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(API_POLICY);
        if headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
            headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        }
        if let Some(age) = self.hsts_max_age
            && let Ok(value) = HeaderValue::try_from(format!("max-age={}", age.as_secs()))
        {
            headers.insert(STRICT_TRANSPORT_SECURITY, value);
        }
        if status.as_u16() >= 400 || self.has_credentials || !self.method.is_safe() {
            headers.entry(CACHE_CONTROL).or_insert(NO_STORE);
        }
    }
}

/// Tells whether an error has no body of its own, or only text from below the handlers.
fn is_bare(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_none_or(|kind| kind.starts_with(b"text/plain"))
}

/// One line for each request: no bodies, no headers, no query, and the route instead of the path.
fn log_access(
    method: &Method,
    route: &str,
    status: StatusCode,
    elapsed: Duration,
    request_id: &str,
) {
    let (status, elapsed_us) = (status.as_u16(), elapsed.as_micros());
    if status >= 500 {
        tracing::warn!(%method, route, status, elapsed_us, request_id, "answered");
    } else if status >= 400 || !method.is_safe() {
        tracing::info!(%method, route, status, elapsed_us, request_id, "answered");
    } else {
        tracing::debug!(%method, route, status, elapsed_us, request_id, "answered");
    }
}
