//! The newest lines of the log: found by level and text, told to those who ask for them, and no more
//! than was written.

use patchproof::service::logs::LineLevel;
use patchproof::types::Clock;
use serde_json::json;

use crate::support::app::{FULL_KEY, TestApp};
use crate::support::listener::Listener;

fn write(app: &TestApp, level: LineLevel, text: &str) {
    app.services.console.logs.keep(app.outside.clock.now(), level, text);
}

async fn read(app: &TestApp, query: &[(&str, &str)]) -> serde_json::Value {
    let call = app.api().call(reqwest::Method::GET, &["v1", "admin", "logs"]);
    call.query(query).send().await.expect(200)
}

#[tokio::test]
async fn lines_are_found_by_level_text_and_number_and_json_is_taken_apart() {
    let app = TestApp::penniless().await;
    let line = json!({ "timestamp": "2026-01-01T00:00:00Z", "level": "WARN", "message": "slow Disk",
        "took_ms": 70, "target": "patchproof::storage", "request_id": "order-12345" });
    write(&app, LineLevel::Warn, &format!("{line}\n"));
    write(&app, LineLevel::Info, "text with <b>marks</b>");
    write(&app, LineLevel::Error, "the disk is full");
    let all = read(&app, &[]).await;
    assert_eq!((all["items"].as_array().unwrap().len(), &all["newest"]), (3, &json!(3)));
    let first = &all["items"][0];
    assert_eq!(first["message"], "slow Disk");
    assert_eq!(first["fields"], json!({ "took_ms": 70 }));
    assert_eq!((&first["requestId"], &first["level"]), (&json!("order-12345"), &json!("warn")));
    assert_eq!(all["items"][1]["message"], "text with <b>marks</b>");
    let numbers = async |query: &[(&str, &str)]| {
        let found = read(&app, query).await["items"].as_array().unwrap().clone();
        found.iter().map(|line| line["number"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&[("level", "warn")]).await, [1, 3]);
    assert_eq!(numbers(&[("search", "DISK"), ("limit", "1")]).await, [3]);
    assert_eq!(numbers(&[("after", "1")]).await, [2, 3]);
    assert_eq!(numbers(&[("after", "0"), ("limit", "2")]).await, [1, 2]);
    for (name, value) in [("level", "loud"), ("limit", "501"), ("search", &"x".repeat(201))] {
        let call = app.api().call(reqwest::Method::GET, &["v1", "admin", "logs"]);
        call.query(&[(name, value)]).send().await.invalid(&[name]);
    }
}

#[tokio::test]
async fn new_lines_are_heard_by_those_who_ask_for_them() {
    let app = TestApp::penniless().await;
    write(&app, LineLevel::Info, "before");
    let mut one = Listener::of(&app, FULL_KEY, "topics=log", None).await;
    let mut other = Listener::of(&app, FULL_KEY, "", None).await;
    for _ in 0..200 {
        write(&app, LineLevel::Info, "flood");
    }
    write(&app, LineLevel::Error, "after");
    let (mut events, mut told, mut last) = (0, 0, 0);
    let newest = loop {
        let heard = one.until("log").await.data;
        events += 1;
        for line in heard["items"].as_array().unwrap() {
            assert_ne!(line["message"], "before");
            assert!(line["number"].as_u64().unwrap() > last, "{line}");
            last = line["number"].as_u64().unwrap();
            told += 1;
        }
        assert_eq!(heard["newest"], last);
        if let Some(line) =
            heard["items"].as_array().unwrap().iter().find(|it| it["message"] == "after")
        {
            break line.clone();
        }
    };
    assert_eq!((&newest["level"], last), (&json!("error"), 202));
    // A flood is no flood of events, and leaves lines out rather than come late.
    assert!(events <= 4 && told <= 64 * events, "{told} lines in {events} events");
    app.services.console.feed.publish(patchproof::service::live::Event::Settings);
    loop {
        let heard = other.next().await.unwrap();
        assert_ne!(heard.event, "log");
        if heard.event == "settings" {
            break;
        }
    }
}
