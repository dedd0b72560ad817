//! Codes sent to mailboxes, by the program as it is installed: neither code nor address is seen
//! anywhere but in the mail (B6), and production does not start without a mail server.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::post_office::{PostOffice, Received, Reception};
use crate::program::{Running, ask, ask_raw, run};
use crate::world::World;

const API_KEY: &str = "9d1c7f3e5b8a2046c8e0f2d4b6a81357";
const MAILBOX: &str = "canary-mailbox-7d31b0e4@shop.example";
const MASTER: &str = "mV7v0oPq2L1sK9xQ3zRfT8uYhJ5gDcBa";
/// Longer than anything here takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(found) = probe() {
            return found;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    unreachable!("did not happen in time: {what}")
}

fn post(url: &str, step: &str, body: &Value) -> (u16, Value) {
    ask(url, "POST", &format!("/v1/auth/{step}"), "", &body.to_string())
}

fn letter(post_office: &PostOffice, number: usize) -> Received {
    wait_for("a letter arrives", || post_office.letters_to(MAILBOX).get(number).cloned())
}

/// Starts a server that logs everything and sends its mail to the post office.
fn serve(world: &World, post_office: &PostOffice, log: &Path) -> Running {
    let port = post_office.address.port().to_string();
    let more = [
        ("LOG_LEVEL", "trace"),
        ("API_KEY", API_KEY),
        ("MASTER_SECRET", MASTER),
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", &port),
        ("EMAIL_FROM", "Shop <codes@shop.example>"),
        ("AUTH_REQUEST_MAX", "1000"),
    ];
    let log = File::options().append(true).create(true).open(log).unwrap();
    let mut server = world.with_environment(|variables| {
        Running::start_logging(&["serve"], &[variables, &more].concat(), log)
    });
    let url = server.url.strip_prefix("listening on ").unwrap();
    server.url = url.trim_end_matches('/').to_owned();
    server
}

/// Says whether a word lies open in a file of the data directory.
#[track_caller]
fn assert_hidden(world: &World, words: &[&str]) {
    let mut searched = 0;
    for entry in std::fs::read_dir(world.folder.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        searched += bytes.len();
        for word in words {
            let is_there = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!is_there, "{word} lies open in {}", path.display());
        }
    }
    assert!(searched > 10_000, "only {searched} bytes were searched");
}

#[test]
fn b6_code_and_address_are_in_the_mail_and_nowhere_else() {
    let (world, post_office) = (World::start(), PostOffice::open());
    let log = world.folder.path().join("log");
    let server = serve(&world, &post_office, &log);
    let request = json!({ "identifier": MAILBOX });
    let mut codes = Vec::new();
    // Taken, put off, refused for good: what a mail server says repeats the address.
    post_office.is(Reception::Unwilling);
    assert_eq!(post(&server.url, "request-verification", &request).0, 200);
    wait_for("the mail server is asked", || (post_office.connections() > 0).then_some(()));
    post_office.is(Reception::Busy);
    let (status, asked) = post(&server.url, "request-verification", &request);
    assert_eq!(status, 200);
    wait_for("it is asked again", || (post_office.connections() > 1).then_some(()));
    assert_hidden(&world, &[MAILBOX]);
    post_office.is(Reception::Kind);
    codes.push(letter(&post_office, 0).code());
    let mut body = json!({ "identifier": MAILBOX, "code": "not the code" });
    assert_eq!(post(&server.url, "submit-verification", &body).0, 401);
    body["requestId"] = asked["requestId"].clone();
    assert_eq!(post(&server.url, "submit-verification", &body).0, 401);
    body["code"] = codes[0].clone().into();
    let (status, done) = post(&server.url, "submit-verification", &body);
    assert_eq!(status, 200, "{done}");
    let token = done["token"].as_str().unwrap().to_owned();
    // One that was sent and is still good, while the store is looked through.
    assert_eq!(post(&server.url, "request-verification", &request).0, 200);
    codes.push(letter(&post_office, 1).code());

    let key = format!("X-Api-Key: {API_KEY}\r\n");
    let mut said = String::new();
    for path in ["/metrics", "/internal/metrics", "/ready", "/v1/admin/audit"] {
        let answer = ask_raw(&server.url, "GET", path, &key, "");
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        said.push_str(&answer.body);
    }
    assert!(said.contains("mail_sent_total{result=\"sent\"} 2"), "{said}");
    assert!(said.contains("email.request"), "{said}");
    let long = letter(&post_office, 1).long_code();
    let words = [&long, MAILBOX, "canary-mailbox-7d31b0e4", &codes[0], &codes[1], &token];
    assert_hidden(&world, &words);
    assert!(server.stop().success());
    assert_eq!(post_office.count(), 2);
    assert_hidden(&world, &words);
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("a code is to be sent") && log.contains("550"), "{log}");
    for word in words {
        assert!(!log.contains(word), "{word} is in the log: {log}");
        assert!(!said.contains(word), "{word} is told: {said}");
    }
}

