//! Browsers that somebody has logged in with before: strangers who guess at the name do not keep them out.

use std::time::Duration;

use patchproof::auth::account::Role;
use patchproof::http::limits::{Rate, RateLimits};
use reqwest::Method;
use serde_json::json;

use crate::support::answer::Answer;
use crate::support::app::{TestApp, generous};
use crate::support::staff::{Browser, PASSWORD, log_in};

const COOKIE: &str = "__Host-patchproof-device";
const WRONG: &str = "a wrong password";
const HOUR: Duration = Duration::from_secs(3600);
/// Wrong passwords from one address; from all together there are ten times as many.
const MOST: u32 = 3;

async fn strict() -> TestApp {
    let rates = RateLimits { console_login: Rate::per_secs(MOST, HOUR.as_secs()), ..generous() };
    TestApp::with(|settings| settings.http.limits.rates = rates).await
}

/// Returns the cookie by which a browser is known after a login.
fn device_of(answer: &Answer) -> String {
    let flags = "; Path=/; Max-Age=34560000; HttpOnly; SameSite=Strict; Secure";
    answer.cookie(COOKIE).unwrap().strip_suffix(flags).unwrap().to_owned()
}

async fn try_with(app: &TestApp, device: &str, name: &str, password: &str) -> Answer {
    let call = app.anonymous().call(Method::POST, &["v1", "admin", "session"]);
    let call = call.header("cookie", device);
    call.json(&json!({ "name": name, "password": password })).send().await
}

/// Uses up what all addresses together may try at a name, from ten of them.
async fn use_up(app: &TestApp, name: &str) {
    for number in 2..12 {
        let client = crate::limits::client_at(&format!("127.0.0.{number}"));
        for _ in 0..MOST {
            let url = app.base.join("v1/admin/session").unwrap();
            let body = json!({ "name": name, "password": WRONG });
            let sent = client.post(url).json(&body).send().await.unwrap();
            assert_eq!(sent.status(), 401);
        }
    }
}

#[tokio::test]
async fn a3_strangers_do_not_keep_an_owner_out_of_a_browser_that_is_known() {
    let app = strict().await;
    for name in ["Ada", "Ben"] {
        app.hire(name, Role::Admin).await;
    }
    let first = log_in(&app, "Ada", PASSWORD).await;
    let (session, ada) = (Browser::of(&first), device_of(&first));
    let ben = device_of(&log_in(&app, "Ben", PASSWORD).await);
    use_up(&app, "Ada").await;
    log_in(&app, "Ada", PASSWORD).await.problem(429, "RATE_LIMITED");
    let forged = format!("{}{}", &ada[..ada.len() - 1], if ada.ends_with('0') { '1' } else { '0' });
    let twice = format!("{ada}; {ada}");
    for unknown in [ben.as_str(), &forged, &twice, &format!("{COOKIE}=nonsense")] {
        try_with(&app, unknown, "Ada", PASSWORD).await.problem(429, "RATE_LIMITED");
    }
    let again = try_with(&app, &ada, "ADA", PASSWORD).await;
    let _ = again.expect(200);
    // The own password can be changed there, too, whatever strangers do.
    let cookies = format!("{}; {ada}", session.cookie);
    let session = Browser { cookie: cookies, ..session };
    let change = json!({ "old": PASSWORD, "new": "another long password" });
    let changed = session.send(&app, Method::PUT, "v1/admin/session/password", &change).await;
    let _ = changed.expect(200);
}

#[tokio::test]
async fn a_known_browser_guesses_no_more_than_an_address_may() {
    let app = strict().await;
    app.hire("Ada", Role::Admin).await;
    let device = device_of(&log_in(&app, "Ada", PASSWORD).await);
    for _ in 0..MOST {
        try_with(&app, &device, "Ada", WRONG).await.problem(401, "LOGIN_FAILED");
    }
    try_with(&app, &device, "Ada", PASSWORD).await.problem(429, "RATE_LIMITED");
    // A browser that lost its cookie is a stranger, for whom nothing is used up yet.
    let _ = log_in(&app, "Ada", PASSWORD).await.expect(200);
    app.outside.clock.advance(HOUR);
    let _ = try_with(&app, &device, "Ada", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_browser_that_several_people_share_is_known_for_each() {
    let app = strict().await;
    for name in ["Ada", "Ben"] {
        app.hire(name, Role::Admin).await;
    }
    let ada = device_of(&log_in(&app, "Ada", PASSWORD).await);
    let both = device_of(&try_with(&app, &ada, "Ben", PASSWORD).await);
    use_up(&app, "Ada").await;
    for _ in 0..MOST {
        try_with(&app, &both, "Ben", WRONG).await.problem(401, "LOGIN_FAILED");
    }
    try_with(&app, &both, "Ben", PASSWORD).await.problem(429, "RATE_LIMITED");
    let _ = try_with(&app, &both, "Ada", PASSWORD).await.expect(200);
    // It opens nothing by itself.
    let call = app.anonymous().call(Method::GET, &["v1", "admin", "session"]);
    call.header("cookie", &both).send().await.problem(401, "UNAUTHENTICATED");
}
