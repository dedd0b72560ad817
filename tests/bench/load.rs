//! Load over kept-alive connections: `wrk` for reads, our own clients for writes.

use std::cell::Cell;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::processes::{API_KEY, has_tool};

/// Requests per second of a GET under `wrk`, one thread, 64 connections.
pub(crate) fn wrk(url: &str, seconds: u32) -> f64 {
    assert!(has_tool("wrk"), "wrk is needed; tests/bench/run installs it");
    let output = Command::new("wrk")
        .args(["-t1", "-c64", &format!("-d{seconds}s"), url])
        .output()
        .expect("wrk runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("Non-2xx"), "{text}");
    let line = text.lines().find(|line| line.starts_with("Requests/sec:")).expect("a figure");
    line.split_whitespace().nth(1).expect("a figure").parse().expect("a number")
}

/// Registrations that were accepted, by how many clients, in what time.
pub(crate) struct Accepted {
    /// How many were answered 202.
    pub(crate) count: u64,
    /// Over how long.
    pub(crate) elapsed: Duration,
    /// The time of each answer, in milliseconds, sorted.
    pub(crate) latencies_ms: Vec<f64>,
}

impl Accepted {
    /// Returns registrations per second.
    pub(crate) fn rate(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns a percentile of the answer times.
    pub(crate) fn percentile(&self, per_cent: usize) -> f64 {
        let place = self.latencies_ms.len() * per_cent / 100;
        self.latencies_ms.get(place.min(self.latencies_ms.len() - 1)).copied().unwrap_or(f64::NAN)
    }
}

/// Registers distinct products from `clients` connections for `duration`, no faster than `pace`
/// in all, if given. All clients live on one thread, so that the load takes as little as it can of
/// the processor that is being measured.
pub(crate) fn register(
    address: &str,
    owner: &str,
    prefix: &str,
    clients: u64,
    duration: Duration,
    pace: Option<f64>,
) -> Accepted {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let begun = Instant::now();
    let next = Rc::new(Cell::new(0));
    let client = || {
        let next = Rc::clone(&next);
        async move {
            let mut connection = Connection::open(address).await;
            let mut latencies = Vec::new();
            loop {
                let number = next.replace(next.get() + 1);
                if let Some(pace) = pace {
                    let due = begun + Duration::from_secs_f64(number as f64 / pace);
                    tokio::time::sleep_until(due.into()).await;
                }
                if begun.elapsed() >= duration {
                    return latencies;
                }
                let sent = Instant::now();
                connection.register(owner, &format!("{prefix}-{number:07}")).await;
                latencies.push(sent.elapsed().as_secs_f64() * 1000.0);
            }
        }
    };
    let all = futures_util::future::join_all((0..clients).map(|_| client()));
    let mut latencies_ms: Vec<f64> = runtime.block_on(all).into_iter().flatten().collect();
    let elapsed = begun.elapsed();
    latencies_ms.sort_by(f64::total_cmp);
    Accepted { count: latencies_ms.len() as u64, elapsed, latencies_ms }
}

/// A kept-alive connection.
pub(crate) struct Connection {
    address: String,
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// Opens one.
    pub(crate) async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self { address: address.to_owned(), stream, received: Vec::with_capacity(4096) }
    }

    async fn register(&mut self, owner: &str, uid: &str) {
        let body = format!(
            "{{\"product\":{{\"uid_tag_id\":\"{uid}\",\"name\":\"Home jersey, match worn\",\"category\":\"jersey\",\"sku\":\"HLD-J\",\"serial_number\":\"260001\",\"material\":\"Polyester\"}},\"metadata\":{{\"notes\":\"Worn in the opening match.\",\"image\":\"https://images.halden-athletics.example/j.jpg\",\"patch_location\":\"Left chest\"}},\"auth\":{{\"owner\":\"{owner}\"}}}}"
        );
        let request = format!(
            "POST /v1/patches HTTP/1.1\r\nHost: {}\r\nx-api-key: {API_KEY}\r\nPrefer: respond-async\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await.expect("sent");
        let status = self.read_answer().await;
        assert_eq!(status, 202, "{uid}");
    }

    /// Sends JSON without a key and returns the status of the answer.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> u16 {
        let request = request(&self.address, path, body);
        self.send(&request).await
    }

    /// Sends a request as [`request`] writes it and returns the status of the answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> u16 {
        self.stream.write_all(request).await.expect("sent");
        self.read_answer().await
    }

    /// Returns the body of the last answer.
    pub(crate) fn body(&self) -> &[u8] {
        let end = self.received.windows(4).position(|four| four == b"\r\n\r\n");
        &self.received[end.map_or(0, |end| end + 4)..]
    }

    /// Reads one answer with a stated length and returns its status.
    async fn read_answer(&mut self) -> u16 {
        self.received.clear();
        loop {
            let read = self.stream.read_buf(&mut self.received).await.expect("an answer");
            assert!(read > 0, "the server closed the connection");
            let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let head = &self.received[..end];
            if self.received.len() >= end + 4 + length_in(head) {
                let status = std::str::from_utf8(&head[9..12]).expect("a status");
                return status.parse().expect("a status");
            }
        }
    }
}

/// Returns a POST of JSON without a key, as it goes over the wire.
pub(crate) fn request(address: &str, path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Returns the length that an answer's head states. Of the little that a client does per answer this
/// was the most, so it looks for the one name and copies nothing.
fn length_in(head: &[u8]) -> usize {
    const NAME: &[u8] = b"\r\ncontent-length: ";
    let named = head.windows(NAME.len()).position(|here| here.eq_ignore_ascii_case(NAME));
    let digits =
        head[named.expect("a length") + NAME.len()..].iter().take_while(|c| c.is_ascii_digit());
    digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'))
}
