//! Login keys: registered, changed, revoked, by whom they may be.

use futures_util::FutureExt;
use futures_util::future::join_all;
use patchproof::auth::svd::{change_key_digest, revoke_digest};
use patchproof::crypto::SecretKey;
use patchproof::service::once::Keep;
use patchproof::types::Clock;
use reqwest::Method;
use serde_json::json;

use crate::login::{
    ADA, NOBODY, answer_of, begin, challenge, log_in, post, register, use_token, with_ada,
};
use crate::support::app::TestApp;
use crate::support::clients::Owner;

#[tokio::test]
async fn a1_a_key_is_never_overwritten() {
    let (app, ada) = with_ada().await;
    let eve = Owner::number(2);
    register(&app, ADA, &eve).await.problem(409, "DUPLICATE_PMC");
    register(&app, ADA, &ada).await.problem(409, "DUPLICATE_PMC");
    let given = begin(&app, ADA).await;
    let refused = post(&app, "complete", &answer_of(ADA, &eve.key, &given)).await;
    refused.problem(401, "SVD_INVALID_SIGNATURE");
    let _token = log_in(&app, ADA, &ada).await;

    let bob = "0000000000000000000000b0";
    let wishes: Vec<Owner> = (10..138).map(Owner::number).collect();
    let answers = join_all(wishes.iter().map(|owner| register(&app, bob, owner))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.problem(409, "DUPLICATE_PMC");
    }
}

#[tokio::test]
async fn a1_where_registration_is_closed_it_takes_a_key_with_the_scope() {
    let app = TestApp::with(|settings| settings.http.svd_open_registration = false).await;
    let ada = Owner::number(1);
    register(&app, ADA, &ada).await.problem(401, "UNAUTHENTICATED");
    let body = json!({ "userId": ADA, "pmcHex": ada.key.public_key() });
    let with = async |key: &str| {
        let client = app.api_with(key);
        client.call(Method::POST, &["api", "svd", "register"]).json(&body).send().await
    };
    with("pos").await.problem(403, "FORBIDDEN");
    with("wrong").await.problem(401, "INVALID_API_KEY");
    let _ = with("keys:write").await.expect(201);
}

#[tokio::test]
async fn a2_a13_a_revoked_key_opens_nothing_and_its_tokens_end() {
    let (app, ada) = with_ada().await;
    let token = log_in(&app, ADA, &ada).await;
    assert_eq!(use_token(&app, &token).await, 404);
    let (open, given) = (begin(&app, ADA).await, begin(&app, ADA).await);
    let digest = revoke_digest(ADA.parse().unwrap(), &challenge(&given));
    let wish =
        |key: &SecretKey| json!({ "userId": ADA, "M": given, "signatureHex": key.sign(&digest) });
    let stranger = post(&app, "revoke", &wish(&Owner::number(2).key)).await;
    stranger.problem(401, "SVD_INVALID_SIGNATURE");
    assert_eq!(use_token(&app, &token).await, 404);
    let _ = post(&app, "revoke", &wish(&ada.key)).await.expect(200);
    assert_eq!(use_token(&app, &token).await, 401);
    let late = post(&app, "complete", &answer_of(ADA, &ada.key, &open)).await;
    late.problem(401, "SVD_INVALID_SIGNATURE");
    let given = begin(&app, ADA).await;
    let refused = post(&app, "complete", &answer_of(ADA, &ada.key, &given)).await;
    refused.problem(401, "SVD_INVALID_SIGNATURE");
    register(&app, ADA, &Owner::number(2)).await.problem(409, "DUPLICATE_PMC");
    let app = app.restart().await;
    assert_eq!(use_token(&app, &token).await, 401);
}

#[tokio::test]
async fn a2_an_operator_revokes_without_the_key() {
    let (app, ada) = with_ada().await;
    let token = log_in(&app, ADA, &ada).await;
    let revoke = async |key: &str, user: &str| {
        app.api_with(key).call(Method::DELETE, &["v1", "admin", "svd", user]).send().await
    };
    revoke("pos", ADA).await.problem(403, "FORBIDDEN");
    revoke("keys:write", NOBODY).await.problem(400, "SVD_NO_PMC");
    let _ = revoke("keys:write", ADA).await.expect(200);
    assert_eq!(use_token(&app, &token).await, 401);
    let _ = revoke("keys:write", ADA).await.expect(200);
}

#[tokio::test]
async fn a_key_is_changed_on_the_word_of_the_old_one() {
    let (app, ada) = with_ada().await;
    let new = Owner::number(7);
    let token = log_in(&app, ADA, &ada).await;
    let given = begin(&app, ADA).await;
    let user = ADA.parse().unwrap();
    let digest = change_key_digest(user, &new.key.public_key(), &challenge(&given));
    let wish = |signer: &Owner| {
        let signature = signer.key.sign(&digest);
        json!({ "userId": ADA, "newPmcHex": new.key.public_key(), "M": given, "signatureHex": signature })
    };
    post(&app, "change-key", &wish(&new)).await.problem(401, "SVD_INVALID_SIGNATURE");
    let _ = post(&app, "change-key", &wish(&ada)).await.expect(200);
    post(&app, "change-key", &wish(&ada)).await.problem(401, "SVD_INVALID_SIGNATURE");
    post(&app, "change-key", &wish(&new)).await.problem(409, "SVD_REPLAYED");
    assert_eq!(use_token(&app, &token).await, 401);
    let begun = begin(&app, ADA).await;
    let refused = post(&app, "complete", &answer_of(ADA, &ada.key, &begun)).await;
    refused.problem(401, "SVD_INVALID_SIGNATURE");
    let token = log_in(&app, ADA, &new).await;
    assert_eq!(use_token(&app, &token).await, 404);
}

#[tokio::test]
async fn a_registration_counts_though_whoever_asked_for_it_has_gone_away() {
    let app = TestApp::penniless().await;
    let ada = Owner::number(1);
    let _stranger = begin(&app, ADA).await;
    let login = app.services.login.clone();
    let (user, key, now) = (ADA.parse().unwrap(), ada.key.public_key(), app.outside.clock.now());
    // Polled once, so that the write is queued, and dropped, if it is not done already.
    let _answer_if_quick =
        login.register(user, key, "somebody", Keep::nothing(), now).now_or_never();
    app.until("the user is known", async || {
        let begun = post(&app, "begin", &json!({ "userId": ADA })).await.expect(200);
        (begun["pmcHex"] == json!(key)).then_some(())
    })
    .await;
    let _token = log_in(&app, ADA, &ada).await;
}
