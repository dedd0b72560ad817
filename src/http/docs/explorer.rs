//! The explorer: Swagger UI and three small files of ours, all out of the binary.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::Embed;
use utoipa::openapi::OpenApi;

use crate::http::assets::media_type;
use crate::http::certificates::encoding::Encoded;
use crate::http::headers::IfNoneMatch;
use crate::http::problem::{Problem, ProblemCode};

/// Everything from here, nothing inline; Swagger UI's pictures are data addresses in its styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";
/// How long a browser may use a file without asking again.
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=3600");
const VARIES: HeaderValue = HeaderValue::from_static("Accept-Encoding");
/// How hard our own small files are compressed.
const BEST: u32 = 9;

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
    let files: Arc<HashMap<String, Encoded>> = Arc::new(files());
    let page = files.get("index.html").cloned().expect("static/docs has an index.html");
    let give = |file: &Encoded, known: &IfNoneMatch, headers: &HeaderMap| {
        let mut answer = file.give(known, headers);
        answer.headers_mut().insert(CACHE_CONTROL, KEEP);
        answer.headers_mut().insert(VARY, VARIES);
        answer
    };
    Router::new()
        .route(
            "/docs",
            get(async move |known: IfNoneMatch, headers: HeaderMap| {
                with_policy(give(&page, &known, &headers))
            }),
        )
        .route(
            "/docs/assets/{file}",
            get(async move |Path(file): Path<String>, known: IfNoneMatch, headers: HeaderMap| {
                files.get(&file).map_or_else(
                    || Problem::new(ProblemCode::NotFound).into_response(),
                    |file| give(file, &known, &headers),
                )
            }),
        )
}

fn files() -> HashMap<String, Encoded> {
    let own = Own::iter().filter_map(|name| Some((name.clone(), Own::get(&name)?)));
    let vendored = Vendored::iter().filter_map(|name| Some((name.clone(), Vendored::get(&name)?)));
    own.chain(vendored)
        .map(|(name, file)| match name.strip_suffix(".gz") {
            Some(plain) => (plain.to_owned(), Encoded::compressed(file.data, media_type(plain))),
            None => {
                let file = Encoded::new(file.data.into_owned(), media_type(&name), BEST);
                (name.into_owned(), file)
            }
        })
        .collect()
}

fn with_policy(mut response: Response) -> Response {
    let policy = HeaderValue::from_static(POLICY);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response
}
