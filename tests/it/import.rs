//! Imports: checked before anything is registered, registered once whatever happens, and reported
//! row by row.

use std::time::Duration;

use patchproof::storage::patches::patch;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};

pub(crate) const IMPORTS: [&str; 3] = ["v1", "admin", "imports"];

pub(crate) async fn send(app: &TestApp, kind: &str, file: impl Into<Vec<u8>>) -> Answer {
    app.api().call(Method::POST, &IMPORTS).body(kind, file).send().await
}

pub(crate) async fn act(
    app: &TestApp,
    import: &Value,
    verb: &str,
    query: &[(&str, &str)],
) -> Answer {
    let path = [&IMPORTS[..], &[import["id"].as_str().unwrap(), verb]].concat();
    app.api().call(Method::POST, &path).query(query).send().await
}

pub(crate) async fn rows(app: &TestApp, import: &Value) -> Vec<Value> {
    let path = [&IMPORTS[..], &[import["id"].as_str().unwrap(), "rows"]].concat();
    let query = [("limit", "500")];
    let page = app.api().call(Method::GET, &path).query(&query).send().await.expect(200);
    page["items"].as_array().unwrap().clone()
}

pub(crate) async fn until_ended(app: &TestApp, import: &Value) -> Value {
    let path = [&IMPORTS[..], &[import["id"].as_str().unwrap()]].concat();
    app.until("the import ends", async || {
        let now = app.api().get(&path).await.expect(200);
        (now["state"] == "done").then_some(now)
    })
    .await
}

/// Writes a file of `count` good rows.
fn good_rows(prefix: &str, count: usize) -> String {
    let owner = Owner::number(1).address();
    let rows = (0..count).map(|number| format!("{prefix}-{number},{owner},Shirt {number}\r\n"));
    format!("uid_tag_id,owner,name\r\n{}", rows.collect::<String>())
}

fn is_registered(app: &TestApp, uid: &str) -> bool {
    app.services.imports.store.read(|tx| patch(tx, uid)).unwrap().is_some()
}

#[tokio::test]
async fn a_dry_run_tells_of_each_row_and_registers_nothing() {
    let app = TestApp::start().await;
    let owner = Owner::number(1).address();
    app.api().register("TAKEN-1", &Owner::number(1)).await;
    let file = format!(
        "\u{feff}owner;uid_tag_id;name;image\n{owner};GOOD-1;Shirt;\n{owner};GOOD-1;Twin;\n\
         nobody;BAD-1;Shirt;\n{owner};ab;Shirt;\n{owner};TAKEN-1;Shirt;\n{owner};BAD-2;x\n\
         {owner};BAD-3;x;http://x.example/\n"
    );
    let import = send(&app, "text/csv; charset=utf-8", file).await.expect(202);
    assert_eq!((&import["state"], &import["rows"]), (&json!("checked"), &json!(7)));
    assert_eq!((&import["bad"], &import["registered"]), (&json!(6), &json!(0)));
    let told = rows(&app, &import).await;
    let summary: Vec<_> =
        told.iter().map(|row| (row["line"].as_u64().unwrap(), row["code"].as_str())).collect();
    let expected = [
        (2, None),
        (3, Some("DUPLICATE_IN_FILE")),
        (4, Some("VALIDATION_FAILED")),
        (5, Some("VALIDATION_FAILED")),
        (6, Some("UID_TAKEN")),
        (7, Some("MALFORMED_ROW")),
        (8, Some("VALIDATION_FAILED")),
    ];
    assert_eq!(summary, expected);
    assert_eq!(told[1]["message"], "has the tag of line 2");
    assert!(told[2]["message"].as_str().unwrap().starts_with("owner "), "{}", told[2]);
    assert_eq!(told[3]["message"], "uid_tag_id must have 3 to 128 characters");
    assert!(!is_registered(&app, "GOOD-1"));
    // Bad rows are left out only where somebody says so.
    act(&app, &import, "start", &[]).await.problem(409, "STATE_CONFLICT");
    let started = act(&app, &import, "start", &[("skipBad", "true")]).await.expect(202);
    assert_eq!(started["state"], "running");
    let done = until_ended(&app, &import).await;
    assert_eq!(
        (&done["registered"], &done["failed"], &done["done"]),
        (&json!(1), &json!(0), &json!(7))
    );
    assert!(is_registered(&app, "GOOD-1") && !is_registered(&app, "BAD-2"));
    let row = &rows(&app, &import).await[0];
    let pending = row["pendingId"].as_str().unwrap();
    let path = ["v1", "patches", "pending", "registration", pending];
    assert_eq!(app.api().get(&path).await.status, 200);
    // What is over cannot be begun or stopped again.
    act(&app, &import, "start", &[]).await.problem(409, "STATE_CONFLICT");
    act(&app, &import, "cancel", &[]).await.problem(409, "STATE_CONFLICT");
}

