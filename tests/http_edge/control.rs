//! The control socket: who is let in without a key, and that nobody else ever is.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use patchproof::app::accept::ConnectionLimits;
use patchproof::app::control::ControlSocket;
use patchproof::app::socket::{Bound, ListenAddress};
use tokio::net::UnixStream;
use tokio::sync::watch;

use crate::support::{Answer, Client, Settings, TestServer, router};

const BODY: &str = "{\"text\":\"hello\"}";

fn post(headers: &str) -> String {
    format!(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    )
}

async fn send(socket: &Path, request: impl AsRef<[u8]>) -> Answer {
    let mut client = Client::new(UnixStream::connect(socket).await.unwrap());
    client.send(request).await;
    client.answer().await
}

/// A control socket that is served, in a folder of its own.
struct Served {
    _folder: tempfile::TempDir,
    path: PathBuf,
    shutdown: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let mut settings = Settings::default();
        settings.options.metrics_require_api_key = true;
        let router = router(settings, &Arc::default()).await;
        let (shutdown, signal) = watch::channel(false);
        let socket = ControlSocket::bind(&path).unwrap();
        let task = tokio::spawn(async move {
            socket.serve(router, signal).await;
        });
        Self { _folder: folder, path, shutdown, task }
    }
}

#[tokio::test]
async fn an_operator_needs_no_key_and_may_do_everything() {
    let served = Served::start().await;
    for headers in ["", "X-Api-Key: wrong\r\n", "X-Forwarded-For: 203.0.113.9\r\n"] {
        let answer = send(&served.path, post(headers)).await;
        assert_eq!((answer.status, answer.text()), (200, BODY), "{headers}");
    }
    for path in ["/metrics", "/internal/metrics", "/v1/admin/settings", "/v1/admin/utxo-health"] {
        let answer = send(&served.path, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    // He is an operator, not a person whom a token speaks for.
    let who = send(&served.path, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n").await;
    who.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn what_an_operator_changes_is_set_by_his_user_number() {
    let served = Served::start().await;
    let me = std::fs::metadata(&served.path).unwrap().uid();
    let body = "{\"FEE_PER_KB\":300}";
    let request = format!(
        "PATCH /v1/admin/settings HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = send(&served.path, request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["settings"][0]["setBy"], format!("local:{me}"));
}

#[tokio::test]
async fn the_socket_goes_when_the_server_stops() {
    let served = Served::start().await;
    assert!(served.path.exists());
    served.shutdown.send_replace(true);
    served.task.await.unwrap();
    assert!(!served.path.exists());
}

#[tokio::test]
async fn nothing_that_a_network_client_sends_makes_an_operator_of_it() {
    let server = TestServer::start().await;
    for headers in [
        "",
        "X-Forwarded-For: unix\r\n",
        "X-Forwarded-For: 127.0.0.1\r\n",
        "X-Forwarded-For: local:0\r\n",
        "Forwarded: for=unix;by=_control\r\n",
        "X-Real-IP: 127.0.0.1\r\n",
        "X-Client-Address: Operator\r\n",
        "X-Operator: 0\r\nX-Uid: 0\r\n",
        "Authorization: Bearer good\r\n",
        "Authorization: local:0\r\n",
        "Cookie: principal=local:0\r\n",
    ] {
        server.send(post(headers)).await.problem(401, "UNAUTHENTICATED");
    }
    for key in ["local:0", "local", "0", "operator"] {
        let answer = server.send(post(&format!("X-Api-Key: {key}\r\n"))).await;
        answer.problem(401, "INVALID_API_KEY");
    }
    let absolute = post("").replacen("/echo", "http://localhost/echo", 1);
    server.send(absolute).await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn any_other_unix_socket_is_as_strange_as_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.sock");
    let router = router(Settings::default(), &Arc::default()).await;
    let (_shutdown, signal) = watch::channel(false);
    let bound = Bound::bind(&ListenAddress::Unix(path.clone())).await.unwrap();
    tokio::spawn(bound.serve(router, ConnectionLimits::default(), signal));
    send(&path, post("")).await.problem(401, "UNAUTHENTICATED");
}
