//! The body of a request under two limits: how long it may be and how long it may take.
//!
//! The bytes are counted as they arrive, so a body without a stated length cannot pass the limit.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::http::problem::{Problem, ProblemCode};

/// How much of a refused body is thrown away before its sender is answered, and for how long.
const DISCARDED: usize = 8 * 1024 * 1024;
const DISCARDED_FOR: Duration = Duration::from_secs(1);

/// Why the body of a request could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyRefusal {
    /// It is longer than the route takes.
    #[error("the body is longer than the route takes")]
    TooLarge,
    /// It did not arrive in time.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The client went away or broke the framing.
    #[error("the body ended early or is badly framed")]
    Broken,
}

impl From<BodyRefusal> for Problem {
    fn from(refusal: BodyRefusal) -> Self {
        Self::new(match refusal {
            BodyRefusal::TooLarge => ProblemCode::PayloadTooLarge,
            BodyRefusal::TooSlow => ProblemCode::RequestTimeout,
            BodyRefusal::Broken => ProblemCode::BadRequest,
        })
    }
}

/// How long a body may take.
#[derive(Debug, Clone, Copy)]
pub struct BodyTimeouts {
    /// Longest pause between two pieces.
    pub stall: Duration,
    /// Longest time for the whole.
    pub total: Duration,
}

/// Reads a body to its end.
pub async fn read_body(body: Body) -> Result<Bytes, BodyRefusal> {
    match body.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(refusal_in(error)),
    }
}

/// Reads the next piece of a body; nothing at its end.
pub async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, BodyRefusal> {
    while let Some(frame) = body.frame().await {
        // Trailers say nothing here.
        if let Ok(bytes) = frame.map_err(refusal_in)?.into_data() {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

fn refusal_in(error: axum::Error) -> BodyRefusal {
    let known = error.into_inner().downcast::<BodyRefusal>();
    known.map_or(BodyRefusal::Broken, |refusal| *refusal)
}

/// Reads a refused body for a moment and throws it away. A sender that is cut off while it sends loses the
/// answer with the connection (RFC 9112, section 9.6); behind a proxy that is a 502 for what was a 413.
pub(super) async fn discard(mut body: Body) {
    let read = async {
        let mut left = DISCARDED;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    drop(timeout(DISCARDED_FOR, read).await);
}

/// Puts a request's body under the limits; a stated length above `limit` is refused, with the body of a
/// sender that sends it without having asked.
pub(super) fn guard(
    request: Request,
    limit: usize,
    timeouts: BodyTimeouts,
) -> Result<Request, (BodyRefusal, Option<Body>)> {
    let headers = request.headers();
    let stated = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match stated.map(str::parse::<usize>) {
        Some(Ok(0)) => return Ok(request),
        Some(Ok(length)) if length <= limit => {}
        Some(_) => {
            let is_sent = !headers.contains_key(EXPECT);
            return Err((BodyRefusal::TooLarge, is_sent.then(|| request.into_body())));
        }
        None if headers.contains_key(TRANSFER_ENCODING) => {}
        None => return Ok(request),
    }
    let deadline = Instant::now() + timeouts.total;
    Ok(request.map(|inner| {
        let left = limit;
        Body::new(GuardedBody { inner, left, deadline, stall: timeouts.stall, timer: None })
    }))
}

#[derive(Debug)]
struct GuardedBody {
    inner: Body,
    left: usize,
    deadline: Instant,
    stall: Duration,
    /// Runs only while the client keeps us waiting.
    timer: Option<Pin<Box<Sleep>>>,
}

impl GuardedBody {
    /// Takes a piece off what is left of the limit.
    fn admit(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyRefusal> {
        let length = frame.data_ref().map_or(0, Bytes::len);
        self.left = self.left.checked_sub(length).ok_or(BodyRefusal::TooLarge)?;
        self.timer = None;
        Ok(frame)
    }

    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (deadline, stall) = (self.deadline, self.stall);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline.min(Instant::now() + stall))));
        timer.as_mut().poll(context)
    }
}

impl HttpBody for GuardedBody {
    type Data = Bytes;
    type Error = BodyRefusal;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyRefusal>>> {
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(self.admit(frame))),
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(BodyRefusal::Broken))),
            Poll::Pending => {
                ready!(self.poll_timer(context));
                Poll::Ready(Some(Err(BodyRefusal::TooSlow)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::BoxError;
    use futures_util::stream;

    use super::*;

    const TIMEOUTS: BodyTimeouts =
        BodyTimeouts { stall: Duration::from_secs(5), total: Duration::from_secs(12) };

    fn chunked(body: Body) -> Request {
        Request::builder().header(TRANSFER_ENCODING, "chunked").body(body).unwrap()
    }

    #[tokio::test]
    async fn a_body_without_a_stated_length_is_counted() {
        let pieces = ["12345", "67890", "!"].map(|text| Ok::<_, BoxError>(Bytes::from(text)));
        for (limit, verdict) in [(11, Ok(11)), (10, Err(BodyRefusal::TooLarge))] {
            let body = Body::from_stream(stream::iter(pieces.each_ref().map(clone_piece)));
            let request = guard(chunked(body), limit, TIMEOUTS).unwrap();
            assert_eq!(read_body(request.into_body()).await.map(|bytes| bytes.len()), verdict);
        }
    }

    fn clone_piece(piece: &Result<Bytes, BoxError>) -> Result<Bytes, BoxError> {
        Ok(piece.as_ref().unwrap().clone())
    }

    #[tokio::test]
    async fn a_stated_length_over_the_limit_is_refused() {
        let request = || Request::builder().header(CONTENT_LENGTH, "11");
        let sent = request().body(Body::from("12345678901")).unwrap();
        let (refusal, body) = guard(sent, 10, TIMEOUTS).unwrap_err();
        assert_eq!(refusal, BodyRefusal::TooLarge);
        discard(body.unwrap()).await;
        // Whoever waits for a word before he sends is told at once.
        let asked = request().header(EXPECT, "100-continue").body(Body::empty()).unwrap();
        assert!(guard(asked, 10, TIMEOUTS).unwrap_err().1.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_body_that_never_ends_is_thrown_away_for_a_moment_only() {
        let before = Instant::now();
        discard(Body::from_stream(stream::pending::<Result<Bytes, BoxError>>())).await;
        assert_eq!(before.elapsed(), DISCARDED_FOR);
        let pieces = stream::repeat_with(|| Ok::<_, BoxError>(Bytes::from_static(&[0; 65536])));
        discard(Body::from_stream(pieces)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_body_is_given_up() {
        let body = Body::from_stream(stream::pending::<Result<Bytes, BoxError>>());
        let request = guard(chunked(body), 10, TIMEOUTS).unwrap();
        let before = Instant::now();
        assert_eq!(read_body(request.into_body()).await, Err(BodyRefusal::TooSlow));
        assert_eq!(before.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickling_body_is_given_up() {
        let drops = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            Some((Ok::<_, BoxError>(Bytes::from_static(b".")), ()))
        });
        let request = guard(chunked(Body::from_stream(Box::pin(drops))), 100, TIMEOUTS).unwrap();
        let before = Instant::now();
        assert_eq!(read_body(request.into_body()).await, Err(BodyRefusal::TooSlow));
        assert_eq!(before.elapsed().as_secs(), 12);
    }
}
