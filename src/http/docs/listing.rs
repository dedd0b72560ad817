//! The routes as a plain page, for builds without the explorer.

use std::fmt::Write as _;

use axum::Router;
use axum::body::Bytes;
use axum::response::Html;
use axum::routing::get;
use utoipa::openapi::OpenApi;

/// Returns the page.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(document: &OpenApi) -> Router<S> {
    let page = Bytes::from(page(document));
    Router::new().route("/docs", get(async move || Html(page.clone())))
}

fn page(document: &OpenApi) -> String {
    let mut items = String::new();
    for path in document.paths.paths.keys() {
        let _ = writeln!(items, "<li><code>{path}</code></li>");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <title>PatchProof API</title></head>\n<body>\n<main>\n<h1>PatchProof API</h1>\n\
         <p>The description is at <a href=\"/openapi.json\">/openapi.json</a> and \
         <a href=\"/openapi.yaml\">/openapi.yaml</a>; errors are explained at \
         <a href=\"/docs/errors\">/docs/errors</a>, everything else at \
         <a href=\"/docs/guide\">/docs/guide</a>.</p>\n<ul>\n{items}</ul>\n</main>\n</body>\n\
         </html>\n"
    )
}
