//! Load over kept-alive connections: `wrk` for reads, our own clients for writes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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
/// in all, if given.
pub(crate) fn register(
    address: &str,
    owner: &str,
    prefix: &str,
    clients: u64,
    duration: Duration,
    pace: Option<f64>,
) -> Accepted {
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let threads: Vec<_> = (0..clients)
        .map(|_| {
            let (next, address) = (Arc::clone(&next), address.to_owned());
            let (owner, prefix) = (owner.to_owned(), prefix.to_owned());
            std::thread::spawn(move || {
                let mut connection = Connection::open(&address);
                let mut latencies = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if let Some(pace) = pace {
                        let due = Duration::from_secs_f64(number as f64 / pace);
                        #[expect(clippy::disallowed_methods, reason = "the load keeps a pace")]
                        std::thread::sleep(due.saturating_sub(begun.elapsed()));
                    }
                    if begun.elapsed() >= duration {
                        return latencies;
                    }
                    let sent = Instant::now();
                    connection.register(&owner, &format!("{prefix}-{number:07}"));
                    latencies.push(sent.elapsed().as_secs_f64() * 1000.0);
                }
            })
        })
        .collect();
    let mut latencies_ms: Vec<f64> =
        threads.into_iter().flat_map(|thread| thread.join().expect("a client")).collect();
    let elapsed = begun.elapsed();
    latencies_ms.sort_by(f64::total_cmp);
    Accepted { count: latencies_ms.len() as u64, elapsed, latencies_ms }
}

struct Connection {
    address: String,
    reader: BufReader<TcpStream>,
}

impl Connection {
    fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self { address: address.to_owned(), reader: BufReader::new(stream) }
    }

    fn register(&mut self, owner: &str, uid: &str) {
        let body = format!(
            "{{\"product\":{{\"uid_tag_id\":\"{uid}\",\"name\":\"Home jersey, match worn\",\"category\":\"jersey\",\"sku\":\"HLD-J\",\"serial_number\":\"260001\",\"material\":\"Polyester\"}},\"metadata\":{{\"notes\":\"Worn in the opening match.\",\"image\":\"https://images.halden-athletics.example/j.jpg\",\"patch_location\":\"Left chest\"}},\"auth\":{{\"owner\":\"{owner}\"}}}}"
        );
        let request = format!(
            "POST /v1/patches HTTP/1.1\r\nHost: {}\r\nx-api-key: {API_KEY}\r\nPrefer: respond-async\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.reader.get_mut().write_all(request.as_bytes()).expect("sent");
        let status = self.read_answer();
        assert_eq!(status, 202, "{uid}");
    }

    fn read_answer(&mut self) -> u16 {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("a status line");
        let status = line.get(9..12).and_then(|s| s.parse().ok()).expect("a status");
        let mut length = 0;
        loop {
            line.clear();
            self.reader.read_line(&mut line).expect("a header");
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).expect("a body");
        status
    }
}
