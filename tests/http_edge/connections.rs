//! Slow clients, too many clients, and the end of the server.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use patchproof::app::accept::{ConnectionLimits, Listener, serve};
use patchproof::http::edge::ClientAddress;
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::Instant;

use crate::support::{Client, Settings, TestServer, router};

const GET: &str = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
const SHORT: Duration = Duration::from_millis(60);
/// So long that a test that needed it would be noticed.
const LONG: Duration = Duration::from_secs(60);

fn connections(change: impl FnOnce(&mut ConnectionLimits)) -> Settings {
    let mut settings = Settings::default();
    settings.connections.idle_timeout = LONG;
    settings.connections.write_timeout = LONG;
    change(&mut settings.connections);
    settings
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off() {
    let server = TestServer::with(connections(|limits| limits.head_timeout = SHORT)).await;
    for start in ["", "G", "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: 1\r\n"] {
        let mut client = server.connect().await;
        client.send(start).await;
        assert_eq!(client.until_closed().await, b"", "{start}");
    }
}

#[tokio::test]
async fn a_second_head_that_does_not_end_is_cut_off_too() {
    let server = TestServer::with(connections(|limits| limits.head_timeout = SHORT)).await;
    let mut client = server.connect().await;
    client.send(GET).await;
    assert_eq!(client.answer().await.status, 200);
    client.send("GET /health HT").await;
    assert_eq!(client.until_closed().await, b"");
}

#[tokio::test]
async fn many_half_heads_do_not_keep_others_waiting() {
    let server = TestServer::with(connections(|limits| limits.head_timeout = SHORT)).await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut client = server.connect().await;
        client.send("GET / HTTP/1.1\r\nHost").await;
        slow.push(client);
    }
    assert_eq!(server.get("/health").await.status, 200);
    for mut client in slow {
        assert_eq!(client.until_closed().await, b"");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = TestServer::with(connections(|limits| limits.idle_timeout = SHORT)).await;
    let mut client = server.connect().await;
    client.send(GET).await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(client.until_closed().await, b"");
}

#[tokio::test]
async fn a_body_that_stalls_is_answered_408_and_closed() {
    let server = TestServer::with(Settings::default().with_body_timeouts(SHORT)).await;
    for framing in
        ["Content-Length: 20\r\n\r\n{\"te", "Transfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\n"]
    {
        let mut client = server.connect().await;
        let head = "POST /api/svd/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
        client.send([head, framing].concat()).await;
        client.answer().await.problem(408, "REQUEST_TIMEOUT");
        assert_eq!(client.until_closed().await, b"");
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let mut settings = connections(|limits| {
        limits.write_timeout = SHORT;
        limits.grace = LONG;
    });
    settings.body_length = 64 * 1024 * 1024;
    let server = TestServer::with(settings).await;
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.head().await.status, 200);
    let summary = server.stop().await;
    assert_eq!((summary.served, summary.cut_off), (1, 0));
}

#[tokio::test]
async fn a_handler_that_does_not_answer_in_time_is_answered_for() {
    let mut settings = Settings::default();
    settings.options.limits.request_timeout = SHORT;
    let server = TestServer::with(settings).await;
    let answer = server.get("/held").await;
    answer.problem(503, "OVERLOADED");
    assert_eq!(answer.header("retry-after"), Some("5"));
}

#[tokio::test]
async fn connections_over_the_limit_of_an_address_are_refused_until_one_leaves() {
    let server = TestServer::with(connections(|limits| limits.per_proxy = 2)).await;
    let mut held = [server.connect().await, server.connect().await];
    for client in &mut held {
        client.send(GET).await;
        assert_eq!(client.answer().await.status, 200);
    }
    let mut refused = server.connect().await;
    refused.answer().await.problem(503, "OVERLOADED");
    assert_eq!(refused.until_closed().await, b"");

    let [mut leaver, _stayer] = held;
    leaver.send("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    leaver.until_closed().await;
    drop(leaver);
    // The seat is given back by the connection's task, which may run after the close is seen.
    let mut status = 503;
    while status == 503 {
        let mut client = server.connect().await;
        client.send(GET).await;
        status = client.answer().await.status;
    }
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_stop_lets_the_request_in_flight_finish_and_takes_no_new_ones() {
    let server = TestServer::with(connections(|limits| limits.grace = LONG)).await;
    let mut idle = server.connect().await;
    idle.send(GET).await;
    assert_eq!(idle.answer().await.status, 200);
    let mut busy = server.connect().await;
    busy.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.gate.entered.notified().await;

    server.shutdown.send_replace(true);
    assert_eq!(idle.until_closed().await, b"");
    let address = server.address;
    server.gate.release.notify_one();
    let answer = busy.answer().await;
    assert_eq!((answer.status, answer.text()), (200, "released"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(busy.until_closed().await, b"");
    let summary = server.task.await.unwrap();
    assert_eq!((summary.served, summary.refused, summary.cut_off), (2, 0, 0));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_stop_cuts_off_what_does_not_finish_within_the_grace() {
    let server = TestServer::with(connections(|limits| limits.grace = SHORT)).await;
    let mut busy = server.connect().await;
    busy.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.gate.entered.notified().await;
    assert_eq!(server.stop().await.cut_off, 1);
    assert_eq!(busy.until_closed().await, b"");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let requests: String =
        (0..1000).map(|id| format!("GET /items/{id} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    let (mut answers, sending) = (0, client.send(requests));
    sending.await;
    while answers < 1000 {
        assert_eq!(client.answer().await.text(), answers.to_string());
        answers += 1;
    }
}

#[tokio::test]
async fn a_unix_socket_is_served_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("edge.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (shutdown, signal) = watch::channel(false);
    let router = router(Settings::default(), &Arc::default()).await;
    let task = tokio::spawn(serve(listener, router, ConnectionLimits::default(), signal));
    let mut client = Client::new(UnixStream::connect(&path).await.unwrap());
    client.send(GET).await;
    assert_eq!(client.answer().await.text(), "{\"status\":\"ok\"}");
    drop(shutdown);
    assert_eq!(task.await.unwrap().served, 1);
}

#[tokio::test]
async fn refusals_of_a_router_without_the_edge_keep_their_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_shutdown, signal) = watch::channel(false);
    let refuse = || async { (axum::http::StatusCode::BAD_REQUEST, "Missing inputs") };
    let plain = axum::Router::new().route("/tx", axum::routing::get(refuse));
    tokio::spawn(serve(listener, plain, ConnectionLimits::default(), signal));
    let mut client = Client::new(TcpStream::connect(address).await.unwrap());
    for _ in 0..2 {
        client.send("GET /tx HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text()), (400, "Missing inputs"));
        assert_eq!(answer.header("connection"), None);
    }
    client.send("no request at all\r\n\r\n").await;
    client.answer().await.problem(400, "BAD_REQUEST");
}

/// A system with no file descriptor to give, until it has one.
struct Exhausted {
    failures: Arc<AtomicU32>,
    streams: Mutex<mpsc::Receiver<DuplexStream>>,
}

impl Listener for Exhausted {
    type Stream = DuplexStream;

    async fn accept(&self) -> io::Result<(DuplexStream, ClientAddress)> {
        const TOO_MANY_OPEN_FILES: i32 = 24;
        let left = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
            return Err(io::Error::from_raw_os_error(TOO_MANY_OPEN_FILES));
        }
        match self.streams.lock().await.recv().await {
            Some(stream) => Ok((stream, ClientAddress::Local)),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_table_of_file_descriptors_is_waited_out() {
    let failures = Arc::new(AtomicU32::new(10));
    let (sender, streams) = mpsc::channel(1);
    let listener = Exhausted { failures, streams: Mutex::new(streams) };
    let router = router(Settings::default(), &Arc::default()).await;
    let (shutdown, signal) = watch::channel(false);
    let before = Instant::now();
    let task = tokio::spawn(serve(listener, router, ConnectionLimits::default(), signal));
    let (client, stream) = tokio::io::duplex(4096);
    sender.send(stream).await.unwrap();
    let mut client = Client::new(client);
    client.send(GET).await;
    assert_eq!(client.answer().await.status, 200);
    // Six pauses that double from 20 ms, then four of a second: no busy loop, no giving up.
    assert_eq!(before.elapsed().as_millis() / 100, 52);
    shutdown.send_replace(true);
    assert_eq!(task.await.unwrap().served, 1);
}
