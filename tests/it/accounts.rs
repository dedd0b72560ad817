//! Accounts: made by admins, opened by their holders alone, and never the last admin lost.

use std::time::{Duration, Instant};

use patchproof::auth::account::Role;
use patchproof::storage::SvdKey;
use patchproof::storage::accounts::list_accounts;
use patchproof::storage::svd_keys::svd_key;
use reqwest::Method;
use serde_json::{Value, json};

use crate::login;
use crate::support::app::TestApp;
use crate::support::clients::Owner;
use crate::support::staff::{Browser, PASSWORD, log_in, use_link};

const ACCOUNTS: &str = "v1/admin/accounts";
const OTHER_PASSWORD: &str = "another long password";

async fn create(app: &TestApp, by: &Browser, body: Value) -> crate::support::answer::Answer {
    by.send(app, Method::POST, ACCOUNTS, &body).await
}

#[tokio::test]
async fn an_account_is_made_by_an_admin_and_its_password_by_its_holder() {
    let app = TestApp::penniless().await;
    let admin = app.staff("Ada", Role::Admin).await;
    let made = create(&app, &admin, json!({ "name": "Ben", "role": "operator" })).await.expect(201);
    assert_eq!(made["account"]["hasPassword"], false);
    assert_eq!(made["account"]["createdBy"], format!("account:{}", admin.account()));
    log_in(&app, "Ben", PASSWORD).await.problem(401, "LOGIN_FAILED");
    let token = made["link"]["token"].as_str().unwrap();
    assert_eq!(made["link"]["url"], format!("https://proof.example/admin#reset={token}"));
    let named = json!({ "token": token, "name": "Bob", "password": PASSWORD });
    use_link(&app, &named).await.invalid(&["name"]);
    let body = json!({ "token": token, "password": PASSWORD });
    let ben = Browser::of(&use_link(&app, &body).await);
    assert_eq!(ben.login["account"]["name"], "Ben");
    use_link(&app, &body).await.problem(410, "LINK_GONE");
    ben.get(&app, ACCOUNTS).await.problem(403, "FORBIDDEN");
    let again = Browser::of(&log_in(&app, "ben", PASSWORD).await);
    assert_eq!(again.status(&app).await, 200);
    // Only the admin's list has everybody, and no list has a secret.
    let listed = admin.get(&app, ACCOUNTS).await.expect(200);
    let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["Ada", "Ben"]);
    assert!(listed["items"][1]["lastLoginAt"].is_string());
}

