//! A restore as a job beside the running store: what it says, what it refuses, who is told, and that
//! nothing of the store is touched before somebody has confirmed it.

use std::fs;
use std::path::Path;

use patchproof::crypto::SecretKey;
use patchproof::service::backups::BackupPlan;
use patchproof::storage::backup::{BackupLock, next_waits, take_next, write_backup};
use patchproof::storage::{BatchLeaf, BatchPlace, StoreOptions};
use patchproof::types::{Clock, Digest};
use reqwest::Method;
use serde_json::{Value, json};

use crate::restore::{accepted, is_fenced};
use crate::restore_adoption::id_of;
use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::Owner;

const BACKUPS: [&str; 3] = ["v1", "admin", "backups"];
const RESTORE: [&str; 3] = ["v1", "admin", "restore"];
const APPLY: [&str; 4] = ["v1", "admin", "restore", "apply"];
const NAME: &str = "patchproof-1.backup";
const PASSPHRASE: &str = "canary six words that nobody chose";

fn secret() -> SecretKey {
    SecretKey::from_bytes(&[5; 32]).unwrap()
}

fn identity() -> String {
    format!("patchproof-backup-secret-{}", hex::encode(secret().to_bytes().as_slice()))
}

fn to_passphrase() -> BackupLock {
    BackupLock::Passphrase(PASSPHRASE.to_owned().into())
}

/// A product with money whose store lies in a folder, and backups in another within it.
async fn product(folder: &Path, lock: Option<BackupLock>) -> TestApp {
    let within = folder.join("backups");
    fs::create_dir(&within).unwrap();
    let plan = BackupPlan { folder: within, interval: None, keep: 9, lock };
    let app = TestApp::within(folder, |settings| settings.backup = plan).await;
    app.fund(24).await;
    app
}

/// Puts a backup of the store into the folder, locked as it is said.
fn back_up(app: &TestApp, folder: &Path, lock: &BackupLock) -> Vec<u8> {
    let now = app.outside.clock.now();
    let made = app.store.read(|tx| write_backup(tx, Vec::new(), lock, now, &mut |_| true));
    let bytes = made.unwrap().0;
    fs::write(folder.join("backups").join(NAME), &bytes).unwrap();
    bytes
}

async fn begin(app: &TestApp, body: Value) -> Answer {
    app.api().call(Method::POST, &RESTORE).json(&body).send().await
}

/// Begins, and expects that it is begun.
async fn begun(app: &TestApp, body: Value) {
    assert_eq!(begin(app, body).await.status, 202);
}

async fn apply(app: &TestApp, name: &str) -> Answer {
    app.api().call(Method::POST, &APPLY).json(&json!({ "name": name })).send().await
}

async fn job(app: &TestApp) -> Value {
    app.api().get(&RESTORE).await.expect(200)["job"].clone()
}

/// Waits until what is under way has come to a state.
async fn comes_to(app: &TestApp, state: &str) -> Value {
    app.until(state, async || {
        let job = job(app).await;
        (job["state"] == state).then_some(job)
    })
    .await
}

