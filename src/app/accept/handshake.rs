//! From an accepted connection to one that requests can be read from: at once, or by TLS.
//!
//! A handshake has a deadline, and there are caps on how many are under way, in all and from one
//! address: a client that stays silent costs a place among those, never one that works.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rustls::ServerConfig;
use rustls_acme::is_tls_alpn_challenge;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::app::accept::ledger::Ledger;
use crate::app::accept::{ConnectionLimits, bare};
use crate::http::edge::{ClientAddress, Scheme};
use crate::http::problem::{Problem, ProblemCode};

/// The first byte of TLS: a record that carries a handshake (RFC 8446, 5.1).
const HANDSHAKE_RECORD: u8 = 22;
/// How much of a request in plain HTTP is read before it is answered, in bytes.
const PLAIN_HEAD_BYTES: usize = 16 * 1024;

/// What is done with a connection before its first request.
pub(super) trait Opening<S>: Clone + Send + 'static {
    /// The connection as requests are read from it.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// What requests come over.
    const SCHEME: Scheme;

    /// Makes a connection ready, or ends it.
    fn open(
        self,
        stream: S,
        from: ClientAddress,
    ) -> impl Future<Output = Option<Self::Stream>> + Send;

    /// Turns a connection away because there are too many; a client that is not ready to be told is
    /// not waited for.
    fn refuse(&self, stream: S);
}

/// Nothing is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct AsItIs;

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Opening<S> for AsItIs {
    type Stream = S;

    const SCHEME: Scheme = Scheme::Http;

    async fn open(self, stream: S, _: ClientAddress) -> Option<S> {
        Some(stream)
    }

    fn refuse(&self, mut stream: S) {
        let answer = bare::answer(&Problem::new(ProblemCode::Overloaded));
        let _ = stream.write_all(&answer).now_or_never();
    }
}

/// With which certificate connections are secured.
#[derive(Debug, Clone)]
pub struct Tls {
    /// For clients.
    pub clients: Arc<ServerConfig>,
    /// For the authority that looks whether we are who we say (RFC 8737).
    pub challenges: Option<Arc<ServerConfig>>,
}

/// A handshake is made.
#[derive(Debug, Clone)]
pub(super) struct ByTls {
    tls: Tls,
    ledger: Arc<Ledger>,
    patience: Duration,
    linger: Duration,
}

impl ByTls {
    pub(super) fn new(tls: Tls, limits: &ConnectionLimits) -> Self {
        Self {
            tls,
            ledger: Arc::new(Ledger::of_handshakes(limits)),
            patience: limits.handshake_timeout,
            linger: limits.linger_timeout,
        }
    }

    async fn shake_hands(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let mut first = [0];
        if stream.peek(&mut first).await.ok()? == 0 {
            return None;
        }
        if first[0] != HANDSHAKE_RECORD {
            answer_plainly(stream, self.linger).await;
            return None;
        }
        let started = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await;
        let started = started.map_err(|error| tracing::debug!(%error, "no TLS")).ok()?;
        let challenge = self.tls.challenges.as_ref();
        let challenge = challenge.filter(|_| is_tls_alpn_challenge(&started.client_hello()));
        let config = challenge.unwrap_or(&self.tls.clients);
        let secured = started.into_stream(Arc::clone(config)).await;
        let mut secured = secured.map_err(|error| tracing::debug!(%error, "no handshake")).ok()?;
        if challenge.is_some() {
            tracing::info!("the certificate authority has looked whether this is the server");
            let _ = secured.shutdown().await;
            return None;
        }
        Some(secured)
    }
}

impl Opening<TcpStream> for ByTls {
    type Stream = TlsStream<TcpStream>;

    const SCHEME: Scheme = Scheme::Https;

    async fn open(self, stream: TcpStream, from: ClientAddress) -> Option<TlsStream<TcpStream>> {
        let Some(_place) = self.ledger.enter(from) else {
            tracing::debug!("too many handshakes");
            return None;
        };
        timeout(self.patience, self.shake_hands(stream)).await.ok()?
    }

    fn refuse(&self, stream: TcpStream) {
        // There is no way to tell who has not shaken hands.
        drop(stream);
    }
}

/// Tells a client that speaks plain HTTP what is spoken here.
async fn answer_plainly(mut stream: TcpStream, linger: Duration) {
    let detail = "This port speaks HTTPS; the address begins with https://.";
    let answer = bare::answer(&Problem::new(ProblemCode::BadRequest).detail(detail));
    // What was sent is taken before the connection is closed: what is left unread would make the
    // system throw the answer away.
    let mut read = [0; 1024];
    let taken = stream.read(&mut read).await;
    if taken.is_err() || stream.write_all(&answer).await.is_err() {
        return;
    }
    let _ = stream.shutdown().await;
    let rest = async {
        let mut left = PLAIN_HEAD_BYTES;
        while let Ok(length) = stream.read(&mut read).await {
            if length == 0 || length >= left {
                return;
            }
            left -= length;
        }
    };
    let _ = timeout(linger, rest).await;
}
