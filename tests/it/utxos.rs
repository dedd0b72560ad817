//! Outputs that an operator names: taken in after every part of what he says is checked.

use patchproof::types::Satoshis;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::Owner;

const PATH: [&str; 3] = ["v1", "admin", "utxos"];

async fn add(app: &TestApp, body: Value) -> Answer {
    app.api().call(Method::POST, &PATH).json(&body).send().await
}

/// Pays outputs of 10,000 satoshis to the funding key, in a block that nobody has looked at yet.
fn paid(app: &TestApp, count: u32) -> String {
    let address = app.services.funding.keyring.funding.address;
    let amount = Satoshis::from_const(10_000);
    let txid = app.outside.simnet.node().faucet(&address, amount, count).unwrap();
    app.outside.simnet.mine();
    txid.to_string()
}

#[tokio::test]
async fn an_output_is_added_if_all_that_is_said_of_it_is_true() {
    let app = TestApp::penniless().await;
    let txid = paid(&app, 2);
    let key = &app.services.funding.keyring.funding;
    let script = hex::encode(key.address.locking_script().as_bytes());
    let whole = json!({ "txid": txid, "vout": 1, "satoshis": 10_000, "keyId": "funding", "script": script });
    for (field, wrong) in
        [("satoshis", json!(9_999)), ("keyId", json!("change")), ("script", json!("76a9"))]
    {
        let mut body = whole.clone();
        body[field] = wrong;
        add(&app, body).await.invalid(&[field]);
    }
    let added = add(&app, whole.clone()).await.expect(201);
    assert_eq!((&added["status"], &added["satoshis"]), (&json!("available"), &json!(10_000)));
    assert_eq!(add(&app, whole).await.expect(201), added, "adding it again changes nothing");

    let nowhere = "ab".repeat(32);
    add(&app, json!({ "txid": nowhere, "vout": 0 })).await.problem(404, "NOT_FOUND");
    add(&app, json!({ "txid": txid, "vout": 99 })).await.problem(404, "NOT_FOUND");
    add(&app, json!({ "txid": "x", "vout": 0 })).await.invalid(&["txid"]);
    add(&app, json!({ "txid": txid, "vout": 0, "exclusive": true })).await.invalid(&["confirm"]);
    app.outside.network_is_down();
    let away = add(&app, json!({ "txid": txid, "vout": 0 })).await;
    away.problem(503, "NETWORK_UNAVAILABLE");
}

#[tokio::test]
async fn exclusive_marks_nothing_as_spent_and_is_refused_while_there_are_others() {
    let app = TestApp::penniless().await;
    let txid = paid(&app, 2);
    let body =
        |vout: u32| json!({ "txid": txid, "vout": vout, "exclusive": true, "confirm": true });
    let _ = add(&app, body(0)).await.expect(201);
    let _ = add(&app, body(0)).await.expect(201);
    let refused = add(&app, body(1)).await.problem(409, "STATE_CONFLICT");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.starts_with("1 other outputs with 10000 satoshis can be spent"), "{detail}");
    let pool = app.api().get(&["v1", "admin", "utxo-health"]).await.expect(200);
    assert_eq!(
        (&pool["db"]["available"]["count"], &pool["db"]["spent"]["count"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test]
async fn an_output_that_is_spent_here_is_told_as_spent() {
    let app = TestApp::penniless().await;
    let txid = paid(&app, 1);
    let body = json!({ "txid": txid, "vout": 0 });
    assert_eq!(add(&app, body.clone()).await.expect(201)["status"], "available");
    app.api().register("TAG-1", &Owner::number(1)).await;
    // The network's answer may lag; ours does not.
    let again = add(&app, body).await;
    assert!(again.status == 409 || again.json()["status"] == "spent", "{}", again.text());
}
