//! The description of the API against the routes, the refusals that every route makes, the metrics.
//!
//! That answers are as described is checked with every request of every test.

use std::collections::BTreeSet;
use std::path::Path;

use reqwest::Method;

use crate::support::app::TestApp;
use crate::support::clients::Owner;
use crate::support::schema::Documentation;

/// Pages and documents that describe the API and are not part of it.
const UNDESCRIBED: [&str; 15] = [
    "/anchors",
    "/openapi.json",
    "/openapi.yaml",
    "/docs",
    "/docs/errors",
    "/docs/errors/{code}",
    "/docs/assets/{file}",
    "/docs/guide",
    "/docs/guide/{name}",
    "/certificates/{name}",
    "/certificates/assets/{version}/{file}",
    "/admin",
    "/admin/",
    "/admin/{*path}",
    "/admin/assets/{version}/{*file}",
];

fn sources(directory: &Path, texts: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, texts);
        } else {
            texts.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

#[tokio::test]
async fn the_description_lists_exactly_the_routes() {
    let app = TestApp::penniless().await;
    let described: BTreeSet<(String, String)> =
        Documentation::fetch(&app).await.routes().into_iter().collect();
    let mut texts = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"), &mut texts);
    let mut handled = BTreeSet::new();
    for text in &texts {
        for (at, opening) in text.match_indices("#[utoipa::path(") {
            let rest = &text[at + opening.len()..];
            let method = rest.split(',').next().unwrap().trim().to_uppercase();
            let path = rest.split("path =").nth(1).and_then(quoted).unwrap();
            handled.insert((method, path.to_owned()));
        }
        for (at, opening) in text.match_indices(".route(") {
            let path = quoted(&text[at + opening.len()..]).unwrap();
            assert!(UNDESCRIBED.contains(&path), "{path} is served and not described");
        }
    }
    assert_eq!(described, handled);
    assert!(described.len() >= 18, "{described:?}");
}

#[tokio::test]
async fn a_field_of_a_request_that_may_be_left_out_is_not_described_as_null() {
    let app = TestApp::penniless().await;
    let url = app.base.join("openapi.json").unwrap();
    let document: serde_json::Value =
        app.client.get(url).send().await.unwrap().json().await.unwrap();
    let mut fields = 0;
    let requests = [
        "RegisterPatchRequest",
        "ProductBody",
        "MetadataBody",
        "AuthBody",
        "TransferRequest",
        "UnlockRequest",
    ];
    for name in requests {
        let schema = &document["components"]["schemas"][name];
        for (field, schema) in schema["properties"].as_object().unwrap() {
            assert!(!schema.to_string().contains("null"), "{name}.{field}: {schema}");
            fields += 1;
        }
    }
    assert_eq!(fields, 24);
}

#[tokio::test]
async fn every_route_refuses_other_methods_and_names_its_own() {
    let app = TestApp::penniless().await;
    let routes = Documentation::fetch(&app).await.routes();
    for (method, template) in &routes {
        let filled = template.replace("{uid_tag_id}", "TAG-1").replace("{id}", "1");
        let filled = filled.replace("{txid}", &"0".repeat(64));
        let segments: Vec<&str> = filled.trim_start_matches('/').split('/').collect();
        let same: Vec<&str> = routes
            .iter()
            .filter(|(_, path)| path == template)
            .map(|(method, _)| method.as_str())
            .collect();
        for other in [Method::DELETE, Method::PATCH, Method::POST, Method::PUT, Method::GET] {
            if same.contains(&other.as_str()) {
                continue;
            }
            let answer = app.api().call(other.clone(), &segments).send().await;
            answer.problem(405, "METHOD_NOT_ALLOWED");
            let allow = answer.header("allow").unwrap();
            assert!(
                allow.split(',').any(|allowed| allowed == method),
                "{other} {template}: {allow}"
            );
        }
    }
}

#[tokio::test]
async fn what_no_route_serves_is_a_problem_that_explains_itself() {
    let app = TestApp::penniless().await;
    let paths: [&[&str]; 7] = [
        &[],
        &["v1"],
        &["v1", "patches", "TAG-1"],
        &["v2", "patches"],
        &["V1", "patches"],
        &["v1", "patches", "TAG-1", "history", "x"],
        &["nobody", "..", "x"],
    ];
    for path in paths {
        let answer = app.anonymous().get(path).await;
        let problem = answer.problem(404, "NOT_FOUND");
        let url = app.base.join(problem["type"].as_str().unwrap()).unwrap();
        assert_eq!(app.client.get(url).send().await.unwrap().status(), 200);
        assert!(answer.header("x-request-id").is_some());
    }
}

#[tokio::test]
async fn every_route_with_a_body_wants_json_of_a_bounded_size_and_nothing_packed() {
    let app = TestApp::penniless().await;
    let token = app.token_of("ada");
    let txid = "0".repeat(64);
    let json_routes: [&[&str]; 3] = [
        &["v1", "patches"],
        &["v1", "patches", &txid, "transfer-ownership"],
        &["v1", "patches", "TAG-1", "unlock-content"],
    ];
    for path in json_routes {
        let call = || app.api().call(Method::POST, path).bearer(&token);
        call().send().await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
        call().body("text/plain", "{}").send().await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
        let packed = call().text("{}").header("content-encoding", "gzip");
        packed.send().await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
        call().text("").send().await.problem(400, "MALFORMED_JSON");
        call().text("[]").send().await.invalid(&[""]);
        let large = call().text(vec![b' '; (1 << 20) + 1]);
        large.send().await.problem(413, "PAYLOAD_TOO_LARGE");
    }
    let content = app.api().call(Method::PUT, &["v1", "patches", "TAG-1", "content"]);
    let packed = content.body("text/plain", "x").header("content-encoding", "br");
    packed.send().await.problem(415, "UNSUPPORTED_MEDIA_TYPE");
}

#[tokio::test]
async fn every_route_that_needs_a_credential_says_so_in_the_description_and_asks_for_it() {
    let app = TestApp::penniless().await;
    let url = app.base.join("openapi.json").unwrap();
    let document: serde_json::Value =
        app.client.get(url).send().await.unwrap().json().await.unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let needs_one = operation["security"].as_array().is_some_and(|ways| {
                !ways.is_empty() && ways.iter().all(|way| !way.as_object().unwrap().is_empty())
            });
            let filled = path.replace("{uid_tag_id}", "TAG-1").replace("{id}", "1");
            let filled = filled.replace("{txid}", &"0".repeat(64));
            let segments: Vec<&str> = filled.trim_start_matches('/').split('/').collect();
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = app.anonymous().call(method.clone(), &segments).send().await;
            assert_eq!(answer.status == 401, needs_one, "{method} {path}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn the_metrics_that_dashboards_use_are_there() {
    let app = TestApp::start().await;
    app.api().register("TAG-1", &Owner::number(1)).await;
    let text = app
        .until("the pool is measured", async || {
            let text = app.anonymous().get(&["metrics"]).await.text().to_owned();
            text.contains("utxo_count{").then_some(text)
        })
        .await;
    for name in [
        "pp_challenges_issued",
        "pp_jwt_success",
        "utxo_count",
        "utxo_satoshis",
        "broadcast_total",
        "anchor_records_total",
        "records_pending",
        "http_request_duration_seconds",
    ] {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} is missing:\n{text}");
    }
    for line in [
        "broadcast_total{result=\"accepted\"} 1",
        "anchor_records_total{mode=\"direct\"} 1",
        "utxo_count{keyIdentifier=\"funding\",status=\"available\"}",
        "route=\"/v1/patches\",status=\"2xx\"",
    ] {
        assert!(text.contains(line), "{line} is missing:\n{text}");
    }
    assert!(!text.contains("TAG-1"), "no label comes from a request");
    app.anonymous().get(&["internal", "metrics"]).await.problem(401, "UNAUTHENTICATED");
    assert_eq!(app.api_with("metrics:read").get(&["internal", "metrics"]).await.status, 200);
    let app = app.restart_with(|settings| settings.http.metrics_require_api_key = true).await;
    app.anonymous().get(&["metrics"]).await.problem(401, "UNAUTHENTICATED");
    app.api_with("pos").get(&["metrics"]).await.problem(403, "FORBIDDEN");
    assert_eq!(app.api_with("metrics:read").get(&["metrics"]).await.status, 200);
}