#[tokio::test]
async fn an_import_goes_on_after_restarts_and_registers_each_row_once() {
    let mut app = TestApp::start().await;
    let query = [("dryRun", "false")];
    let call = app.api().call(Method::POST, &IMPORTS).query(&query);
    let import = call.body("text/csv", good_rows("ROW", 220)).send().await.expect(202);
    for _ in 0..3 {
        app = app.restart().await;
    }
    let done = until_ended(&app, &import).await;
    assert_eq!((&done["registered"], &done["failed"]), (&json!(220), &json!(0)));
    let told = rows(&app, &import).await;
    assert!(told.iter().all(|row| row["outcome"] == "registered"), "{told:?}");
    let page = app.api().get(&["v1", "admin", "patches"]).await.expect(200);
    assert_eq!(page["total"], 220);
    app.store.assert_clean();
}

#[tokio::test]
async fn a_tag_that_is_taken_meanwhile_fails_alone() {
    let app = TestApp::start().await;
    let import = send(&app, "text/csv", good_rows("ROW", 3)).await.expect(202);
    app.api().register("ROW-1", &Owner::number(2)).await;
    let _ = act(&app, &import, "start", &[]).await.expect(202);
    let done = until_ended(&app, &import).await;
    assert_eq!((&done["registered"], &done["failed"]), (&json!(2), &json!(1)));
    assert_eq!(rows(&app, &import).await[1]["code"], "UID_TAKEN");
}

#[tokio::test]
async fn an_import_is_cancelled_before_its_next_row() {
    let app = TestApp::start().await;
    let import = send(&app, "text/csv", good_rows("ROW", 3)).await.expect(202);
    let cancelled = act(&app, &import, "cancel", &[]).await.expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    act(&app, &import, "start", &[]).await.problem(409, "STATE_CONFLICT");
    let _ = act(&app, &import, "cancel", &[]).await.expect(200);
    assert!(!is_registered(&app, "ROW-0"));
    // Thirty days later it is forgotten.
    app.outside.clock.advance(Duration::from_secs(31 * 24 * 3600));
    app.until("the import is forgotten", async || {
        let page = app.api().get(&IMPORTS).await.expect(200);
        page["items"].as_array().unwrap().is_empty().then_some(())
    })
    .await;
    let unknown = json!({ "id": "01890a5d-ac96-774b-bcce-b302099a8057" });
    act(&app, &unknown, "start", &[]).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn an_export_is_imported_elsewhere_as_the_same_products() {
    let app = TestApp::start().await;
    let mut body = registration("=TAG-1", &Owner::number(1));
    body["product"] = json!({ "uid_tag_id": "=TAG-1", "name": "+Ünï \"q\"", "category": "c",
        "sku": "s", "serial_number": "-1", "material": "m" });
    body["metadata"] = json!({ "notes": "two\nlines\t,;", "image": "https://x.example/a,b.png",
        "patch_location": "left" });
    let _ = app.api().registering(&body).send().await.expect(201);
    app.api().register("TAG-2", &Owner::number(2)).await;
    let export = ["v1", "admin", "patches", "export"];
    let query = [("format", "jsonl")];
    let before = app.api().call(Method::GET, &export).query(&query).send().await;
    let other = TestApp::start().await;
    let import = send(&other, "application/x-ndjson", before.body.clone()).await.expect(202);
    assert_eq!((&import["rows"], &import["bad"]), (&json!(2), &json!(0)));
    let _ = act(&other, &import, "start", &[]).await.expect(202);
    let _ = until_ended(&other, &import).await;
    let after = other.api().call(Method::GET, &export).query(&query).send().await;
    let products = |answer: &Answer| -> Vec<Value> {
        let lines = answer.text().lines().map(|line| serde_json::from_str(line).unwrap());
        let mut lines: Vec<Value> = lines.collect();
        for line in &mut lines {
            // What the product says of itself stays behind.
            for own in ["status", "current_txid", "created_at", "updated_at"] {
                line.as_object_mut().unwrap().remove(own);
            }
        }
        lines
    };
    assert_eq!(products(&before), products(&after));
    // A file that lost lines on the way is not taken for a whole one.
    let whole = before.text();
    let cut: Vec<&str> = whole.lines().skip(1).collect();
    send(&other, "application/x-ndjson", cut.join("\n")).await.invalid(&["body"]);
}

#[tokio::test]
async fn the_report_is_a_file_that_is_harmless_in_a_spreadsheet() {
    let app = TestApp::start().await;
    let owner = Owner::number(1).address();
    let file = format!("uid_tag_id,owner\n=1+1,{owner}\n@b,{owner}\n");
    let import = send(&app, "text/csv", file).await.expect(202);
    let path = [&IMPORTS[..], &[import["id"].as_str().unwrap(), "report"]].concat();
    let report = app.api().get(&path).await;
    let expected = "line,uid_tag_id,outcome,code,message\r\n2,'=1+1,ok,,\r\n\
                    3,'@b,error,VALIDATION_FAILED,uid_tag_id must have 3 to 128 characters\r\n";
    assert_eq!(report.text(), expected);
    let page = app.api().get(&IMPORTS).await.expect(200);
    assert_eq!(page["items"][0]["id"], import["id"]);
}
