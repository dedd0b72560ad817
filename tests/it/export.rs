//! Exports: the whole filter as a file, harmless in a spreadsheet, and complete or seen to be cut.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::{Owner, registration};

async fn export(app: &TestApp, query: &[(&str, &str)]) -> Answer {
    let path = ["v1", "admin", "patches", "export"];
    app.api().call(Method::GET, &path).query(query).send().await
}

async fn register(app: &TestApp, uid: &str, name: &str, notes: Option<&str>) {
    let mut body = registration(uid, &Owner::number(1));
    body["product"]["name"] = json!(name);
    if let Some(notes) = notes {
        body["metadata"] = json!({ "notes": notes });
    }
    let _ = app.api().registering(&body).send().await.expect(201);
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn json_lines_are_the_products_as_they_are_and_end_with_their_number() {
    let app = TestApp::start().await;
    let empty = export(&app, &[("format", "jsonl")]).await;
    assert_eq!(empty.text(), "{\"complete\":true,\"rows\":0}\n");
    register(&app, "TAG-2", "=cmd|' /C calc'!A0", Some("two\nlines, \"quoted\"")).await;
    register(&app, "-TAG-1", "Shirt", None).await;
    let answer = export(&app, &[("format", "jsonl")]).await;
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson; charset=utf-8"));
    let lines = lines(&answer);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["uid_tag_id"], "-TAG-1");
    assert_eq!(lines[1]["name"], "=cmd|' /C calc'!A0");
    assert_eq!(lines[1]["notes"], "two\nlines, \"quoted\"");
    assert_eq!(lines[1]["owner"], Owner::number(1).address());
    assert_eq!(lines[1]["status"], "confirmed");
    assert_eq!(lines[2], json!({ "complete": true, "rows": 2 }));
    let found = export(&app, &[("format", "jsonl"), ("search", "shirt")]).await;
    assert!(found.text().ends_with("{\"complete\":true,\"rows\":1}\n"), "{}", found.text());
}

#[tokio::test]
async fn csv_is_harmless_in_a_spreadsheet_and_read_back_by_others() {
    let app = TestApp::start().await;
    register(&app, "TAG-2", "=cmd|' /C calc'!A0", Some("two\nlines, \"quoted\"")).await;
    register(&app, "+TAG-1", "Müller; Söhne", Some("\t=1+1")).await;
    let answer = export(&app, &[("format", "csv"), ("sort", "-uid")]).await;
    let kind = "text/csv; charset=utf-8; header=present";
    assert_eq!(answer.header("content-type"), Some(kind));
    let name = answer.header("content-disposition").unwrap();
    assert!(name.starts_with("attachment; filename=\"patches-20"), "{name}");
    assert!(name.ends_with(".csv\""), "{name}");
    assert!(answer.text().starts_with("uid_tag_id,name,") && answer.text().ends_with("\r\n"));
    let mut reader = csv::Reader::from_reader(answer.body.as_slice());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0][0], &rows[0][1]), ("TAG-2", "'=cmd|' /C calc'!A0"));
    assert_eq!(&rows[0][6], "two\nlines, \"quoted\"");
    assert_eq!((&rows[1][0], &rows[1][6]), ("'+TAG-1", "'\t=1+1"));
    assert_eq!(&rows[1][1], "Müller; Söhne");
}

#[tokio::test]
async fn an_export_is_asked_for_strictly() {
    let app = TestApp::penniless().await;
    export(&app, &[]).await.invalid(&["format"]);
    export(&app, &[("format", "xlsx")]).await.invalid(&["format"]);
    export(&app, &[("format", "csv"), ("sort", "x")]).await.invalid(&["sort"]);
    export(&app, &[("format", "csv"), ("limit", "1")]).await.invalid(&["limit"]);
    let path = ["v1", "admin", "patches", "export"];
    app.api_with("pos").get(&path).await.problem(403, "FORBIDDEN");
}
