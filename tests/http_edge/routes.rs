//! What holds for every answer: identifiers, headers, methods, panics, CORS, metrics, health.

use patchproof::http::health::ReadinessStatus;

use crate::support::{KEY, Settings, TestServer};

#[tokio::test]
async fn g8_a_harmless_request_id_is_kept_and_any_other_replaced() {
    let server = TestServer::start().await;
    let get = |id: &str| format!("GET /health HTTP/1.1\r\nHost: a\r\nX-Request-Id: {id}\r\n\r\n");
    let kept = server.send(get("order-12345")).await;
    assert_eq!(kept.header("x-request-id"), Some("order-12345"));
    for bad in ["short", "has space in it", "new\u{fc}-12345", &"x".repeat(65), ""] {
        let answer = server.send(get(bad)).await;
        let id = answer.header("x-request-id").unwrap();
        assert!(id.len() == 36 && id.as_bytes()[14] == b'7', "{bad}: {id}");
    }
    let first = server.get("/nowhere").await.problem(404, "NOT_FOUND");
    let second = server.get("/nowhere").await.problem(404, "NOT_FOUND");
    assert_ne!(first["requestId"], second["requestId"]);
    assert_eq!(first["instance"], "/nowhere");
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let server = TestServer::start().await;
    let answer = server.send("DELETE /items/1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    answer.problem(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
    let options = server.send("OPTIONS /items/1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((options.status, options.header("allow")), (204, Some("GET,HEAD")));
    assert_eq!(options.body, b"");
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    for (path, status) in [("/items/12345", 200), ("/nowhere", 404)] {
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let head = client.head().await;
        assert_eq!(head.status, status);
        let length: usize = head.header("content-length").unwrap().parse().unwrap();
        assert!(length >= 5);
    }
    // Had a body been sent, this answer would not be found at its place.
    client.send("GET /items/7 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.answer().await.text(), "7");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = TestServer::start().await;
    for (path, is_page) in
        [("/health", false), ("/nowhere", false), ("/panic", false), ("/docs/errors", true)]
    {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'"), "{path}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        let in_older_words = ["referrer-policy", "x-frame-options"].map(|name| answer.header(name));
        let expected = if is_page { [Some("no-referrer"), Some("DENY")] } else { [None, None] };
        assert_eq!(in_older_words, expected, "{path}");
    }
}

#[tokio::test]
async fn a_panic_is_one_500_that_tells_nothing_and_the_connection_goes_on() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    client.send("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let problem = client.answer().await.problem(500, "INTERNAL");
    assert!(problem.get("detail").is_none());
    client.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn only_listed_origins_may_read_answers_errors_included() {
    let server = TestServer::start().await;
    let from = |method: &str, path: &str, origin: &str| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\n\r\n"
        )
    };
    for (path, status) in [("/health", 200), ("/nowhere", 404), ("/panic", 500)] {
        let listed = server.send(from("GET", path, "https://shop.example")).await;
        assert_eq!(listed.status, status);
        let allowed = listed.header("access-control-allow-origin");
        assert_eq!(allowed, Some("https://shop.example"), "{path}");
        assert_eq!(listed.header("vary"), Some("origin"));
        let other = server.send(from("GET", path, "https://shop.example.evil")).await;
        assert_eq!((other.status, other.header("access-control-allow-origin")), (status, None));
    }
    let preflight = server.send(from("OPTIONS", "/echo", "https://shop.example")).await;
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("x-api-key"));
    let refused = server.send(from("OPTIONS", "/echo", "https://evil.example")).await;
    assert_eq!((refused.status, refused.header("access-control-allow-headers")), (204, None));
}

#[tokio::test]
async fn latency_is_counted_by_route_and_never_by_path() {
    let server = TestServer::start().await;
    for path in ["/items/1", "/items/2", "/nowhere/a", "/nowhere/b"] {
        server.get(path).await;
    }
    server
        .send("BREW /items/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .problem(405, "METHOD_NOT_ALLOWED");
    let metrics = server.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let count = |labels: &str| format!("http_request_duration_seconds_count{{{labels}}} 2\n");
    let known = count("method=\"GET\",route=\"/items/{id}\",status=\"2xx\"");
    let unknown = count("method=\"GET\",route=\"other\",status=\"4xx\"");
    assert!(metrics.text().contains(&known), "{}", metrics.text());
    assert!(metrics.text().contains(&unknown), "{}", metrics.text());
    assert!(metrics.text().contains("method=\"OTHER\"") && !metrics.text().contains("BREW"));
}

#[tokio::test]
async fn g9_metrics_ask_for_a_key_where_they_should() {
    let mut settings = Settings::default();
    settings.options.metrics_require_api_key = true;
    let (open, closed) = (TestServer::start().await, TestServer::with(settings).await);
    open.get("/internal/metrics").await.problem(401, "UNAUTHENTICATED");
    closed.get("/metrics").await.problem(401, "UNAUTHENTICATED");
    for path in ["/metrics", "/internal/metrics"] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\n\
             Accept: application/openmetrics-text\r\n\r\n"
        );
        let answer = closed.send(request).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text().ends_with("# EOF\n"));
    }
}

#[tokio::test]
async fn g9_metrics_that_are_switched_off_are_served_to_key_holders_only() {
    let mut settings = Settings::default();
    settings.options.metrics_enabled = false;
    let server = TestServer::with(settings).await;
    server.get("/metrics").await.problem(404, "NOT_FOUND");
    let request = format!("GET /internal/metrics HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\n\r\n");
    assert_eq!(server.send(request).await.status, 200);
}

#[tokio::test]
async fn relaxed_checks_let_in_who_presents_nothing_and_still_judge_what_is_presented() {
    let settings = Settings { is_relaxed: true, ..Settings::default() };
    let server = TestServer::with(settings).await;
    assert_eq!(server.get("/internal/metrics").await.status, 200);
    assert_eq!(server.get("/who").await.text(), "test");
    let wrong = "GET /internal/metrics HTTP/1.1\r\nHost: a\r\nX-Api-Key: wrong\r\n\r\n";
    server.send(wrong).await.problem(401, "INVALID_API_KEY");
    let wrong = "GET /who HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer wrong\r\n\r\n";
    server.send(wrong).await.problem(401, "TOKEN_INVALID");
}

#[tokio::test]
async fn health_answers_whatever_readiness_says() {
    for (status, http, name) in [
        (ReadinessStatus::Ok, 200, "ok"),
        (ReadinessStatus::Degraded, 200, "degraded"),
        (ReadinessStatus::StorageFull, 503, "storage_full"),
        (ReadinessStatus::Unavailable, 503, "unavailable"),
    ] {
        let server = TestServer::with(Settings { readiness: status, ..Settings::default() }).await;
        for path in ["/health", "/livez"] {
            let answer = server.get(path).await;
            assert_eq!((answer.status, answer.text()), (200, "{\"status\":\"ok\"}"));
        }
        for path in ["/ready", "/readyz"] {
            let answer = server.get(path).await;
            assert_eq!(answer.status, http);
            assert_eq!(answer.json()["status"], name);
            assert_eq!(answer.json()["dependencies"][0]["name"], "store");
        }
    }
}

#[tokio::test]
async fn a_ping_is_answered_in_plain_text() {
    let server = TestServer::start().await;
    let answer = server.get("/__ping").await;
    assert_eq!(answer.text(), "pong");
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(server.get("/version").await.json()["version"], env!("CARGO_PKG_VERSION"));
}
