//! Where connections come from: TCP, a Unix socket, or the socket of the operators, which tells
//! whoever is none so and lets him no further.

use std::future::Future;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::app::accept::bare;
use crate::http::edge::ClientAddress;
use crate::http::problem::ProblemCode;

const ROOT: u32 = 0;

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

/// A Unix socket whose clients are the machine's operators: the kernel vouches for who they are
/// (SO_PEERCRED, unix(7)), and nothing that they send can change it.
#[derive(Debug)]
pub struct OperatorListener {
    listener: UnixListener,
    owner: u32,
}

impl OperatorListener {
    /// Lets in root and the user `owner`.
    pub const fn new(listener: UnixListener, owner: u32) -> Self {
        Self { listener, owner }
    }

    const fn is_operator(&self, uid: u32) -> bool {
        uid == ROOT || uid == self.owner
    }
}

impl Listener for OperatorListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, ClientAddress)> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            let uid = stream.peer_cred()?.uid();
            if self.is_operator(uid) {
                return Ok((stream, ClientAddress::Operator { uid }));
            }
            tracing::warn!(uid, "somebody who is no operator was refused at the control socket");
            // One that is not ready to be told is not waited for.
            drop(stream.try_write(&bare::answer(ProblemCode::Forbidden)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn operators_are_root_and_the_owner() {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let listener = OperatorListener::new(listener, 1000);
        assert!(listener.is_operator(0) && listener.is_operator(1000));
        assert!(!listener.is_operator(1001) && !listener.is_operator(u32::MAX));
    }

    #[tokio::test]
    async fn the_kernel_says_who_a_client_is() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let me = std::fs::metadata(&path).unwrap().uid();
        let listener = OperatorListener::new(listener, me);
        let _client = UnixStream::connect(&path).await.unwrap();
        let (_, address) = listener.accept().await.unwrap();
        assert_eq!(address, ClientAddress::Operator { uid: me });
    }
}
