//! Where connections come from: TCP, a Unix socket, or the socket of the operators.

use std::future::Future;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::http::edge::ClientAddress;

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
    /// Takes root and the user `owner` for operators, anybody else for a stranger.
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
        let (stream, _) = self.listener.accept().await?;
        let uid = stream.peer_cred()?.uid();
        let address = if self.is_operator(uid) {
            ClientAddress::Operator { uid }
        } else {
            ClientAddress::Stranger { uid }
        };
        Ok((stream, address))
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
        if me != ROOT {
            return;
        }
        // Root is let in whoever owns the socket; only he can be shown to be so here.
        let listener = OperatorListener::new(listener.listener, 1000);
        let _client = UnixStream::connect(&path).await.unwrap();
        assert_eq!(listener.accept().await.unwrap().1, ClientAddress::Operator { uid: ROOT });
    }
}