#[tokio::test]
async fn wishes_that_make_no_sense_are_refused() {
    let app = TestApp::penniless().await;
    let admin = app.staff("Ada", Role::Admin).await;
    let shop = Owner::number(1).address();
    for (body, field) in [
        (json!({ "name": "B", "role": "auditor" }), "name"),
        (json!({ "name": "Ben\u{202e}", "role": "auditor" }), "name"),
        (json!({ "name": "Ben", "role": "owner" }), "role"),
        (json!({ "name": "Ben", "role": "cashier" }), "shop"),
        (json!({ "name": "Ben", "role": "auditor", "shop": shop }), "shop"),
        (json!({ "name": "Ben", "role": "cashier", "shop": "nowhere" }), "shop"),
    ] {
        create(&app, &admin, body).await.invalid(&[field]);
    }
    create(&app, &admin, json!({ "name": "ADA", "role": "auditor" }))
        .await
        .problem(409, "STATE_CONFLICT");
    let till = json!({ "name": "Till", "role": "cashier", "shop": shop });
    let till = create(&app, &admin, till).await.expect(201);
    let path = format!("{ACCOUNTS}/{}", till["account"]["id"].as_str().unwrap());
    let patch = async |body: Value| admin.send(&app, Method::PATCH, &path, &body).await;
    patch(json!({ "name": "ada" })).await.problem(409, "STATE_CONFLICT");
    let changed = patch(json!({ "role": "auditor" })).await.expect(200);
    assert_eq!(changed["shop"], Value::Null);
    patch(json!({ "role": "cashier" })).await.invalid(&["shop"]);
    let missing = format!("{ACCOUNTS}/0000000000000000");
    admin.call(&app, Method::DELETE, &missing).send().await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn the_last_admin_who_can_log_in_is_kept() {
    let app = TestApp::penniless().await;
    let admin = app.staff("Ada", Role::Admin).await;
    let own = format!("{ACCOUNTS}/{}", admin.account());
    // One who never set a password cannot help.
    let made = create(&app, &admin, json!({ "name": "Ben", "role": "admin" })).await.expect(201);
    for body in [json!({ "disabled": true }), json!({ "role": "operator" })] {
        admin.send(&app, Method::PATCH, &own, &body).await.problem(409, "LAST_ADMIN");
    }
    admin.call(&app, Method::DELETE, &own).send().await.problem(409, "LAST_ADMIN");
    assert_eq!(admin.status(&app).await, 200);
    let body = json!({ "token": made["link"]["token"], "password": PASSWORD });
    let ben = Browser::of(&use_link(&app, &body).await);
    let _ = admin.call(&app, Method::DELETE, &own).send().await.expect(200);
    assert_eq!((admin.status(&app).await, ben.status(&app).await), (401, 200));
    // What she did stays, under an identifier that is nobody's any more.
    let actor = format!("account:{}", admin.account());
    let call = app.api().call(Method::GET, &["v1", "admin", "audit"]);
    let lines = call.query(&[("actor", &actor)]).send().await.expect(200);
    let actions: Vec<_> =
        lines["items"].as_array().unwrap().iter().map(|it| &it["action"]).collect();
    assert_eq!(actions, ["account.remove", "account.create", "session.begin"]);
}

#[tokio::test]
async fn two_admins_who_remove_each_other_at_once_leave_one() {
    let app = TestApp::penniless().await;
    let (ada, ben) = (app.staff("Ada", Role::Admin).await, app.staff("Ben", Role::Admin).await);
    let path = |of: &Browser| format!("{ACCOUNTS}/{}", of.account());
    let (of_ben, of_ada) = (path(&ben), path(&ada));
    let first = ada.call(&app, Method::DELETE, &of_ben).send();
    let second = ben.call(&app, Method::DELETE, &of_ada).send();
    let (first, second) = futures_util::future::join(first, second).await;
    assert_eq!([first.status, second.status].iter().filter(|it| **it == 200).count(), 1);
    let left = app.store.read(list_accounts).unwrap();
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn a_reset_takes_the_password_away_and_ends_what_runs() {
    let app = TestApp::penniless().await;
    let admin = app.staff("Ada", Role::Admin).await;
    let ben = app.staff("Ben", Role::Operator).await;
    let path = format!("{ACCOUNTS}/{}/reset", ben.account());
    let link = admin.call(&app, Method::POST, &path).send().await.expect(201);
    assert_eq!(ben.status(&app).await, 401);
    log_in(&app, "Ben", PASSWORD).await.problem(401, "LOGIN_FAILED");
    let newer = admin.call(&app, Method::POST, &path).send().await.expect(201);
    let body = |link: &Value| json!({ "token": link["token"], "password": OTHER_PASSWORD });
    use_link(&app, &body(&link)).await.problem(410, "LINK_GONE");
    Browser::of(&use_link(&app, &body(&newer)).await);
    Browser::of(&log_in(&app, "Ben", OTHER_PASSWORD).await);
    // The link of an account that was disabled meanwhile is worth nothing.
    let link = admin.call(&app, Method::POST, &path).send().await.expect(201);
    let path = format!("{ACCOUNTS}/{}", ben.account());
    let _ = admin.send(&app, Method::PATCH, &path, &json!({ "disabled": true })).await.expect(200);
    use_link(&app, &body(&link)).await.problem(410, "LINK_GONE");
}

#[tokio::test]
async fn whether_a_name_is_known_shows_neither_in_answer_nor_in_time() {
    let app = TestApp::penniless().await;
    app.hire("Ada", Role::Admin).await;
    // By turns, so that whatever else the machine does falls on all of them.
    let names = ["Ada", "Bob", "\u{0}"];
    let mut shortest = [Duration::MAX; 3];
    for _ in 0..8 {
        for (name, shortest) in names.iter().zip(&mut shortest) {
            let begun = Instant::now();
            log_in(&app, name, "a wrong password").await.problem(401, "LOGIN_FAILED");
            *shortest = begun.elapsed().min(*shortest);
        }
    }
    for other in &shortest[1..] {
        // Without the work the answer would come in a small part of the time.
        let known = shortest[0];
        assert!(*other * 3 > known && known * 3 > *other, "{shortest:?}");
    }
}

#[tokio::test]
async fn a_login_key_opens_the_account_that_it_was_linked_to() {
    const KEY: &str = "v1/admin/session/svd";
    let (app, key) = login::with_ada().await;
    let token = login::log_in(&app, login::ADA, &key).await;
    let by_key = async |token: &str| {
        let call = app.anonymous().call(Method::POST, &["v1", "admin", "session", "svd"]);
        call.bearer(token).send().await
    };
    let ada = app.staff("Ada", Role::Admin).await;
    by_key(&token).await.problem(401, "LOGIN_FAILED");
    // A token of another kind is none of a login with a key.
    let operators = app.token_of(login::ADA);
    by_key(&operators).await.problem(403, "FORBIDDEN");
    let link = async |browser: &Browser, token: &str| {
        browser.call(&app, Method::PUT, KEY).bearer(token).send().await
    };
    link(&ada, &operators).await.problem(403, "FORBIDDEN");
    let linked = link(&ada, &token).await.expect(200);
    assert_eq!(linked["account"]["hasLoginKey"], true);
    let with_key = Browser::of(&by_key(&token).await);
    assert_eq!(with_key.account(), ada.account());
    // One key opens one account, and only the password brings another key in.
    let ben = app.staff("Ben", Role::Auditor).await;
    link(&ben, &token).await.problem(409, "STATE_CONFLICT");
    link(&with_key, &token).await.problem(403, "FORBIDDEN");
    // A key that were registered for the same user later would be somebody else's.
    let store = &app.services.sessions.store;
    let user = login::ADA.parse().unwrap();
    let stored = store.read(|tx| svd_key(tx, user)).unwrap().unwrap();
    let registered_at = stored.registered_at.plus(Duration::from_millis(1));
    let later = SvdKey { registered_at, ..stored };
    store.write(move |tx| tx.put_svd_key(&later)).await.unwrap();
    by_key(&token).await.problem(401, "LOGIN_FAILED");
    let _ = link(&ada, &token).await.expect(200);
    let with_key = Browser::of(&by_key(&token).await);
    let unlinked = ada.call(&app, Method::DELETE, KEY).send().await.expect(200);
    assert_eq!(unlinked["account"]["hasLoginKey"], false);
    assert_eq!((ada.status(&app).await, with_key.status(&app).await), (200, 401));
    by_key(&token).await.problem(401, "LOGIN_FAILED");
    // With the key its tokens end, and with them this way in.
    let _ = link(&ada, &token).await.expect(200);
    let path = ["v1", "admin", "svd", login::ADA];
    let _ = app.api().call(Method::DELETE, &path).send().await.expect(200);
    by_key(&token).await.problem(401, "TOKEN_INVALID");
}
