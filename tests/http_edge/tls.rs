//! HTTPS by the server itself: the handshake and its limits, certificates that change, and what
//! answers say to browsers.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use patchproof::app::accept::{ConnectionLimits, ServeSummary, serve, serve_tls};
use patchproof::app::tls::{CertificateBook, TlsSide};
use patchproof::config::{TlsFiles, TlsSettings, TlsSource};
use patchproof::http::redirect::https_redirect;
use patchproof::service::readiness::Observations;
use patchproof::telemetry::Metrics;
use patchproof::types::SystemClock;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::authority::{Authority, secured};
use crate::client::Client;
use crate::support::{Settings, TestServer, router};

const GET: &str = "GET /health HTTP/1.1\r\nHost: shop.example\r\n\r\n";
const SHORT: Duration = Duration::from_millis(60);
const LONG: Duration = Duration::from_secs(60);
const HSTS: &str = "strict-transport-security";

struct SecureServer {
    address: SocketAddr,
    authority: Authority,
    folder: TempDir,
    shutdown: watch::Sender<bool>,
    seen: Observations,
    metrics: Arc<Metrics>,
    task: JoinHandle<ServeSummary>,
}

impl SecureServer {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        change(&mut settings);
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        let (files, _) = authority.issue(folder.path());
        let side = open(files, folder.path()).looking_every(Duration::from_millis(5));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = settings.connections.clone();
        let router = router(settings, &Arc::default()).await;
        let (shutdown, signal) = watch::channel(false);
        let (seen, metrics) = (Observations::default(), Arc::new(Metrics::new()));
        let book = CertificateBook::new(Arc::clone(&metrics), seen.clone(), Arc::new(SystemClock));
        let tls = side.tls.clone();
        tokio::spawn(side.keep(book, signal.clone()));
        let task = tokio::spawn(serve_tls(listener, tls, router, limits, signal));
        Self { address, authority, folder, shutdown, seen, metrics, task }
    }

    async fn connect(&self) -> Client<tokio_rustls::client::TlsStream<TcpStream>> {
        let client = self.authority.client(&[&TLS12, &TLS13]);
        Client::new(secured(self.address, client).await.unwrap())
    }

    /// Shakes hands anew and returns the certificate that is shown.
    async fn certificate(&self) -> Vec<u8> {
        let client = self.authority.client(&[&TLS13]);
        let stream = secured(self.address, client).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    async fn plain(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// Waits until something holds that the server brings about by itself.
    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !holds(self) {
            assert!(Instant::now() < deadline, "{:?}", self.seen.warnings());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn open(files: TlsFiles, folder: &Path) -> TlsSide {
    let settings = TlsSettings { source: TlsSource::Files(files), redirect_port: None };
    TlsSide::open(&settings, folder).unwrap()
}

#[tokio::test]
async fn requests_come_over_tls_1_2_and_1_3_and_are_told_to_come_back_so() {
    let server = SecureServer::start().await;
    for version in [&TLS12, &TLS13] {
        let mut client = server.authority.client(&[version]);
        client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = secured(server.address, client).await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.protocol_version(), Some(version.version));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]), "h2 is not spoken");
        let mut client = Client::new(stream);
        for _ in 0..2 {
            client.send(GET).await;
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.header(HSTS)), (200, Some("max-age=31536000")));
        }
        client.send("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let answer = client.answer().await;
        answer.problem(404, "NOT_FOUND");
        assert!(answer.header(HSTS).is_some(), "errors say so too");
    }
}

#[tokio::test]
async fn a_client_that_knows_only_h2_or_does_not_trust_us_gets_no_connection() {
    let server = SecureServer::start().await;
    let mut client = server.authority.client(&[&TLS13]);
    client.alpn_protocols = vec![b"h2".to_vec()];
    assert!(secured(server.address, client).await.is_err());
    let stranger = Authority::new().client(&[&TLS13]);
    assert!(secured(server.address, stranger).await.is_err());
    server.certificate().await;
}

