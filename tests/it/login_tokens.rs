//! Tokens of logins: what they open, and when they end.

use std::time::Duration;

use patchproof::auth::token::{Grant, TokenKeys};
use patchproof::auth::{Subject, TokenScope};
use patchproof::types::Clock;
use reqwest::Method;

use crate::login::{ADA, log_in, register, use_token, with_ada};
use crate::support::app::{JWT_SECRET, TestApp};
use crate::support::clients::Owner;

#[tokio::test]
async fn b9_a_token_from_an_e_mail_code_hands_nothing_on() {
    let (app, _) = with_ada().await;
    let keys = TokenKeys::new(JWT_SECRET, None).unwrap();
    let subject = Subject { id: "email:00".into(), scope: TokenScope::Email };
    let ttl = Duration::from_secs(900);
    let grant = Grant { subject, epoch: 0, jti: "01".repeat(16), svd_proof: None, ttl };
    let token = keys.grant(&grant, app.outside.clock.now()).unwrap();
    assert_eq!(use_token(&app, &token).await, 403);
}

#[tokio::test]
async fn b12_a_stolen_token_ends_with_the_logout_or_after_ten_minutes() {
    let (app, ada) = with_ada().await;
    let (taken_back, forgotten) = (log_in(&app, ADA, &ada).await, log_in(&app, ADA, &ada).await);
    // A thief's requests look like the owner's: nothing in the token itself could tell them apart.
    assert_eq!(use_token(&app, &taken_back).await, 404);
    let call = app.anonymous().call(Method::POST, &["v1", "auth", "logout"]);
    let _ = call.bearer(&forgotten).send().await.expect(200);
    assert_eq!(use_token(&app, &taken_back).await, 401);
    let forgotten = log_in(&app, ADA, &ada).await;
    app.outside.clock.advance(Duration::from_secs(606));
    assert_eq!(use_token(&app, &forgotten).await, 401);
}

#[tokio::test]
async fn b13_after_logging_out_no_token_of_the_person_is_good() {
    let (app, ada) = with_ada().await;
    let (first, second) = (log_in(&app, ADA, &ada).await, log_in(&app, ADA, &ada).await);
    let log_out = async |token: &str| {
        let call = app.anonymous().call(Method::POST, &["v1", "auth", "logout"]);
        call.bearer(token).send().await
    };
    let _ = log_out(&first).await.expect(200);
    log_out(&first).await.problem(401, "TOKEN_INVALID");
    assert_eq!(use_token(&app, &second).await, 401);
    let third = log_in(&app, ADA, &ada).await;
    assert_eq!(use_token(&app, &third).await, 404);
}

#[tokio::test]
async fn b15_who_logged_in_is_noted_and_the_owners_signature_decides() {
    let app = TestApp::start().await;
    let (ada, ben, eve) = (Owner::number(1), Owner::number(2), Owner::number(3));
    let _ = register(&app, ADA, &eve).await.expect(201);
    let token = log_in(&app, ADA, &eve).await;
    let txid = app.api().register("TAG-1", &ada).await;
    let segments = ["v1", "patches", &txid.to_string(), "transfer-ownership"];
    let hand_over = async |from: &Owner| {
        let body = from.hands_over("TAG-1", txid, &ben.address());
        app.api().call(Method::POST, &segments).bearer(&token).json(&body).send().await
    };
    hand_over(&eve).await.problem(403, "NOT_OWNER");
    let _ = hand_over(&ada).await.expect(200);
}
