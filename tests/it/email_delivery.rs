//! How codes reach mailboxes: over a mail server that takes, puts off, refuses or does not answer.

use std::time::Duration;

use patchproof::storage::check;
use reqwest::Method;
use serde_json::json;

use crate::email_codes::{ADA, ask, letter};
use crate::support::app::TestApp;
use crate::support::post_office::Reception;

fn waiting(app: &TestApp) -> u64 {
    app.store.read(check).unwrap().rows["mails-1"]
}

async fn metric(app: &TestApp, line: &str) -> Option<()> {
    let text = app.api().get(&["internal", "metrics"]).await.text().to_owned();
    text.lines().any(|found| found == line).then_some(())
}

/// Lets the time pass until the post office saw one more visitor.
async fn another_visit(app: &TestApp) {
    let before = app.outside.post.connections();
    let came = async || {
        app.outside.clock.advance(Duration::from_secs(1));
        (app.outside.post.connections() > before).then_some(())
    };
    app.until("it is tried again", came).await;
}

#[tokio::test]
async fn a_mail_that_is_put_off_waits_and_arrives_once() {
    let app = TestApp::penniless().await;
    app.outside.post.is(Reception::Busy);
    let request = ask(&app, ADA).await;
    another_visit(&app).await;
    another_visit(&app).await;
    assert_eq!((waiting(&app), app.outside.post.count()), (1, 0));
    let troubled = async || {
        let ready = app.anonymous().get(&["ready"]).await;
        ready.text().contains("mail is not taken: the mail server answered 450").then_some(())
    };
    app.until("readiness says so", troubled).await;
    app.outside.post.is(Reception::Kind);
    another_visit(&app).await;
    let code = letter(&app, ADA, 0).await.code();
    let gone = async || (waiting(&app) == 0).then_some(());
    app.until("it is deleted", gone).await;
    let body = json!({ "identifier": ADA, "code": code, "requestId": request });
    let call = app.anonymous().call(Method::POST, &["v1", "auth", "submit-verification"]);
    let _ = call.json(&body).send().await.expect(200);
    let counted = async || metric(&app, "mail_sent_total{result=\"sent\"} 1").await;
    app.until("it is counted", counted).await;
    let calm = async || {
        let ready = app.anonymous().get(&["ready"]).await;
        (!ready.text().contains("mail is not taken")).then_some(())
    };
    app.until("readiness is calm again", calm).await;
    assert_eq!(app.outside.post.count(), 1);
}

#[tokio::test]
async fn a_mail_outlives_a_mail_server_that_is_away_and_a_restart_of_ours() {
    let app = TestApp::penniless().await;
    app.outside.post.is(Reception::Closed);
    let _request = ask(&app, ADA).await;
    another_visit(&app).await;
    let app = app.restart().await;
    assert_eq!(waiting(&app), 1);
    app.outside.post.is(Reception::Kind);
    another_visit(&app).await;
    let _letter = letter(&app, ADA, 0).await;
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_given_up_and_so_is_one_whose_code_is_over() {
    let app = TestApp::penniless().await;
    app.outside.post.is(Reception::Unwilling);
    let _request = ask(&app, ADA).await;
    let refused = async || metric(&app, "mail_sent_total{result=\"refused\"} 1").await;
    app.until("it is given up", refused).await;
    let gone = async || (waiting(&app) == 0).then_some(());
    app.until("it is deleted", gone).await;

    app.outside.post.is(Reception::Busy);
    let _request = ask(&app, ADA).await;
    another_visit(&app).await;
    app.outside.clock.advance(Duration::from_secs(601));
    app.outside.post.is(Reception::Kind);
    let expired = async || metric(&app, "mail_sent_total{result=\"expired\"} 1").await;
    app.until("it is given up as well", expired).await;
    app.until("it is deleted as well", gone).await;
    assert_eq!(app.outside.post.count(), 0);
}

#[tokio::test]
async fn a_mail_whose_code_was_replaced_is_not_sent() {
    let app = TestApp::penniless().await;
    app.outside.post.is(Reception::Busy);
    for _ in 0..8 {
        let _request = ask(&app, ADA).await;
    }
    assert_eq!(waiting(&app), 5);
    // One that was on its way when its code was replaced comes back first: the second visit from
    // here on was begun after it.
    another_visit(&app).await;
    another_visit(&app).await;
    app.outside.post.is(Reception::Kind);
    let all = async || {
        app.outside.clock.advance(Duration::from_secs(1));
        (waiting(&app) == 0).then_some(())
    };
    app.until("the others arrive", all).await;
    assert_eq!(app.outside.post.count(), 5);
}

#[tokio::test]
async fn a_mail_that_was_taken_while_the_disk_failed_is_not_sent_again() {
    let app = TestApp::penniless().await;
    app.outside.post.is(Reception::Busy);
    let _request = ask(&app, ADA).await;
    another_visit(&app).await;
    app.disk().set_full(true);
    app.outside.post.is(Reception::Kind);
    another_visit(&app).await;
    let _letter = letter(&app, ADA, 0).await;
    let visits = app.outside.post.connections();
    for _ in 0..50 {
        app.outside.clock.advance(Duration::from_secs(2));
        app.wake();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((waiting(&app), app.outside.post.connections()), (1, visits));
    app.disk().set_full(false);
    let gone = async || {
        app.outside.clock.advance(Duration::from_secs(1));
        (waiting(&app) == 0).then_some(())
    };
    app.until("it is deleted", gone).await;
    assert_eq!(app.outside.post.count(), 1);
}
