//! The description of the API tells the truth: every route is asked, and what it says at the door, in its
//! limits and in its headers is what the description says.

use std::collections::BTreeSet;
use std::time::Duration;

use patchproof::auth::Scope;
use patchproof::auth::account::Role;
use patchproof::http::limits::{Rate, RateLimits};
use reqwest::Method;
use serde_json::Value;

use crate::permissions::{TABLE, Who};
use crate::support::answer::Answer;
use crate::support::app::{FULL_KEY, TestApp};
use crate::support::call::Call;
use crate::support::clients::Owner;
use crate::support::staff::Browser;

/// Routes that answer 401 or 403 only after they have read what they were sent.
const REFUSED_LATER: [(&str, &str, &str); 13] = [
    // With a callback token of our own, and without it in the request.
    ("POST", "/v1/arc/callback", "401"),
    ("POST", "/api/svd/change-key", "401"),
    ("POST", "/api/svd/complete", "401"),
    ("POST", "/api/svd/revoke", "401"),
    ("POST", "/v1/admin/session", "401"),
    ("POST", "/v1/auth/submit-verification", "401"),
    ("POST", "/v1/pos/claim-intent", "403"),
    ("GET", "/metrics", "401"),
    ("GET", "/metrics", "403"),
    ("POST", "/v1/admin/session/svd", "403"),
    ("POST", "/v1/admin/session", "403"),
    ("POST", "/v1/admin/setup", "403"),
    ("PUT", "/v1/admin/session/svd", "403"),
];

fn operation<'a>(description: &'a Value, method: &str, path: &str) -> &'a Value {
    &description["paths"][path][method.to_lowercase()]
}

/// Says whether a route takes a header, or sends one with a status.
fn takes(description: &Value, operation: &Value, name: &str) -> bool {
    operation["parameters"].as_array().into_iter().flatten().any(|it| {
        let reference = it["$ref"].as_str().map(|it| it.trim_start_matches('#'));
        let it = reference.map_or(it, |place| description.pointer(place).unwrap());
        it["in"] == "header" && it["name"] == name
    })
}

fn sends(operation: &Value, status: u16, name: &str) -> bool {
    operation["responses"][status.to_string()]["headers"].get(name).is_some()
}

fn filled(path: &str) -> String {
    path.trim_start_matches('/')
        .replace("{txid}", &"0".repeat(64))
        .replace("{height}", "1")
        .replace("{userId}", &"0".repeat(24))
        .replace("{uid_tag_id}", "TAG-1")
        .replace("{id}", "1")
}

fn call<'a>(app: &'a TestApp, key: Option<&'a str>, method: &str, path: &str) -> Call<'a> {
    let filled = filled(path);
    let segments: Vec<&str> = filled.split('/').collect();
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let call = match key {
        Some(key) => app.api_with(key).call(method, &segments),
        None => app.anonymous().call(method, &segments),
    };
    // Inside the stream would never end.
    if path == "/v1/admin/events" { call.query(&[("topics", "gossip")]) } else { call }
}

/// Turned away in every way that a request can be at the door.
async fn at_the_door(app: &TestApp, browser: &Browser, method: &str, path: &str) -> BTreeSet<u16> {
    let mut seen = BTreeSet::new();
    let mut note = |answer: Answer| {
        if matches!(answer.status, 401 | 403) {
            seen.insert(answer.status);
        }
    };
    note(call(app, None, method, path).send().await);
    note(call(app, Some("no such key"), method, path).send().await);
    for scope in [Scope::MetricsRead, Scope::Unlock, Scope::Pos] {
        note(call(app, Some(scope.as_str()), method, path).send().await);
    }
    let sent = Method::from_bytes(method.as_bytes()).unwrap();
    let filled = filled(path);
    let segments: Vec<&str> = filled.split('/').collect();
    let foreign = Call::new(app, sent, &segments).header("cookie", &browser.cookie);
    note(foreign.header("sec-fetch-site", "cross-site").send().await);
    seen
}

