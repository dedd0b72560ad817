//! Where connections come from: TCP or a Unix socket.

use std::future::Future;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::http::edge::ClientAddress;

/// A source of connections.
pub trait Listener: Send + 'static {
    /// One connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next connection and tells who made it.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, ClientAddress)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, ClientAddress)> {
        let (stream, address) = Self::accept(self).await?;
        // Answers are written whole; waiting to fill a segment would only delay them.
        stream.set_nodelay(true)?;
        Ok((stream, ClientAddress::Network(address.ip().to_canonical())))
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, ClientAddress)> {
        let (stream, _) = Self::accept(self).await?;
        Ok((stream, ClientAddress::Local))
    }
}
