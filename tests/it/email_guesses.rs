//! Codes that somebody guesses at: how many tries there are, whom they count for, and what is told.

use std::time::Duration;

use futures_util::future::join_all;
use patchproof::http::limits::Rate;
use reqwest::Method;
use serde_json::json;

use crate::email_codes::{
    ADA, BEN, SECOND, code_for, other_than, post, refused, rows, submit, submit_from,
};
use crate::limits::client_at;
use crate::support::answer::Answer;
use crate::support::app::{TestApp, generous};

#[tokio::test]
async fn b2_a_stranger_uses_up_nothing_of_the_owners() {
    let app = TestApp::penniless().await;
    let (request, code) = code_for(&app, ADA, 0).await;
    let before = rows(&app, ADA);
    let wrong = other_than(&code);
    // He knows the mailbox and not the request: guesses count for him and change no code.
    for number in 0..40 {
        let body = json!({ "identifier": ADA, "code": wrong });
        let stranger = client_at(&format!("127.0.1.{number}"));
        for _ in 0..2 {
            assert_eq!(submit_from(&stranger, &app, &body).await, 401);
        }
        let named = "ab".repeat(16);
        refused(&submit(&app, ADA, &wrong, Some(&named)).await);
        refused(&submit(&app, ADA, &wrong, Some("nonsense")).await);
    }
    // A request of his own for another mailbox opens this one no more.
    let (his, his_code) = code_for(&app, BEN, 0).await;
    refused(&submit(&app, ADA, &his_code, Some(&his)).await);
    refused(&submit(&app, ADA, &code, Some(&his)).await);
    assert_eq!(rows(&app, ADA), before);
    let _ = submit(&app, ADA, &code, Some(&request)).await.expect(200);
}

#[tokio::test]
async fn b2_a_code_is_dead_after_five_wrong_tries_and_a_restart_refills_none() {
    let app = TestApp::penniless().await;
    let (request, code) = code_for(&app, ADA, 0).await;
    let (second, second_code) = code_for(&app, ADA, 1).await;
    let wrong = other_than(&code);
    for _ in 0..3 {
        refused(&submit(&app, ADA, &wrong, Some(&request)).await);
    }
    let app = app.restart().await;
    assert_eq!(rows(&app, ADA)[0].attempts, 3);
    for _ in 0..2 {
        refused(&submit(&app, ADA, &wrong, Some(&request)).await);
    }
    refused(&submit(&app, ADA, &code, Some(&request)).await);
    // Without the request it is no better, and another request's tries are its own.
    refused(&submit(&app, ADA, &code, None).await);
    let _ = submit(&app, ADA, &second_code, Some(&second)).await.expect(200);
}

#[tokio::test]
async fn b2_many_tries_at_a_time_are_five_tries() {
    let app = TestApp::penniless().await;
    let (request, code) = code_for(&app, ADA, 0).await;
    let wrong = other_than(&code);
    let tries = (0..64).map(|_| submit(&app, ADA, &wrong, Some(&request)));
    let answers = join_all(tries).await;
    assert!(answers.iter().all(|answer| answer.status == 401));
    assert_eq!(rows(&app, ADA)[0].attempts, 5);
    refused(&submit(&app, ADA, &code, Some(&request)).await);
}

#[tokio::test]
async fn a_client_that_does_not_name_the_request_logs_in_and_is_limited_by_itself() {
    let app = TestApp::penniless().await;
    let (_, code) = code_for(&app, ADA, 0).await;
    let _ = submit(&app, ADA, &code, None).await.expect(200);
    refused(&submit(&app, ADA, &code, None).await);

    // One failure is counted; four more, and nothing is accepted from here for ten minutes.
    let (request, code) = code_for(&app, ADA, 1).await;
    for _ in 0..4 {
        refused(&submit(&app, ADA, &other_than(&code), None).await);
    }
    refused(&submit(&app, ADA, &code, None).await);
    let body = json!({ "identifier": ADA, "code": code });
    assert_eq!(submit_from(&client_at("127.0.0.2"), &app, &body).await, 200);
    refused(&submit(&app, ADA, &code, Some(&request)).await);
    let (request, code) = code_for(&app, ADA, 2).await;
    let _ = submit(&app, ADA, &code, Some(&request)).await.expect(200);
    app.outside.clock.advance(Duration::from_secs(601));
    let (_, code) = code_for(&app, ADA, 3).await;
    let _ = submit(&app, ADA, &code, None).await.expect(200);
}