#[test]
fn b6_a_mail_outlives_a_kill_and_is_sent_by_the_next_process() {
    let (world, post_office) = (World::start(), PostOffice::open());
    let log = world.folder.path().join("log");
    let mut server = serve(&world, &post_office, &log);
    post_office.is(Reception::Closed);
    let request = json!({ "identifier": MAILBOX });
    let (status, asked) = post(&server.url, "request-verification", &request);
    assert_eq!(status, 200);
    server.kill();
    assert_hidden(&world, &[MAILBOX]);
    // A command that works on the store meanwhile leaves the mail to the server.
    world.run(&["check"]).expect(0);
    world.run(&["records", "recover"]);
    post_office.is(Reception::Kind);
    let server = serve(&world, &post_office, &log);
    let code = letter(&post_office, 0).code();
    let mut body = json!({ "identifier": MAILBOX, "code": code });
    body["requestId"] = asked["requestId"].clone();
    assert_eq!(post(&server.url, "submit-verification", &body).0, 200);
}

#[test]
fn without_a_mail_server_a_developer_finds_the_code_in_the_log() {
    let world = World::start();
    let log = world.folder.path().join("log");
    let file = File::create(&log).unwrap();
    let mut server = world.with_environment(|variables| {
        Running::start_logging(&["serve"], &[variables, &[("LOG_LEVEL", "error")]].concat(), file)
    });
    server.url = server.url.replace("listening on ", "").trim_end_matches('/').to_owned();
    let request = json!({ "identifier": MAILBOX });
    let (_, asked) = post(&server.url, "request-verification", &request);
    let code = wait_for("the code is shown", || {
        let text = std::fs::read_to_string(&log).unwrap();
        let rest = text.split("Your code is ").nth(1)?;
        Some(rest[..8].to_owned())
    });
    let mut body = json!({ "identifier": MAILBOX, "code": code });
    body["requestId"] = asked["requestId"].clone();
    assert_eq!(post(&server.url, "submit-verification", &body).0, 200);
}

#[test]
fn b6_production_does_not_start_without_a_mail_server() {
    let good = [
        ("NODE_ENV", "production"),
        ("API_KEY", API_KEY),
        ("JWT_SECRET", "jV7v0oPq2L1sK9xQ3zRfT8uYhJ5gDcBb"),
        ("MASTER_SECRET", MASTER),
        ("KMS_SIGN_URL", "https://kms.example/sign"),
        ("ISSUER_KEY_IDENTIFIER", "issuer"),
        ("UTXO_FUNDING_KEY_IDENTIFIER", "funding"),
    ];
    let refused = run(&["serve"], &good).expect(78);
    assert!(refused.stderr.contains("SMTP_HOST") && refused.stderr.contains("EMAIL_FROM"));
    let mail = [("SMTP_HOST", "mail.shop.example"), ("EMAIL_FROM", "codes@shop.example")];
    run(&["config", "check"], &[&good[..], &mail].concat()).expect(0);
}
