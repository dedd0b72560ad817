//! Where the process runs: its mode, where it listens, where its data lies, which build it is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::config::reader::Reader;
use crate::config::variable::{Kind, Variable};

pub(super) const NODE_ENV: Variable = Variable::new(
    "NODE_ENV",
    Kind::Choice(&["development", "test", "production"]),
    "production",
    "What the process is for. In production it refuses to start with missing, weak or well-known \
     secrets. In test the API-key and token checks are relaxed while it listens on loopback only.",
)
.alias(&["PATCHPROOF_ENV"])
.or("development");

pub(super) const BIND: Variable = Variable::new(
    "BIND",
    Kind::Address,
    "127.0.0.1",
    "The address of this machine to listen on. Leave it on loopback behind a reverse proxy.",
)
.or("127.0.0.1");

pub(super) const PORT: Variable = Variable::new(
    "PORT",
    Kind::Integer { least: 0, most: 65_535 },
    "3001",
    "The port to listen on; 0 lets the system choose one.",
)
.or("3001");

pub(super) const PATCHPROOF_DATA_DIR: Variable = Variable::new(
    "PATCHPROOF_DATA_DIR",
    Kind::Path,
    "/var/lib/patchproof",
    "The folder of the store; made with mode 0700 if there is none.",
)
.or("./data");

pub(super) const CONTROL_SOCKET: Variable = Variable::new(
    "CONTROL_SOCKET",
    Kind::Path,
    "/run/patchproof/control.sock",
    "The Unix socket over which commands reach a running server, open to root and to the server's \
     own user and in need of no API key. Its folder must not be writable by everybody. Without it \
     control.sock in PATCHPROOF_DATA_DIR.",
);

pub(super) const PATCHPROOF_CONFIG: Variable = Variable::new(
    "PATCHPROOF_CONFIG",
    Kind::Path,
    "/etc/patchproof/patchproof.env",
    "A file of further variables, which stand beneath those of the process: what both set counts as \
     the process has it. Without it the credential patchproof.env of systemd, or else \
     /etc/patchproof/patchproof.env where it may be read; /dev/null is no file at all.",
);

pub(super) const DEPLOY_SHA: Variable = Variable::new(
    "DEPLOY_SHA",
    Kind::Text,
    "0c1d2e3",
    "The commit that was deployed, shown by /health and in metrics.",
);

/// What the process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Trying things out.
    #[default]
    Development,
    /// Automated tests.
    Test,
    /// The real thing.
    Production,
}

impl Mode {
    /// Returns the name as it is configured.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Test => "test",
            Self::Production => "production",
        }
    }

    /// Reads the mode; the reader is stricter from then on if it is production.
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mode = match reader.choice(&NODE_ENV) {
            Some("production") => Self::Production,
            Some("test") => Self::Test,
            Some(_) | None => Self::Development,
        };
        reader.is_production = mode == Self::Production;
        mode
    }
}

/// Reads where to listen.
pub(super) fn read_listen(reader: &mut Reader<'_>) -> SocketAddr {
    let address = reader.parsed(&BIND, |text| text.parse().ok());
    SocketAddr::new(address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), reader.number(&PORT))
}

/// Reads where the data lies.
pub(super) fn read_data_dir(reader: &mut Reader<'_>) -> PathBuf {
    reader.text(&PATCHPROOF_DATA_DIR).map(PathBuf::from).unwrap_or_default()
}

/// Reads which commit was deployed. The file of variables was read before all variables; its name is
/// only noted for the report.
pub(super) fn read_deploy_sha(reader: &mut Reader<'_>) -> Option<String> {
    drop(reader.text(&PATCHPROOF_CONFIG));
    reader.text(&DEPLOY_SHA)
}

/// Reads where commands reach the server.
pub(super) fn read_control_socket(reader: &mut Reader<'_>, data_dir: &Path) -> PathBuf {
    match reader.text(&CONTROL_SOCKET) {
        Some(path) => path.into(),
        None => control_socket_in(data_dir),
    }
}

/// Returns where commands reach the server of a data directory unless something else is said.
pub fn control_socket_in(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}
