//! Settings changed while the product runs: listed, changed, reset, in force at once.

use insta::assert_json_snapshot;
use patchproof::types::{SettingName, SettingValues};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::Owner;
use crate::support::redaction::redacted;

const PATH: [&str; 3] = ["v1", "admin", "settings"];

async fn change(app: &TestApp, body: Value) -> Answer {
    app.api().call(Method::PATCH, &PATH).json(&body).send().await
}

fn setting<'a>(body: &'a Value, name: &str) -> &'a Value {
    let all = body["settings"].as_array().unwrap();
    all.iter().find(|setting| setting["name"] == name).unwrap()
}

#[tokio::test]
async fn every_setting_is_listed_with_its_origin_and_bounds() {
    let app = TestApp::penniless().await;
    assert_eq!(change(&app, json!({ "FEE_PER_KB": 300 })).await.status, 200);
    let answer = app.api().get(&PATH).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_json_snapshot!(redacted(answer.expect(200)));
}

#[tokio::test]
async fn a_changed_fee_rate_pays_for_the_next_transaction_and_survives_a_restart() {
    let app = TestApp::start().await;
    let owner = Owner::number(1);
    let fee = async |app: &TestApp, uid: &str| {
        let txid = app.api().register(uid, &owner).await;
        let stored = patchproof::storage::transactions::transaction;
        let stored = app.store.read(|tx| stored(tx, txid)).unwrap().unwrap();
        (stored.fee.get(), u64::try_from(stored.raw.len()).unwrap())
    };
    let (before, size) = fee(&app, "TAG-1").await;
    assert_eq!(change(&app, json!({ "FEE_PER_KB": 5120 })).await.status, 200);
    let (after, same_size) = fee(&app, "TAG-2").await;
    assert!(before * 1000 / size < 600 && after * 1000 / same_size > 5000, "{before} {after}");

    let app = app.restart().await;
    let listed = app.api().get(&PATH).await.expect(200);
    assert_eq!(setting(&listed, "FEE_PER_KB")["value"], 5120);
    assert_eq!(app.services.funding.runtime.current().fee_rate().sat_per_kb(), 5120);
    let reset = change(&app, json!({ "FEE_PER_KB": null })).await.expect(200);
    assert_eq!(setting(&reset, "FEE_PER_KB")["value"], 512);
    assert_eq!(setting(&reset, "FEE_PER_KB")["origin"], "default");
    assert_eq!(setting(&reset, "FEE_PER_KB")["setBy"], Value::Null);
    assert!(fee(&app, "TAG-3").await.0 < after / 5);
}

#[tokio::test]
async fn a_change_is_made_whole_or_not_at_all() {
    let app = TestApp::penniless().await;
    let before = app.api().get(&PATH).await.expect(200);
    for (body, fields) in [
        (json!({ "FEE_PER_KB": 300, "DUST_SWEEP_LIMIT": 10_001 }), vec!["DUST_SWEEP_LIMIT"]),
        (
            json!({ "FEE_PER_KB": 99, "MIN_UTXO_COUNT": 10_001 }),
            vec!["FEE_PER_KB", "MIN_UTXO_COUNT"],
        ),
        (json!({ "FEE_PER_KB": 300, "API_KEY": 1 }), vec!["API_KEY"]),
        (json!({ "FEE_PER_KB": 300, "fee_per_kb": 300 }), vec![""]),
        (json!({ "DUST_THRESHOLD_SATS": 5_000 }), vec!["DUST_THRESHOLD_SATS"]),
        (
            json!({ "UTXO_SPLIT_SIZE_SATS": 2_000, "MIN_UTXO_COUNT": 5 }),
            vec!["UTXO_SPLIT_SIZE_SATS"],
        ),
        (json!({ "FEE_PER_KB": 100_000 }), vec!["FEE_PER_KB"]),
    ] {
        let answer = change(&app, body.clone()).await;
        if fields == [""] {
            answer.problem(400, "MALFORMED_JSON");
        } else {
            answer.invalid(&fields);
        }
        assert_eq!(app.api().get(&PATH).await.expect(200), before, "{body}");
    }
    for body in [
        json!({ "FEE_PER_KB": -1 }),
        json!({ "FEE_PER_KB": 300.5 }),
        json!({ "FEE_PER_KB": "300" }),
    ] {
        change(&app, body).await.problem(400, "VALIDATION_FAILED");
    }
    // Together they are in order, apart they are not.
    let both = json!({ "DUST_THRESHOLD_SATS": 6_000, "UTXO_SPLIT_SIZE_SATS": 9_000 });
    assert_eq!(change(&app, both).await.status, 200);
    let back = change(&app, json!({ "UTXO_SPLIT_SIZE_SATS": null })).await;
    back.invalid(&["UTXO_SPLIT_SIZE_SATS"]);
}

