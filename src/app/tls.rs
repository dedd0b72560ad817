//! TLS without a reverse proxy: which certificate there is, and who keeps it fresh.
//!
//! Guarantees that the server never ends or falls back to plain HTTP because of a certificate: a
//! pair of files that cannot be used, or an authority that gives none, leaves the one in use.

mod acme;
mod book;
mod cache;
mod files;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::ResolvesServerCert;
use tokio::sync::watch;

use crate::app::accept::Tls;
use crate::config::{TlsSettings, TlsSource};

use acme::AcmeKeeper;
pub use book::{CertificateBook, Standing, standing};
pub use cache::AcmeCache;
use files::FileKeeper;
pub use files::LOOK_PERIOD;

/// The only protocol there is above TLS here; a client that knows others is told so (RFC 7301).
const HTTP_1_1: &[u8] = b"http/1.1";

/// What secures connections, and who keeps it fresh.
pub struct TlsSide {
    /// With which certificate connections are secured.
    pub tls: Tls,
    keeper: Keeper,
    look_period: Duration,
}

enum Keeper {
    Files(FileKeeper),
    Acme(AcmeKeeper),
}

impl TlsSide {
    /// Reads the certificate, or prepares to ask for one, which is kept in `data_dir`.
    pub fn open(settings: &TlsSettings, data_dir: &Path) -> anyhow::Result<Self> {
        match &settings.source {
            TlsSource::Files(files) => {
                let keeper = FileKeeper::open(files.clone()).context("TLS_CERT and TLS_KEY")?;
                let clients = server_config(keeper.resolver(), HTTP_1_1)?;
                let tls = Tls { clients, challenges: None };
                Ok(Self::of(tls, Keeper::Files(keeper)))
            }
            TlsSource::Acme(acme) => {
                let keeper = AcmeKeeper::open(acme, data_dir)?;
                let clients = server_config(keeper.resolver(), HTTP_1_1)?;
                let name = rustls_acme::acme::ACME_TLS_ALPN_NAME;
                let challenges = Some(server_config(keeper.resolver(), name)?);
                let tls = Tls { clients, challenges };
                Ok(Self::of(tls, Keeper::Acme(keeper)))
            }
        }
    }

    const fn of(tls: Tls, keeper: Keeper) -> Self {
        Self { tls, keeper, look_period: LOOK_PERIOD }
    }

    /// Has the files looked at at other distances than [`LOOK_PERIOD`].
    #[must_use]
    pub const fn looking_every(mut self, period: Duration) -> Self {
        self.look_period = period;
        self
    }

    /// Keeps the certificate fresh until `stop` turns true; says in `book` how that goes.
    pub async fn keep(self, book: CertificateBook, mut stop: watch::Receiver<bool>) {
        let stopped = stop.wait_for(|stop| *stop);
        match self.keeper {
            Keeper::Files(keeper) => tokio::select! {
                _ = stopped => {}
                () = keeper.keep(&book, self.look_period) => {}
            },
            Keeper::Acme(keeper) => tokio::select! {
                _ = stopped => {}
                () = keeper.keep(&book) => {}
            },
        }
    }
}

/// TLS 1.2 and 1.3 with the certificate that `resolver` has when a connection begins.
fn server_config(
    resolver: Arc<dyn ResolvesServerCert>,
    protocol: &[u8],
) -> anyhow::Result<Arc<ServerConfig>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("the TLS library has no protocol")?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(Arc::new(config))
}
