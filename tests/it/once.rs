//! Every POST that makes something and no record, sent again under its Idempotency-Key: one thing, one
//! answer. Requests that make a record are in `idempotency.rs`.

mod scenes;

use std::sync::mpsc;
use std::time::Duration;

use patchproof::storage::idempotency::{NO_RECORD, idempotency};
use patchproof::storage::{IdempotencyRow, IdempotencyState, StoreError, StoreOptions};
use serde_json::Value;

use crate::once::scenes::{Others, ROUTES, Sender, scene};
use crate::support::answer::Answer;
use crate::support::app::{FULL_KEY, OTHER_KEY, TestApp};

#[track_caller]
fn assert_same(route: &str, first: &Answer, second: &Answer) {
    assert_eq!((first.status, first.text()), (second.status, second.text()), "{route}");
    for name in ["location", "content-type", "cache-control"] {
        assert_eq!(first.header(name), second.header(name), "{route}: {name}");
    }
}

#[tokio::test]
async fn a_repeated_request_makes_one_thing_and_gets_the_same_bytes() {
    for route in ROUTES {
        let app = TestApp::penniless().await;
        let scene = scene(&app, route).await;
        let before = scene.count(&app).await;
        // A refusal leaves the key free.
        if let Some(wrong) = &scene.wrong {
            let refused = scene.with(&app, "k", &scene.sender, wrong).await;
            assert_eq!(refused.status, 400, "{route}: {}", refused.text());
        }
        assert_eq!(scene.count(&app).await, before, "{route}");
        let first = scene.send(&app, "k").await;
        assert_eq!(first.status, scene.status, "{route}: {}", first.text());
        for _ in 0..2 {
            assert_same(route, &first, &scene.send(&app, "k").await);
        }
        scene.send_other(&app, "k").await.problem(422, "IDEMPOTENCY_MISMATCH");
        assert_eq!(scene.count(&app).await, before + 1, "{route}");
        app.outside.clock.advance(Duration::from_secs(24 * 3600 - 60));
        if !matches!(scene.sender, Sender::Session(_)) {
            assert_same(route, &first, &scene.send(&app, "k").await);
        }
    }
}

#[tokio::test]
async fn a_key_is_of_one_credential() {
    for route in ROUTES {
        let app = TestApp::penniless().await;
        let scene = scene(&app, route).await;
        let before = scene.count(&app).await;
        let first = scene.send(&app, "k").await;
        if scene.others == Others::Nobody {
            continue;
        }
        let other = scene.with(&app, "k", &Sender::Key(OTHER_KEY), &scene.body).await;
        let made = scene.count(&app).await - before;
        match scene.others {
            Others::Another => {
                assert_eq!((other.status, made), (first.status, 2), "{route}: {}", other.text());
            }
            Others::Refusal => assert_eq!((other.status, made), (409, 1), "{route}"),
            Others::Same => assert_eq!(made, 1, "{route}: {}", other.text()),
            Others::Nobody => {}
        }
        assert_same(route, &first, &scene.send(&app, "k").await);
    }
}

#[tokio::test]
async fn while_a_request_is_at_work_its_repetition_is_409() {
    for route in ROUTES {
        let app = TestApp::penniless().await;
        let scene = scene(&app, route).await;
        let before = scene.count(&app).await;
        // Whatever is to be written waits until the test says so.
        let (go, wait) = mpsc::channel::<()>();
        let held = app.store.write(move |_| {
            let _ = wait.recv();
            Ok::<_, StoreError>(())
        });
        let (one, two) = (scene.send(&app, "k"), scene.send(&app, "k"));
        let both = async {
            tokio::pin!(one, two);
            let (early, late) = tokio::select! {
                early = &mut one => { let _ = go.send(()); (early, two.await) }
                early = &mut two => { let _ = go.send(()); (early, one.await) }
            };
            (early, late)
        };
        let (_, (early, late)) = tokio::join!(held, both);
        early.problem(409, "IDEMPOTENCY_IN_FLIGHT");
        assert!(early.header("retry-after").is_some());
        assert_eq!(late.status, scene.status, "{route}: {}", late.text());
        assert_eq!(scene.count(&app).await, before + 1, "{route}");
        assert_same(route, &late, &scene.send(&app, "k").await);
    }
}

#[tokio::test]
async fn answers_survive_a_restart_and_not_another_master_secret() {
    let app = TestApp::penniless().await;
    let scene = scene(&app, "keys").await;
    let first = scene.send(&app, "k").await;
    let app = app.restart().await;
    assert_same("keys", &first, &scene.send(&app, "k").await);
    let app = app.restart_with(|settings| settings.master_secret = vec![9; 32].into()).await;
    scene.send(&app, "k").await.problem(409, "IDEMPOTENCY_ANSWER_LOST");
    assert_eq!(scene.count(&app).await, 1);
}

/// What a process leaves that dies in the middle of a run.
#[tokio::test]
async fn work_that_was_cut_off_is_not_done_a_second_time() {
    let app = TestApp::penniless().await;
    let scene = scene(&app, "utxo-maintain").await;
    let _ = scene.send(&app, "k").await.expect(200);
    app.store
        .tamper(|tx| {
            let row = idempotency(tx, FULL_KEY, "k")?.unwrap();
            assert_eq!(row.record, NO_RECORD);
            let state = IdempotencyState::InFlight { process: row.expires_at };
            tx.put_idempotency(FULL_KEY, "k", &IdempotencyRow { state, ..row })
        })
        .await;
    let app = app.restart().await;
    scene.send(&app, "k").await.problem(409, "IDEMPOTENCY_ANSWER_LOST");
    scene.send_other(&app, "k").await.problem(422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(scene.count(&app).await, 1);
}

#[tokio::test]
async fn work_that_failed_leaves_its_key_free() {
    let app = TestApp::penniless().await;
    let scene = scene(&app, "utxo-maintain").await;
    app.outside.network_is_down();
    scene.send(&app, "k").await.problem(503, "NETWORK_UNAVAILABLE");
    app.outside.network_works();
    let _ = scene.send(&app, "k").await.expect(200);
}

#[tokio::test]
async fn what_is_shown_once_stands_nowhere_in_the_stores_file() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::penniless().await;
    let app = app.restart_on(StoreOptions::in_directory(folder.path())).await;
    let mut secrets = Vec::new();
    for route in ["setup-links", "keys", "keys/{id}/rotate", "accounts", "accounts/{id}/reset"] {
        let scene = scene(&app, route).await;
        let answer = scene.send(&app, route).await.expect(scene.status);
        let key = answer["key"].as_str().map(|key| key.rsplit('_').next().unwrap());
        let token = answer.pointer("/token").or_else(|| answer.pointer("/link/token"));
        let secret = key.or_else(|| token.and_then(Value::as_str)).unwrap().to_owned();
        assert!(secret.len() >= 32, "{route}: {answer}");
        secrets.push((route, secret));
    }
    drop(app);
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let stands = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    // What is looked at is the store: what is no secret is found.
    assert!(stands(b"grace") && stands(b"account.create"));
    for (route, secret) in secrets {
        assert!(!stands(secret.as_bytes()), "{route}");
        let raw = hex::decode(&secret).unwrap_or_default();
        assert!(raw.is_empty() || !stands(&raw), "{route}");
    }
}
