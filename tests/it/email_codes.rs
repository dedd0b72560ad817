//! Logins by a code sent to a mailbox, as owners and strangers use them; tests are named after the
//! defects of the predecessor that must not come back.

use std::time::Duration;

use futures_util::future::join_all;
use patchproof::auth::TokenScope;
use patchproof::auth::email_code::{EmailKeys, Mailbox};
use patchproof::auth::token::TokenKeys;
use patchproof::http::limits::Rate;
use patchproof::storage::email_codes::email_codes_of;
use patchproof::storage::{StoredEmailCode, check};
use patchproof::types::Clock;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::limits::client_at;
use crate::support::answer::Answer;
use crate::support::app::{JWT_SECRET, TestApp, generous};
use crate::support::post_office::Received;

pub(crate) const ADA: &str = "ada@shop.example";
pub(crate) const BEN: &str = "ben@shop.example";
pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) async fn post(app: &TestApp, step: &str, body: &Value) -> Answer {
    app.anonymous().call(Method::POST, &["v1", "auth", step]).json(body).send().await
}

/// Asks for a code and returns what names the request.
pub(crate) async fn ask(app: &TestApp, mailbox: &str) -> String {
    let body = json!({ "identifier": mailbox });
    let answer = post(app, "request-verification", &body).await.expect(200);
    answer["requestId"].as_str().unwrap().to_owned()
}

pub(crate) async fn submit(
    app: &TestApp,
    mailbox: &str,
    code: &str,
    request: Option<&str>,
) -> Answer {
    let mut body = json!({ "identifier": mailbox, "code": code });
    if let Some(request) = request {
        body["requestId"] = request.into();
    }
    post(app, "submit-verification", &body).await
}

/// Does the same from another address of this machine; returns the status.
pub(crate) async fn submit_from(client: &Client, app: &TestApp, body: &Value) -> u16 {
    let url = app.base.join("v1/auth/submit-verification").unwrap();
    client.post(url).json(body).send().await.unwrap().status().as_u16()
}

pub(crate) async fn ask_from(client: &Client, app: &TestApp, mailbox: &str) -> u16 {
    let url = app.base.join("v1/auth/request-verification").unwrap();
    let body = json!({ "identifier": mailbox });
    client.post(url).json(&body).send().await.unwrap().status().as_u16()
}

/// Waits for the letter with this number to a mailbox.
pub(crate) async fn letter(app: &TestApp, mailbox: &str, number: usize) -> Received {
    let looking = async || app.outside.post.letters_to(mailbox).get(number).cloned();
    app.until("a letter arrives", looking).await
}

/// Asks for a code and reads it in the mail; `number` letters came before.
pub(crate) async fn code_for(app: &TestApp, mailbox: &str, number: usize) -> (String, String) {
    let request = ask(app, mailbox).await;
    (request, letter(app, mailbox, number).await.code())
}

/// Returns a code that is not this one.
pub(crate) fn other_than(code: &str) -> String {
    let number: u32 = code.parse().unwrap();
    format!("{:08}", (number + 1) % 100_000_000)
}

pub(crate) fn keys() -> EmailKeys {
    EmailKeys::derive(&[7; 32])
}

pub(crate) fn rows(app: &TestApp, mailbox: &str) -> Vec<StoredEmailCode> {
    let hash = keys().mailbox(&Mailbox::parse(mailbox).unwrap());
    app.store.read(|tx| email_codes_of(tx, hash)).unwrap()
}

/// Counts the rows that codes and guesses at them leave behind.
pub(crate) fn footprint(app: &TestApp) -> Vec<u64> {
    let rows = app.store.read(check).unwrap().rows;
    ["email-codes-1", "email-guesses-1", "mails-1", "audit-1"].map(|name| rows[name]).to_vec()
}

pub(crate) fn refused(answer: &Answer) -> Value {
    let mut problem = answer.problem(401, "EMAIL_CODE_INVALID");
    problem["requestId"] = Value::Null;
    problem
}

