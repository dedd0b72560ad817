//! What the network says, loses and makes up, and what becomes of a record then.

use patchproof::simnet::{Fault, Loss, Occurrence, RECORDED_REFUSALS, RequestClass};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};

const UID: &str = "TAG-1";

async fn accepted(app: &TestApp) -> String {
    let call = app.api().registering(&registration(UID, &Owner::number(1)));
    let answer = call.header("prefer", "respond-async").send().await.expect(202);
    answer["jobId"].as_str().unwrap().to_owned()
}

async fn pending(app: &TestApp, id: &str) -> Value {
    app.anonymous().pending("registration", id).await.expect(200)
}

async fn until_stage(app: &TestApp, id: &str, stage: &str) -> Value {
    app.until(stage, async || {
        let state = pending(app, id).await;
        (state["stage"] == stage).then_some(state)
    })
    .await
}

/// Waits until the network has been asked so often, faults or not.
async fn until_sent(app: &TestApp, times: u64) {
    app.until("the transaction is sent again and again", async || {
        let text = app.anonymous().get(&["metrics"]).await.text().to_owned();
        let counts = text.lines().filter(|line| line.starts_with("broadcast_total{"));
        let sum: u64 =
            counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        (sum >= times).then_some(())
    })
    .await;
}

fn refusal(status: u16, body: &str) -> Fault {
    Fault::Refuse { status, body: body.to_owned() }
}

#[tokio::test]
async fn every_recorded_refusal_leads_where_the_lifecycle_says() {
    // What is left of a record that hears nothing else: its stage, and what its client is told.
    let stages = [
        "seen",
        "seen",
        "seen",
        "seen",
        "broadcast",
        "broadcast",
        "held",
        "held",
        "failed",
        "failed",
        "broadcast",
        "broadcast",
    ];
    for ((status, words), stage) in RECORDED_REFUSALS.into_iter().zip(stages) {
        let app = TestApp::start().await;
        app.outside.break_always(RequestClass::Broadcast, refusal(status, words));
        let id = accepted(&app).await;
        if stage == "broadcast" {
            until_sent(&app, 6).await;
        }
        let state = until_stage(&app, &id, stage).await;
        let (word, has_error) = match stage {
            "seen" => ("confirmed", false),
            "broadcast" => ("anchoring", false),
            "held" => ("anchoring", true),
            _ => ("failed", true),
        };
        assert_eq!(
            (&state["status"], state["error"].is_string()),
            (&json!(word), has_error),
            "{words}"
        );
        app.outside.network_works();
        if stage == "failed" {
            let total = app.api().get(&["v1", "admin", "utxo-health"]).await.expect(200);
            assert_eq!(total["db"]["available"]["count"], 24, "the money is back: {total}");
            assert!(app.outside.transactions().is_empty());
            assert_eq!(app.anonymous().verify(UID).await.expect(200)["status"], "pending");
            continue;
        }
        // Whatever was said, it is sent until the network truly has it.
        app.until("the network has it", async || {
            (app.outside.transactions().len() == 1).then_some(())
        })
        .await;
        app.mine(1);
        let mined = until_stage(&app, &id, "mined").await;
        assert_eq!(mined["status"], "confirmed", "{words}");
    }
}

