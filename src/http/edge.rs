//! What happens to every request on its way in and to every answer on its way out.
//!
//! One layer around each route instead of a stack: request id, checks of the message, CORS, body
//! limits, time-out, panics, problem documents, security headers, metrics, access log. Guarantees
//! that every answer carries `x-request-id`, and that an answer of 400 or more that no handler
//! wrote itself is a problem document without a word of the request in it. A fast handler costs
//! no timer, no task and no lock shared between routes.

mod body;
mod cors;
mod finish;
mod guard;
mod request_id;

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{Route, future::RouteFuture};
use tokio::time::{Instant, Sleep, sleep};
use tower::{Layer, Service};

use crate::auth::{ApiKeys, Bearer, Tokens};
use crate::http::credentials::presented_token;
use crate::http::limits::{LimitClass, LimitKey, Limits, RateLimits, Standing};
use crate::http::problem::{Problem, ProblemCode};
use crate::service::imports::MAX_FILE_BYTES;
use crate::telemetry::Metrics;
use crate::types::Clock;

pub use body::{BodyRefusal, BodyTimeouts, next_piece, read_body};
pub use cors::CorsOrigins;
pub use guard::{AmbiguousFraming, ClientAddress, Scheme};
pub use request_id::{RequestId, X_REQUEST_ID};

pub(super) use finish::X_API_KEY;
use finish::{Exchange, RouteMetrics};
use request_id::RequestIds;

/// Where small bodies are enough for everyone.
const SVD_PREFIX: &str = "/api/svd/";

/// Where files come in.
pub(super) const IMPORTS_PATH: &str = "/v1/admin/imports";

/// How long a request of an operator may take: he waits for work that takes its time, and what he
/// does cannot be used against the service by anybody else.
const OPERATOR_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The limits of one request.
#[derive(Debug, Clone)]
pub struct EdgeLimits {
    /// Longest body in bytes.
    pub body: usize,
    /// Longest body under /api/svd/ in bytes.
    pub svd_body: usize,
    /// How long a body may take to arrive.
    pub body_timeouts: BodyTimeouts,
    /// How long the answer's head may take, the body included.
    pub request_timeout: Duration,
    /// Which web pages of other origins may call.
    pub cors: CorsOrigins,
    /// How often clients may ask.
    pub rates: RateLimits,
    /// How long browsers that came over HTTPS are to come back over nothing else.
    pub hsts_max_age: Duration,
}

impl Default for EdgeLimits {
    fn default() -> Self {
        let (stall, total) = (Duration::from_secs(10), Duration::from_secs(25));
        Self {
            body: 1024 * 1024,
            svd_body: 32 * 1024,
            body_timeouts: BodyTimeouts { stall, total },
            request_timeout: Duration::from_secs(30),
            cors: CorsOrigins::SameOrigin,
            rates: RateLimits::default(),
            hsts_max_age: Duration::from_secs(31_536_000),
        }
    }
}

/// Puts the edge around every route of a router.
#[derive(Clone)]
pub struct EdgeLayer(Arc<Shared>);

struct Shared {
    limits: EdgeLimits,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    api_keys: Arc<dyn ApiKeys>,
    tokens: Arc<dyn Tokens>,
    rates: Limits,
    sessions: SessionHolder,
    request_ids: RequestIds,
}

/// Returns whose session a request presents, as limits count it.
pub type SessionHolder = Arc<dyn Fn(&HeaderMap) -> Option<String> + Send + Sync>;

impl EdgeLayer {
    /// Makes the layer.
    pub fn new(
        limits: EdgeLimits,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
        api_keys: Arc<dyn ApiKeys>,
        tokens: Arc<dyn Tokens>,
        rates: Limits,
        sessions: SessionHolder,
    ) -> Self {
        let request_ids = RequestIds::new();
        Self(Arc::new(Shared {
            limits,
            metrics,
            clock,
            api_keys,
            tokens,
            rates,
            sessions,
            request_ids,
        }))
    }
}

impl Layer<Route> for EdgeLayer {
    type Service = EdgeService;

    fn layer(&self, inner: Route) -> EdgeService {
        EdgeService { inner, shared: Arc::clone(&self.0), route: Arc::default() }
    }
}

/// One route with the edge around it.
#[derive(Clone)]
pub struct EdgeService {
    inner: Route,
    shared: Arc<Shared>,
    /// Found at the first request and kept: later ones need no look-up.
    route: Arc<OnceLock<RouteMetrics>>,
}

impl Service<Request> for EdgeService {
    type Response = Response;
    type Error = Infallible;
    type Future = EdgeFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> EdgeFuture {
        let shared = &self.shared;
        let id = shared.request_ids.for_request(request.headers(), shared.clock.now());
        let route = Arc::clone(&self.route);
        let _ = route.get_or_init(|| {
            let matched = request.extensions().get::<MatchedPath>();
            RouteMetrics::new(&shared.metrics, matched.map(MatchedPath::as_str))
        });
        let mut exchange = Exchange::begin(&request, id.clone(), &shared.limits);
        let client = request.extensions().get::<ClientAddress>();
        let is_operator = matches!(client, Some(ClientAddress::Operator { .. }));
        let class = route.get().map_or(LimitClass::Public, RouteMetrics::class);
        let timeout = if is_operator { OPERATOR_TIMEOUT } else { shared.limits.request_timeout };
        let work = id.during(|| match self.admit(request, class, &mut exchange) {
            Ok(request) => Work::Run(self.inner.call(request)),
            Err((response, None)) => Work::Done(Some(response)),
            Err((response, Some(body))) => Work::Refuse(Box::pin(async {
                body::discard(body).await;
                response
            })),
        });
        EdgeFuture { work, timeout, timer: None, exchange: Some(exchange), route, id }
    }
}

