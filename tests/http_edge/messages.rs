//! Messages that can be read in two ways, or are too large, or are no HTTP at all.

use crate::support::{Settings, TestServer};

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn a_length_stated_in_two_ways_is_refused_and_the_connection_closed() {
    let server = TestServer::start().await;
    let both = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ];
    for headers in both {
        for before in ["", HEALTH] {
            let mut client = server.connect().await;
            let smuggled = "0\r\n\r\nGET /version HTTP/1.1\r\nHost: a\r\n\r\n";
            let post = format!("POST /api/svd/echo HTTP/1.1\r\nHost: a\r\n{headers}\r\n{smuggled}");
            client.send([before, &post].concat()).await;
            if !before.is_empty() {
                assert_eq!(client.answer().await.status, 200);
            }
            let answer = client.answer().await;
            answer.problem(400, "BAD_REQUEST");
            assert_eq!(answer.header("connection"), Some("close"));
            assert_eq!(client.until_closed().await, b"", "{headers}");
        }
    }
}

#[tokio::test]
async fn exactly_one_host_is_needed() {
    let server = TestServer::start().await;
    for hosts in ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n", "Host: a/b\r\n"] {
        let answer = server.send(format!("GET /health HTTP/1.1\r\n{hosts}\r\n")).await;
        answer.problem(400, "BAD_REQUEST");
    }
    let old = server.send("GET /health HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.status, 200);
    let absolute = server.send("GET http://a/health HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(absolute.status, 200);
    let other = server.send("GET http://b/health HTTP/1.1\r\nHost: a\r\n\r\n").await;
    other.problem(400, "BAD_REQUEST");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = TestServer::start().await;
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Large: {}\r\n\r\n", "x".repeat(100_000));
    let larger = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Large: {}", "x".repeat(1_000_000));
    let little = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Large: {}\r\n\r\n", "x".repeat(40_000));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-Many: 1\r\n".repeat(1_000));
    for request in [large, larger, little, many] {
        let mut client = server.connect().await;
        client.send(request).await;
        client.answer().await.problem(431, "HEADERS_TOO_LARGE");
        assert_eq!(client.until_closed().await, b"");
    }
}

#[tokio::test]
async fn a_target_that_is_too_long_is_refused() {
    let server = TestServer::start().await;
    let answer = server.get(&["/", &"a".repeat(9_000)].concat()).await;
    answer.problem(414, "URI_TOO_LONG");
}

#[tokio::test]
async fn what_is_no_http_is_refused_with_a_problem_document() {
    let server = TestServer::start().await;
    for request in [
        "\u{1}\u{2}\u{3}\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Nul: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Folded: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(request).await;
        client.answer().await.problem(400, "BAD_REQUEST");
        assert_eq!(client.until_closed().await, b"", "{request:?}");
    }
}

#[tokio::test]
async fn g1_a_percent_sign_that_escapes_nothing_is_refused() {
    let server = TestServer::start().await;
    for path in ["/items/%", "/items/%zz", "/items/1?a=%g0"] {
        server.get(path).await.problem(400, "BAD_REQUEST");
    }
    for path in ["/items/%ff", "/items/%c0%80", "/items/abc", "/items/4294967296"] {
        let problem = server.get(path).await.problem(400, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "id", "{problem}");
    }
    server.get("/items/%2e%2e%2fhealth").await.problem(400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn g4_a_body_over_the_limit_is_refused_whether_its_length_is_stated_or_not() {
    let server = TestServer::start().await;
    for (path, limit) in [("/api/svd/echo", 32 * 1024), ("/echo", 1024 * 1024)] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: full-key\r\n\
             Content-Type: application/json\r\n"
        );
        let body = format!("{{\"text\":\"{}\"}}", "x".repeat(limit));
        let stated = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        server.send(stated).await.problem(413, "PAYLOAD_TOO_LARGE");
        let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}");
        server.send(chunked).await.problem(413, "PAYLOAD_TOO_LARGE");
    }
}

#[tokio::test]
async fn a_chunked_body_within_the_limit_is_read_and_ends_the_connection() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let request = "POST /api/svd/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                   Transfer-Encoding: chunked\r\n\r\n6\r\n{\"text\r\n5\r\n\":\"\"}\r\n0\r\n\r\n";
    client.send([request, HEALTH].concat()).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.text()), (200, "{\"text\":\"\"}"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(client.until_closed().await, b"");
}

#[tokio::test]
async fn badly_framed_chunks_are_refused() {
    let server = TestServer::start().await;
    for chunks in ["zz\r\n{}\r\n", "fffffffffffffffff\r\n{}", "+2\r\n{}\r\n0\r\n\r\n", "2\r\n{}xx"]
    {
        let request = format!(
            "POST /api/svd/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n{chunks}"
        );
        server.send(request).await.problem(400, "BAD_REQUEST");
    }
}

#[tokio::test]
async fn a_client_that_waits_for_leave_to_send_is_told_to() {
    let server = TestServer::with(Settings::default()).await;
    let mut client = server.connect().await;
    client
        .send(
            "POST /api/svd/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
             Content-Length: 11\r\nExpect: 100-continue\r\n\r\n",
        )
        .await;
    assert_eq!(client.head().await.status, 100);
    client.send("{\"text\":\"\"}").await;
    assert_eq!(client.answer().await.status, 200);
}
