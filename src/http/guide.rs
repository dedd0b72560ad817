//! The documents of docs/, served as pages out of the binary.
//!
//! A page is read by a visitor with no internet and no script: text, and one style sheet that has the
//! colours and the frame of certificates. `README.md` is the index; `SVD_AUTH.md` is
//! `/docs/guide/svd-auth`. Pages are made when the first of them is asked for.

mod markdown;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use rust_embed::Embed;

use crate::http::assets::{Asset, media_type};
use crate::http::certificates::assets::Own as Certificates;
use crate::http::headers::IfNoneMatch;
use crate::http::problem::{Problem, ProblemCode, TEXT_POLICY};

pub use markdown::{Document, Section};

/// Where the pages are.
const ROOT: &str = "/docs/guide";
/// The document that is the index, and the name of its page in the map of all.
const INDEX: &str = "README.md";
/// The style of all pages.
const STYLE: &str = "guide.css";
/// How long a browser may use a page without asking again, in seconds.
const MAX_AGE: u32 = 300;

#[derive(Embed)]
#[folder = "docs"]
struct Documents;

#[derive(Embed)]
#[folder = "static/guide"]
struct Styles;

/// Pages by the last part of their address.
type Pages = BTreeMap<String, Asset>;

/// Returns the routes of the documents.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let pages: Arc<OnceLock<Pages>> = Arc::default();
    let of_index = Arc::clone(&pages);
    Router::new()
        .route(
            "/docs/guide",
            get(async move |known: IfNoneMatch| give(&of_index, &address_of(INDEX), &known)),
        )
        .route(
            "/docs/guide/{name}",
            get(async move |Path(name): Path<String>, known: IfNoneMatch| {
                give(&pages, &name, &known)
            }),
        )
}

fn give(pages: &OnceLock<Pages>, name: &str, known: &IfNoneMatch) -> Response {
    let Some(page) = pages.get_or_init(embedded).get(name) else {
        return Problem::new(ProblemCode::NotFound).into_response();
    };
    let mut answer = page.answer(known);
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(TEXT_POLICY));
    answer
}

/// Makes every page, and what pages name besides.
fn embedded() -> Pages {
    let mut pages = Pages::new();
    for file in Documents::iter() {
        let Some(data) = Documents::get(&file).map(|found| found.data) else { continue };
        let asset = if file.ends_with(".md") {
            let page = page(&file, &String::from_utf8_lossy(&data));
            Asset::new(page.into_bytes().into(), media_type("page.html"), MAX_AGE)
        } else {
            Asset::new(data, media_type(&file), MAX_AGE)
        };
        pages.insert(address_of(&file), asset);
    }
    let sheets = [Certificates::get("certificate.css"), Styles::get(STYLE)];
    let style: Vec<u8> =
        sheets.into_iter().flatten().flat_map(|sheet| sheet.data.into_owned()).collect();
    pages.insert(STYLE.to_owned(), Asset::new(style.into(), media_type(STYLE), MAX_AGE));
    pages
}

/// Returns the last part of the address of a file's page.
fn address_of(file: &str) -> String {
    match file.strip_suffix(".md") {
        Some(name) => name.to_lowercase().replace('_', "-"),
        None => file.to_owned(),
    }
}

/// Says where a link of a document leads when it is served: to the page of another document, to a
/// route of ours, or out; what is a file of the source alone leads nowhere.
fn place(link: &str) -> Option<String> {
    if link.starts_with(['#', '/']) || link.contains("://") {
        return Some(link.to_owned());
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    Documents::get(file)?;
    let page = if file == INDEX { ROOT.to_owned() } else { format!("{ROOT}/{}", address_of(file)) };
    Some(if anchor.is_empty() { page } else { format!("{page}#{anchor}") })
}

fn page(file: &str, markdown: &str) -> String {
    let document = Document::read(markdown, place);
    let is_index = file == INDEX;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (document.title()) " · PatchProof" }
                link rel="stylesheet" href=(format!("{ROOT}/{STYLE}"));
            }
            body.guide {
                a.skip href="#text" { "To the text" }
                header.page {
                    p.brand { a href=(ROOT) aria-current=[is_index.then_some("page")] { "PatchProof" } }
                    nav.languages aria-label="Documentation" {
                        a href=(ROOT) aria-current=[is_index.then_some("page")] { "Documents" }
                        a href="/docs" { "API explorer" }
                        a href="/docs/errors" { "Errors" }
                    }
                }
                main #text {
                    @if !is_index { (contents(&document)) }
                    article { (PreEscaped(&document.html)) }
                }
                footer.page {
                    p { "This page is part of the program that serves it, and of its version "
                        (env!("CARGO_PKG_VERSION")) "." }
                }
            }
        }
    };
    page.into_string()
}

/// The table of contents: the sections below the title, without those below them.
fn contents(document: &Document) -> Markup {
    let sections = || document.sections.iter().filter(|section| section.level == 2);
    html! {
        @if sections().count() > 1 {
            nav.contents aria-label="On this page" {
                details {
                    summary { "On this page" }
                    ul {
                        @for section in sections() {
                            li { a href=(format!("#{}", section.anchor)) { (section.text) } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "guide/tests.rs"]
mod tests;
