//! docs/API.md against the routes: it lists every one of them, with who may call it, what counts it
//! and what it answers, as the program has it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use patchproof::auth::Scope;
use patchproof::auth::account::Role;
use patchproof::http::limits::LimitClass;
use reqwest::Method;
use serde_json::Value;

use crate::permissions::{TABLE, Who};
use crate::support::app::TestApp;

/// Marks routes that take an `Idempotency-Key`.
const ONCE: char = '↻';
/// Marks routes that take `Prefer: respond-async`.
const WAITING: char = '⧗';
/// Refusals that hold for all routes and are said once.
const SAID_ONCE: [&str; 4] = ["401", "403", "429", "503"];

/// A row of a table of the reference.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    who: String,
    limit: String,
    answers: BTreeSet<String>,
    is_once: bool,
    is_waiting: bool,
}

/// Reads the rows `| `GET /path` ↻ | who | `limit` | answers | … |`.
fn reference() -> BTreeMap<(String, String), Row> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/API.md");
    let text = std::fs::read_to_string(file).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, route, who, limit, answers, ..] = cells[..] else { continue };
        let Some((name, marks)) = route.strip_prefix('`').and_then(|it| it.split_once('`')) else {
            continue;
        };
        let Some((method, path)) = name.split_once(' ').filter(|(_, path)| path.starts_with('/'))
        else {
            continue;
        };
        let row = Row {
            who: who.to_owned(),
            limit: limit.trim_matches('`').to_owned(),
            answers: answers.split(", ").map(str::to_owned).collect(),
            is_once: marks.contains(ONCE),
            is_waiting: marks.contains(WAITING),
        };
        let former = rows.insert((method.to_owned(), path.to_owned()), row);
        assert_eq!(former, None, "{method} {path} is there twice");
    }
    rows
}

fn in_words(who: Who) -> String {
    let key = |scope: Scope| format!("key `{}`", scope.as_str());
    match who {
        Who::Anybody => "anybody".to_owned(),
        Who::Key(scope) => key(scope),
        Who::EitherKey(one, other) => format!("{} or `{}`", key(one), other.as_str()),
        Who::Read(scope) => format!("{}, auditor", key(scope)),
        Who::Session => "session".to_owned(),
        Who::SessionOrKey(scope) => format!("session, or {}", key(scope)),
        Who::SessionAndToken => "session and token".to_owned(),
        Who::AnybodyOrKey(scope) => format!("anybody, or {}", key(scope)),
        Who::Token => "token".to_owned(),
        Who::KeyAndToken(scope) => format!("{} and token", key(scope)),
    }
}

fn limit_of(path: &str, who: Who) -> &'static str {
    match (LimitClass::of_route(path), who) {
        (LimitClass::Public, Who::Token) => LimitClass::Token.as_str(),
        (LimitClass::Public, Who::Anybody | Who::AnybodyOrKey(_)) => LimitClass::Public.as_str(),
        (LimitClass::Public, _) => LimitClass::ApiKey.as_str(),
        (class, _) => class.as_str(),
    }
}

#[test]
fn every_route_is_in_the_reference_with_who_may_call_it() {
    let rows = reference();
    let routes: BTreeSet<(String, String)> =
        TABLE.iter().map(|(method, path, _)| ((*method).into(), (*path).into())).collect();
    let listed: BTreeSet<(String, String)> = rows.keys().cloned().collect();
    assert_eq!(listed, routes);
    for (method, path, who) in TABLE {
        let row = &rows[&((*method).to_owned(), (*path).to_owned())];
        assert_eq!(row.who, in_words(*who), "{method} {path}");
        assert_eq!(row.limit, limit_of(path, *who), "{method} {path}");
    }
}

#[tokio::test]
async fn the_reference_names_the_answers_of_the_description() {
    let app = TestApp::penniless().await;
    let url = app.base.join("openapi.json").unwrap();
    let document: Value = app.client.get(url).send().await.unwrap().json().await.unwrap();
    for ((method, path), row) in reference() {
        let operation = &document["paths"][&path][method.to_lowercase()];
        let answers = operation["responses"].as_object().unwrap().keys();
        let answers: BTreeSet<String> =
            answers.filter(|status| !SAID_ONCE.contains(&status.as_str())).cloned().collect();
        // 503 stands in a row where the route says more by it than that something is away.
        let named: BTreeSet<String> = row.answers.into_iter().filter(|it| it != "503").collect();
        assert_eq!(named, answers, "{method} {path}");
    }
}

#[test]
fn the_reference_marks_the_routes_that_wait() {
    let description = patchproof::http::description();
    for ((method, path), row) in reference() {
        let parameters = &description["paths"][&path][method.to_lowercase()]["parameters"];
        let takes = parameters.to_string().contains("#/components/parameters/Prefer");
        assert_eq!(row.is_waiting, takes, "{method} {path}");
    }
}

#[tokio::test]
async fn the_reference_marks_the_routes_that_take_an_idempotency_key() {
    let app = TestApp::penniless().await;
    let browser = app.staff("grace", Role::Admin).await;
    let too_long = "k".repeat(300);
    for ((method, path), row) in reference() {
        if method != "POST" {
            assert!(!row.is_once, "{method} {path}");
            continue;
        }
        let filled = path.replace("{txid}", &"0".repeat(64)).replace("{id}", "1");
        let filled = filled.replace("{uid_tag_id}", "TAG-1");
        let segments: Vec<&str> = filled.trim_start_matches('/').split('/').collect();
        // A person for each: one of the routes takes back all tokens of its caller.
        let token = app.token_of(&path);
        let call = if row.who.starts_with("session") {
            browser.call(&app, Method::POST, &segments.join("/"))
        } else {
            app.api().call(Method::POST, &segments)
        };
        let call = call.bearer(&token).text("{");
        let answer = call.header("idempotency-key", &too_long).send().await;
        let is_judged = String::from_utf8_lossy(&answer.body).contains("Idempotency-Key");
        assert_eq!(is_judged, row.is_once, "{path}: {}", answer.status);
    }
}
