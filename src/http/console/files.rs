//! The page of the console and its files, compressed once when they are first asked for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, VARY};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::Embed;

use crate::crypto::sha256_parts;
use crate::http::assets::media_type;
use crate::http::certificates::assets as check;
use crate::http::certificates::encoding::Encoded;
use crate::http::headers::IfNoneMatch;
use crate::http::problem::{Problem, ProblemCode};

/// Everything from here and nothing inline; no script may make another out of text.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'",
);
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
const VARIES: HeaderValue = HeaderValue::from_static("Accept-Encoding");
/// The page, which is not below the folder of the files.
const PAGE: &str = "index.html";
/// Where the page says the files are; the name of their folder is put there.
const FOLDER: &str = "/admin/assets/";
/// As small as it gets: it is done once for many readers.
const BEST: u32 = 9;

/// The files of a process, however many routers it has.
static FILES: LazyLock<Files> = LazyLock::new(Files::embedded);

/// Our own files.
#[derive(Embed)]
#[folder = "static/admin/"]
struct Own;

/// The files of npm packages that build.rs chose.
#[derive(Embed)]
#[folder = "static/node_modules/.cache/patchproof/admin"]
struct Vendored;

/// What is served, ready to be sent.
struct Files {
    version: String,
    page: Encoded,
    files: BTreeMap<String, Encoded>,
}

fn collect<T: Embed>(files: &mut BTreeMap<String, Cow<'static, [u8]>>, folder: &str) {
    for name in T::iter() {
        if let Some(file) = T::get(&name) {
            files.insert([folder, name.as_ref()].concat(), file.data);
        }
    }
}

impl Files {
    /// Takes them out of the binary.
    fn embedded() -> Self {
        let mut files = BTreeMap::new();
        collect::<Own>(&mut files, "");
        collect::<Vendored>(&mut files, "");
        // The check of proofs that certificates do, for the console to do it, too.
        collect::<check::Own>(&mut files, "check/");
        collect::<check::Vendored>(&mut files, "check/");
        let parts: Vec<&[u8]> =
            files.iter().flat_map(|(name, data)| [name.as_bytes(), data.as_ref()]).collect();
        let version = hex::encode(&sha256_parts(&parts)[..8]);
        let page = files.remove(PAGE).expect("static/admin has an index.html");
        let page = String::from_utf8_lossy(&page).replace(FOLDER, &format!("{FOLDER}{version}/"));
        let page = Encoded::new(page.into_bytes(), media_type(PAGE), BEST);
        let encoded = |(name, data): (String, Cow<'static, [u8]>)| {
            let file = Encoded::new(data.into_owned(), media_type(&name), BEST);
            (name, file)
        };
        Self { version, page, files: files.into_iter().map(encoded).collect() }
    }

    fn file(
        &self,
        version: &str,
        name: &str,
        known: &IfNoneMatch,
        headers: &HeaderMap,
    ) -> Option<Response> {
        let file = self.files.get(name).filter(|_| version == self.version)?;
        Some(with_headers(file.give(known, headers), KEEP))
    }

    fn page(&self, known: &IfNoneMatch, headers: &HeaderMap) -> Response {
        let mut answer = with_headers(self.page.give(known, headers), ASK_AGAIN);
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
        answer
    }
}

fn with_headers(mut answer: Response, kept: HeaderValue) -> Response {
    answer.headers_mut().insert(CACHE_CONTROL, kept);
    answer.headers_mut().insert(VARY, VARIES);
    answer
}

/// Returns the routes of the page and of its files.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/admin", get(page))
        .route("/admin/", get(page))
        .route("/admin/{*path}", get(deep_link))
        .route("/admin/assets/{version}/{*file}", get(file))
}

async fn page(known: IfNoneMatch, headers: HeaderMap) -> Response {
    FILES.page(&known, &headers)
}

/// An address within the console is the page, which then shows what the address says.
async fn deep_link(Path(path): Path<String>, known: IfNoneMatch, headers: HeaderMap) -> Response {
    if path.starts_with("assets/") {
        return Problem::new(ProblemCode::NotFound).into_response();
    }
    FILES.page(&known, &headers)
}

async fn file(
    Path((version, name)): Path<(String, String)>,
    known: IfNoneMatch,
    headers: HeaderMap,
) -> Response {
    FILES
        .file(&version, &name, &known, &headers)
        .unwrap_or_else(|| Problem::new(ProblemCode::NotFound).into_response())
}