#[tokio::test]
async fn who_decides_upon_an_old_version_is_told() {
    let app = TestApp::penniless().await;
    let read = app.api().get(&PATH).await;
    let tag = read.header("etag").unwrap().to_owned();
    let with = async |tag: &str, body: Value| {
        app.api().call(Method::PATCH, &PATH).header("if-match", tag).json(&body).send().await
    };
    let first = with(&tag, json!({ "MIN_UTXO_COUNT": 20 })).await;
    assert_eq!(first.status, 200);
    with(&tag, json!({ "MIN_UTXO_COUNT": 30 })).await.problem(412, "PRECONDITION_FAILED");
    let listed = app.api().get(&PATH).await;
    assert_eq!(setting(&listed.expect(200), "MIN_UTXO_COUNT")["value"], 20);
    assert_eq!(first.header("etag"), listed.header("etag"));
    assert_eq!(
        with(first.header("etag").unwrap(), json!({ "MIN_UTXO_COUNT": 30 })).await.status,
        200
    );
    assert_eq!(with("*", json!({ "MIN_UTXO_COUNT": 31 })).await.status, 200);
}

#[tokio::test]
async fn changes_are_audited_and_repetitions_are_not() {
    let app = TestApp::penniless().await;
    let lines = || app.store.read(patchproof::storage::check).unwrap().rows["audit-1"];
    let before = lines();
    assert_eq!(change(&app, json!({ "FEE_PER_KB": 300, "MIN_UTXO_COUNT": 20 })).await.status, 200);
    assert_eq!(lines(), before + 2);
    assert_eq!(
        change(&app, json!({ "FEE_PER_KB": 300, "DUST_SWEEP_LIMIT": null })).await.status,
        200
    );
    assert_eq!(lines(), before + 2);
    assert_eq!(change(&app, json!({ "FEE_PER_KB": null })).await.status, 200);
    assert_eq!(lines(), before + 3);
}

#[tokio::test]
async fn many_changes_at_once_leave_in_force_what_is_stored() {
    let app = TestApp::penniless().await;
    let changes = (0..20u64).map(|number| change(&app, json!({ "MIN_UTXO_COUNT": number })));
    for answer in futures_util::future::join_all(changes).await {
        assert_eq!(answer.status, 200);
    }
    let stored = app.store.read(patchproof::storage::settings::settings).unwrap();
    let current = app.services.settings.runtime.current();
    let in_force = current.all.iter().find(|it| it.name == SettingName::MinUtxoCount).unwrap();
    assert_eq!((in_force.value, 1), (stored[0].1.value, stored.len()));
}

#[tokio::test]
async fn the_environment_is_what_settings_begin_with_and_the_network_stands_between() {
    use patchproof::config::InitialSettings;
    use patchproof::service::settings::RuntimeSettings;
    use patchproof::types::FeeRate;

    let values = SettingValues::default().with(SettingName::FeePerKb, 700);
    let given = vec![SettingName::FeePerKb];
    let initial = InitialSettings { values, given, most_fee_per_kb: Some(1_000) };
    let app = TestApp::with(|settings| {
        settings.anchoring.runtime = RuntimeSettings::new(initial);
    })
    .await;
    let fee = async || {
        let listed = app.api().get(&PATH).await.expect(200);
        let fee = setting(&listed, "FEE_PER_KB").clone();
        (fee["value"].as_u64().unwrap(), fee["origin"].as_str().unwrap().to_owned())
    };
    assert_eq!(fee().await, (700, "environment".to_owned()));
    app.services.settings.runtime.set_network_fee_rate(FeeRate::from_sat_per_kb(150));
    assert_eq!(fee().await, (150, "network".to_owned()));
    assert_eq!(change(&app, json!({ "FEE_PER_KB": 300 })).await.status, 200);
    assert_eq!(fee().await, (300, "setting".to_owned()));
    app.services.settings.runtime.set_network_fee_rate(None);
    assert_eq!(fee().await, (300, "setting".to_owned()));
    change(&app, json!({ "FEE_PER_KB": 1_001 })).await.invalid(&["FEE_PER_KB"]);
    assert_eq!(change(&app, json!({ "FEE_PER_KB": null })).await.status, 200);
    assert_eq!(fee().await, (700, "environment".to_owned()));
}

#[tokio::test]
async fn settings_need_their_own_scope() {
    let app = TestApp::penniless().await;
    app.anonymous().get(&PATH).await.problem(401, "UNAUTHENTICATED");
    app.api_with("utxo:write").get(&PATH).await.problem(403, "FORBIDDEN");
    let body = json!({ "FEE_PER_KB": 300 });
    let refused = app.api_with("utxo:write").call(Method::PATCH, &PATH).json(&body).send().await;
    refused.problem(403, "FORBIDDEN");
    assert_eq!(app.api_with("settings:write").get(&PATH).await.status, 200);
}