async fn actions(app: &TestApp) -> Vec<(String, String)> {
    let trail = app.api().get(&["v1", "admin", "audit"]).await.expect(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let lines = trail["items"].as_array().unwrap().iter();
    lines.map(|it| (text(&it["action"]), text(&it["subject"]))).collect()
}

fn has_staging(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
    entries.into_iter().any(|name| name.to_string_lossy().contains("restoring"))
}

#[tokio::test]
async fn a_backup_is_read_beside_the_store_and_put_in_its_place_once_its_name_is_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let app = product(folder.path(), Some(to_passphrase())).await;
    app.api().register("TAG-1", &Owner::number(1)).await;
    app.mine(1);
    back_up(&app, folder.path(), &to_passphrase());
    app.api().register("TAG-2", &Owner::number(1)).await;

    assert_eq!(job(&app).await, Value::Null);
    let listed = app.api().get(&BACKUPS).await.expect(200);
    assert_eq!(
        (&listed["opens"], &listed["backups"][0]["lock"]),
        (&json!(true), &json!("passphrase"))
    );
    let begun = begin(&app, json!({ "name": NAME })).await.expect(202);
    assert_eq!(begun["job"]["name"], NAME);
    let ready = comes_to(&app, "ready").await;
    let (summary, lost) = (&ready["summary"], &ready["summary"]["lost"]);
    assert_eq!((&summary["products"], &summary["records"]), (&json!(1), &json!(1)), "{ready}");
    assert_eq!((&lost["products"], &lost["records"]), (&json!(1), &json!(1)), "{ready}");
    assert_eq!(ready["folder"], folder.path().to_str().unwrap());
    begin(&app, json!({ "name": NAME })).await.problem(409, "STATE_CONFLICT");
    apply(&app, "patchproof-2.backup").await.problem(409, "STATE_CONFLICT");
    assert!(!is_fenced(&app).await && !next_waits(folder.path()), "nothing was changed");
    app.api().register("TAG-3", &Owner::number(1)).await;

    let applied = apply(&app, NAME).await.expect(202);
    assert_eq!(applied["job"]["state"], "applying");
    assert!(*app.renewed.borrow(), "the process is asked to begin anew");
    assert!(next_waits(folder.path()));
    apply(&app, NAME).await.problem(409, "STATE_CONFLICT");
    app.api().call(Method::DELETE, &RESTORE).send().await.problem(409, "STATE_CONFLICT");
    let former = actions(&app).await;
    assert!(former.contains(&("restore.apply".to_owned(), NAME.to_owned())), "{former:?}");

    let now = app.outside.clock.now();
    app.store.leave();
    app.store.close();
    let copy = take_next(folder.path(), now).unwrap().unwrap().safety_copy.unwrap();
    assert!(copy.is_file() && take_next(folder.path(), now).unwrap().is_none());
    let app = app.restart_on(StoreOptions::in_directory(folder.path())).await;
    assert!(is_fenced(&app).await);
    assert_eq!(app.anonymous().get(&["v1", "patches", "verify", "TAG-1"]).await.status, 200);
    for lost in ["TAG-2", "TAG-3"] {
        assert_eq!(app.anonymous().get(&["v1", "patches", "verify", lost]).await.status, 404);
    }
    let trail = actions(&app).await;
    let done = trail.iter().find(|(action, _)| action == "restore.done").unwrap();
    assert!(done.1.starts_with(NAME) && done.1.contains("as it was at"), "{done:?}");
}

#[tokio::test]
async fn what_is_read_is_forgotten_when_it_is_cancelled_or_the_process_ends() {
    let folder = tempfile::tempdir().unwrap();
    let app = product(folder.path(), Some(to_passphrase())).await;
    back_up(&app, folder.path(), &to_passphrase());
    begun(&app, json!({ "name": NAME })).await;
    comes_to(&app, "ready").await;
    assert!(has_staging(folder.path()));
    let left = app.api().call(Method::DELETE, &RESTORE).send().await.expect(200);
    assert_eq!(left["job"], Value::Null);
    assert!(!has_staging(folder.path()));
    apply(&app, NAME).await.problem(409, "STATE_CONFLICT");
    let trail = actions(&app).await;
    for action in ["restore.read", "restore.cancel"] {
        assert!(trail.contains(&(action.to_owned(), NAME.to_owned())), "{action}: {trail:?}");
    }
    begun(&app, json!({ "name": NAME })).await;
    comes_to(&app, "ready").await;
    let app = app.restart().await;
    assert_eq!(job(&app).await, Value::Null);
    assert!(!has_staging(folder.path()) && !*app.renewed.borrow());
}

