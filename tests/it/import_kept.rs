//! Imports that are kept: what is left over is mended and sent again, what moves is heard, what is kept
//! is bounded, and whom a row names may have it erased.

use patchproof::service::imports::{ImportState, MAX_KEPT, MAX_KEPT_BYTES, StoredImport};
use patchproof::storage::StoreError;
use patchproof::types::{Clock, ImportId, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::import::{IMPORTS, act, rows, send, until_ended};
use crate::privacy::{Person, erase};
use crate::support::answer::Answer;
use crate::support::app::{FULL_KEY, TestApp};
use crate::support::clients::Owner;
use crate::support::listener::Listener;

fn path<'a>(import: &'a Value, rest: &[&'a str]) -> Vec<&'a str> {
    [&IMPORTS[..], &[import["id"].as_str().unwrap()], rest].concat()
}

async fn forget(app: &TestApp, import: &Value) -> Answer {
    app.api().call(Method::DELETE, &path(import, &[])).send().await
}

async fn outcomes(app: &TestApp, import: &Value, outcome: &str) -> Vec<u64> {
    let path = path(import, &["rows"]);
    let call = app.api().call(Method::GET, &path).query(&[("outcome", outcome)]);
    let page = call.send().await.expect(200);
    page["items"].as_array().unwrap().iter().map(|row| row["line"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn what_was_not_registered_is_a_file_to_be_mended_and_sent_again() {
    let app = TestApp::start().await;
    let owner = Owner::number(1).address();
    let file = format!(
        "uid_tag_id,owner,name,notes\r\n=GOOD,{owner},Shirt,\r\n=BAD-1,nobody,\"A, \"\"B\"\"\",-1\r\n\
         =GOOD,{owner},Twin,\r\nBAD-2,x\r\n"
    );
    let query = [("name", "spring.csv"), ("dryRun", "false"), ("skipBad", "true")];
    let call = app.api().call(Method::POST, &IMPORTS).query(&query).body("text/csv", file.clone());
    let import = call.send().await.expect(202);
    assert_eq!((&import["name"], &import["bytes"]), (&json!("spring.csv"), &json!(file.len())));
    let _ = until_ended(&app, &import).await;
    assert_eq!(outcomes(&app, &import, "registered").await, [2]);
    assert_eq!(outcomes(&app, &import, "error").await, [3, 4, 5]);
    assert_eq!(outcomes(&app, &import, "ok").await, [0; 0]);
    let left = app.api().get(&path(&import, &["leftovers"])).await;
    let header = "uid_tag_id,name,category,sku,serial_number,material,notes,image,patch_location,\
                  owner,problem\r\n";
    let said = left.text().strip_prefix(header).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines[0].starts_with("'=BAD-1,\"A, \"\"B\"\"\",,,,,'-1,,,nobody,line 3: owner "),
        "{said}"
    );
    assert!(lines[1].ends_with(&format!("{owner},line 4: has the tag of line 2")), "{said}");
    assert_eq!(lines[2], ",,,,,,,,,,\"line 5: has 2 cells, the header has 4\"");
    // Mended and sent again, it is what was meant.
    let mended = format!("{header}{}\r\n", lines[0].replace("nobody", &owner));
    let again = send(&app, "text/csv", mended).await.expect(202);
    assert_eq!((&again["rows"], &again["bad"]), (&json!(1), &json!(0)));
    assert_eq!(rows(&app, &again).await[0]["uid_tag_id"], "=BAD-1");
    // What waits is no leftover until it was given up.
    let left = async || app.api().get(&path(&again, &["leftovers"])).await.text().lines().count();
    assert_eq!(left().await, 1);
    let _ = act(&app, &again, "cancel", &[]).await.expect(200);
    assert_eq!(left().await, 2);
    app.store.assert_clean();
}

#[tokio::test]
async fn an_import_is_forgotten_when_somebody_says_so_unless_it_runs() {
    let app = TestApp::penniless().await;
    let owner = Owner::number(1).address();
    let file = format!("uid_tag_id,owner\nTAG-1,{owner}\n");
    let import = send(&app, "text/csv", file).await.expect(202);
    let path = path(&import, &[]);
    app.api_with("pos").call(Method::DELETE, &path).send().await.problem(403, "FORBIDDEN");
    let gone = forget(&app, &import).await.expect(200);
    assert_eq!(gone["id"], import["id"]);
    app.api().get(&path).await.problem(404, "NOT_FOUND");
    act(&app, &import, "start", &[]).await.problem(404, "NOT_FOUND");
    forget(&app, &import).await.problem(404, "NOT_FOUND");
    let page = app.api().get(&IMPORTS).await.expect(200);
    assert_eq!(page["items"], json!([]));
    app.store.assert_clean();
}

#[tokio::test]
async fn whoever_listens_hears_how_an_import_goes_on() {
    let app = TestApp::start().await;
    let mut listener = Listener::of(&app, FULL_KEY, "topics=import", None).await;
    let owner = Owner::number(1).address();
    let lines: String = (0..120).map(|number| format!("ROW-{number},{owner}\n")).collect();
    let query = [("dryRun", "false")];
    let call = app.api().call(Method::POST, &IMPORTS).query(&query);
    let import =
        call.body("text/csv", format!("uid_tag_id,owner\n{lines}")).send().await.expect(202);
    let mut told = 0;
    let last = loop {
        let heard = listener.until("import").await.data;
        assert_eq!(heard["id"], import["id"]);
        told += 1;
        if heard["state"] == "done" {
            break heard;
        }
    };
    let now = app.api().get(&path(&import, &[])).await.expect(200);
    assert_eq!((&last, &last["registered"]), (&now, &json!(120)));
    assert!(told <= 8, "{told} events for an import of three steps");
    let pos = app.api_with("pos").call(Method::GET, &["v1", "admin", "events"]);
    pos.query(&[("topics", "import")]).send().await.problem(403, "FORBIDDEN");
}

/// Keeps an import in the store that nobody sent.
async fn keep(app: &TestApp, number: usize, bytes: u64) -> ImportId {
    let now = app.outside.clock.now();
    let id = ImportId::from_parts(number as u64, &[0; 10]);
    let import = StoredImport {
        id,
        name: None,
        bytes,
        actor: "key".to_owned(),
        state: ImportState::Cancelled,
        rows: 0,
        bad: 0,
        registered: 0,
        failed: 0,
        next: 0,
        created_at: now,
        started_at: None,
        ended_at: Some(now),
        forgotten_at: Timestamp::from_millis(now.as_millis() + 1_000_000),
    };
    app.store.write(move |tx| tx.put_import(&import)).await.unwrap();
    id
}

#[tokio::test]
async fn what_is_kept_is_bounded_in_number_and_bytes() {
    let app = TestApp::penniless().await;
    let file = format!("uid_tag_id,owner\nTAG-1,{}\n", Owner::number(1).address());
    for number in 0..MAX_KEPT {
        keep(&app, number, 0).await;
    }
    let refused = send(&app, "text/csv", file.clone()).await;
    let detail = refused.problem(409, "IMPORTS_FULL")["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("200 imports "), "{detail}");
    let oldest = json!({ "id": keep(&app, 0, MAX_KEPT_BYTES).await.to_string() });
    let second = json!({ "id": keep(&app, 1, 0).await.to_string() });
    let _ = forget(&app, &second).await.expect(200);
    // There is room for one more, but not for its bytes; nothing of it is left.
    send(&app, "text/csv", file.clone()).await.problem(409, "IMPORTS_FULL");
    let _ = forget(&app, &oldest).await.expect(200);
    let _ = send(&app, "text/csv", file).await.expect(202);
    app.store
        .read(|tx| {
            let imports = patchproof::storage::imports::imports(tx, None, usize::MAX)?;
            let receiving = imports.iter().filter(|it| it.state == ImportState::Receiving);
            assert_eq!(receiving.count(), 0);
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

#[tokio::test]
async fn an_owner_who_is_erased_is_in_no_row_and_what_waited_is_not_registered() {
    let person = Person::with_a_product().await;
    let (app, ada, ben) = (&person.app, person.ada.address(), Owner::number(2).address());
    let file = format!(
        "uid_tag_id,owner,name\nHERS-1,{ada},Ada's shirt\nHIS-1,{ben},Shirt\nab, {ada},Ada's too\n"
    );
    let import = send(app, "text/csv", file).await.expect(202);
    let held = person.export().await["importRows"].clone();
    assert_eq!(held.as_array().unwrap().len(), 2);
    assert_eq!((&held[0]["line"], &held[0]["says"]["name"]), (&json!(2), &json!("Ada's shirt")));
    assert!(!held.to_string().contains(&ben));
    let done = erase(app, &person.token).await.expect(200);
    assert_eq!(done["erased"]["importRows"], 2);
    let left = app.api().get(&path(&import, &["leftovers"])).await.text().to_owned();
    assert!(!left.contains(&ada) && !left.contains("Ada's"), "{left}");
    let told = rows(app, &import).await;
    assert_eq!((&told[0]["code"], &told[1]["outcome"]), (&json!("ERASED"), &json!("ok")));
    assert_eq!(told[2]["code"], "ERASED");
    let _ = act(app, &import, "start", &[("skipBad", "true")]).await.expect(202);
    let done = until_ended(app, &import).await;
    assert_eq!((&done["registered"], &done["bad"]), (&json!(1), &json!(2)));
    app.store.assert_clean();
}