#[tokio::test]
async fn one_refusal_proves_nothing() {
    for (status, words) in RECORDED_REFUSALS {
        let app = TestApp::start().await;
        app.outside.break_once(RequestClass::Broadcast, refusal(status, words));
        app.api().register(UID, &Owner::number(1)).await;
        app.until("the network has it", async || {
            (app.outside.transactions().len() == 1).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_transaction() {
    for loss in [Loss::ConnectionClosed, Loss::BadGateway, Loss::GatewayTimeout] {
        for times in [1, 3] {
            let app = TestApp::start().await;
            app.outside.simnet.faults().add(patchproof::simnet::FaultRule {
                fault: Fault::LoseAnswer { loss },
                class: Some(RequestClass::Broadcast),
                occurrence: Occurrence::Times(times),
                skip: 0,
            });
            app.api().register(UID, &Owner::number(1)).await;
            app.mine(1);
            assert_eq!(app.outside.transactions().len(), 1);
        }
    }
}

#[tokio::test]
async fn strange_answers_to_a_broadcast_teach_nothing() {
    let faults = [
        Fault::DeliverTwice,
        Fault::WrongTxid,
        Fault::Html,
        Fault::EmptyList,
        Fault::ErrorInside,
        Fault::RateLimited { retry_after_secs: None },
        Fault::RateLimited { retry_after_secs: Some(0) },
        Fault::Unavailable,
        Fault::Delay { delay_ms: 20 },
        refusal(400, ""),
        refusal(500, "{}"),
        refusal(400, "<html>txn-already-known</html>"),
        refusal(404, "257: txn-already-known"),
        refusal(401, "16: mandatory-script-verify-flag-failed"),
    ];
    for fault in faults {
        let app = TestApp::start().await;
        app.outside.break_once(RequestClass::Broadcast, fault.clone());
        app.api().register(UID, &Owner::number(1)).await;
        assert_eq!(app.outside.transactions().len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn mined_is_what_is_proved_and_not_what_is_said() {
    let app = TestApp::start().await;
    app.outside.break_always(RequestClass::Status, Fault::ForgeStatus);
    let id = accepted(&app).await;
    until_stage(&app, &id, "seen").await;
    // Blocks come, empty; the endpoint swears that ours is in the newest one.
    for _ in 0..3 {
        let now = patchproof::types::Clock::now(&*app.outside.clock);
        app.outside.simnet.node().mine_block(now, patchproof::simnet::Filling::Nothing);
        app.wake();
    }
    let height = app.outside.simnet.node().height();
    until_followed(&app, height).await;
    assert_eq!(pending(&app, &id).await["stage"], "seen");
    app.outside.network_works();
    app.outside.break_always(RequestClass::Proof, Fault::ForgeProof);
    app.mine(2);
    until_followed(&app, height + 2).await;
    let state = app.anonymous().verify(UID).await.expect(200);
    assert_eq!(state["verificationDetails"]["stage"], "seen", "{state}");
    assert_eq!(state["verificationDetails"]["block"], json!(null));
    app.outside.network_works();
    app.mine(1);
    until_stage(&app, &id, "mined").await;
}

/// Waits until the product has followed the chain up to a height, and once more around.
async fn until_followed(app: &TestApp, height: u32) {
    app.until("the chain is followed", async || {
        let head = app.store.read(patchproof::storage::headers::chain_head).unwrap();
        head.is_some_and(|head| head.height >= height).then_some(())
    })
    .await;
    let mut rounds = 0;
    app.until("another look", async || {
        rounds += 1;
        (rounds > 20).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_network_of_many_faults_gets_everything_through_in_the_end() {
    let app = TestApp::start().await;
    let classes = [
        RequestClass::Broadcast,
        RequestClass::Status,
        RequestClass::Proof,
        RequestClass::Header,
        RequestClass::Spend,
    ];
    for class in classes {
        for fault in [Fault::Unavailable, Fault::Html, Fault::ErrorInside] {
            app.outside.simnet.faults().add(patchproof::simnet::FaultRule {
                fault,
                class: Some(class),
                occurrence: Occurrence::PerMille(150),
                skip: 0,
            });
        }
    }
    let owner = Owner::number(1);
    let bodies: Vec<_> = (0..12).map(|n| registration(&format!("TAG-{n}"), &owner)).collect();
    let calls = bodies.iter().map(|body| app.api().registering(body).send());
    for answer in futures_util::future::join_all(calls).await {
        let _ = answer.expect(201);
    }
    app.mine(1);
    for number in 0..12 {
        app.until("it is mined", async || {
            let state = app.anonymous().verify(&format!("TAG-{number}")).await.expect(200);
            (state["verificationDetails"]["stage"] == "mined").then_some(())
        })
        .await;
    }
    assert_eq!(app.outside.transactions().len(), 12);
}
