//! Login keys that browsers keep for accounts.

use patchproof::auth::account::Role;
use patchproof::storage::browser_keys::browser_keys_of;
use patchproof::storage::check;
use reqwest::Method;
use serde_json::{Value, json};

use crate::login::{answer_of, begin, log_in, post};
use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::Owner;
use crate::support::staff::Browser;

const KEYS: &str = "v1/admin/session/keys";
const SVD: [&str; 4] = ["v1", "admin", "session", "svd"];

/// Keeps a key in a browser; returns the user it is registered for.
async fn keep(app: &TestApp, browser: &Browser, owner: &Owner) -> String {
    let made = post_key(app, browser, owner, "Till").await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

async fn post_key(app: &TestApp, browser: &Browser, owner: &Owner, label: &str) -> Answer {
    let body = json!({ "label": label, "pmcHex": owner.key.public_key() });
    browser.send(app, Method::POST, KEYS, &body).await
}

async fn open(app: &TestApp, token: &str) -> Answer {
    app.anonymous().call(Method::POST, &SVD).bearer(token).send().await
}

async fn listed(app: &TestApp, browser: &Browser) -> Vec<Value> {
    browser.get(app, KEYS).await.expect(200)["items"].as_array().unwrap().clone()
}

async fn revoke(app: &TestApp, browser: &Browser, id: &str) -> Answer {
    browser.call(app, Method::DELETE, &format!("{KEYS}/{id}")).send().await
}

fn is_clean(app: &TestApp) -> bool {
    app.store.read(check).unwrap().violations.is_empty()
}

#[tokio::test]
async fn a_browsers_key_logs_its_account_in_until_it_is_revoked() {
    // Nobody may register login keys here but whoever is logged in, for himself.
    let app = TestApp::with(|settings| settings.http.svd_open_registration = false).await;
    let ida = app.staff("Ida", Role::Auditor).await;
    let (here, there) = (Owner::number(1), Owner::number(2));
    let (first, second) = (keep(&app, &ida, &here).await, keep(&app, &ida, &there).await);
    assert_ne!(first, second);
    let with_key = Browser::of(&open(&app, &log_in(&app, &first, &here).await).await);
    assert_eq!(
        (with_key.account(), &with_key.login["method"]),
        (ida.account(), &json!("browser-key"))
    );
    assert_eq!(with_key.login["account"]["hasLoginKey"], false);
    let items = listed(&app, &with_key).await;
    let shown = |item: &Value| {
        (item["id"] == json!(first), item["isCurrent"] == true, item["lastUsedAt"].is_string())
    };
    assert_eq!(
        items.iter().map(shown).filter(|it| *it == (true, true, true)).count(),
        1,
        "{items:?}"
    );
    assert_eq!(items.iter().map(shown).filter(|it| *it == (false, false, false)).count(), 1);
    // The other key's session goes on when this one is revoked; this one's ends, with its tokens.
    let other = Browser::of(&open(&app, &log_in(&app, &second, &there).await).await);
    let token = log_in(&app, &first, &here).await;
    let challenge = begin(&app, &first).await;
    let _ = revoke(&app, &ida, &first).await.expect(200);
    let open_still =
        [ida.status(&app).await, with_key.status(&app).await, other.status(&app).await];
    assert_eq!(open_still, [200, 401, 200]);
    open(&app, &token).await.problem(401, "TOKEN_INVALID");
    let late = post(&app, "complete", &answer_of(&first, &here.key, &challenge)).await;
    late.problem(401, "SVD_INVALID_SIGNATURE");
    assert_eq!(listed(&app, &ida).await.len(), 1);
    revoke(&app, &ida, &first).await.problem(404, "NOT_FOUND");
    assert!(is_clean(&app));
}

#[tokio::test]
async fn only_who_knows_the_password_brings_a_key_in_and_only_for_himself() {
    let app = TestApp::penniless().await;
    let (ada, ben) = (app.staff("Ada", Role::Admin).await, app.staff("Ben", Role::Cashier).await);
    let owner = Owner::number(1);
    let id = keep(&app, &ada, &owner).await;
    let token = log_in(&app, &id, &owner).await;
    let with_key = Browser::of(&open(&app, &token).await);
    post_key(&app, &with_key, &Owner::number(2), "Another").await.problem(403, "FORBIDDEN");
    // It is nobody else's to see or revoke, and links no other account.
    assert_eq!(listed(&app, &ben).await, Vec::<Value>::new());
    revoke(&app, &ben, &id).await.problem(404, "NOT_FOUND");
    let link = ben.call(&app, Method::PUT, &SVD.join("/")).bearer(&token).send().await;
    link.problem(409, "STATE_CONFLICT");
    for label in ["", "  ", "a\nb", &"x".repeat(65)] {
        post_key(&app, &ben, &owner, label).await.problem(400, "VALIDATION_FAILED");
    }
    let body = json!({ "label": "Till", "pmcHex": "05".repeat(33) });
    ben.send(&app, Method::POST, KEYS, &body).await.problem(400, "VALIDATION_FAILED");
    for number in 10..20 {
        let _ = keep(&app, &ben, &Owner::number(number)).await;
    }
    post_key(&app, &ben, &Owner::number(20), "One more").await.problem(409, "STATE_CONFLICT");
}

#[tokio::test]
async fn what_ends_an_account_ends_its_keys_in_browsers() {
    let app = TestApp::penniless().await;
    let ada = app.staff("Ada", Role::Admin).await;
    let owner = Owner::number(1);
    for (deed, path) in [(Method::POST, "/reset"), (Method::DELETE, "")] {
        let ben = app.staff(&format!("Ben {deed}"), Role::Operator).await;
        let id = keep(&app, &ben, &owner).await;
        let token = log_in(&app, &id, &owner).await;
        let with_key = Browser::of(&open(&app, &token).await);
        let of_ben = format!("v1/admin/accounts/{}", ben.account());
        // A disabled account is not opened, and is again afterwards.
        for (disabled, status) in [(true, 401), (false, 200)] {
            let change = json!({ "disabled": disabled });
            let _ = ada.send(&app, Method::PATCH, &of_ben, &change).await.expect(200);
            assert_eq!(open(&app, &token).await.status, status);
        }
        assert_eq!(with_key.status(&app).await, 401);
        let done = ada.call(&app, deed, &format!("{of_ben}{path}")).send().await;
        assert!(done.status < 300, "{done:?}");
        assert_eq!(open(&app, &token).await.status, 401);
        let account = ben.account().parse().unwrap();
        let kept = app.store.read(|tx| browser_keys_of(tx, account)).unwrap();
        assert!(kept.is_empty() && is_clean(&app), "{kept:?}");
    }
}

#[tokio::test]
async fn a_key_that_an_operator_or_its_holder_revokes_elsewhere_is_listed_no_more() {
    let app = TestApp::penniless().await;
    let ada = app.staff("Ada", Role::Admin).await;
    let (first, second) = (Owner::number(1), Owner::number(2));
    let (one, two) = (keep(&app, &ada, &first).await, keep(&app, &ada, &second).await);
    let _ = app.api().call(Method::DELETE, &["v1", "admin", "svd", &one]).send().await.expect(200);
    let token = log_in(&app, &two, &second).await;
    let erased = app.anonymous().call(Method::DELETE, &["v1", "privacy", "delete"]);
    let _ = erased.bearer(&token).send().await;
    open(&app, &token).await.problem(401, "TOKEN_INVALID");
    assert_eq!(listed(&app, &ada).await, Vec::<Value>::new());
    assert!(is_clean(&app));
    // They can still be taken out of the way.
    for id in [one, two] {
        let _ = revoke(&app, &ada, &id).await.expect(200);
    }
}
