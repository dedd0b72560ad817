//! API keys: seen once, limited to what they are for, refused from the moment of their revocation.

use std::time::Duration;

use futures_util::FutureExt;
use patchproof::auth::Principal;
use patchproof::types::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::{FULL_KEY, TestApp};
use crate::support::clients::{Owner, registration};

async fn create(app: &TestApp, maker: &str, body: &Value) -> Answer {
    app.api_with(maker).call(Method::POST, &["v1", "admin", "keys"]).json(body).send().await
}

/// Makes a key and returns it with its identifier.
async fn issued(app: &TestApp, body: &Value) -> (String, String) {
    let made = create(app, FULL_KEY, body).await.expect(201);
    (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
}

async fn list_patches(app: &TestApp, key: &str) -> u16 {
    app.api_with(key).get(&["v1", "admin", "patches"]).await.status
}

#[tokio::test]
async fn b16_a_key_does_what_it_is_for_and_nothing_else() {
    let app = TestApp::start().await;
    let body = json!({ "name": "Shop system", "scopes": ["patches:write"] });
    let (key, id) = issued(&app, &body).await;
    assert!(key.starts_with(&format!("pp_{id}_")));
    let ada = Owner::number(1);
    let answer = app.api_with(&key).registering(&registration("TAG-1", &ada)).send().await;
    let _ = answer.expect(201);
    let unlock = app.api_with(&key).unlocking("TAG-1", &json!({})).send().await;
    unlock.problem(403, "FORBIDDEN");
    let lists = app.api_with(&key).get(&["v1", "admin", "keys"]).await;
    lists.problem(403, "FORBIDDEN");
    for wrong in [format!("{key}0"), key.replace("pp_", "pq_"), key.to_uppercase(), {
        let mut changed = key.clone();
        let last = changed.pop().unwrap();
        changed.push(if last == '0' { '1' } else { '0' });
        changed
    }] {
        assert_eq!(list_patches(&app, &wrong).await, 401, "{wrong}");
    }
    // The secret is in no list, and not in the store.
    let shown = app.api().get(&["v1", "admin", "keys", &id]).await.expect(200);
    assert!(!shown.to_string().contains(&key[20..]));
    assert_eq!(shown["status"], "active");
    assert_eq!(shown["createdBy"], FULL_KEY);
    assert!(shown["lastUsedAt"].is_string());
}

#[tokio::test]
async fn b16_nobody_gives_what_he_does_not_have() {
    let app = TestApp::penniless().await;
    let make = async |maker: &str, scopes: &[&str]| {
        create(&app, maker, &json!({ "name": "x", "scopes": scopes })).await.status
    };
    assert_eq!(make("keys:write", &["keys:write"]).await, 201);
    assert_eq!(make("keys:write", &["admin"]).await, 403);
    assert_eq!(make("keys:write", &["patches:write"]).await, 403);
    assert_eq!(make("patches:write", &["patches:write"]).await, 403);
    assert_eq!(make(FULL_KEY, &["admin"]).await, 201);
    // A new secret for a mightier key would be the same thing by another way.
    let (_, id) = issued(&app, &json!({ "name": "mighty", "scopes": ["admin"] })).await;
    let rotate = ["v1", "admin", "keys", &id, "rotate"];
    let call = app.api_with("keys:write").call(Method::POST, &rotate).json(&json!({}));
    call.send().await.problem(403, "FORBIDDEN");
}

#[tokio::test]
async fn a_revoked_or_expired_key_is_refused_at_once_and_after_a_restart() {
    let app = TestApp::penniless().await;
    let (key, id) = issued(&app, &json!({ "name": "x", "scopes": ["patches:write"] })).await;
    assert_eq!(list_patches(&app, &key).await, 200);
    let revoke = async |app: &TestApp| {
        app.api().call(Method::DELETE, &["v1", "admin", "keys", &id]).send().await.expect(200)
    };
    assert_eq!(revoke(&app).await["status"], "revoked");
    assert_eq!(list_patches(&app, &key).await, 401);
    assert_eq!(revoke(&app).await["status"], "revoked");
    let rotate = ["v1", "admin", "keys", &id, "rotate"];
    let call = app.api().call(Method::POST, &rotate).json(&json!({}));
    call.send().await.problem(409, "STATE_CONFLICT");
    let app = app.restart().await;
    assert_eq!(list_patches(&app, &key).await, 401);

    let body = json!({ "name": "short", "scopes": ["patches:write"], "expiresInSecs": 60 });
    let (key, id) = issued(&app, &body).await;
    assert_eq!(list_patches(&app, &key).await, 200);
    app.outside.clock.advance(Duration::from_secs(61));
    assert_eq!(list_patches(&app, &key).await, 401);
    let shown = app.api().get(&["v1", "admin", "keys", &id]).await.expect(200);
    assert_eq!(shown["status"], "expired");
}

#[tokio::test]
async fn a_rotated_key_goes_on_for_as_long_as_was_said() {
    let app = TestApp::penniless().await;
    let (old, id) = issued(&app, &json!({ "name": "x", "scopes": ["patches:write"] })).await;
    let rotate = async |grace: u64| {
        let path = ["v1", "admin", "keys", &id, "rotate"];
        let call = app.api().call(Method::POST, &path).json(&json!({ "graceSecs": grace }));
        call.send().await.expect(200)["key"].as_str().unwrap().to_owned()
    };
    let new = rotate(60).await;
    assert_eq!((list_patches(&app, &old).await, list_patches(&app, &new).await), (200, 200));
    app.outside.clock.advance(Duration::from_secs(61));
    assert_eq!((list_patches(&app, &old).await, list_patches(&app, &new).await), (401, 200));
    let newest = rotate(0).await;
    assert_eq!((list_patches(&app, &new).await, list_patches(&app, &newest).await), (401, 200));
}

#[tokio::test]
async fn bad_wishes_are_refused_by_field() {
    let app = TestApp::penniless().await;
    let shop = Owner::number(1).address();
    for (body, fields) in [
        (json!({ "scopes": ["pos"] }), vec!["name"]),
        (json!({ "name": " ", "scopes": ["unlock"] }), vec!["name"]),
        (json!({ "name": "a".repeat(101), "scopes": ["unlock"] }), vec!["name"]),
        (json!({ "name": "x", "scopes": [] }), vec!["scopes"]),
        (json!({ "name": "x", "scopes": ["everything"] }), vec!["scopes"]),
        (json!({ "name": "x", "scopes": ["pos"] }), vec!["shop"]),
        (json!({ "name": "x", "scopes": ["unlock"], "shop": shop }), vec!["shop"]),
        (json!({ "name": "x", "scopes": ["pos"], "shop": "nowhere" }), vec!["shop"]),
        (json!({ "name": "x", "scopes": ["unlock"], "expiresInSecs": 0 }), vec!["expiresInSecs"]),
        (json!({ "name": "x", "scopes": ["unlock"], "secret": "mine" }), vec!["secret"]),
    ] {
        create(&app, FULL_KEY, &body).await.invalid(&fields);
    }
    let (_, id) = issued(&app, &json!({ "name": "x", "scopes": ["pos"], "shop": shop })).await;
    assert_eq!(app.api().get(&["v1", "admin", "keys", &id]).await.expect(200)["shop"], shop);
    let unknown = app.api().get(&["v1", "admin", "keys", "0000000000000000"]).await;
    unknown.problem(404, "NOT_FOUND");
    app.api().get(&["v1", "admin", "keys", "x"]).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn keys_are_listed_page_by_page() {
    let app = TestApp::penniless().await;
    for number in 0..5 {
        let name = format!("key {number}");
        let _made = issued(&app, &json!({ "name": name, "scopes": ["unlock"] })).await;
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = ["v1", "admin", "keys"];
        let pairs = [("limit", "2"), ("cursor", cursor.as_str())];
        let pairs = if cursor.is_empty() { &pairs[..1] } else { &pairs };
        let call = app.api().call(Method::GET, &path).query(pairs);
        let page = call.send().await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    seen.sort();
    assert_eq!(seen, ["key 0", "key 1", "key 2", "key 3", "key 4"]);
}

#[tokio::test]
async fn a_revocation_counts_though_whoever_asked_for_it_has_gone_away() {
    let app = TestApp::penniless().await;
    let (key, id) = issued(&app, &json!({ "name": "x", "scopes": ["patches:write"] })).await;
    assert_eq!(list_patches(&app, &key).await, 200);
    let keys = app.services.api_keys.clone();
    let operator = Principal::local_operator(0);
    let id = id.parse().unwrap();
    // Polled once, so that the write is queued, and dropped, if it is not done already.
    let _answer_if_quick = keys.revoke(id, &operator, app.outside.clock.now()).now_or_never();
    app.until("the key is refused", async || (list_patches(&app, &key).await == 401).then_some(()))
        .await;
}
