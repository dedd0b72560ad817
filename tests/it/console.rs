//! What the console reads beside the stream: alerts, charts, the machine, the networks.

use std::time::Duration;

use patchproof::chain::EndpointName;
use patchproof::simnet::{Fault, RequestClass};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::clients::Owner;
use crate::support::outside::Mood;

async fn overview(app: &TestApp) -> Value {
    app.api().get(&["v1", "admin", "overview"]).await.expect(200)
}

fn alert<'a>(overview: &'a Value, code: &str) -> Option<&'a Value> {
    overview["alerts"].as_array().unwrap().iter().find(|alert| alert["code"] == code)
}

#[tokio::test]
async fn an_alert_comes_stays_with_its_time_and_goes() {
    let app = TestApp::penniless().await;
    let before = overview(&app).await;
    let empty = alert(&before, "pool-empty").unwrap();
    assert_eq!(empty["severity"], "critical");
    app.outside.clock.advance(Duration::from_secs(5));
    let again = overview(&app).await;
    assert_eq!(alert(&again, "pool-empty").unwrap()["since"], empty["since"]);
    app.fund(24).await;
    assert!(alert(&overview(&app).await, "pool-empty").is_none());
    app.outside.signer_is(Mood::Down);
    app.outside.clock.advance(Duration::from_secs(60));
    app.until("the signer is missed", async || {
        alert(&overview(&app).await, "signer-away").is_some().then_some(())
    })
    .await;
    app.outside.signer_is(Mood::Honest);
    app.until("the signer is back", async || {
        alert(&overview(&app).await, "signer-away").is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn charts_show_what_was_sampled() {
    let app = TestApp::start().await;
    app.api().register("TAG-1", &Owner::number(1)).await;
    app.outside.clock.advance(Duration::from_secs(20));
    let now = patchproof::types::Clock::now(app.outside.clock.as_ref());
    app.services.console.sample(now).unwrap();
    let history = async |query: &[(&str, &str)]| {
        let call = app.api().call(Method::GET, &["v1", "admin", "overview", "history"]);
        call.query(query).send().await
    };
    let chart = history(&[("series", "records.seen,pool.availableCount"), ("minutes", "1")]).await;
    let chart = chart.expect(200);
    assert_eq!(chart["step"], 10);
    let series = chart["series"].as_object().unwrap();
    assert_eq!(series.len(), 2);
    let last = series["records.seen"].as_array().unwrap().last().unwrap();
    assert_eq!(last[1], json!(1.0));
    let all = history(&[]).await.expect(200);
    assert_eq!(all["series"].as_object().unwrap().len(), 22);
    history(&[("series", "records.seen,gossip")]).await.invalid(&["series"]);
    history(&[("minutes", "1441")]).await.invalid(&["minutes"]);
}

#[tokio::test]
async fn an_endpoint_in_trouble_is_shown_with_its_breaker_and_what_it_said() {
    let app = TestApp::through(&[EndpointName::Arc, EndpointName::WhatsOnChain]).await;
    let networks = async || app.api().get(&["v1", "admin", "networks"]).await.expect(200);
    let before = networks().await;
    assert_eq!(before["signer"]["ok"], true);
    assert_eq!(before["endpoints"][0]["name"], "arc");
    assert_eq!(before["endpoints"][0]["breaker"], "closed");
    app.outside.break_arc(RequestClass::Broadcast, Fault::Unavailable);
    for number in 0..6 {
        app.api().register(&format!("TAG-{number}"), &Owner::number(1)).await;
    }
    let after = networks().await;
    let arc = &after["endpoints"][0];
    assert_eq!((&arc["breaker"], &arc["ok"]), (&json!("open"), &json!(false)), "{after}");
    assert!(arc["error"].is_string() && arc["retryAfterSeconds"].as_u64() > Some(0), "{arc}");
    let found = overview(&app).await;
    assert_eq!(alert(&found, "endpoint-open").unwrap()["subject"], "arc");
}

#[tokio::test]
async fn the_machine_is_described() {
    let app = TestApp::penniless().await;
    let system = app.api().get(&["v1", "admin", "system"]).await.expect(200);
    assert_eq!(system["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (&system["network"], &system["store"]["schemaVersion"]),
        (&json!("test"), &json!(3))
    );
    assert_eq!((&system["doctor"], &system["disk"]), (&Value::Null, &Value::Null), "in memory");
    assert!(system["store"]["commitsSinceStart"].as_u64() > Some(0));
}
