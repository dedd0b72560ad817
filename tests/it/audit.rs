//! The audit trail: who did what, in an order that cannot be changed afterwards.

use std::time::Duration;

use patchproof::service::audit::{AuditMark, holds_mark};
use patchproof::service::maintenance::{Action, MaintenanceRequest, SCHEDULER};
use patchproof::storage::audit::audit_state;
use patchproof::types::{Clock, Satoshis};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{FULL_KEY, TestApp};
use crate::support::clients::Owner;

async fn list(app: &TestApp, pairs: &[(&str, &str)]) -> Vec<Value> {
    let call = app.api().call(Method::GET, &["v1", "admin", "audit"]).query(pairs);
    call.send().await.expect(200)["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn b20_every_deed_is_noted_under_the_credential_that_did_it() {
    let app = TestApp::start().await;
    let (ada, ben) = (Owner::number(1), Owner::number(2));
    let txid = app.api().register("TAG-1", &ada).await;
    app.api().transfer("TAG-1", txid, &ada, &ben).await;
    let put = app.api().putting("TAG-1", "text/plain", "x").send().await;
    let _ = put.expect(200);
    let change = app.api().call(Method::PATCH, &["v1", "admin", "settings"]);
    let _ = change.json(&json!({ "FEE_PER_KB": 600 })).send().await.expect(200);
    let key = app.api().call(Method::POST, &["v1", "admin", "keys"]);
    let _ = key.json(&json!({ "name": "x", "scopes": ["unlock"] })).send().await.expect(201);
    let deeds: Vec<(String, String)> = list(&app, &[])
        .await
        .iter()
        .rev()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            (text("action"), text("actor"))
        })
        .collect();
    let person = app.services.persons.pseudonym("owner-of-tests");
    let transfer_actor = format!("{FULL_KEY} for {person}");
    let expected: Vec<(String, String)> = [
        ("utxo.sync", "test"),
        ("patch.register", FULL_KEY),
        ("patch.transfer", &transfer_actor),
        ("content.put", FULL_KEY),
        ("setting.set", FULL_KEY),
        ("key.create", FULL_KEY),
    ]
    .map(|(action, actor)| (action.to_owned(), actor.to_owned()))
    .to_vec();
    assert_eq!(deeds, expected);
    let keys = list(&app, &[("action", "key.")]).await;
    assert_eq!(keys.len(), 1);
    assert_eq!(list(&app, &[("subject", "TAG-1"), ("limit", "2")]).await.len(), 2);
    assert_eq!(list(&app, &[("actor", "nobody-we-know")]).await.len(), 0);
}

#[tokio::test]
async fn refusals_are_counted_and_written_together() {
    let app = TestApp::penniless().await;
    for number in 0..7 {
        let key = format!("guess-{number}");
        app.api_with(&key).get(&["v1", "admin", "patches"]).await.problem(401, "INVALID_API_KEY");
    }
    app.outside.clock.advance(Duration::from_secs(61));
    let lines = app
        .until("refusals are written down", async || {
            Some(list(&app, &[("action", "auth.")]).await).filter(|lines| !lines.is_empty())
        })
        .await;
    let count: u64 = lines
        .iter()
        .map(|line| line["subject"].as_str().unwrap().strip_prefix("API key: ").unwrap())
        .map(|count| count.parse::<u64>().unwrap())
        .sum();
    assert_eq!(count, 7);
    assert!(lines.len() <= 2, "{lines:?}");
}

#[tokio::test]
async fn the_lines_are_counted_across_restarts() {
    let app = TestApp::penniless().await;
    let set = async |app: &TestApp, rate: u32| {
        let change = app.api().call(Method::PATCH, &["v1", "admin", "settings"]);
        let _ = change.json(&json!({ "FEE_PER_KB": rate })).send().await.expect(200);
    };
    let until = async |app: &TestApp, count: u32| {
        let line = format!("audit_lines_total {count}\n");
        app.until(&line, async || {
            let metrics = app.anonymous().get(&["metrics"]).await;
            metrics.text().contains(&line).then_some(())
        })
        .await;
    };
    until(&app, 0).await;
    set(&app, 501).await;
    set(&app, 502).await;
    until(&app, 2).await;
    let app = app.restart().await;
    set(&app, 503).await;
    until(&app, 3).await;
}