#[tokio::test]
async fn a_code_from_the_mail_logs_in_and_the_token_says_what_it_is() {
    let app = TestApp::penniless().await;
    let body = json!({ "identifier": " Ada@SHOP.example " });
    let asked = post(&app, "request-verification", &body).await;
    assert_eq!(asked.header("cache-control"), Some("no-store"));
    let asked = asked.expect(200);
    assert_eq!(asked["success"], true);
    assert_eq!(asked["requestId"].as_str().unwrap().len(), 32);
    let mailbox = "Ada@shop.example";
    let letter = letter(&app, mailbox, 0).await;
    assert!(!letter.text.contains(asked["requestId"].as_str().unwrap()), "{}", letter.text);
    let subject = letter.text.lines().find(|line| line.starts_with("Subject:")).unwrap();
    assert!(!subject.contains(&letter.code()), "{subject}");
    let request = asked["requestId"].as_str();
    let done = submit(&app, mailbox, &letter.code(), request).await;
    assert_eq!(done.header("cache-control"), Some("no-store"));
    let done = done.expect(200);
    assert_eq!(done["success"], true);
    let token = done["token"].as_str().unwrap();
    let claims = TokenKeys::new(JWT_SECRET, None).unwrap();
    let claims = claims.claims(token, app.outside.clock.now()).unwrap();
    let hash = keys().mailbox(&Mailbox::parse(mailbox).unwrap());
    assert_eq!((claims.scope, claims.sub), (TokenScope::Email, format!("email:{hash}")));
    assert_eq!(claims.exp - claims.iat, 15 * 60);
    // The code is used up, and the token ends with a logout like every other.
    refused(&submit(&app, mailbox, &letter.code(), request).await);
    let logout = async || {
        let call = app.anonymous().call(Method::POST, &["v1", "auth", "logout"]);
        call.bearer(token).send().await
    };
    let _ = logout().await.expect(200);
    logout().await.problem(401, "TOKEN_INVALID");
    assert_eq!(footprint(&app)[0], 0);
}

#[tokio::test]
async fn b9_a_token_from_a_code_hands_nothing_on() {
    let app = TestApp::penniless().await;
    let (request, code) = code_for(&app, ADA, 0).await;
    let done = submit(&app, ADA, &code, Some(&request)).await.expect(200);
    let segments = ["v1", "patches", &"0".repeat(64), "transfer-ownership"];
    let call = app.api().call(Method::POST, &segments).bearer(done["token"].as_str().unwrap());
    call.send().await.problem(403, "FORBIDDEN");
}

#[tokio::test]
async fn what_is_no_address_is_refused_and_leaves_nothing() {
    let app = TestApp::penniless().await;
    for bad in ["", "ada", "ada@", "ada@shop.example, ben@shop.example", "a\r\nb@shop.example"] {
        let body = json!({ "identifier": bad });
        post(&app, "request-verification", &body).await.invalid(&["identifier"]);
        submit(&app, bad, "12345678", None).await.invalid(&["identifier"]);
    }
    assert_eq!(footprint(&app), [0, 0, 0, 0]);
}

#[tokio::test]
async fn b1_a_mailbox_and_a_client_each_get_one_mail_a_minute_whatever_else_is_sent() {
    let minute = Rate::per_secs(1, 60);
    let rates = patchproof::http::limits::RateLimits { auth_request: minute, ..generous() };
    let app = TestApp::with(|settings| settings.http.limits.rates = rates).await;
    let _request = ask(&app, ADA).await;
    // What the predecessor fell for: a user of one's own in every request.
    for number in 0..20 {
        let body = json!({ "identifier": ADA, "userId": format!("{number:024}") });
        post(&app, "request-verification", &body).await.problem(429, "RATE_LIMITED");
    }
    let body = json!({ "identifier": BEN });
    post(&app, "request-verification", &body).await.problem(429, "RATE_LIMITED");
    // From elsewhere, and in other letters: the mailbox is the same.
    assert_eq!(ask_from(&client_at("127.0.0.2"), &app, ADA).await, 429);
    assert_eq!(ask_from(&client_at("127.0.0.3"), &app, "ADA@shop.EXAMPLE").await, 429);
    assert_eq!(ask_from(&client_at("127.0.0.4"), &app, BEN).await, 200);
    let _letter = letter(&app, BEN, 0).await;
    app.outside.clock.advance(Duration::from_secs(60));
    let _request = ask(&app, ADA).await;
    let _second = letter(&app, ADA, 1).await;
    assert_eq!(app.outside.post.count(), 3);
}

#[tokio::test]
async fn b1_a_typing_error_costs_nobody_a_minute() {
    let minute = Rate::per_secs(1, 60);
    let rates = patchproof::http::limits::RateLimits { auth_request: minute, ..generous() };
    let app = TestApp::with(|settings| settings.http.limits.rates = rates).await;
    for typo in ["ada", "ada@", "ada@shop,example", "@shop.example"] {
        let body = json!({ "identifier": typo });
        post(&app, "request-verification", &body).await.invalid(&["identifier"]);
    }
    let _request = ask(&app, ADA).await;
    let body = json!({ "identifier": ADA });
    post(&app, "request-verification", &body).await.problem(429, "RATE_LIMITED");
}

