//! The explorer: Swagger UI and three small files of ours, all out of the binary.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::Embed;
use utoipa::openapi::OpenApi;

use crate::http::assets::{Asset, media_type};
use crate::http::headers::IfNoneMatch;
use crate::http::problem::{Problem, ProblemCode};

/// Everything from here, nothing inline; Swagger UI's pictures are data addresses in its styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";
/// How long a browser may use a file without asking again, in seconds.
const MAX_AGE: u32 = 3600;

/// Our own files.
#[derive(Embed)]
#[folder = "static/docs"]
struct Own;

/// The files of npm packages that build.rs chose.
#[derive(Embed)]
#[folder = "static/node_modules/.cache/patchproof/docs"]
struct Vendored;

/// Returns the page and its files.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(_: &OpenApi) -> Router<S> {
    let files: Arc<HashMap<String, Asset>> = Arc::new(files());
    let page = files.get("index.html").cloned().expect("static/docs has an index.html");
    Router::new()
        .route("/docs", get(async move |known: IfNoneMatch| with_policy(page.answer(&known))))
        .route(
            "/docs/assets/{file}",
            get(async move |Path(file): Path<String>, known: IfNoneMatch| {
                files.get(&file).map_or_else(
                    || Problem::new(ProblemCode::NotFound).into_response(),
                    |asset| asset.answer(&known),
                )
            }),
        )
}

fn files() -> HashMap<String, Asset> {
    let own = Own::iter().filter_map(|name| Some((name.clone(), Own::get(&name)?)));
    let vendored = Vendored::iter().filter_map(|name| Some((name.clone(), Vendored::get(&name)?)));
    own.chain(vendored)
        .map(|(name, file)| {
            let asset = Asset::new(file.data, media_type(&name), MAX_AGE);
            (name.into_owned(), asset)
        })
        .collect()
}

fn with_policy(mut response: Response) -> Response {
    let policy = HeaderValue::from_static(POLICY);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response
}
