//! Cashiers at the counter of the console: a whole claim in a session, and none of another shop's.

use patchproof::auth::account::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::claims::{Counter, claim_of, file};
use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::Owner;
use crate::support::staff::{Browser, PASSWORD, log_in, use_link};

const CLAIMS: &str = "v1/admin/claims";
const APPROVE: &str = "v1/pos/claim-approve";

/// Has an admin make a cashier of a shop, who sets the password by the link.
async fn cashier_of(app: &TestApp, admin: &Browser, name: &str, shop: &Owner) -> Browser {
    let body = json!({ "name": name, "role": "cashier", "shop": shop.address() });
    let made = admin.send(app, Method::POST, "v1/admin/accounts", &body).await.expect(201);
    let link = json!({ "token": made["link"]["token"], "password": PASSWORD });
    Browser::of(&use_link(app, &link).await)
}

async fn pending(app: &TestApp, browser: &Browser) -> Vec<Value> {
    let listed = browser.call(app, Method::GET, CLAIMS).query(&[("state", "pending")]);
    listed.send().await.expect(200)["items"].as_array().unwrap().clone()
}

async fn status(app: &TestApp, browser: &Browser, claim: &str) -> Answer {
    browser.get(app, &format!("v1/pos/claim-status/{claim}")).await
}

#[tokio::test]
async fn a_cashier_takes_a_claim_from_the_list_to_the_customers_hands() {
    let counter = Counter::open().await;
    let app = &counter.app;
    let admin = app.staff("Ada", Role::Admin).await;
    let cashier = cashier_of(app, &admin, "Till 1", &counter.shop).await;
    let elsewhere = Owner::number(7);
    app.api().register("TAG-2", &elsewhere).await;
    let _ = file(app, &claim_of(app, &Owner::number(8), "TAG-2").await).await.expect(201);
    let claim = counter.claim().await;

    // What is seen at the counter: the claims of the own shop, and what is to be signed.
    let items = pending(app, &cashier).await;
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!((&items[0]["claimId"], &items[0]["uid_tag_id"]), (&json!(claim), &json!("TAG-1")));
    let shown = status(app, &cashier, &claim).await.expect(200);
    let message = shown["message"].as_str().unwrap();
    let approval = json!({
        "claimId": claim,
        "currentOwnerPubKey": counter.shop.key.public_key(),
        "currentOwnerSignature": counter.shop.sign(message),
    });
    // A page of another origin has the cookie, too, and cannot use it.
    let foreign = app.anonymous().call(Method::POST, &["v1", "pos", "claim-approve"]);
    let foreign =
        foreign.header("cookie", &cashier.cookie).header("origin", "https://evil.example");
    foreign.json(&approval).send().await.problem(403, "CROSS_ORIGIN");

    let call = cashier.call(app, Method::POST, APPROVE).header("idempotency-key", "counter-1");
    let first = call.json(&approval).send().await.expect(200);
    let call = cashier.call(app, Method::POST, APPROVE).header("idempotency-key", "counter-1");
    assert_eq!(call.json(&approval).send().await.expect(200), first, "an answer that was lost");
    assert_eq!(counter.owner().await, counter.customer.address());
    assert_eq!(status(app, &cashier, &claim).await.expect(200)["status"], "approved");
    assert_eq!(pending(app, &cashier).await, Vec::<Value>::new());

    // The trail says who it was, by the account.
    let trail = admin.call(app, Method::GET, "v1/admin/audit").query(&[("limit", "200")]);
    let trail = trail.send().await.expect(200);
    let actor = format!("account:{}", cashier.account());
    let lines = trail["items"].as_array().unwrap().iter();
    let own: Vec<&Value> = lines.filter(|line| line["actor"] == actor.as_str()).collect();
    let is_approval = |line: &&&Value| line["action"].as_str().unwrap().contains("claim");
    assert_eq!(own.iter().filter(is_approval).count(), 1, "{own:?}");

    // Whoever is no longer there hands nothing over.
    let _ = cashier.call(app, Method::DELETE, "v1/admin/session").send().await.expect(200);
    let late = cashier.send(app, Method::POST, APPROVE, &approval).await;
    late.problem(401, "SESSION_INVALID");
}

#[tokio::test]
async fn a_cashier_of_another_shop_sees_and_moves_nothing() {
    let counter = Counter::open().await;
    let app = &counter.app;
    let admin = app.staff("Ada", Role::Admin).await;
    let stranger = cashier_of(app, &admin, "Till 9", &Owner::number(9)).await;
    let claim = counter.claim().await;
    let approval = counter.approval(&claim);
    assert_eq!(pending(app, &stranger).await, Vec::<Value>::new());
    // As anybody: that there is such a claim, but not what it would take to hand the product over.
    let shown = status(app, &stranger, &claim).await.expect(200);
    assert_eq!((&shown["status"], &shown["message"]), (&json!("pending"), &Value::Null), "{shown}");
    stranger.send(app, Method::POST, APPROVE, &approval).await.problem(403, "NOT_OWNER");
    // Neither do those who may more, or less, but belong to no shop.
    let auditor = app.staff("Ida", Role::Auditor).await;
    for other in [&admin, &auditor] {
        other.send(app, Method::POST, APPROVE, &approval).await.problem(403, "FORBIDDEN");
    }
    assert_eq!(counter.owner().await, counter.shop.address());
    // Moved to the shop whose claim it is, the account is let in anew, and may.
    let shop = json!({ "shop": counter.shop.address() });
    let path = format!("v1/admin/accounts/{}", stranger.account());
    let _ = admin.send(app, Method::PATCH, &path, &shop).await.expect(200);
    assert_eq!(stranger.status(app).await, 401, "what it might do has changed");
    let moved = Browser::of(&log_in(app, "Till 9", PASSWORD).await);
    let _ = moved.send(app, Method::POST, APPROVE, &approval).await.expect(200);
    assert_eq!(counter.owner().await, counter.customer.address());
}