#[tokio::test]
async fn guesses_from_everywhere_end_at_a_hundred_a_day_and_shut_out_nobody_who_asked() {
    let app = TestApp::penniless().await;
    let (request, code) = code_for(&app, ADA, 0).await;
    let body = json!({ "identifier": ADA, "code": other_than(&code) });
    for number in 0..25 {
        let client = client_at(&format!("127.0.2.{number}"));
        for _ in 0..5 {
            assert_eq!(submit_from(&client, &app, &body).await, 401);
        }
    }
    let right = json!({ "identifier": ADA, "code": code });
    assert_eq!(submit_from(&client_at("127.0.3.1"), &app, &right).await, 401);
    let _ = submit(&app, ADA, &code, Some(&request)).await.expect(200);
    app.outside.clock.advance(Duration::from_secs(24 * 3600));
    let (_, code) = code_for(&app, ADA, 1).await;
    let _ = submit(&app, ADA, &code, None).await.expect(200);
}

#[tokio::test]
async fn b7_right_codes_use_up_nothing_and_the_sixth_wrong_one_waits() {
    let submits = Rate::per_secs(5, 600);
    let rates = patchproof::http::limits::RateLimits { auth_submit: submits, ..generous() };
    let app = TestApp::with(|settings| settings.http.limits.rates = rates).await;
    for number in 0..20 {
        let (request, code) = code_for(&app, ADA, number).await;
        let named = (number % 2 == 0).then_some(request.as_str());
        let _ = submit(&app, ADA, &code, named).await.expect(200);
    }
    let (request, code) = code_for(&app, ADA, 20).await;
    for number in 0..5 {
        let mailbox = format!("customer-{number}@shop.example");
        refused(&submit(&app, &mailbox, "00000000", Some(&request)).await);
    }
    let late = submit(&app, ADA, &code, Some(&request)).await;
    late.problem(429, "RATE_LIMITED");
    assert_eq!(rows(&app, ADA)[0].attempts, 0, "what is refused for being too much does nothing");
    let body = json!({ "identifier": ADA, "code": other_than(&code), "requestId": request });
    assert_eq!(submit_from(&client_at("127.0.0.2"), &app, &body).await, 401);
    // A shop's customers do not share what one address may do.
    let wait: u64 = late.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=120).contains(&wait), "{wait}");
    let body = json!({ "identifier": ADA, "code": code, "requestId": request });
    let by_shop = app.api().call(Method::POST, &["v1", "auth", "submit-verification"]);
    let _ = by_shop.json(&body).send().await.expect(200);
}

#[tokio::test]
async fn b8_every_cause_has_one_answer() {
    let app = TestApp::penniless().await;
    let (request, code) = code_for(&app, ADA, 0).await;
    let (used, used_code) = code_for(&app, ADA, 1).await;
    let _ = submit(&app, ADA, &used_code, Some(&used)).await.expect(200);
    let wrong = other_than(&code);
    let unknown = "cd".repeat(16);
    let mut answers = vec![
        submit(&app, ADA, &wrong, Some(&request)).await,
        submit(&app, ADA, "", Some(&request)).await,
        submit(&app, ADA, &"9".repeat(10_000), Some(&request)).await,
        submit(&app, ADA, &used_code, Some(&used)).await,
        submit(&app, ADA, &code, Some(&unknown)).await,
        submit(&app, ADA, &code, Some("")).await,
        submit(&app, BEN, &code, Some(&request)).await,
        submit(&app, "nobody@nowhere.example", &code, None).await,
        submit(&app, ADA, &wrong, None).await,
    ];
    app.outside.clock.advance(Duration::from_secs(600) + SECOND);
    answers.push(submit(&app, ADA, &code, Some(&request)).await);
    let names = |answer: &Answer| {
        let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    for answer in &answers {
        assert_eq!(refused(answer), refused(&answers[0]));
        assert_eq!(names(answer), names(&answers[0]));
    }
    // Nor does the answer to a request tell anything.
    let known = post(&app, "request-verification", &json!({ "identifier": ADA })).await;
    let other = json!({ "identifier": "nobody@nowhere.example" });
    let other = post(&app, "request-verification", &other).await;
    assert_eq!(names(&known), names(&other));
    assert_eq!(known.body.len(), other.body.len());
    assert_eq!(known.expect(200)["message"], other.expect(200)["message"]);
}
