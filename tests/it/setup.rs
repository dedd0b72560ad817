//! The first account: made once, with a link that is good once and not for long.

use std::time::Duration;

use futures_util::future::join_all;
use patchproof::storage::SetupLink;
use patchproof::storage::accounts::list_accounts;
use patchproof::storage::setup_links::list_setup_links;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::staff::{Browser, PASSWORD, log_in, use_link};

const LINKS: [&str; 3] = ["v1", "admin", "setup-links"];

async fn link(app: &TestApp) -> Value {
    app.api().call(Method::POST, &LINKS).send().await.expect(201)
}

fn first(link: &Value) -> Value {
    json!({ "token": link["token"], "name": "Ada", "password": PASSWORD })
}

fn stored(app: &TestApp) -> Vec<SetupLink> {
    app.store.read(list_setup_links).unwrap()
}

#[tokio::test]
async fn the_first_admin_is_made_with_a_link_and_logged_in() {
    let app = TestApp::penniless().await;
    let link = link(&app).await;
    let token = link["token"].as_str().unwrap();
    assert_eq!(link["url"], format!("https://proof.example/admin#setup={token}"));
    // What is kept of the token is no token.
    let kept = stored(&app)[0].digest.to_string();
    assert_ne!(kept, token);
    let mut wrong = first(&link);
    wrong["token"] = kept.into();
    use_link(&app, &wrong).await.problem(410, "LINK_GONE");
    for (field, value) in
        [("name", json!("A")), ("password", json!("short")), ("password", json!("password1234"))]
    {
        let mut body = first(&link);
        body[field] = value;
        use_link(&app, &body).await.invalid(&[field]);
    }
    let nameless = json!({ "token": token, "password": PASSWORD });
    use_link(&app, &nameless).await.invalid(&["name"]);
    let browser = Browser::of(&use_link(&app, &first(&link)).await);
    assert_eq!(
        (&browser.login["account"]["name"], &browser.login["account"]["role"]),
        (&json!("Ada"), &json!("admin"))
    );
    assert_eq!(browser.status(&app).await, 200);
    assert_eq!(stored(&app), []);
    use_link(&app, &first(&link)).await.problem(410, "LINK_GONE");
    // From now on admins make accounts, and nobody else does.
    app.api().call(Method::POST, &LINKS).send().await.problem(409, "STATE_CONFLICT");
    let app = app.restart().await;
    assert_eq!(browser.status(&app).await, 200, "a restart ends no session");
    Browser::of(&log_in(&app, "ada", PASSWORD).await);
}

#[tokio::test]
async fn a_link_is_good_for_half_an_hour_and_until_there_is_a_newer_one() {
    let app = TestApp::penniless().await;
    let old = link(&app).await;
    let new = link(&app).await;
    use_link(&app, &first(&old)).await.problem(410, "LINK_GONE");
    app.outside.clock.advance(Duration::from_secs(30 * 60));
    use_link(&app, &first(&new)).await.problem(410, "LINK_GONE");
    app.until("the link is forgotten", async || stored(&app).is_empty().then_some(())).await;
    let newest = link(&app).await;
    app.outside.clock.advance(Duration::from_secs(29 * 60));
    Browser::of(&use_link(&app, &first(&newest)).await);
}

#[tokio::test]
async fn a_link_is_looked_at_without_using_it_up() {
    let app = TestApp::penniless().await;
    let look = async |link: &Value| {
        let call = app.anonymous().call(Method::POST, &["v1", "admin", "setup", "check"]);
        call.json(&json!({ "token": link["token"] })).send().await
    };
    let link = link(&app).await;
    for _ in 0..3 {
        let found = look(&link).await.expect(200);
        assert_eq!(found, json!({ "name": null, "expiresAt": link["expiresAt"] }));
    }
    let ada = Browser::of(&use_link(&app, &first(&link)).await);
    look(&link).await.problem(410, "LINK_GONE");
    let ben = json!({ "name": "Ben", "role": "auditor" });
    let made = ada.send(&app, Method::POST, "v1/admin/accounts", &ben).await.expect(201);
    assert_eq!(look(&made["link"]).await.expect(200)["name"], "Ben");
    app.outside.clock.advance(Duration::from_secs(30 * 60));
    look(&made["link"]).await.problem(410, "LINK_GONE");
    look(&json!({ "token": "nonsense" })).await.problem(410, "LINK_GONE");
}

#[tokio::test]
async fn of_sixty_four_who_use_one_link_at_once_one_is_let_in() {
    let app = TestApp::penniless().await;
    let link = link(&app).await;
    let tries = (0..64).map(|number| {
        let body = json!({ "token": link["token"], "name": format!("Ada {number}"), "password": PASSWORD });
        let app = &app;
        async move { use_link(app, &body).await.status }
    });
    let statuses = join_all(tries).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 410).count(), 63, "{statuses:?}");
    let accounts = app.store.read(list_accounts).unwrap();
    assert_eq!(accounts.len(), 1);
}

#[tokio::test]
async fn a_flood_of_wrong_links_leaves_a_count_in_the_trail() {
    let app = TestApp::penniless().await;
    for token in ["", "00", &"ab".repeat(32)] {
        let body = json!({ "token": token, "name": "Ada", "password": PASSWORD });
        use_link(&app, &body).await.problem(410, "LINK_GONE");
    }
    log_in(&app, "Ada", PASSWORD).await.problem(401, "LOGIN_FAILED");
    app.outside.clock.advance(Duration::from_secs(61));
    let find = async || {
        let pairs = [("action", "auth.refused")];
        let call = app.api().call(Method::GET, &["v1", "admin", "audit"]).query(&pairs);
        let listed = call.send().await.expect(200);
        let items = listed["items"].as_array().unwrap().iter();
        let subjects: Vec<_> = items.map(|it| it["subject"].as_str().unwrap().to_owned()).collect();
        (subjects.len() >= 2).then_some(subjects)
    };
    let mut subjects = app.until("refusals have lines", find).await;
    subjects.sort();
    assert_eq!(subjects, ["password: 1", "setup link: 3"]);
}