#[tokio::test]
async fn a_backup_that_the_server_cannot_open_is_opened_with_what_is_given_once() {
    let folder = tempfile::tempdir().unwrap();
    let recipient = BackupLock::Recipient(secret().public_key());
    let app = product(folder.path(), Some(recipient.clone())).await;
    back_up(&app, folder.path(), &recipient);
    let listed = app.api().get(&BACKUPS).await.expect(200);
    assert_eq!(
        (&listed["opens"], &listed["backups"][0]["lock"]),
        (&json!(false), &json!("identity"))
    );
    let other = format!("patchproof-backup-secret-{}", "07".repeat(32));
    for body in [
        json!({ "name": NAME }),
        json!({ "name": NAME, "identity": other }),
        json!({ "name": NAME, "passphrase": PASSPHRASE }),
    ] {
        begun(&app, body).await;
        let failed = comes_to(&app, "failed").await;
        assert_eq!(failed["needs"], "identity", "{failed}");
    }
    for body in [
        json!({ "name": NAME, "identity": "my dog's name" }),
        json!({ "name": NAME, "identity": "" }),
        json!({ "name": NAME, "identity": identity(), "passphrase": PASSPHRASE }),
    ] {
        begin(&app, body).await.problem(400, "VALIDATION_FAILED");
    }
    begun(&app, json!({ "name": NAME, "identity": identity() })).await;
    comes_to(&app, "ready").await;
    let left = app.api().call(Method::DELETE, &RESTORE).send().await.expect(200);
    assert_eq!(left["job"], Value::Null);

    back_up(&app, folder.path(), &to_passphrase());
    begun(&app, json!({ "name": NAME, "passphrase": "another one" })).await;
    assert_eq!(comes_to(&app, "failed").await["needs"], "passphrase");
    begun(&app, json!({ "name": NAME, "passphrase": PASSPHRASE })).await;
    comes_to(&app, "ready").await;
    let said = format!("{:?} {}", actions(&app).await, app.api().get(&RESTORE).await.text());
    assert!(!said.contains("canary") && !said.contains(&identity()), "{said}");
    app.store.close();
    for file in fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path()) {
        let bytes = if file.is_file() { fs::read(&file).unwrap() } else { Vec::new() };
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("canary") && !text.contains(&identity()), "{}", file.display());
    }
    app.store.leave();
}

#[tokio::test]
async fn what_is_no_good_is_refused_with_its_reason_and_the_store_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let app = product(folder.path(), Some(to_passphrase())).await;
    app.api().register("TAG-1", &Owner::number(1)).await;
    let good = back_up(&app, folder.path(), &to_passphrase());
    let place = folder.path().join("backups").join(NAME);
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut newer = good.clone();
    newer[19] = 9;
    let other = tempfile::tempdir().unwrap();
    let foreign = {
        let app = product(other.path(), None).await;
        back_up(&app, other.path(), &to_passphrase())
    };
    let cases: [(&[u8], &str); 5] = [
        (b"something else", "no backup of this program"),
        (&good[..good.len() - 7], "damaged or cut off"),
        (&flipped, "damaged or cut off"),
        (&newer, "use a newer program"),
        (&foreign, "belongs to"),
    ];
    for (content, reason) in cases {
        fs::write(&place, content).unwrap();
        begun(&app, json!({ "name": NAME })).await;
        let failed = comes_to(&app, "failed").await;
        assert!(failed["failure"].as_str().unwrap().contains(reason), "{reason}: {failed}");
        assert_eq!(failed["needs"], Value::Null);
        apply(&app, NAME).await.problem(409, "STATE_CONFLICT");
        assert!(!has_staging(folder.path()) && !next_waits(folder.path()), "{reason}");
    }
    for name in ["patchproof-2.backup", "patchproof.redb", "../patchproof.redb"] {
        begin(&app, json!({ "name": name })).await.problem(404, "NOT_FOUND");
    }
    app.api().register("TAG-2", &Owner::number(1)).await;
}

#[tokio::test]
async fn what_contradicts_itself_is_left_to_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let app = product(folder.path(), Some(to_passphrase())).await;
    let id = id_of(&accepted(&app, "TAG-1").await);
    let (place, commitment) = (BatchPlace { batch: id, index: 1 }, Digest::from_bytes([9; 32]));
    let leaf = move || BatchLeaf { record: id, commitment };
    app.store.tamper(move |tx| tx.put_batch_leaf(place, leaf())).await;
    back_up(&app, folder.path(), &to_passphrase());
    begun(&app, json!({ "name": NAME })).await;
    let failed = comes_to(&app, "failed").await;
    assert!(failed["failure"].as_str().unwrap().contains("violations"), "{failed}");
}

#[tokio::test]
async fn a_store_that_lies_in_no_folder_is_not_restored() {
    let app = TestApp::penniless().await;
    begin(&app, json!({ "name": NAME })).await.problem(409, "STATE_CONFLICT");
}