#[tokio::test]
async fn pages_lead_to_the_first_line() {
    let app = TestApp::penniless().await;
    for number in 0..5 {
        let value = json!({ "FEE_PER_KB": 500 + number });
        let change = app.api().call(Method::PATCH, &["v1", "admin", "settings"]);
        let _ = change.json(&value).send().await.expect(200);
    }
    let (mut seen, mut cursor) = (Vec::new(), "5".to_owned());
    loop {
        let call = app.api().call(Method::GET, &["v1", "admin", "audit"]);
        let page = call.query(&[("limit", "2"), ("cursor", &cursor)]).send().await.expect(200);
        let numbers = page["items"].as_array().unwrap().iter();
        seen.extend(numbers.map(|line| line["number"].as_u64().unwrap()));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(seen, [4, 3, 2, 1, 0]);
}

#[tokio::test]
async fn lines_are_found_by_their_time() {
    let app = TestApp::penniless().await;
    let mut times = Vec::new();
    for number in 0..4 {
        times.push(app.outside.clock.now());
        let change = app.api().call(Method::PATCH, &["v1", "admin", "settings"]);
        let _ = change.json(&json!({ "FEE_PER_KB": 500 + number })).send().await.expect(200);
        app.outside.clock.advance(Duration::from_secs(3600));
    }
    let found = async |pairs: &[(&str, &str)]| -> Vec<u64> {
        let lines = list(&app, pairs).await;
        lines.iter().rev().map(|line| line["number"].as_u64().unwrap()).collect()
    };
    let texts: Vec<String> = times.iter().map(ToString::to_string).collect();
    assert_eq!(found(&[("since", &texts[1])]).await, [1, 2, 3]);
    assert_eq!(found(&[("until", &texts[1])]).await, [0]);
    assert_eq!(found(&[("since", &texts[1]), ("until", &texts[3])]).await, [1, 2]);
    assert_eq!(found(&[("since", &texts[3]), ("until", &texts[1])]).await, [0_u64; 0]);
    let with_actor = [("since", texts[2].as_str()), ("actor", "nobody-we-know")];
    assert_eq!(found(&with_actor).await, [0_u64; 0]);
    assert_eq!(found(&[("since", "2000-01-01"), ("until", "2200-01-01")]).await, [0, 1, 2, 3]);
    for name in ["since", "until"] {
        for bad in ["yesterday", "", "2026-01-31T12:00:00"] {
            let call = app.api().call(Method::GET, &["v1", "admin", "audit"]);
            call.query(&[(name, bad)]).send().await.invalid(&[name]);
        }
    }
}

#[tokio::test]
async fn the_trail_is_verified_and_has_a_mark_to_note() {
    let app = TestApp::penniless().await;
    for number in 0..5 {
        let value = json!({ "FEE_PER_KB": 500 + number });
        let change = app.api().call(Method::PATCH, &["v1", "admin", "settings"]);
        let _ = change.json(&value).send().await.expect(200);
    }
    let answer = app.api().get(&["v1", "admin", "audit", "verify"]).await.expect(200);
    assert_eq!((&answer["whole"], &answer["lines"]), (&json!(true), &json!(5)));
    let state = app.store.read(audit_state).unwrap();
    assert_eq!(answer["head"], hex::encode(state.head.as_bytes()));
    let mark = AuditMark { lines: state.lines, head: state.head };
    assert!(app.store.read(|tx| holds_mark(tx, &mark)).unwrap());
    let other = AuditMark { lines: 6, ..mark };
    assert!(!app.store.read(|tx| holds_mark(tx, &other)).unwrap());
}

#[tokio::test]
async fn whoever_has_the_pool_looked_after_is_noted_and_what_came_in() {
    let app = TestApp::penniless().await;
    let maintain = async |body: Value| {
        let call = app.api().call(Method::POST, &["v1", "admin", "utxo-maintain"]);
        call.json(&body).send().await.expect(200)
    };
    let noted = async || -> Vec<(String, String, String)> {
        let lines = list(&app, &[("action", "utxo.")]).await;
        let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
        let told = |line| (text(line, "action"), text(line, "actor"), text(line, "subject"));
        lines.iter().rev().map(told).collect()
    };
    let line =
        |action: &str, subject: &str| (action.to_owned(), FULL_KEY.to_owned(), subject.to_owned());
    let _ = maintain(json!({ "action": "sync" })).await;
    let _ = maintain(json!({ "action": "split", "dryRun": true })).await;
    assert_eq!(noted().await, [line("utxo.maintain", "sync")], "nothing came in");
    let address = app.services.funding.keyring.funding.address;
    app.outside.simnet.node().faucet(&address, Satoshis::from_const(20_000), 3).unwrap();
    app.outside.simnet.mine();
    let _ = maintain(json!({ "action": "sync" })).await;
    let _ = maintain(json!({ "action": "sync" })).await;
    let expected = [
        line("utxo.maintain", "sync"),
        line("utxo.maintain", "sync"),
        line("utxo.sync", "3 added, 0 updated"),
        line("utxo.maintain", "sync"),
    ];
    assert_eq!(noted().await, expected);
    // The schedule leaves no line of a run that finds nothing to do.
    let request = MaintenanceRequest::of(Action::Sync, SCHEDULER);
    app.services.maintenance.run(&request, app.outside.clock.now()).await.unwrap();
    assert_eq!(noted().await.len(), expected.len());
}