#[tokio::test]
async fn b1_beyond_the_mails_of_an_hour_the_answer_is_the_same_and_nothing_is_sent() {
    let app = TestApp::with(|settings| settings.max_mails_per_hour = 3).await;
    let asked = |number: u32| json!({ "identifier": format!("customer-{number}@shop.example") });
    let mut answers = Vec::new();
    for number in 0..6 {
        let mut answer = post(&app, "request-verification", &asked(number)).await.expect(200);
        assert_eq!(answer["requestId"].as_str().unwrap().len(), 32);
        answer["requestId"] = Value::Null;
        answers.push(answer);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let all = async || (app.outside.post.count() == 3).then_some(());
    app.until("three letters arrive", all).await;
    assert_eq!(footprint(&app)[0], 3);
    let text = app.api().get(&["internal", "metrics"]).await.text().to_owned();
    assert!(text.contains("email_codes_total{result=\"over-budget\"} 3"), "{text}");
    app.outside.clock.advance(Duration::from_secs(3600));
    let _request = ask(&app, ADA).await;
    let _letter = letter(&app, ADA, 0).await;
}

#[tokio::test]
async fn a_code_counts_once_of_many_at_a_time() {
    let app = TestApp::penniless().await;
    let (request, code) = code_for(&app, ADA, 0).await;
    let tries = (0..16).map(|_| submit(&app, ADA, &code, Some(&request)));
    let answers = join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 15);
}

#[tokio::test]
async fn b4_a_code_is_over_after_ten_minutes_by_the_clock_and_not_by_a_sweep() {
    let app = TestApp::penniless().await;
    let (request, code) = code_for(&app, ADA, 0).await;
    let drawn = rows(&app, ADA)[0].created_at;
    let until = |seconds: u64| {
        let wanted = drawn.plus(Duration::from_secs(seconds));
        app.outside.clock.advance(wanted.since(app.outside.clock.now()));
    };
    until(599);
    refused(&submit(&app, ADA, &other_than(&code), Some(&request)).await);
    assert_eq!(rows(&app, ADA)[0].attempts, 1, "it is tried a second before its end");
    until(601);
    refused(&submit(&app, ADA, &code, Some(&request)).await);
    refused(&submit(&app, ADA, &code, None).await);

    let (request, code) = code_for(&app, ADA, 1).await;
    app.outside.clock.advance(Duration::from_secs(590));
    let _ = submit(&app, ADA, &code, Some(&request)).await.expect(200);
    app.outside.clock.advance(Duration::from_secs(3600));
    let gone = async || (footprint(&app)[0] == 0).then_some(());
    app.until("what is over is swept away", gone).await;
}

#[tokio::test]
async fn b5_each_request_has_a_code_of_its_own_and_a_mailbox_five_at_most() {
    let app = TestApp::penniless().await;
    let mut requests = join_all((0..64).map(|_| ask(&app, ADA))).await;
    requests.sort();
    requests.dedup();
    assert_eq!(requests.len(), 64);
    let kept = rows(&app, ADA);
    assert_eq!(kept.len(), 5);
    // The newest remain where one and the same client asks, each with a code of its own.
    let mut codes: Vec<_> = kept.iter().map(|row| row.code).collect();
    codes.dedup();
    assert_eq!(codes.len(), 5);
    assert!(kept.iter().all(|row| requests.contains(&row.request.to_string())));
}

#[tokio::test]
async fn b5_a_strangers_request_voids_no_code_of_the_owners() {
    let app = TestApp::penniless().await;
    let mut owners = Vec::new();
    for number in 0..5 {
        owners.push(code_for(&app, ADA, number).await);
    }
    let before = rows(&app, ADA);
    let stranger = client_at("127.0.0.2");
    for _ in 0..10 {
        assert_eq!(ask_from(&stranger, &app, ADA).await, 200);
    }
    assert_eq!(rows(&app, ADA), before);
    for (request, code) in &owners {
        let _ = submit(&app, ADA, code, Some(request)).await.expect(200);
    }
    assert_eq!(app.outside.post.count(), 5);
}

#[tokio::test]
async fn deeds_are_in_the_audit_trail_under_a_name_that_tells_nothing() {
    let app = TestApp::penniless().await;
    let (request, code) = code_for(&app, ADA, 0).await;
    refused(&submit(&app, ADA, &other_than(&code), Some(&request)).await);
    let _ = submit(&app, ADA, &code, Some(&request)).await.expect(200);
    let subject = keys().mailbox(&Mailbox::parse(ADA).unwrap()).subject();
    let lines = app.api().get(&["v1", "admin", "audit"]).await;
    assert!(!lines.text().contains("shop.example"), "{}", lines.text());
    let lines = lines.expect(200);
    let of = |action: &str| {
        let lines = lines["items"].as_array().unwrap().iter();
        lines.filter(|line| line["action"].as_str().unwrap().starts_with(action)).count()
    };
    assert_eq!((of("email.request"), of("login.email:")), (1, 1), "{lines}");
    assert!(lines.to_string().contains(&subject), "{lines}");
    let noted = async || {
        let lines = app.api().get(&["v1", "admin", "audit"]).await;
        lines.text().contains("e-mail code: 1").then_some(())
    };
    app.outside.clock.advance(Duration::from_secs(61));
    app.until("the refusal is written down", noted).await;
}