impl EdgeService {
    /// Lets a request through to its handler, or answers for it.
    #[expect(clippy::result_large_err, reason = "both sides are moved once, into the future")]
    fn admit(
        &self,
        request: Request,
        class: LimitClass,
        exchange: &mut Exchange,
    ) -> Result<Request, (Response, Option<Body>)> {
        let limits = &self.shared.limits;
        if let Some(problem) = guard::refusal(&request) {
            return Err((problem.into_response(), None));
        }
        if cors::is_preflight(request.method(), request.headers()) {
            return Err((limits.cors.grant(request.headers()).preflight(), None));
        }
        let counted = self.count(&request, class);
        exchange.standing = counted.map_err(|problem| (problem.into_response(), None))?;
        let limit = match request.uri().path() {
            path if path.starts_with(SVD_PREFIX) => limits.svd_body,
            // Read piece by piece, never as a whole, and only once the key was judged.
            IMPORTS_PATH => limits.body.max(MAX_FILE_BYTES),
            _ => limits.body,
        };
        body::guard(request, limit, limits.body_timeouts)
            .map_err(|(refusal, body)| (Problem::from(refusal).into_response(), body))
    }
}

impl EdgeService {
    /// Counts a request for whoever sends it. A valid key or session counts for itself, wherever it is used, and a
    /// token of ours for whom it was issued to, where nothing narrower is counted by address; what is
    /// wrong counts for the address that tries it, which slows guessing down. Operators are not counted.
    fn count(&self, request: &Request, class: LimitClass) -> Result<Option<Standing>, Problem> {
        let shared = &self.shared;
        let client = request.extensions().get::<ClientAddress>();
        if matches!(client, Some(ClientAddress::Operator { .. })) {
            return Ok(None);
        }
        let presented = request.headers().get(X_API_KEY).and_then(|key| key.to_str().ok());
        let holder = match presented {
            Some(key) => shared.api_keys.authenticate(key).map(|principal| principal.id),
            None => (shared.sessions)(request.headers()),
        };
        let (class, key) = match (holder, class) {
            (Some(holder), LimitClass::SvdCanary) => (class, LimitKey::of_text(&holder)),
            (Some(holder), _) => (LimitClass::ApiKey, LimitKey::of_text(&holder)),
            (None, LimitClass::SvdCanary) => (LimitClass::Public, LimitKey::of_client(client)),
            (None, LimitClass::Public) => match self.bearer(request) {
                Some(bearer) => (LimitClass::Token, LimitKey::of_bearer(&bearer)),
                None => (class, LimitKey::of_client(client)),
            },
            (None, class) => (class, LimitKey::of_client(client)),
        };
        shared.rates.check(class, key).map(Some)
    }

    /// Returns whose token a request presents. One that presents an API key beside has none: it is a
    /// wrong key, and a token must not make guessing at keys cheaper.
    fn bearer(&self, request: &Request) -> Option<Bearer> {
        let headers = request.headers();
        let token = presented_token(headers).filter(|_| !headers.contains_key(X_API_KEY))?;
        self.shared.tokens.bearer(token, self.shared.clock.now())
    }
}

/// The answer in the making.
pub struct EdgeFuture {
    work: Work,
    timeout: Duration,
    /// Runs only for handlers that do not answer at once.
    timer: Option<Pin<Box<Sleep>>>,
    exchange: Option<Exchange>,
    route: Arc<OnceLock<RouteMetrics>>,
    id: RequestId,
}

enum Work {
    Run(RouteFuture<Infallible>),
    /// Answers once what is still being sent was thrown away.
    Refuse(Pin<Box<dyn Future<Output = Response> + Send>>),
    Done(Option<Response>),
}

impl EdgeFuture {
    fn poll_work(&mut self, context: &mut Context<'_>) -> Poll<Response> {
        let future = match &mut self.work {
            Work::Done(response) => {
                return Poll::Ready(response.take().expect("a future is not polled again"));
            }
            Work::Refuse(future) => return future.as_mut().poll(context),
            Work::Run(future) => future,
        };
        let id = &self.id;
        // A handler that panicked is dropped with all it held; what it shares with others is
        // behind locks that say so.
        match catch_unwind(AssertUnwindSafe(|| id.during(|| Pin::new(future).poll(context)))) {
            Ok(Poll::Ready(Ok(response))) => Poll::Ready(response),
            Ok(Poll::Ready(Err(never))) => match never {},
            Ok(Poll::Pending) => self.poll_timer(context),
            Err(panic) => {
                if let Some(exchange) = &self.exchange {
                    exchange.log_panic(&*panic);
                }
                Poll::Ready(Problem::new(ProblemCode::Internal).into_response())
            }
        }
    }

    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<Response> {
        let timeout = self.timeout;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        timer.as_mut().poll(context).map(|()| {
            let problem = Problem::new(ProblemCode::Overloaded);
            problem.detail("The work did not finish in time; it may still do so.").into_response()
        })
    }
}

impl Future for EdgeFuture {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let response = std::task::ready!(this.poll_work(context));
        this.work = Work::Done(None);
        let exchange = this.exchange.take().expect("a future is not polled again");
        let route = this.route.get().expect("the route is known before the work begins");
        Poll::Ready(Ok(exchange.finish(response, route, Instant::now())))
    }
}
