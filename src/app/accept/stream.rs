//! A connection's bytes, looked at as they pass.
//!
//! Follows the requests, notes when the client stalls, puts problem documents in the place of the
//! HTTP library's own empty refusals, and after the last answer listens a little to a client that
//! still sends: closing at once would make its system throw the answer away.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::app::accept::bare;
use crate::app::accept::progress::SharedProgress;
use crate::http::problem::Problem;

/// How much of what a client still sends is read before it is cut off, in bytes.
const LINGER_LIMIT: usize = 1024 * 1024;

/// A stream under observation.
#[derive(Debug)]
pub(super) struct ObservedStream<S> {
    inner: S,
    progress: SharedProgress,
    /// Our refusal in the place of the library's, and how much of it is out.
    replacement: Option<(Vec<u8>, usize)>,
    has_ended: bool,
    lingered: usize,
}

impl<S> ObservedStream<S> {
    /// Observes a stream.
    pub(super) fn new(inner: S, progress: SharedProgress) -> Self {
        Self { inner, progress, replacement: None, has_ended: false, lingered: 0 }
    }

    /// Prepares our refusal if the library is about to send its own.
    fn look_for_refusal(&mut self, answer: &[u8]) {
        if self.replacement.is_none()
            && answer.starts_with(b"HTTP/1.1 4")
            && let Some(code) = bare::library_refusal(answer)
            && !self.progress.lock().is_in_flight()
        {
            self.replacement = Some((bare::answer(&Problem::new(code)), 0));
        }
    }

    fn note_write(&self, outcome: &Poll<io::Result<usize>>) {
        let now = Instant::now();
        match outcome {
            Poll::Ready(_) => self.progress.lock().sent(now),
            Poll::Pending => self.progress.lock().stalled(now),
        }
    }
}

impl<S: AsyncWrite + Unpin> ObservedStream<S> {
    /// Sends our refusal and tells the library that its own is out.
    fn poll_replacement(
        &mut self,
        context: &mut Context<'_>,
        library_length: usize,
    ) -> Poll<io::Result<usize>> {
        while let Some((answer, sent)) = &mut self.replacement {
            let outcome = Pin::new(&mut self.inner).poll_write(context, &answer[*sent..]);
            if let Poll::Ready(Ok(written)) = &outcome {
                *sent += written;
                if *sent == answer.len() {
                    self.replacement = None;
                } else if *written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
            }
            self.note_write(&outcome);
            ready!(outcome)?;
        }
        Poll::Ready(Ok(library_length))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ObservedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let received = &buffer.filled()[before..];
        if received.is_empty() {
            self.has_ended = true;
        } else {
            self.progress.lock().received(received, Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ObservedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.look_for_refusal(bytes);
        if self.replacement.is_some() {
            return self.poll_replacement(context, bytes.len());
        }
        let outcome = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.note_write(&outcome);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.look_for_refusal(slices.first().map_or(&[], |slice| slice));
        if self.replacement.is_some() {
            let length = slices.iter().map(|slice| slice.len()).sum();
            return self.poll_replacement(context, length);
        }
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.note_write(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
        if self.has_ended || self.progress.lock().framing.is_between_requests() {
            return Poll::Ready(Ok(()));
        }
        self.progress.lock().lingers(Instant::now());
        let mut bytes = [0u8; 4096];
        while self.lingered < LINGER_LIMIT {
            let mut buffer = ReadBuf::new(&mut bytes);
            let outcome = ready!(Pin::new(&mut self.inner).poll_read(context, &mut buffer));
            if outcome.is_err() || buffer.filled().is_empty() {
                break;
            }
            self.lingered += buffer.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}
