//! Who is let in, and in which order the refusals come.

use crate::support::{KEY, POS_KEY, TestServer};

fn post(headers: &str, body: &str) -> String {
    format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_key_is_asked_for_judged_and_its_scope_checked() {
    let server = TestServer::start().await;
    let body = "{\"text\":\"hello\"}";
    let missing = server.send(post("", body)).await;
    missing.problem(401, "UNAUTHENTICATED");
    assert!(missing.header("www-authenticate").is_some());
    let wrong = server.send(post("X-Api-Key: S3CRET\r\n", body)).await;
    wrong.problem(401, "INVALID_API_KEY");
    assert!(wrong.header("www-authenticate").is_some());
    let twice = format!("X-Api-Key: {KEY}\r\nX-Api-Key: {KEY}\r\n");
    server.send(post(&twice, body)).await.problem(401, "INVALID_API_KEY");
    let narrow = server.send(post(&format!("X-Api-Key: {POS_KEY}\r\n"), body)).await;
    narrow.problem(403, "FORBIDDEN");
    let good = server.send(post(&format!("X-Api-Key: {KEY}\r\n"), body)).await;
    assert_eq!((good.status, good.text()), (200, body));
    assert_eq!(good.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_stranger_is_refused_before_the_body_is_read() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                Content-Length: 1000\r\n\r\n";
    client.send(head).await;
    client.answer().await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_token_is_read_in_any_case_and_only_once() {
    let server = TestServer::start().await;
    let who = |headers: &str| format!("GET /who HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
    let good = server.send(who("Authorization: bEaReR good\r\n")).await;
    assert_eq!((good.status, good.text()), (200, "ada"));
    server.send(who("")).await.problem(401, "UNAUTHENTICATED");
    for headers in [
        "Authorization: Bearer S3CRET\r\n",
        "Authorization: Basic good\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer good\r\nAuthorization: Bearer good\r\n",
    ] {
        server.send(who(headers)).await.problem(401, "TOKEN_INVALID");
    }
}

#[tokio::test]
async fn g1_the_body_is_judged_after_the_key() {
    let server = TestServer::start().await;
    let key = format!("X-Api-Key: {KEY}\r\n");
    for (body, code, field) in [
        ("{\"text\":", "MALFORMED_JSON", ""),
        ("{\"text\":\"a\",\"text\":\"S3CRET\"}", "MALFORMED_JSON", ""),
        ("{\"text\":\"a\",\"nested\":{\"x\":[{\"y\":1,\"Y\":2}]}}", "MALFORMED_JSON", ""),
        ("\u{feff}{\"text\":\"a\"}", "MALFORMED_JSON", ""),
        ("", "MALFORMED_JSON", ""),
        ("{\"text\":7}", "VALIDATION_FAILED", "text"),
        ("{}", "VALIDATION_FAILED", "text"),
        ("{\"text\":\"a\",\"other\":\"S3CRET\"}", "VALIDATION_FAILED", "other"),
    ] {
        let problem = server.send(post(&key, body)).await.problem(400, code);
        assert_eq!(problem["errors"][0]["field"].as_str().unwrap_or(""), field, "{body}");
    }
    let deep = format!("{{\"text\":\"a\",\"nested\":{}", "[".repeat(200_000));
    server.send(post(&key, &deep)).await.problem(400, "MALFORMED_JSON");
}

#[tokio::test]
async fn only_plain_json_is_taken() {
    let server = TestServer::start().await;
    for headers in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/json; charset=utf-7\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
    ] {
        let request = format!(
            "POST /api/svd/echo HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: 2\r\n\r\n{{}}"
        );
        server.send(request).await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    }
}
