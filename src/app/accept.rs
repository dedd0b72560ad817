//! The accept loop: connections in, within limits, until told to stop.
//!
//! Guarantees that a client costs nothing it has not paid for with a request: heads must arrive in
//! time, idle connections end, there are caps on all connections and on those of one address, and
//! a full table of file descriptors makes the loop wait instead of spin. Stopping closes the
//! listener, lets requests in flight finish for a while and then closes what is left.

mod bare;
mod connection;
mod forwarded;
mod framing;
mod handshake;
mod ledger;
mod listener;
mod progress;
mod stream;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::AddressRange;
use crate::http::edge::ClientAddress;

use connection::Connections;
pub use handshake::Tls;
use handshake::{AsItIs, ByTls, Opening};
use ledger::Ledger;
pub use listener::{Listener, OperatorListener};

/// How many connections there may be and how long each phase of one may take.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// Most connections at a time.
    pub total: usize,
    /// Most connections at a time from one address (one /64 of IPv6).
    pub per_address: usize,
    /// The same for this machine and for [`ConnectionLimits::proxies`].
    pub per_proxy: usize,
    /// Reverse proxies, behind whose addresses many clients stand.
    pub proxies: Vec<AddressRange>,
    /// Most TLS handshakes under way at a time.
    pub handshakes: usize,
    /// The same from one address.
    pub handshakes_per_address: usize,
    /// Longest time of a TLS handshake.
    pub handshake_timeout: Duration,
    /// Longest time from the first byte of a head to its last.
    pub head_timeout: Duration,
    /// Longest pause between two requests, or between two pieces of a streamed answer.
    pub idle_timeout: Duration,
    /// Longest time a client may take nothing of an answer.
    pub write_timeout: Duration,
    /// How long a client that still sends is listened to after the last answer.
    pub linger_timeout: Duration,
    /// Longest head in bytes.
    pub head_bytes: usize,
    /// How long requests in flight may go on after the signal to stop.
    pub grace: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            total: 10_000,
            per_address: 256,
            per_proxy: 10_000,
            proxies: Vec::new(),
            handshakes: 1_000,
            handshakes_per_address: 64,
            handshake_timeout: Duration::from_secs(5),
            head_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            linger_timeout: Duration::from_secs(1),
            head_bytes: 32 * 1024,
            grace: Duration::from_secs(10),
        }
    }
}

/// What a run of the loop amounted to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServeSummary {
    /// Connections that were served.
    pub served: u64,
    /// Connections that were refused because there were too many.
    pub refused: u64,
    /// Connections that were still busy when the grace was over.
    pub cut_off: usize,
}

/// Serves connections until `shutdown` turns true, or its sender is gone.
pub async fn serve<L: Listener>(
    listener: L,
    router: Router,
    limits: ConnectionLimits,
    shutdown: watch::Receiver<bool>,
) -> ServeSummary {
    serve_by(AsItIs, listener, router, limits, shutdown).await
}

/// Serves HTTPS the same way, with the certificate that `tls` has when a connection begins.
pub async fn serve_tls(
    listener: TcpListener,
    tls: Tls,
    router: Router,
    limits: ConnectionLimits,
    shutdown: watch::Receiver<bool>,
) -> ServeSummary {
    let opening = ByTls::new(tls, &limits);
    serve_by(opening, listener, router, limits, shutdown).await
}

async fn serve_by<L: Listener, O: Opening<L::Stream>>(
    opening: O,
    listener: L,
    router: Router,
    limits: ConnectionLimits,
    mut shutdown: watch::Receiver<bool>,
) -> ServeSummary {
    let mut summary = ServeSummary::default();
    let mut tasks = JoinSet::new();
    let ledger = Arc::new(Ledger::new(&limits));
    let grace = limits.grace;
    // Builds the handlers once, which would otherwise be done for each request.
    let connections = Connections::new(router.with_state::<()>(()), limits, shutdown.clone());
    let mut backoff = Backoff::default();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = shutdown.wait_for(|stop| *stop) => break,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                backoff.pause(&error, &mut shutdown).await;
                continue;
            }
        };
        backoff = Backoff::default();
        match ledger.enter(address) {
            Some(seat) => {
                summary.served += 1;
                let (connections, opening) = (connections.clone(), opening.clone());
                let mut stop = shutdown.clone();
                tasks.spawn(async move {
                    // Who has not even shaken hands is not waited for at the end.
                    let opened = tokio::select! {
                        biased;
                        opened = opening.open(stream, address) => opened,
                        _ = stop.wait_for(|stop| *stop) => None,
                    };
                    if let Some(stream) = opened {
                        connections.start(stream, address, O::SCHEME).await;
                    }
                    drop(seat);
                });
            }
            None => {
                summary.refused += 1;
                opening.refuse(stream);
            }
        }
    }
    drop(listener);
    summary.cut_off = finish(tasks, grace).await;
    summary
}

/// Waits for connections to end, and closes those that do not in time.
async fn finish(mut tasks: JoinSet<()>, grace: Duration) -> usize {
    let deadline = Instant::now() + grace;
    while let Ok(Some(_)) = timeout_at(deadline, tasks.join_next()).await {}
    let cut_off = tasks.len();
    if cut_off > 0 {
        tracing::warn!(cut_off, "connections were closed before their requests were answered");
    }
    tasks.shutdown().await;
    cut_off
}

/// Waits longer each time that the system cannot give a connection.
#[derive(Debug)]
struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(20))
    }
}

impl Backoff {
    const LONGEST: Duration = Duration::from_secs(1);

    async fn pause(&mut self, error: &io::Error, shutdown: &mut watch::Receiver<bool>) {
        // A client that went away before it was accepted is no reason to wait.
        if matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::Interrupted
        ) {
            return;
        }
        tracing::warn!(%error, pause_ms = self.0.as_millis(), "no connection can be accepted");
        tokio::select! {
            () = sleep(self.0) => {}
            _ = shutdown.wait_for(|stop| *stop) => {}
        }
        self.0 = (self.0 * 2).min(Self::LONGEST);
    }
}

/// Tells a client's address in the form that limits are counted by.
fn counted_address(address: ClientAddress) -> Option<IpAddr> {
    match address {
        ClientAddress::Local | ClientAddress::Operator { .. } | ClientAddress::Stranger { .. } => {
            None
        }
        ClientAddress::Network(IpAddr::V4(address)) => Some(IpAddr::V4(address)),
        ClientAddress::Network(IpAddr::V6(address)) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            Some(IpAddr::V6(network.into()))
        }
    }
}
