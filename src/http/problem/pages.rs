//! The table of problems as documentation: docs/ERRORS.md and a small page for each code.
//!
//! `UPDATE_DOCS=1 cargo test --lib errors_md` rewrites the file.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::http::problem::{Problem, ProblemCode};

/// The file that [`errors_markdown`] is kept in.
pub const ERRORS_MD: &str = "docs/ERRORS.md";

const INTRODUCTION: &str = "# Errors

Every answer with a status of 400 or more is a problem document (RFC 9457,
`application/problem+json`): `type`, `title`, `status`, `detail`, `instance`, a stable `code`, the
`requestId` to quote, and for `VALIDATION_FAILED` the list `errors` of `{field, message}`. Match on
`code`; titles and details may change. The exceptions are answers whose body is the result asked
for, such as `{\"status\":\"not_found\"}` of a verification.

This page is rendered from `src/http/problem/code.rs`; a test compares the two.
";

/// Text and one style sheet of ours; a build without browser parts has the text alone.
pub(in crate::http) const TEXT_POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// Renders docs/ERRORS.md.
pub fn errors_markdown() -> String {
    let mut output = INTRODUCTION.to_owned();
    for code in ProblemCode::ALL {
        let status = code.status();
        let _ = write!(
            output,
            "\n## {}\n\n{} ({}). {}\n",
            code.as_str(),
            code.title(),
            status.as_u16(),
            code.documentation()
        );
    }
    output
}

/// Returns the routes of the pages that `type` points to.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/docs/errors", get(index)).route("/docs/errors/{code}", get(page))
}

async fn index() -> Response {
    let mut body = String::from(
        "<h1>Errors</h1>\n<table>\n<thead><tr><th>Code</th><th>Status</th><th>Meaning</th></tr>\
         </thead>\n<tbody>\n",
    );
    for code in ProblemCode::ALL {
        let (path, name, title) = (code.documentation_path(), code.as_str(), code.title());
        let status = code.status().as_u16();
        let _ = writeln!(
            body,
            "<tr><td><a href=\"{path}\">{name}</a></td><td>{status}</td><td>{title}</td></tr>"
        );
    }
    body.push_str("</tbody>\n</table>\n");
    document("Errors", &body)
}

async fn page(Path(name): Path<String>) -> Response {
    let Some(code) = ProblemCode::from_name(&name) else {
        return Problem::new(ProblemCode::NotFound).into_response();
    };
    let body = format!(
        "<h1>{}</h1>\n<p><strong>{}</strong>, status {}</p>\n<p>{}</p>\n\
         <p><a href=\"/docs/errors\">All errors</a></p>\n",
        code.as_str(),
        code.title(),
        code.status().as_u16(),
        code.documentation()
    );
    document(code.as_str(), &body)
}

/// Wraps text of ours, which needs no escaping, into a page.
fn document(title: &str, body: &str) -> Response {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/docs/assets/errors.css\"></head>\n\
         <body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    );
    let headers = [(CACHE_CONTROL, "public, max-age=3600"), (CONTENT_SECURITY_POLICY, TEXT_POLICY)];
    (headers, Html(page)).into_response()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a switch of the test run, not of the product")]
    fn errors_md_is_what_the_table_says() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(ERRORS_MD);
        if std::env::var("UPDATE_DOCS").is_ok() {
            std::fs::write(&file, errors_markdown()).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(written == errors_markdown(), "{ERRORS_MD} is stale: run with UPDATE_DOCS=1");
    }

    #[test]
    fn documentation_needs_no_escaping_in_html() {
        for code in ProblemCode::ALL {
            let text = [code.title(), code.documentation()].concat();
            assert!(!text.contains(['<', '>', '&']), "{}", code.as_str());
        }
    }
}
