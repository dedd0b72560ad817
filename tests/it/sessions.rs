//! Sessions: how they begin and end, and where a request with one must come from.

use std::time::Duration;

use patchproof::auth::account::Role;
use patchproof::storage::StoredSession;
use patchproof::storage::sessions::list_sessions;
use reqwest::Method;
use serde_json::json;

use crate::support::app::{FULL_KEY, TestApp, generous};
use crate::support::clients::Owner;
use crate::support::staff::{Browser, COOKIE, ORIGIN, PASSWORD, log_in};

const SESSION: &str = "v1/admin/session";
const NEW_PASSWORD: &str = "another long password";
const MINUTE: Duration = Duration::from_secs(60);

fn stored(app: &TestApp) -> Vec<StoredSession> {
    app.store.read(list_sessions).unwrap()
}

#[tokio::test]
async fn the_cookie_is_for_us_alone_and_the_answer_says_who_it_is() {
    let app = TestApp::penniless().await;
    let id = app.hire("Ada", Role::Admin).await;
    let answer = log_in(&app, "ADA", PASSWORD).await;
    let browser = Browser::of(&answer);
    let flags = answer.cookie(COOKIE).unwrap().split("; ").skip(1).collect::<Vec<_>>();
    assert_eq!(flags, ["Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict", "Secure"]);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(!answer.text().contains(browser.ticket()));
    let account = &browser.login["account"];
    assert_eq!((&account["id"], &account["name"]), (&json!(id), &json!("Ada")));
    assert_eq!((&account["role"], &account["shop"]), (&json!("admin"), &json!(null)));
    assert_eq!(browser.login["scopes"], json!(["admin"]));
    assert_eq!(browser.login["readsEverything"], true);
    let shown = browser.get(&app, SESSION).await;
    assert_eq!(shown.expect(200), browser.login);
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    app.anonymous().get(&["v1", "admin", "session"]).await.problem(401, "UNAUTHENTICATED");
    app.api().get(&["v1", "admin", "session"]).await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_plain_cookie_is_for_loopback_or_whoever_says_so() {
    let app = TestApp::penniless().await;
    let app = app.restart_with(|settings| settings.http.insecure_cookie = true).await;
    app.hire("Ada", Role::Auditor).await;
    let answer = log_in(&app, "Ada", PASSWORD).await;
    let cookie = answer.cookie("patchproof-session").unwrap();
    assert!(!cookie.contains("Secure"), "{cookie}");
    let browser = Browser { cookie: cookie.split(';').next().unwrap().into(), login: json!({}) };
    assert_eq!(browser.status(&app).await, 200);
    // Under the other name it is not looked for.
    let other = Browser { cookie: browser.cookie.replace("patchproof-session", COOKIE), ..browser };
    assert_eq!(other.status(&app).await, 401);
}

#[tokio::test]
async fn a_session_ends_after_half_an_hour_of_rest() {
    let app = TestApp::penniless().await;
    let browser = app.staff("Ada", Role::Operator).await;
    for _ in 0..3 {
        app.outside.clock.advance(29 * MINUTE);
        assert_eq!(browser.status(&app).await, 200);
    }
    app.outside.clock.advance(30 * MINUTE);
    browser.get(&app, SESSION).await.problem(401, "SESSION_INVALID");
    app.until("the session is forgotten", async || stored(&app).is_empty().then_some(())).await;
}

#[tokio::test]
async fn what_a_page_asks_by_itself_keeps_no_session_awake() {
    let app = TestApp::penniless().await;
    let browser = app.staff("Ada", Role::Operator).await;
    for (rest, status) in [(20, 200), (20, 401)] {
        app.outside.clock.advance(rest * MINUTE);
        let call = app.anonymous().call(Method::GET, &["v1", "admin", "session"]);
        let call = call.header("cookie", &browser.cookie).header("x-patchproof-background", "1");
        assert_eq!(call.send().await.status, status);
    }
}

#[tokio::test]
async fn a_session_ends_half_a_day_after_the_login_however_busy_it_is() {
    let app = TestApp::penniless().await;
    let browser = app.staff("Ada", Role::Operator).await;
    for _ in 0..(12 * 60 / 20 - 1) {
        app.outside.clock.advance(20 * MINUTE);
        assert_eq!(browser.status(&app).await, 200);
    }
    let shown = browser.get(&app, SESSION).await.expect(200);
    app.outside.clock.advance(20 * MINUTE - MINUTE / 2);
    assert_eq!(browser.status(&app).await, 200);
    app.outside.clock.advance(MINUTE / 2);
    assert_eq!(browser.status(&app).await, 401, "it was to end at {}", shown["expiresAt"]);
}

#[tokio::test]
async fn a_use_is_noted_once_a_minute() {
    let app = TestApp::penniless().await;
    let browser = app.staff("Ada", Role::Operator).await;
    let began = stored(&app)[0].used_at;
    app.outside.clock.advance(MINUTE / 2);
    assert_eq!(browser.status(&app).await, 200);
    assert_eq!(stored(&app)[0].used_at, began);
    app.outside.clock.advance(MINUTE / 2);
    assert_eq!(browser.status(&app).await, 200);
    assert!(stored(&app)[0].used_at >= began.plus(MINUTE));
}

#[tokio::test]
async fn logging_out_ends_one_session_for_good() {
    let app = TestApp::penniless().await;
    let browser = app.staff("Ada", Role::Operator).await;
    let other = Browser::of(&log_in(&app, "Ada", PASSWORD).await);
    let answer = browser.call(&app, Method::DELETE, SESSION).send().await;
    let _ = answer.expect(200);
    let cleared = answer.header("set-cookie").unwrap();
    assert!(cleared.starts_with(&format!("{COOKIE}=; ")), "{cleared}");
    assert!(cleared.contains("Max-Age=0") && cleared.contains("Secure"), "{cleared}");
    assert_eq!((browser.status(&app).await, other.status(&app).await), (401, 200));
    assert_eq!(stored(&app).len(), 1);
    let app = app.restart().await;
    assert_eq!((browser.status(&app).await, other.status(&app).await), (401, 200));
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_holder_and_by_admins() {
    let app = TestApp::penniless().await;
    let admin = app.staff("Ada", Role::Admin).await;
    app.outside.clock.advance(Duration::from_millis(1));
    let clerk = app.staff("Ben", Role::Operator).await;
    let of = async |browser: &Browser| {
        let listed = browser.get(&app, "v1/admin/sessions").await.expect(200);
        let items = listed["items"].as_array().unwrap().clone();
        let name = |item: &serde_json::Value| item["accountName"].as_str().unwrap().to_owned();
        items.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(of(&admin).await, ["Ben", "Ada"]);
    assert_eq!(of(&clerk).await, ["Ben"]);
    let listed = app.api().get(&["v1", "admin", "sessions"]).await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains(clerk.ticket()));
    app.api_with("pos").get(&["v1", "admin", "sessions"]).await.problem(403, "FORBIDDEN");
    // One page after the other.
    let call = admin.call(&app, Method::GET, "v1/admin/sessions").query(&[("limit", "1")]);
    let first = call.send().await;
    let cursor = first.expect(200)["nextCursor"].as_str().unwrap().to_owned();
    assert!(first.header("link").unwrap().contains(&cursor));
    let pairs = [("limit", "1"), ("cursor", cursor.as_str())];
    let call = admin.call(&app, Method::GET, "v1/admin/sessions").query(&pairs);
    let second = call.send().await.expect(200);
    assert_eq!(second["items"][0]["accountName"], "Ada");
    assert_eq!(
        (&second["items"][0]["isCurrent"], &second["nextCursor"]),
        (&json!(true), &json!(null))
    );
    // Nobody but an admin ends another's.
    let path = |browser: &Browser| {
        format!("v1/admin/sessions/{}", browser.login["sessionId"].as_str().unwrap())
    };
    let refused = clerk.call(&app, Method::DELETE, &path(&admin)).send().await;
    refused.problem(404, "NOT_FOUND");
    let _ = admin.call(&app, Method::DELETE, &path(&clerk)).send().await.expect(200);
    assert_eq!((admin.status(&app).await, clerk.status(&app).await), (200, 401));
}

#[tokio::test]
async fn whatever_makes_an_account_less_ends_its_sessions() {
    let app = TestApp::penniless().await;
    let admin = app.staff("Ada", Role::Admin).await;
    let id = app.hire("Ben", Role::Operator).await;
    let path = format!("v1/admin/accounts/{id}");
    let patch = async |body| admin.send(&app, Method::PATCH, &path, &body).await.expect(200);
    let login = async || Browser::of(&log_in(&app, "Ben", PASSWORD).await);
    let ben = login().await;
    patch(json!({ "name": "Benjamin" })).await;
    assert_eq!(ben.status(&app).await, 200, "a name is only a name");
    patch(json!({ "name": "Ben", "role": "auditor" })).await;
    assert_eq!(ben.status(&app).await, 401);
    let ben = login().await;
    patch(json!({ "disabled": true })).await;
    assert_eq!(ben.status(&app).await, 401);
    log_in(&app, "Ben", PASSWORD).await.problem(401, "LOGIN_FAILED");
    patch(json!({ "disabled": false })).await;
    assert_eq!(ben.status(&app).await, 401, "what ended stays ended");
    let (ben, other) = (login().await, login().await);
    let body = json!({ "old": PASSWORD, "new": NEW_PASSWORD });
    let path_of_password = "v1/admin/session/password";
    let wrong = json!({ "old": NEW_PASSWORD, "new": NEW_PASSWORD });
    ben.send(&app, Method::PUT, path_of_password, &wrong).await.invalid(&["old"]);
    let short = json!({ "old": PASSWORD, "new": "short" });
    ben.send(&app, Method::PUT, path_of_password, &short).await.invalid(&["new"]);
    let _ = ben.send(&app, Method::PUT, path_of_password, &body).await.expect(200);
    assert_eq!((ben.status(&app).await, other.status(&app).await), (200, 401));
    log_in(&app, "Ben", PASSWORD).await.problem(401, "LOGIN_FAILED");
    let other = Browser::of(&log_in(&app, "Ben", NEW_PASSWORD).await);
    let _ = admin.call(&app, Method::DELETE, &path).send().await.expect(200);
    assert_eq!((ben.status(&app).await, other.status(&app).await), (401, 401));
    assert!(stored(&app).iter().all(|it| it.account.to_string() != id));
}

/// What a browser, or a page in it, says of where a request comes from.
struct Page {
    origin: Option<&'static str>,
    site: Option<&'static str>,
    header: Option<&'static str>,
}

#[tokio::test]
async fn b16_only_our_own_pages_use_a_session() {
    let app = TestApp::penniless().await;
    let browser = app.staff("Ada", Role::Admin).await;
    let ask = async |method: Method, page: &Page| {
        let call = app.anonymous().call(method, &["v1", "admin", "settings"]);
        let mut call = call.header("cookie", &browser.cookie);
        let said = [
            ("origin", page.origin),
            ("sec-fetch-site", page.site),
            ("x-patchproof-console", page.header),
        ];
        for (name, value) in said {
            if let Some(value) = value {
                call = call.header(name, value);
            }
        }
        call.json(&json!({})).send().await
    };
    let own = Page { origin: Some(ORIGIN), site: Some("same-origin"), header: Some("1") };
    let _ = ask(Method::PATCH, &own).await.expect(200);
    let _ = ask(Method::PATCH, &Page { site: None, ..own }).await.expect(200);
    for page in [
        Page { origin: None, ..own },
        Page { origin: Some("https://proof.example.evil.example"), ..own },
        Page { origin: Some("http://proof.example"), ..own },
        Page { origin: Some("https://proof.example:8443"), ..own },
        Page { origin: Some("null"), ..own },
        Page { site: Some("cross-site"), ..own },
        Page { site: Some("same-site"), ..own },
        Page { site: Some("none"), ..own },
        Page { header: None, ..own },
        Page { header: Some("0"), ..own },
    ] {
        ask(Method::PATCH, &page).await.problem(403, "CROSS_ORIGIN");
    }
    // Reading needs no header, but a page of another site is told nothing either.
    let bare = Page { origin: None, site: None, header: None };
    let _ = ask(Method::GET, &bare).await.expect(200);
    let _ = ask(Method::GET, &Page { site: Some("none"), ..bare }).await.expect(200);
    ask(Method::GET, &Page { site: Some("same-site"), ..own }).await.problem(403, "CROSS_ORIGIN");
}

#[tokio::test]
async fn on_this_machine_the_origin_may_be_where_the_request_went() {
    let app = TestApp::penniless().await;
    let browser = app.staff("Ada", Role::Admin).await;
    let own = app.base.origin().ascii_serialization();
    for (origin, status) in
        [(own.as_str(), 200), ("http://127.0.0.1:1", 403), ("http://localhost", 403)]
    {
        let call = app.anonymous().call(Method::DELETE, &["v1", "admin", "session", "svd"]);
        let call = call.header("cookie", &browser.cookie).header("x-patchproof-console", "1");
        assert_eq!(call.header("origin", origin).send().await.status, status, "{origin}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_logs_nobody_in() {
    let app = TestApp::penniless().await;
    app.hire("Ada", Role::Admin).await;
    let body = json!({ "name": "Ada", "password": PASSWORD });
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let call = app.anonymous().call(Method::POST, &["v1", "admin", "session"]);
        call.header(name, value).json(&body).send().await.problem(403, "CROSS_ORIGIN");
    }
    assert!(stored(&app).is_empty());
}

#[tokio::test]
async fn two_cookies_or_a_bent_one_are_no_session() {
    let app = TestApp::penniless().await;
    let browser = app.staff("Ada", Role::Admin).await;
    let bent = browser.ticket().replace(['a', 'b', 'c'], "f");
    for cookie in [
        format!("{0}; {0}", browser.cookie),
        format!("{}; {COOKIE}={bent}", browser.cookie),
        format!("{COOKIE}={bent}"),
        format!("{COOKIE}="),
        format!("{COOKIE}={}", browser.ticket().to_uppercase()),
    ] {
        let wrong = Browser { cookie, login: json!({}) };
        wrong.get(&app, SESSION).await.problem(401, "SESSION_INVALID");
    }
    let call = browser.call(&app, Method::GET, SESSION).header("cookie", &browser.cookie);
    call.send().await.problem(401, "SESSION_INVALID");
    // Cookies of others beside it do no harm.
    let beside =
        Browser { cookie: format!("theme=dark; {}; a=b=c", browser.cookie), login: json!({}) };
    assert_eq!(beside.status(&app).await, 200);
}

#[tokio::test]
async fn an_api_key_beside_a_session_decides_alone() {
    let app = TestApp::penniless().await;
    let browser = app.staff("Ada", Role::Auditor).await;
    let keys = ["v1", "admin", "keys"];
    let body = json!({ "name": "till", "scopes": ["unlock"] });
    let with = async |key: &str| {
        let call = app.api_with(key).call(Method::POST, &keys);
        call.header("cookie", &browser.cookie).json(&body).send().await
    };
    // From no page of ours: the key alone is asked.
    let _ = with(FULL_KEY).await.expect(201);
    with("pos").await.problem(403, "FORBIDDEN");
    with("no-key-of-ours").await.problem(401, "INVALID_API_KEY");
}

#[tokio::test]
async fn cors_never_lets_a_session_be_used_from_elsewhere() {
    let shop = "https://shop.example".parse().unwrap();
    let cors = patchproof::http::edge::CorsOrigins::Listed(vec![shop]);
    let app = TestApp::with(|settings| settings.http.limits.cors = cors).await;
    let browser = app.staff("Ada", Role::Admin).await;
    let call = browser.call(&app, Method::GET, "v1/admin/settings");
    let answer = call.header("origin", "https://shop.example").send().await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let asked = app.anonymous().call(Method::OPTIONS, &["v1", "admin", "settings"]);
    let asked = asked.header("origin", "https://shop.example");
    let answer = asked.header("access-control-request-method", "PATCH").send().await;
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let allowed = answer.header("access-control-allow-headers").unwrap();
    assert!(!allowed.contains("patchproof-console"), "{allowed}");
}

#[tokio::test]
async fn b7_guessing_at_passwords_is_limited_by_address_and_by_name() {
    let rates = patchproof::http::limits::RateLimits {
        console_login: patchproof::http::limits::Rate::per_secs(3, 3600),
        ..generous()
    };
    let app = TestApp::with(|settings| settings.http.limits.rates = rates).await;
    app.hire("Ada", Role::Admin).await;
    for _ in 0..5 {
        let _ = log_in(&app, "Ada", PASSWORD).await.expect(200);
    }
    for name in ["Ada", "ada", "nobody"] {
        log_in(&app, name, "a wrong password").await.problem(401, "LOGIN_FAILED");
    }
    log_in(&app, "Ada", PASSWORD).await.problem(429, "RATE_LIMITED");
    app.outside.clock.advance(60 * MINUTE);
    let _ = log_in(&app, "Ada", PASSWORD).await.expect(200);
    // From many addresses together there are ten times as many tries at one name.
    let mut refused = Vec::new();
    for number in 2..16 {
        let client = crate::limits::client_at(&format!("127.0.0.{number}"));
        for _ in 0..3 {
            let url = app.base.join("v1/admin/session").unwrap();
            let body = json!({ "name": "Ada", "password": "a wrong password" });
            let sent = client.post(url).json(&body).send().await.unwrap();
            refused.push(sent.status().as_u16());
        }
    }
    assert_eq!(refused.iter().filter(|status| **status == 429).count(), 12, "{refused:?}");
    assert_eq!(refused[..30], [401; 30]);
}

#[tokio::test]
async fn a_cashier_works_the_till_of_the_shop() {
    let app = TestApp::start().await;
    let shop = Owner::number(1);
    let cashier = app.staff("Till 1", Role::Cashier).await;
    assert_eq!(cashier.login["account"]["shop"], shop.address());
    assert_eq!(cashier.login["scopes"], json!(["pos"]));
    cashier.get(&app, "v1/admin/patches").await.problem(403, "FORBIDDEN");
    let call = cashier.call(&app, Method::POST, "v1/pos/claim-approve");
    let answer = call.json(&json!({})).send().await;
    answer.problem(400, "VALIDATION_FAILED");
    // The session goes along to public routes unasked, and makes nothing worse there.
    let auditor = app.staff("Ida", Role::Auditor).await;
    let status = ["v1", "pos", "claim-status", "0"];
    let plain = app.anonymous().get(&status).await.status;
    assert_eq!(auditor.get(&app, &status.join("/")).await.status, plain);
}
