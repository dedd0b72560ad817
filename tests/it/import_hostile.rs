//! Files that somebody made to do harm, or that came to harm on the way.

use reqwest::Method;
use serde_json::json;

use crate::import::{rows, send};
use crate::support::app::TestApp;
use crate::support::clients::Owner;

#[tokio::test]
async fn a_hostile_row_harms_itself_alone() {
    let app = TestApp::penniless().await;
    let owner = Owner::number(1).address();
    let mut file = format!("uid_tag_id,owner,name\nOK-1,{owner},=HYPERLINK(0)\n").into_bytes();
    file.extend_from_slice(format!("NUL-1,{owner},a\0b\n").as_bytes());
    file.extend_from_slice(b"UTF-1,x,\xff\xfe\n");
    file.extend_from_slice(format!("BIG-1,{owner},{}\n", "x".repeat(1024 * 1024)).as_bytes());
    file.extend_from_slice(format!("{}\n", ",".repeat(200_000)).as_bytes());
    file.extend_from_slice(format!("BIDI-\u{202e}1,{owner},x\n").as_bytes());
    file.extend_from_slice(format!("OK-2,{owner},\"quoted, \"\"twice\"\"\"").as_bytes());
    let import = send(&app, "text/csv", file).await.expect(202);
    assert_eq!((&import["rows"], &import["bad"]), (&json!(7), &json!(5)));
    let told = rows(&app, &import).await;
    let codes: Vec<_> = told.iter().map(|row| row["code"].as_str().unwrap_or("-")).collect();
    let (malformed, invalid) = ("MALFORMED_ROW", "VALIDATION_FAILED");
    assert_eq!(codes, ["-", invalid, malformed, malformed, malformed, invalid, "-"]);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused_with_its_line() {
    let app = TestApp::penniless().await;
    for (kind, file, told) in [
        ("text/csv", "", "line 1: the header is missing"),
        ("text/csv", "uid_tag_id,owner,colour\n", "line 1: the column \"colour\" is not known"),
        ("text/csv", "uid_tag_id,owner,owner\n", "line 1: the column owner occurs twice"),
        ("text/csv", "uid_tag_id,name\n", "line 1: the column owner is missing"),
        ("text/csv", "uid_tag_id,owner\na,b\n\"c,d\n", "line 3: a quoted cell begins"),
        ("text/csv", "uid_tag_id,owner\na\"b,c\n", "line 2: a quote stands"),
        ("application/x-ndjson", "{\"complete\":true,\"rows\":1}\n", "line 2: says 1 rows"),
        ("application/x-ndjson", "{\"complete\":true,\"rows\":0}\n{}\n", "line 2: follows the"),
    ] {
        let answer = send(&app, kind, file).await;
        answer.invalid(&["body"]);
        let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(told), "{file:?}: {message}");
    }
    send(&app, "application/json", "{}").await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    let path = ["v1", "admin", "imports"];
    let call = app.api().call(Method::POST, &path).header("content-encoding", "gzip");
    call.body("text/csv", "x").send().await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
    send(&app, "text/csv", vec![b'x'; 32 * 1024 * 1024 + 1])
        .await
        .problem(413, "PAYLOAD_TOO_LARGE");
    // Nothing of them is left, once housekeeping came round.
    app.until("refused files are forgotten", async || {
        let page = app.api().get(&path).await.expect(200);
        page["items"].as_array().unwrap().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn json_lines_are_read_strictly() {
    let app = TestApp::penniless().await;
    let owner = Owner::number(1).address();
    let lines = [
        format!("{{\"uid_tag_id\":\"OK-1\",\"owner\":\"{owner}\"}}"),
        format!("{{\"uid_tag_id\":\"TAG-2\",\"owner\":\"{owner}\",\"colour\":\"red\"}}"),
        format!("{{\"uid_tag_id\":\"TAG-3\",\"owner\":\"{owner}\",\"name\":null}}"),
        format!("{{\"uid_tag_id\":\"TAG-4\",\"uid_tag_id\":\"TAG-5\",\"owner\":\"{owner}\"}}"),
        "{\"uid_tag_id\":\"TAG-6\"".to_owned(),
        "[]".to_owned(),
        format!("{{\"uid_tag_id\":\"TAG-7\",\"owner\":\"{owner}\",\"sku\":{{\"a\":[1]}}}}"),
        format!("{{\"uid_tag_id\":\"TAG-8\",\"owner\":\"{owner}\"}} x"),
        String::new(),
        format!("{{\"uid_tag_id\":\"OK-9\",\"owner\":\"{owner}\"}}"),
    ];
    let import = send(&app, "application/x-ndjson", lines.join("\r\n")).await.expect(202);
    assert_eq!((&import["rows"], &import["bad"]), (&json!(9), &json!(7)));
    let told = rows(&app, &import).await;
    let bad: Vec<u64> = told
        .iter()
        .filter(|row| row["code"] == "MALFORMED_ROW")
        .map(|row| row["line"].as_u64().unwrap())
        .collect();
    assert_eq!(bad, [2, 3, 4, 5, 6, 7, 8]);
    assert!(told[1]["message"].as_str().unwrap().contains("\"colour\""), "{}", told[1]);
}

#[tokio::test]
async fn a_file_of_one_row_too_many_is_refused() {
    let app = TestApp::penniless().await;
    let file = format!("uid_tag_id,owner\n{}", "x,y\n".repeat(100_001));
    let answer = send(&app, "text/csv", file).await;
    answer.invalid(&["body"]);
    assert!(answer.text().contains("at most 100000 rows"), "{}", answer.text());
}
