//! A certificate authority of the tests' own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use patchproof::config::TlsFiles;
use patchproof::types::{Clock, SystemClock};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const DAY: i64 = 24 * 60 * 60;

/// The name that every certificate is for.
pub(crate) const NAME: &str = "shop.example";

pub(crate) struct Authority {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "The tests' authority");
        let key = KeyPair::generate().unwrap();
        Self { certificate: params.self_signed(&key).unwrap(), key }
    }

    /// Writes a new certificate and its key, and returns the certificate.
    pub(crate) fn issue(&self, folder: &Path) -> (TlsFiles, CertificateDer<'static>) {
        self.issue_until(folder, 90)
    }

    /// Writes one that was issued a hundred days ago and ends in so many days.
    pub(crate) fn issue_until(
        &self,
        folder: &Path,
        days: i64,
    ) -> (TlsFiles, CertificateDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let names = [NAME.to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        let now = SystemClock.now().as_secs();
        let at = |seconds: i64| {
            rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds.try_into().unwrap())
        };
        (params.not_before, params.not_after) = (at(now - 100 * DAY), at(now + days * DAY));
        let made = params.signed_by(&key, &self.certificate, &self.key).unwrap();
        let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        std::fs::write(&files.certificate, made.pem()).unwrap();
        (files, made.der().clone())
    }

    /// Returns how a client that trusts this authority speaks.
    pub(crate) fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(versions).unwrap();
        builder.with_root_certificates(roots).with_no_client_auth()
    }
}

/// Shakes hands as a client does.
pub(crate) async fn secured(
    address: std::net::SocketAddr,
    client: ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(NAME).unwrap();
    TlsConnector::from(Arc::new(client)).connect(name, stream).await
}
