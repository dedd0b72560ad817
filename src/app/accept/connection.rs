//! One connection: HTTP/1.1 by hyper, time kept by us.
//!
//! hyper's own timer counts the wait between requests and the reading of a head as one and makes
//! a new timer for each request; here each phase has its limit and the timer is only moved when
//! a deadline comes nearer than the one it is set for.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, Response};
use axum::routing::future::RouteFuture;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tower::Service as _;

use crate::app::accept::progress::SharedProgress;
use crate::app::accept::stream::ObservedStream;
use crate::app::accept::{ConnectionLimits, bare, forwarded};
use crate::http::edge::{AmbiguousFraming, ClientAddress, Scheme};

/// What all connections share.
#[derive(Clone)]
pub(super) struct Connections {
    router: Router,
    protocol: http1::Builder,
    limits: Arc<ConnectionLimits>,
    shutdown: watch::Receiver<bool>,
}

impl Connections {
    /// Prepares connections to `router`.
    pub(super) fn new(
        router: Router,
        limits: ConnectionLimits,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        let mut protocol = http1::Builder::new();
        protocol
            .header_read_timeout(None)
            // Answers are small: copying one behind its head costs less than a list of pieces.
            .writev(false)
            .max_header_size(limits.head_bytes)
            // Twice, so that a head just too large is told apart from one without an end.
            .max_buf_size((2 * limits.head_bytes).max(16 * 1024));
        Self { router, protocol, limits: Arc::new(limits), shutdown }
    }

    /// Returns the work of one connection.
    pub(super) fn start<S>(
        &self,
        stream: S,
        address: ClientAddress,
        scheme: Scheme,
    ) -> impl Future<Output = ()> + Send + use<S>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { router, protocol, limits, shutdown } = self.clone();
        let progress = SharedProgress::new(Instant::now());
        let stream = TokioIo::new(ObservedStream::new(stream, progress.clone()));
        let (handed, kept) = (progress.clone(), Arc::clone(&limits));
        let handler = Handler { router, progress: handed, limits: kept, address, scheme };
        drive(protocol.serve_connection(stream, handler), progress, limits, shutdown)
    }
}

/// Runs a connection to its end, its deadline, or a stop.
async fn drive<S>(
    connection: http1::Connection<TokioIo<ObservedStream<S>>, Handler>,
    progress: SharedProgress,
    limits: Arc<ConnectionLimits>,
    mut shutdown: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connection = pin!(connection);
    let mut stop = pin!(async move {
        let _ = shutdown.wait_for(|stop| *stop).await;
    });
    let mut is_stopping = false;
    let mut timer = pin!(sleep_until(Instant::now() + limits.head_timeout));
    poll_fn(|context| {
        if !is_stopping && stop.as_mut().poll(context).is_ready() {
            is_stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(outcome) = connection.as_mut().poll(context) {
            if let Err(error) = outcome {
                tracing::debug!(%error, "a connection ended early");
            }
            return Poll::Ready(());
        }
        // What the poll above did may have brought a deadline nearer, or moved it away.
        loop {
            let Some(deadline) = progress.lock().deadline(&limits) else {
                return Poll::Pending;
            };
            if deadline < timer.deadline() || timer.is_elapsed() {
                timer.as_mut().reset(deadline);
            }
            ready!(timer.as_mut().poll(context));
            if Instant::now() >= deadline {
                tracing::debug!("a connection was closed for being slow or idle");
                return Poll::Ready(());
            }
        }
    })
    .await;
}

/// Hands requests to the router.
#[derive(Debug)]
struct Handler {
    router: Router,
    progress: SharedProgress,
    limits: Arc<ConnectionLimits>,
    address: ClientAddress,
    scheme: Scheme,
}

impl hyper::service::Service<Request<Incoming>> for Handler {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, mut request: Request<Incoming>) -> Answer {
        let mut progress = self.progress.lock();
        let number = progress.begins();
        let is_ambiguous = progress.framing.is_ambiguous(number);
        let is_last = progress.framing.is_lost_after(number);
        drop(progress);
        let proxies = &self.limits.proxies;
        let (client, scheme) =
            forwarded::origin(request.headers(), self.address, self.scheme, proxies);
        let extensions = request.extensions_mut();
        extensions.insert(client);
        extensions.insert(scheme);
        if is_ambiguous {
            extensions.insert(AmbiguousFraming);
        }
        let future = self.router.clone().call(request);
        Answer { future, progress: self.progress.clone(), is_last }
    }
}

/// The router's answer in the making.
struct Answer {
    future: RouteFuture<Infallible>,
    progress: SharedProgress,
    is_last: bool,
}

impl Future for Answer {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = ready!(Pin::new(&mut self.future).poll(context))?;
        self.progress.lock().answered(Instant::now());
        if response.status().is_client_error() {
            bare::mark_as_ours(response.headers_mut());
        }
        if self.is_last {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response))
    }
}
