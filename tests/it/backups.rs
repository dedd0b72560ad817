//! Backups of a running product: consistent whatever is written meanwhile, on request and on a schedule.

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use patchproof::crypto::SecretKey;
use patchproof::service::backups::BackupPlan;
use patchproof::storage::backup::{BackupKey, BackupLock, BackupReader, RestoreSource, stage};
use patchproof::types::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};

const PATH: [&str; 3] = ["v1", "admin", "backups"];
const HOUR: Duration = Duration::from_secs(3600);

fn secret() -> SecretKey {
    SecretKey::from_bytes(&[5; 32]).unwrap()
}

fn key() -> BackupKey {
    BackupKey::Identity(secret())
}

fn plan(folder: &Path, interval: Option<Duration>) -> BackupPlan {
    let lock = Some(BackupLock::Recipient(secret().public_key()));
    BackupPlan { folder: folder.to_owned(), interval, keep: 2, lock }
}

async fn list(app: &TestApp) -> Value {
    app.api().get(&PATH).await.expect(200)
}

async fn made(app: &TestApp, count: usize) -> Value {
    app.until("the backup is made", async || {
        let listed = list(app).await;
        let is_done = listed["running"].is_null();
        (is_done && listed["backups"].as_array().unwrap().len() == count).then_some(listed)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_taken_among_two_hundred_registrations_is_one_moment_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::with(|settings| settings.backup = plan(folder.path(), None)).await;
    let register = async |number: usize| {
        let call =
            app.api().registering(&registration(&format!("TAG-{number}"), &Owner::number(1)));
        let accepted = call.header("prefer", "respond-async").send().await.expect(202);
        assert!(accepted["jobId"].is_string());
    };
    join_all((0..100).map(register)).await;
    let (now, service) = (app.outside.clock.now(), app.services.backups.clone());
    let (taken, _) = tokio::join!(service.run("tester", now), join_all((100..200).map(register)));
    let taken = taken.unwrap();
    let rows = taken.manifest.rows_of("records-1");
    assert!((100..=200).contains(&rows), "{rows}");
    assert_eq!(taken.manifest.rows_of("log-1"), rows);
    let staged = stage(RestoreSource::open(&taken.path, || Ok(key())).unwrap(), folder.path(), now);
    let report = staged.unwrap().report;
    assert!(report.is_clean(), "{:#?}", report.violations);
    assert_eq!(report.rows["records-1"], rows);
}

#[tokio::test]
async fn a_backup_is_made_listed_handed_out_and_removed_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::with(|settings| settings.backup = plan(folder.path(), None)).await;
    let begin = async || app.api().call(Method::POST, &PATH).json(&json!({})).send().await;
    let begun = begin().await.expect(202);
    assert_eq!((&begun["locked"], &begun["nextAt"]), (&json!(true), &Value::Null));
    let listed = made(&app, 1).await;
    assert_eq!(listed["backups"][0]["schema"], 3);
    let name = listed["backups"][0]["name"].as_str().unwrap().to_owned();
    let on_disk = fs::read(folder.path().join(&name)).unwrap();
    let url = app.base.join(&format!("v1/admin/backups/{name}")).unwrap();
    let sent = app.client.get(url).header("x-api-key", crate::support::app::FULL_KEY).send().await;
    let sent = sent.unwrap().bytes().await.unwrap();
    assert_eq!(sent, on_disk);
    BackupReader::open(&sent[..], &key()).unwrap().verify().unwrap();
    for bad in ["patchproof-9.backup", "patchproof.redb", "..%2Fpatchproof.redb"] {
        let path = [PATH[0], PATH[1], PATH[2], bad];
        app.api().get(&path).await.problem(404, "NOT_FOUND");
    }
    let path = [PATH[0], PATH[1], PATH[2], name.as_str()];
    let left = app.api().call(Method::DELETE, &path).send().await.expect(200);
    assert_eq!((&left["backups"], &list(&app).await["backups"]), (&json!([]), &json!([])));
    app.api().call(Method::DELETE, &path).send().await.problem(404, "NOT_FOUND");
    let trail = app.api().get(&["v1", "admin", "audit"]).await.expect(200);
    let lines = trail["items"].as_array().unwrap().iter();
    let actions: Vec<&str> = lines.filter_map(|it| it["action"].as_str()).collect();
    for action in ["backup.made", "backup.download", "backup.delete"] {
        assert!(actions.contains(&action), "{action}: {actions:?}");
    }
}

#[tokio::test]
async fn without_a_key_nothing_is_made() {
    let app = TestApp::penniless().await;
    let begun = app.api().call(Method::POST, &PATH).json(&json!({})).send().await;
    begun.problem(409, "STATE_CONFLICT");
    assert_eq!(list(&app).await["locked"], json!(false));
}

#[tokio::test]
async fn the_schedule_makes_them_keeps_the_newest_and_says_when_one_is_late() {
    let folder = tempfile::tempdir().unwrap();
    let within = folder.path().join("backups");
    let app = TestApp::with(|settings| settings.backup = plan(&within, Some(24 * HOUR))).await;
    let mut names = vec![made(&app, 1).await["backups"][0]["name"].clone()];
    for count in [2, 2] {
        app.outside.clock.advance(25 * HOUR);
        let newest = app
            .until("the next one is made", async || {
                let listed = list(&app).await;
                let newest = listed["backups"][0]["name"].clone();
                let is_new = !names.contains(&newest) && listed["running"].is_null();
                (is_new && listed["backups"].as_array().unwrap().len() == count).then_some(newest)
            })
            .await;
        names.push(newest);
    }
    let left = list(&app).await["backups"].as_array().unwrap().len();
    assert_eq!(left, 2, "the oldest has gone");
    // No folder can be made where a file is.
    fs::remove_dir_all(&within).unwrap();
    fs::write(&within, "in the way").unwrap();
    app.outside.clock.advance(27 * HOUR);
    app.until("it is said that none was made", async || {
        let ready = app.anonymous().get(&["ready"]).await.expect(200);
        let warnings = ready["warnings"].as_array().cloned().unwrap_or_default();
        warnings.iter().any(|it| it.as_str().unwrap().contains("newest backup")).then_some(())
    })
    .await;
    let metrics = app.client.get(app.base.join("metrics").unwrap()).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let failures = metrics.lines().find(|line| line.starts_with("backup_failures_total")).unwrap();
    assert_ne!(failures, "backup_failures_total 0");
}
