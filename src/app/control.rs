//! The control socket: how commands on this machine reach a running server.
//!
//! It serves the same routes as the network does, to operators only: root and the user that the
//! server runs as, for whom the kernel vouches. The socket has mode 0600, lies in a folder that not
//! everybody can write to, takes the place of one that a dead process left behind, never of one
//! that is served, and goes when its server does.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use axum::Router;
use tokio::net::UnixListener;
use tokio::sync::watch;

use crate::app::accept::{ConnectionLimits, OperatorListener, ServeSummary, serve};
use crate::app::socket::bind_unix;

const SOCKET_MODE: u32 = 0o600;
const WRITABLE_BY_ALL: u32 = 0o002;
/// The longest name of a socket on Linux (unix(7)): 108 bytes, the last of them zero.
const LONGEST_PATH: usize = 107;
/// Commands at a time; more wait in the queue of the socket.
const MOST_CONNECTIONS: usize = 64;

/// A control socket that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ControlSocketError {
    /// The name is too long for the system.
    #[error(
        "the name of the control socket has {length} bytes, at most {LONGEST_PATH} are possible; \
         set CONTROL_SOCKET to a shorter one"
    )]
    TooLong {
        /// Its bytes.
        length: usize,
    },
    /// Anybody could put something else in its place.
    #[error(
        "the folder {} of the control socket can be written to by everybody; set CONTROL_SOCKET to \
         a name elsewhere or take that permission away",
        .0.display()
    )]
    OpenFolder(PathBuf),
    /// Another server is reached under the name.
    #[error("another server is served on the control socket {}", .0.display())]
    InUse(PathBuf),
    /// The system refuses.
    #[error("the control socket {} cannot be made", path.display())]
    Refused {
        /// Its name.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A control socket on which connections already queue.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl ControlSocket {
    /// Listens under the name `path`; within a runtime.
    pub fn bind(path: &Path) -> Result<Self, ControlSocketError> {
        let refused = |source: io::Error| {
            if source.kind() == io::ErrorKind::AddrInUse {
                return ControlSocketError::InUse(path.to_owned());
            }
            ControlSocketError::Refused { path: path.to_owned(), source }
        };
        let path = std::path::absolute(path).map_err(refused)?;
        let length = path.as_os_str().as_bytes().len();
        if length > LONGEST_PATH {
            return Err(ControlSocketError::TooLong { length });
        }
        let folder = path.parent().unwrap_or(&path);
        let mode = std::fs::metadata(folder).map_err(refused)?.permissions().mode();
        if mode & WRITABLE_BY_ALL != 0 {
            return Err(ControlSocketError::OpenFolder(folder.to_owned()));
        }
        let listener = bind_unix(&path, SOCKET_MODE).map_err(refused)?;
        // Whoever makes a file owns it: the user that this process runs as.
        let owner = std::fs::symlink_metadata(&path).map_err(refused)?.uid();
        Ok(Self { listener, path, owner })
    }

    /// Serves operators until `shutdown` turns true.
    pub async fn serve(self, router: Router, shutdown: watch::Receiver<bool>) -> ServeSummary {
        let limits = ConnectionLimits { total: MOST_CONNECTIONS, ..ConnectionLimits::default() };
        let listener = OperatorListener::new(self.listener, self.owner);
        let summary = serve(listener, router, limits, shutdown).await;
        // If it cannot be removed, the next start takes its place.
        drop(std::fs::remove_file(&self.path));
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_control_socket_is_private_and_goes_with_its_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        drop(ControlSocket::bind(&path).unwrap());
        let socket = ControlSocket::bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, SOCKET_MODE);
        let again = ControlSocket::bind(&path).unwrap_err();
        assert!(matches!(again, ControlSocketError::InUse(_)), "{again}");
        let (stop, stopped) = watch::channel(true);
        socket.serve(Router::new(), stopped).await;
        assert!(!path.exists());
        drop(stop);
    }

    #[tokio::test]
    async fn a_place_that_is_open_to_all_or_taken_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        std::fs::write(&path, "mine").unwrap();
        let taken = ControlSocket::bind(&path).unwrap_err();
        assert!(matches!(taken, ControlSocketError::Refused { .. }), "{taken}");
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        std::fs::remove_file(&path).unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o1777)).unwrap();
        let open = ControlSocket::bind(&path).unwrap_err();
        assert!(matches!(open, ControlSocketError::OpenFolder(_)), "{open}");
        let long = ControlSocket::bind(&folder.path().join("x".repeat(107))).unwrap_err();
        assert!(matches!(long, ControlSocketError::TooLong { .. }), "{long}");
    }
}
