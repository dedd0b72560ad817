//! Certificates: pages made from stored proofs, for whoever scans a tag.
//!
//! What a certificate says comes from the proof that is stored under the tag in the path, never from
//! the query or a header. docs/CERTIFICATES.md has the whole.

mod anchors;
pub(in crate::http) mod assets;
pub(in crate::http) mod encoding;
mod files;
mod page;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, HeaderName};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use crate::certificate::Language;
use crate::http::HttpState;
use crate::http::certificates::assets::Assets;
use crate::http::credentials::Public;
use crate::http::extract::ApiPath;
use crate::http::headers::IfNoneMatch;
use crate::http::problem::{Problem, ProblemCode};
use crate::http::verification::unknown_tag;
use crate::patch::tag::UidTag;

/// Where the predecessor had its certificates, with everything they said in the query.
const FORMER_NAME: &str = "certificate.html";
/// The members of a query that named the tag there.
const FORMER_TAGS: [&str; 3] = ["uid_tag_id", "uid", "tag"];

/// Who asks, in what way.
struct Visitor {
    known: IfNoneMatch,
    headers: HeaderMap,
    language: Language,
}

impl Visitor {
    /// The language that the address names, or else the browser.
    fn new(known: IfNoneMatch, headers: HeaderMap, query: Option<&str>) -> Self {
        let asked = member(query, "lang").and_then(|tag| Language::from_tag(&tag));
        let preferred = || Language::from_accept(text(&headers, &ACCEPT_LANGUAGE));
        let language = asked.unwrap_or_else(preferred);
        Self { known, headers, language }
    }

    /// Says whether a page is more welcome than data.
    fn reads_pages(&self) -> bool {
        text(&self.headers, &ACCEPT).contains("text/html")
    }
}

/// Returns the routes of this file and of what its pages need.
pub(super) fn routes() -> Router<HttpState> {
    let assets = Arc::new(Assets::embedded());
    let (stored, styled) = (Arc::clone(&assets), Arc::clone(&assets));
    let workshop = files::workshop();
    let certificate = async move |_: Public,
                                  state: State<HttpState>,
                                  known: IfNoneMatch,
                                  headers: HeaderMap,
                                  query: RawQuery,
                                  name: ApiPath<String>| {
        let visitor = Visitor::new(known, headers, query.0.as_deref());
        let answered = match files::find(&state, &name.0) {
            Ok(Some(found)) => files::give(&state, &workshop, &visitor, found).await,
            Ok(None) => answer(&state, &assets, &visitor, &name.0, query.0.as_deref()),
            Err(problem) => Err(problem),
        };
        answered.unwrap_or_else(IntoResponse::into_response)
    };
    let list = async move |_: Public,
                           state: State<HttpState>,
                           known: IfNoneMatch,
                           headers: HeaderMap,
                           query: RawQuery| {
        let visitor = Visitor::new(known, headers, query.0.as_deref());
        let answered = anchors::list(&state, &styled, &visitor, query.0.as_deref());
        answered.unwrap_or_else(IntoResponse::into_response)
    };
    let file = async move |Path((version, name)): Path<(String, String)>,
                           known: IfNoneMatch,
                           headers: HeaderMap| {
        stored
            .answer(&version, &name, &known, &headers)
            .unwrap_or_else(|| Problem::new(ProblemCode::NotFound).into_response())
    };
    Router::new()
        .route("/anchors", get(list))
        .route("/certificates/{name}", get(certificate))
        .route("/certificates/assets/{version}/{file}", get(file))
}

/// Finds out what a name stands for. A stored tag of that whole name comes first, whatever it ends in.
fn answer(
    state: &HttpState,
    assets: &Assets,
    visitor: &Visitor,
    name: &str,
    query: Option<&str>,
) -> Result<Response, Problem> {
    if let Ok(uid) = UidTag::parse(name)
        && let Some(bundle) = state.services.verification.bundle(&uid)?
    {
        return page::certificate(state, assets, visitor, &bundle);
    }
    if name == FORMER_NAME
        && let Some(uid) = former_tag(query)
    {
        return Ok(Redirect::permanent(&path_of(&uid)).into_response());
    }
    if visitor.reads_pages() { Ok(page::unknown(assets, visitor)) } else { Err(unknown_tag()) }
}

/// Returns the tag that an address of the predecessor names. Nothing else of it is taken over.
fn former_tag(query: Option<&str>) -> Option<UidTag> {
    FORMER_TAGS.iter().find_map(|name| member(query, name)).and_then(|it| UidTag::parse(&it).ok())
}

/// Returns the path of a product's certificate.
fn path_of(uid: &UidTag) -> String {
    path(&["certificates", uid.as_str()])
}

/// Writes a path of segments, each encoded.
fn path(segments: &[&str]) -> String {
    let mut url = url::Url::parse("http://localhost/").expect("this address is one");
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url.path().to_owned()
}

fn member(query: Option<&str>, name: &str) -> Option<String> {
    let mut members = url::form_urlencoded::parse(query?.as_bytes());
    members.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
