//! Thousands of requests that no honest client sends, over every route: whatever is wrong with one,
//! the answer says so as a problem, and the server goes on.
//!
//! `FUZZ_REQUESTS` says how many each route gets. The seed is fixed; a failure prints the request.

use std::collections::BTreeMap;
use std::sync::Arc;

use patchproof::http::problem::ProblemCode;

use serde_json::json;

use crate::fuzz_requests::{Random, Route, all_routes, garbled, request};
use crate::support::{Answer, Client, Settings, TestServer};

const SEED: u64 = 0x5eed_0000_0000_0001;
/// Requests that are under way at a time.
const AT_ONCE: u64 = 8;

#[expect(clippy::disallowed_methods, reason = "how much a test does is told from outside")]
fn requests_for_each_route() -> u64 {
    let said = std::env::var("FUZZ_REQUESTS").ok().and_then(|text| text.parse().ok());
    said.unwrap_or(80)
}

/// Says what is wrong with an answer.
fn fault(method: &str, route: &Route, answer: &Answer) -> Option<String> {
    if answer.status < 400 || method == "HEAD" {
        let is_server_fault = answer.status >= 500 && answer.status != 503;
        return is_server_fault.then(|| "a fault of the server".to_owned());
    }
    if answer.status >= 500 && answer.status != 503 {
        return Some("a fault of the server".to_owned());
    }
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(&answer.body) else {
        return Some("the body is no JSON".to_owned());
    };
    // These answer with what was asked for, whatever the status (docs/ERRORS.md).
    let is_report = matches!(route.path.as_str(), "/ready" | "/readyz" | "/api/svd/canary");
    let is_verdict = answer.status == 404 && body == json!({ "status": "not_found" });
    if is_verdict || (is_report && answer.status == 503 && body.get("code").is_none()) {
        return None;
    }
    if answer.header("content-type") != Some("application/problem+json") {
        return Some("no problem document".to_owned());
    }
    let id = answer.header("x-request-id");
    if id.is_none() || body["requestId"].as_str() != id {
        return Some("the request id is not that of the header".to_owned());
    }
    let is_documented = ProblemCode::ALL.iter().any(|code| {
        body["code"] == code.as_str()
            && code.status().as_u16() == answer.status
            && body["status"] == answer.status
    });
    (!is_documented).then(|| "the code is not documented for this status".to_owned())
}

/// Sends the requests of one seed, and returns how often each status was the answer.
async fn ask(server: &TestServer, routes: &[Route], seed: u64, count: u64) -> BTreeMap<u16, u64> {
    let (mut random, mut seen) = (Random::new(seed), BTreeMap::new());
    for _ in 0..count {
        for route in routes {
            let (method, bytes) = request(route, &mut random);
            let mut client = server.connect().await;
            client.send(&bytes).await;
            let answer = if method == "HEAD" { client.head().await } else { client.answer().await };
            let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)]).into_owned();
            if let Some(fault) = fault(&method, route, &answer) {
                unreachable!("{fault}: {answer:?} to\n{}", shown());
            }
            *seen.entry(answer.status).or_default() += 1;
        }
    }
    seen
}

/// Limits that nobody meets: what is tried here is what comes after them.
fn unlimited() -> Settings {
    let mut settings = Settings::default();
    let rates = &mut settings.options.limits.rates;
    *rates = rates.times(1_000);
    settings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_no_request_is_answered_with_a_fault_of_the_server() {
    let server = Arc::new(TestServer::with(unlimited()).await);
    let routes: Arc<[Route]> = all_routes().into();
    assert!(routes.len() > 50, "{} routes", routes.len());
    let tasks = (0..AT_ONCE).map(|number| {
        let (server, routes) = (Arc::clone(&server), Arc::clone(&routes));
        let count = requests_for_each_route().div_ceil(AT_ONCE);
        tokio::spawn(async move { ask(&server, &routes, SEED + number, count).await })
    });
    let mut seen: BTreeMap<u16, u64> = BTreeMap::new();
    for task in tasks.collect::<Vec<_>>() {
        for (status, count) in task.await.unwrap() {
            *seen.entry(status).or_default() += count;
        }
    }
    assert!(seen.values().sum::<u64>() >= 4_000, "{seen:?}");
    for status in [200, 204, 400, 401, 403, 404, 405, 413, 414, 415, 431] {
        assert!(seen.contains_key(&status), "nothing was answered {status}: {seen:?}");
    }
    assert_eq!(server.get("/health").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_nothing_that_is_sent_brings_the_server_down() {
    let server = TestServer::with(unlimited()).await;
    let routes = all_routes();
    let mut random = Random::new(SEED);
    let mut answered = 0;
    for number in 0..2_000 {
        let bytes = garbled(&routes[number % routes.len()], &mut random);
        let mut client = server.connect().await;
        client.send(&bytes).await;
        client.finish().await;
        let received = client.until_closed().await;
        let text = String::from_utf8_lossy(&received);
        for line in text.lines().filter(|line| line.starts_with("HTTP/1.")) {
            let status: u16 = line.split(' ').nth(1).unwrap().parse().unwrap();
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)]);
            assert!(status < 500 || status == 503, "{line} to\n{shown}");
            answered += 1;
        }
    }
    assert!(answered > 200, "only {answered} were answered at all");
    assert_eq!(server.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_fault_of_the_server_would_be_seen() {
    let server = TestServer::start().await;
    let routes = all_routes();
    assert!(fault("GET", &routes[0], &server.get("/panic").await).is_some());
    let mut answer = server.get("/nowhere").await;
    assert_eq!(fault("GET", &routes[0], &answer), None);
    answer.headers.retain(|(name, _)| name != "x-request-id");
    assert!(fault("GET", &routes[0], &answer).is_some());
    answer.body = b"Bad Request".to_vec();
    assert!(fault("GET", &routes[0], &answer).is_some());
}

#[tokio::test]
async fn g1_what_the_predecessor_answered_with_500_is_the_clients_fault_here() {
    let server = TestServer::start().await;
    let post = |body: &str, more: &str| {
        format!(
            "POST /api/svd/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{more}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    server.send(post("{\"text\":", "")).await.problem(400, "MALFORMED_JSON");
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(1024 * 1024));
    server.send(post(&large, "")).await.problem(413, "PAYLOAD_TOO_LARGE");
    server.get("/v1/patches/verify/%E0%A4%A").await.problem(400, "BAD_REQUEST");
    server.get("/v1/patches/pending/registration/not-an-id").await.problem(404, "NOT_FOUND");
    // A page of another origin gets a plain answer that its browser keeps from it.
    let refused = server.send(post("{\"text\":\"\"}", "Origin: https://evil.example\r\n")).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (200, None));
    let mut client: Client<_> = server.connect().await;
    client.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
}