#[tokio::test]
async fn plain_http_is_told_what_is_spoken_here() {
    let server = SecureServer::start().await;
    for request in [GET, "P", "GET / HTTP/1.1\r\nHost"] {
        let mut client = server.plain().await;
        client.send(request).await;
        let answer = client.answer().await;
        let problem = answer.problem(400, "BAD_REQUEST");
        assert!(problem["detail"].as_str().unwrap().contains("HTTPS"), "{problem}");
        assert_eq!(answer.header(HSTS), None, "what comes over plain HTTP is not believed anyway");
        assert_eq!(answer.header("connection"), Some("close"));
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_cut_off() {
    let server = SecureServer::with(|settings| {
        settings.connections.handshake_timeout = SHORT;
        settings.connections.head_timeout = LONG;
    })
    .await;
    // Nothing; the beginning of a record; the beginning of a ClientHello.
    for start in [&b""[..], &[22], &[22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3]] {
        let mut client = server.plain().await;
        client.send(start).await;
        assert_eq!(client.until_closed().await, b"", "{start:?}");
    }
    let mut good = server.connect().await;
    good.send(GET).await;
    assert_eq!(good.answer().await.status, 200);
}

#[tokio::test]
async fn after_the_handshake_a_head_has_its_own_time() {
    let server = SecureServer::with(|settings| settings.connections.head_timeout = SHORT).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost").await;
    assert_eq!(client.until_closed().await, b"");
}

#[tokio::test]
async fn beyond_the_cap_a_handshake_is_not_begun_and_those_who_work_go_on() {
    let server = SecureServer::with(|settings| {
        settings.connections.handshakes = 2;
        settings.connections.handshake_timeout = LONG;
    })
    .await;
    let mut working = server.connect().await;
    let mut silent = [server.plain().await, server.plain().await];
    for client in &mut silent {
        client.send([22]).await;
    }
    let mut third = server.plain().await;
    third.send([22]).await;
    assert_eq!(third.until_closed().await, b"");
    working.send(GET).await;
    assert_eq!(working.answer().await.status, 200);
    // The end does not wait for who is silent.
    let begun = Instant::now();
    server.shutdown.send_replace(true);
    let summary = server.task.await.unwrap();
    assert_eq!((summary.served, summary.cut_off), (4, 0));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_and_open_connections_live_on() {
    let server = SecureServer::start().await;
    let before = server.certificate().await;
    let mut old = server.connect().await;
    let (_, new) = server.authority.issue(server.folder.path());
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.certificate().await != new.as_ref() {
        assert!(Instant::now() < deadline);
    }
    assert_ne!(before, new.as_ref());
    old.send(GET).await;
    assert_eq!(old.answer().await.status, 200);
}

#[tokio::test]
async fn a_bad_new_certificate_is_told_of_and_the_old_one_goes_on() {
    let server = SecureServer::start().await;
    let before = server.certificate().await;
    server.until(|server| server.metrics.prometheus().contains("timestamp_seconds 1")).await;
    assert_eq!(server.seen.warnings(), Vec::<String>::new());
    let elsewhere = tempfile::tempdir().unwrap();
    let (other, _) = server.authority.issue(elsewhere.path());
    std::fs::copy(other.key, server.folder.path().join("key.pem")).unwrap();
    server.until(|server| !server.seen.warnings().is_empty()).await;
    let warning = server.seen.warnings().join("");
    assert!(warning.contains("key.pem") && warning.contains("is not that of"), "{warning}");
    let counted = r#"tls_certificate_failures_total{source="files"} 1"#;
    assert!(server.metrics.prometheus().contains(counted));
    assert_eq!(server.certificate().await, before);
    std::fs::write(server.folder.path().join("cert.pem"), "no certificate").unwrap();
    server.until(|server| server.seen.warnings().join("").contains("no certificate in PEM")).await;
    assert_eq!(server.certificate().await, before);
    // Mended, nothing is left to complain of.
    let (_, new) = server.authority.issue(server.folder.path());
    server.until(|server| server.seen.warnings().is_empty()).await;
    assert_eq!(server.certificate().await, new.as_ref());
}

#[test]
fn a_key_of_another_certificate_is_refused_by_name() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let (files, _) = authority.issue(folder.path());
    let facts = files.load().unwrap().facts;
    assert_eq!(facts.names, ["shop.example", "127.0.0.1"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let (other, _) = authority.issue(elsewhere.path());
    let mixed = TlsFiles { key: other.key, ..files.clone() };
    let error = mixed.load().unwrap_err().to_string();
    assert!(error.contains("is not that of the certificate"), "{error}");
    let swapped = TlsFiles { certificate: files.key.clone(), key: files.certificate };
    let error = swapped.load().unwrap_err().to_string();
    assert!(error.contains("no certificate"), "{error}");
}

#[tokio::test]
async fn https_at_a_trusted_proxy_counts_and_at_anybody_elses_does_not() {
    let request = "GET /health HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n";
    let believed = TestServer::with(trusting("127.0.0.1")).await;
    assert_eq!(believed.send(request).await.header(HSTS), Some("max-age=31536000"));
    assert_eq!(believed.get("/health").await.header(HSTS), None);
    let doubted = TestServer::with(trusting("192.0.2.1")).await;
    assert_eq!(doubted.send(request).await.header(HSTS), None);
}

fn trusting(proxy: &str) -> Settings {
    let mut settings = Settings::default();
    settings.connections.proxies = vec![proxy.parse().unwrap()];
    settings.options.limits.rates.public.most = 2;
    settings
}

#[tokio::test]
async fn whoever_stands_behind_a_trusted_proxy_is_counted_for_himself() {
    let ask = |client: &str| {
        format!("GET /items/1 HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\n\r\n")
    };
    let server = TestServer::with(trusting("127.0.0.1")).await;
    for client in ["198.51.100.1", "198.51.100.2"] {
        for status in [200, 200, 429] {
            assert_eq!(server.send(ask(client)).await.status, status, "{client}");
        }
    }
    // What a client writes itself stands before what the proxy adds.
    assert_eq!(server.send(ask("203.0.113.9, 198.51.100.1")).await.status, 429);
    // Without a trusted proxy all of them are who is connected.
    let server = TestServer::with(trusting("192.0.2.1")).await;
    for (client, status) in [("198.51.100.1", 200), ("198.51.100.2", 200), ("198.51.100.3", 429)] {
        assert_eq!(server.send(ask(client)).await.status, status, "{client}");
    }
}

#[tokio::test]
async fn the_plain_port_leads_to_our_own_address_and_takes_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = https_redirect(&"https://shop.example/prefix".parse().unwrap());
    let (_stop, signal) = watch::channel(false);
    tokio::spawn(serve(listener, router, ConnectionLimits::default(), signal));
    let mut client = Client::new(TcpStream::connect(address).await.unwrap());
    for (method, target) in [("GET", "/a%20b?c=d&e"), ("HEAD", "/"), ("GET", "//evil.example/")] {
        client.send(format!("{method} {target} HTTP/1.1\r\nHost: evil.example\r\n\r\n")).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 308, "{target}");
        let location = format!("https://shop.example{target}");
        assert_eq!(answer.header("location"), Some(&*location));
    }
    client.send("POST /v1/patches HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}").await;
    client.answer().await.problem(400, "BAD_REQUEST");
}
