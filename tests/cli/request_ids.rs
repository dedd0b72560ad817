//! The request id is in every line and every problem, whatever the request and the level of the log.

use std::fs::File;

use serde_json::{Value, json};

use crate::program::{Running, ask};
use crate::world::World;

const KEY: &str = "canary-4f0f1c6b8e2d7a5934c1b0e8d6f2a7c3";

fn serve(world: &World, log: &std::path::Path, level: &str) -> (Running, String) {
    let log = File::create(log).unwrap();
    let more = [("API_KEY", KEY), ("LOG_LEVEL", level), ("LOG_FORMAT", "json")];
    let start = |variables: &[(&str, &str)]| {
        Running::start_logging(&["serve"], &[variables, &more[..]].concat(), log)
    };
    let server = world.with_environment(start);
    let url = server.url.strip_prefix("listening on ").unwrap().trim_end_matches('/').to_owned();
    (server, url)
}

/// Sends a request under an identifier of its own, which a problem must repeat.
fn ask_as(url: &str, id: &str, (method, path): (&str, &str), head: &str, body: &Value) -> u16 {
    let head = format!("X-Request-Id: {id}\r\n{head}");
    let (status, answer) = ask(url, method, path, &head, &body.to_string());
    if status >= 400 {
        assert_eq!(answer["requestId"], id, "{answer}");
    }
    status
}

#[test]
fn h_request_id_is_in_every_line_about_a_request_that_the_program_writes() {
    let mut world = World::start();
    let log = world.folder.path().join("log");
    let (server, url) = serve(&world, &log, "info");
    let full = format!("X-Api-Key: {KEY}\r\n");
    let wish = json!({ "name": "a till", "scopes": ["unlock"] });
    let (status, created) = ask(&url, "POST", "/v1/admin/keys", &full, &wish.to_string());
    assert_eq!(status, 201, "{created}");
    let narrow = format!("X-Api-Key: {}\r\n", created["key"].as_str().unwrap());
    let wrong = "Authorization: Bearer a.b.c\r\n";
    let nothing = json!({});
    let both = format!("{full}{wrong}");
    let transfer = format!("/v1/patches/{}/transfer-ownership", "0".repeat(64));
    world.signer.kill();
    for (id, to, head, status, said) in [
        ("get-without-scope", ("GET", "/v1/admin/audit"), &narrow, 403, "a key lacks a scope"),
        ("head-without-scope", ("HEAD", "/v1/admin/keys"), &narrow, 403, "a key lacks a scope"),
        (
            "token-refused",
            ("POST", "/v1/auth/logout"),
            &wrong.to_owned(),
            401,
            "a token was refused",
        ),
        ("token-beside-a-key", ("POST", transfer.as_str()), &both, 401, "a token was refused"),
        ("canary-no-signer", ("GET", "/api/svd/canary"), &full, 200, "without the signer's proof"),
    ] {
        // An answer to HEAD has no body that could repeat the identifier.
        let seen = match to.0 {
            "HEAD" => ask(&url, to.0, to.1, &format!("X-Request-Id: {id}\r\n{head}"), "").0,
            _ => ask_as(&url, id, to, head, &nothing),
        };
        assert_eq!(seen, status, "{id}");
        let lines = lines(&log);
        let about = lines.iter().filter(|line| line["request_id"] == id);
        let messages: Vec<&str> = about.map(|line| line["message"].as_str().unwrap()).collect();
        assert!(messages.iter().any(|message| message.contains(said)), "{id}: {messages:?}");
        assert!(status < 400 || messages.contains(&"answered"), "{id}: {messages:?}");
    }
    for (id, path) in [("public-not-found", "/nowhere"), ("public-bad-request", "/health?%")] {
        assert!(ask_as(&url, id, ("GET", path), "", &nothing) >= 400);
        assert!(lines(&log).iter().any(|line| line["request_id"] == id), "{id}");
    }
    assert!(server.stop().success());
    let without = |line: &&Value| {
        let target = line["target"].as_str().unwrap();
        target.starts_with("patchproof::http") && line["request_id"].is_null()
    };
    let lines = lines(&log);
    assert_eq!(lines.iter().filter(without).collect::<Vec<_>>(), Vec::<&Value>::new());
}

fn lines(log: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