#[tokio::test]
async fn whoever_is_turned_away_was_told_so() {
    let app = TestApp::penniless().await;
    let browser = app.staff("grace", Role::Auditor).await;
    let description = patchproof::http::description();
    let mut wrong = Vec::new();
    for (method, path, who) in TABLE {
        let seen = at_the_door(&app, &browser, method, path).await;
        let operation = operation(&description, method, path);
        for status in [401, 403] {
            let text = status.to_string();
            let is_described = operation["responses"].get(&text).is_some();
            let is_later = REFUSED_LATER.contains(&(method, path, &text));
            if is_described != (seen.contains(&status) || is_later) {
                wrong.push(format!("{method} {path}: {status} {is_described}, seen {seen:?}"));
            }
        }
        let is_open = matches!(who, Who::Anybody | Who::AnybodyOrKey(_));
        let demands = operation["security"].as_array();
        let is_said_open =
            demands.is_none_or(|it| it.iter().any(|one| one == &serde_json::json!({})));
        if is_open != is_said_open {
            wrong.push(format!("{method} {path}: {who:?}, said {demands:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One request of each class in an hour.
fn tight() -> RateLimits {
    let once = Rate { most: 1, window: Duration::from_secs(3600) };
    RateLimits {
        public: once,
        api_key: once,
        token: once,
        probe: once,
        svd_begin: once,
        svd_complete: once,
        svd_canary: once,
        auth_request: once,
        auth_submit: once,
        console_login: once,
    }
}

#[tokio::test]
async fn every_route_is_limited_and_says_how() {
    let app = TestApp::with(|settings| settings.http.limits.rates = tight()).await;
    let description = patchproof::http::description();
    let send = async |method: &str, path: &str| {
        let url = app.base.join(&filled(path)).unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Answer::of(app.client.request(method, url).send().await.unwrap()).await
    };
    for (method, path, _) in TABLE {
        let first = send(method, path).await;
        let answer = if first.status == 429 { first } else { send(method, path).await };
        assert_eq!(answer.status, 429, "{method} {path}");
        let operation = operation(&description, method, path);
        for name in ["RateLimit", "RateLimit-Policy", "Retry-After", "x-request-id"] {
            let is_sent = answer.header(&name.to_lowercase()).is_some();
            assert!(is_sent && sends(operation, 429, name), "{method} {path}: {name}");
        }
        for (status, said) in operation["responses"].as_object().unwrap() {
            for name in ["RateLimit", "RateLimit-Policy", "x-request-id"] {
                assert!(said["headers"].get(name).is_some(), "{method} {path} {status}: {name}");
            }
        }
    }
}

#[tokio::test]
async fn a_key_is_judged_exactly_where_one_is_described() {
    let app = TestApp::penniless().await;
    let browser = app.staff("grace", Role::Admin).await;
    let description = patchproof::http::description();
    let too_long = "k".repeat(256);
    for (method, path, who) in TABLE {
        let call = if matches!(who, Who::Session | Who::SessionAndToken) {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            browser.call(&app, method, &filled(path))
        } else {
            call(&app, Some(FULL_KEY), method, path)
        };
        if (*method, *path) == ("DELETE", "/v1/admin/session") {
            // It would end the session that the next rows need.
            continue;
        }
        let call = call.bearer(&app.token_of(path)).header("idempotency-key", &too_long);
        let answer = call.send().await;
        let is_judged = String::from_utf8_lossy(&answer.body).contains("Idempotency-Key");
        let operation = operation(&description, method, path);
        let is_described = takes(&description, operation, "Idempotency-Key");
        assert_eq!(is_judged, is_described, "{method} {path}: {}", answer.status);
        if is_described {
            for status in ["400", "409", "422"] {
                assert!(operation["responses"].get(status).is_some(), "{path}: {status}");
            }
        }
    }
}

#[tokio::test]
async fn versions_are_described_where_they_are_sent() {
    let app = TestApp::start().await;
    app.api().register("TAG-1", &Owner::number(1)).await;
    let description = patchproof::http::description();
    let mut tagged = Vec::new();
    for (method, path, who) in TABLE.iter().filter(|(method, ..)| *method == "GET") {
        let key = (*who != Who::Anybody).then_some(FULL_KEY);
        let answer = call(&app, key, method, path).send().await;
        let operation = operation(&description, method, path);
        let tag = answer.header("etag").map(str::to_owned);
        if answer.status == 200 {
            assert_eq!(tag.is_some(), sends(operation, 200, "ETag"), "{path}");
        }
        let Some(tag) = tag else { continue };
        tagged.push(*path);
        let again = call(&app, key, method, path).header("if-none-match", &tag).send().await;
        let is_known = takes(&description, operation, "If-None-Match");
        assert_eq!(again.status == 304, is_known, "{path}: {}", again.status);
        assert_eq!(is_known, operation["responses"].get("304").is_some(), "{path}");
    }
    assert!(tagged.len() >= 4, "{tagged:?}");
}

#[tokio::test]
async fn what_never_fails_for_want_of_others_does_not_say_so() {
    let app = TestApp::penniless().await;
    app.outside.network_is_down();
    app.disk().set_full(true);
    let description = patchproof::http::description();
    let mut steady = Vec::new();
    for (method, path, _) in TABLE {
        let operation = operation(&description, method, path);
        if operation["responses"].get("503").is_none() {
            assert_eq!(call(&app, None, method, path).send().await.status, 200, "{path}");
            steady.push(*path);
        } else {
            let content = &operation["responses"]["503"]["content"];
            let is_problem = content.get("application/problem+json").is_some();
            assert_eq!(sends(operation, 503, "Retry-After"), is_problem, "{method} {path}");
        }
    }
    steady.sort_unstable();
    assert_eq!(steady, ["/__ping", "/health", "/livez", "/version"]);
    app.disk().set_full(false);
    app.store.leave();
}
