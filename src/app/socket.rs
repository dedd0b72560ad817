//! Where a server listens: a TCP address or a Unix socket.
//!
//! A Unix socket appears under its name with its permissions already set, takes the place of one
//! that a dead process left behind, never of one that is served, and goes when its server does.

use std::fmt;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use axum::Router;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use crate::app::accept::{ConnectionLimits, ServeSummary, serve};
use crate::crypto::random_bytes;

/// The owner and the group may connect, so that two services can share a socket through a group.
const SOCKET_MODE: u32 = 0o660;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// On the network.
    Tcp(SocketAddr),
    /// On a Unix socket of this name.
    Unix(PathBuf),
}

/// Text that is no such address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address is written as 127.0.0.1:3002, [::1]:3002 or unix:/path/to/socket")]
pub struct ListenAddressParseError;

impl FromStr for ListenAddress {
    type Err = ListenAddressParseError;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some(path) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                let is_file = !path.is_empty() && !path.ends_with('/');
                is_file.then(|| Self::Unix(path.into())).ok_or(ListenAddressParseError)
            }
            None => text.parse().map(Self::Tcp).map_err(|_| ListenAddressParseError),
        }
    }
}

impl ListenAddress {
    /// Says whether only this machine can connect.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "http://{address}"),
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
        }
    }
}

/// A server's place on which connections already queue.
#[derive(Debug)]
pub struct Bound {
    listener: AnyListener,
    address: ListenAddress,
}

#[derive(Debug)]
enum AnyListener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Bound {
    /// Listens on `address`; port 0 lets the system choose.
    pub async fn bind(address: &ListenAddress) -> Result<Self> {
        match address {
            ListenAddress::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                let address = ListenAddress::Tcp(listener.local_addr()?);
                Ok(Self { listener: AnyListener::Tcp(listener), address })
            }
            ListenAddress::Unix(path) => {
                let path = std::path::absolute(path)?;
                let listener = bind_unix(&path, SOCKET_MODE)?;
                let address = ListenAddress::Unix(path);
                Ok(Self { listener: AnyListener::Unix(listener), address })
            }
        }
    }

    /// Returns the address, with the port that the system chose. Printed it is a URL.
    pub const fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// Serves connections until `shutdown` turns true.
    pub async fn serve(
        self,
        router: Router,
        limits: ConnectionLimits,
        shutdown: watch::Receiver<bool>,
    ) -> ServeSummary {
        match (self.listener, &self.address) {
            (AnyListener::Tcp(listener), _) => serve(listener, router, limits, shutdown).await,
            (AnyListener::Unix(listener), address) => {
                let summary = serve(listener, router, limits, shutdown).await;
                if let ListenAddress::Unix(path) = address {
                    // If it cannot be removed, the next start takes its place.
                    drop(std::fs::remove_file(path));
                }
                summary
            }
        }
    }
}

/// Listens under the name `path` with these permissions.
pub(super) fn bind_unix(path: &Path, mode: u32) -> Result<UnixListener> {
    refuse_served(path)?;
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    // Nobody can reach the socket in here before its permissions are set.
    let private = folder.join(format!(".{}", hex::encode(random_bytes::<4>())));
    std::fs::DirBuilder::new().mode(0o700).create(&private)?;
    let bound = bind_in(&private, path, mode);
    let removed = std::fs::remove_dir(&private);
    let listener = bound?;
    removed?;
    Ok(listener)
}

fn bind_in(private: &Path, path: &Path, mode: u32) -> Result<UnixListener> {
    let temporary = private.join("s");
    let listener = UnixListener::bind(&temporary)?;
    let placed = std::fs::set_permissions(&temporary, PermissionsExt::from_mode(mode))
        .and_then(|()| std::fs::rename(&temporary, path));
    if let Err(error) = placed {
        drop(std::fs::remove_file(&temporary));
        return Err(error);
    }
    Ok(listener)
}

/// Refuses a name that belongs to a running server or to something else than a socket.
fn refuse_served(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            match std::os::unix::net::UnixStream::connect(path) {
                Ok(_) => Err(Error::new(ErrorKind::AddrInUse, "the socket is being served")),
                Err(_) => Ok(()),
            }
        }
        Ok(_) => Err(Error::new(ErrorKind::AlreadyExists, "there is a file of that name")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_spelling() {
        let unix = |path: &str| Ok(ListenAddress::Unix(path.into()));
        assert_eq!("unix:/run/a.sock".parse(), unix("/run/a.sock"));
        assert_eq!("unix:///run/a.sock".parse(), unix("/run/a.sock"));
        assert_eq!("unix:a.sock".parse(), unix("a.sock"));
        let address: ListenAddress = "[::1]:0".parse().unwrap();
        assert!(address.is_local());
        assert!(!"0.0.0.0:1".parse::<ListenAddress>().unwrap().is_local());
        for text in ["", "unix:", "unix:/run/", "localhost", "localhost:1", "127.0.0.1", ":1"] {
            assert_eq!(text.parse::<ListenAddress>(), Err(ListenAddressParseError), "{text}");
        }
    }

    #[tokio::test]
    async fn a_socket_is_private_replaces_a_dead_one_and_never_a_live_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signer.sock");
        let address = ListenAddress::Unix(path.clone());
        drop(Bound::bind(&address).await.unwrap());
        let bound = Bound::bind(&address).await.unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, SOCKET_MODE);
        let refused = Bound::bind(&address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AddrInUse);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");

        let (stop, stopped) = watch::channel(true);
        bound.serve(Router::new(), ConnectionLimits::default(), stopped).await;
        assert!(!path.exists());
        drop(stop);
        std::fs::write(&path, "").unwrap();
        let refused = Bound::bind(&address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    }
}
