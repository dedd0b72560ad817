//! The long code of a letter: who reads the mailbox gets in, whatever strangers use up.

use std::time::Duration;

use patchproof::http::limits::RateLimits;
use serde_json::json;

use crate::email_codes::{
    ADA, ask, ask_from, letter, other_than, refused, rows, submit, submit_from,
};
use crate::limits::client_at;
use crate::support::app::{FULL_KEY, TestApp, generous};

#[tokio::test]
async fn strangers_who_use_up_everything_do_not_shut_the_owner_out() {
    let rates = RateLimits { auth_request: RateLimits::default().auth_request, ..generous() };
    let app = TestApp::with(|settings| settings.http.limits.rates = rates).await;
    // A stranger has the one mail of the minute sent, and tries its code to death.
    let his = ask(&app, ADA).await;
    let letter = letter(&app, ADA, 0).await;
    let wrong = other_than(&letter.code());
    for _ in 0..5 {
        refused(&submit(&app, ADA, &wrong, Some(&his)).await);
    }
    // Others use up the tries of everybody together.
    let body = json!({ "identifier": ADA, "code": wrong });
    for number in 0..25 {
        let client = client_at(&format!("127.0.4.{number}"));
        for _ in 0..5 {
            assert_eq!(submit_from(&client, &app, &body).await, 401);
        }
    }
    // The owner gets no mail of her own, and the digits of his are worth nothing.
    let owner = client_at("127.0.5.1");
    assert_eq!(ask_from(&owner, &app, ADA).await, 429);
    let digits = json!({ "identifier": ADA, "code": letter.code(), "requestId": his });
    assert_eq!(submit_from(&owner, &app, &digits).await, 401);
    // She logs in with what only her mailbox has.
    let long = json!({ "identifier": ADA, "code": letter.long_code() });
    assert_eq!(submit_from(&owner, &app, &long).await, 200);
    assert_eq!(submit_from(&owner, &app, &long).await, 401, "it is good once");
}

#[tokio::test]
async fn b4_a_long_code_is_over_with_its_letter_and_belongs_to_its_mailbox() {
    let app = TestApp::penniless().await;
    let other = "ben@shop.example";
    let request = ask(&app, ADA).await;
    let letter = letter(&app, ADA, 0).await;
    let long = letter.long_code();
    let _request = ask(&app, other).await;
    refused(&submit(&app, other, &long, None).await);
    refused(&submit(&app, ADA, &"0".repeat(32), None).await);
    refused(&submit(&app, ADA, &"0".repeat(32), Some(&request)).await);
    refused(&submit(&app, ADA, &request, Some(&request)).await);
    assert_eq!(rows(&app, ADA)[0].attempts, 0, "wrong ones use up no try");
    app.outside.clock.advance(Duration::from_secs(600));
    refused(&submit(&app, ADA, &long, Some(&request)).await);
    let _request = ask(&app, ADA).await;
    let next = crate::email_codes::letter(&app, ADA, 1).await.long_code();
    assert_ne!(next, long);
    // In any case and spacing, with the request or without.
    let typed = next.to_uppercase().replace('-', " ");
    let _ = submit(&app, ADA, &typed, None).await.expect(200);
}

#[tokio::test]
async fn b2_an_api_key_gives_no_more_tries_at_a_mailbox() {
    let app = TestApp::with(|settings| settings.http.limits.rates = RateLimits::default()).await;
    let ask = async || {
        let call = app
            .api_with(FULL_KEY)
            .call(reqwest::Method::POST, &["v1", "auth", "request-verification"]);
        call.json(&json!({ "identifier": ADA })).send().await
    };
    let request = ask().await.expect(200)["requestId"].as_str().unwrap().to_owned();
    let _ = ask().await.problem(429, "RATE_LIMITED");
    let code = letter(&app, ADA, 0).await.code();
    let submit = async |body: serde_json::Value| {
        let call = app
            .api_with(FULL_KEY)
            .call(reqwest::Method::POST, &["v1", "auth", "submit-verification"]);
        call.json(&body).send().await.status
    };
    let wrong = other_than(&code);
    for _ in 0..5 {
        let tried = json!({ "identifier": ADA, "code": wrong, "requestId": request });
        assert_eq!(submit(tried).await, 401);
    }
    let right = json!({ "identifier": ADA, "code": code, "requestId": request });
    assert_eq!(submit(right).await, 401, "five tries for each code, whoever tries");
}
