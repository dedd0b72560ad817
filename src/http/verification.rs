//! What anyone may ask of a product: is it authentic, what happened to it.
//!
//! Answers are remembered until something they rest on changes; they carry entity tags.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::HttpState;
use crate::http::credentials::Public;
use crate::http::extract::ApiPath;
use crate::http::headers::{EntityTag, IfNoneMatch};
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::http::view::{HistoryBody, VerifyBody, event_body, verify_body};
use crate::patch::tag::UidTag;
use crate::service::verification::{Generations, Verdict};

const NOT_FOUND: &str = "{\"status\":\"not_found\"}";

/// An answer that is true as long as its generations are.
#[derive(Clone)]
pub struct RememberedAnswer {
    generations: Generations,
    document: Document,
}

/// A body with its entity tag.
#[derive(Clone)]
pub(super) struct Document {
    body: Bytes,
    tag: EntityTag,
}

impl Document {
    /// Takes a body.
    pub(super) fn new(body: Vec<u8>) -> Self {
        Self { tag: EntityTag::of(&body), body: body.into() }
    }

    /// Gives it to whoever does not have it.
    pub(super) fn give(&self, known: &IfNoneMatch) -> Response {
        let headers = [
            (ETAG, self.tag.header_value()),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        if known.has(&self.tag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, [(CONTENT_TYPE, "application/json")], self.body.clone()).into_response()
    }
}

/// Remembers verdicts; at most 32 MiB of them.
pub type VerdictCache = moka::sync::Cache<String, RememberedAnswer>;

/// Makes an empty memory for verdicts.
pub fn verdict_cache() -> VerdictCache {
    moka::sync::Cache::builder()
        .max_capacity(32 * 1024 * 1024)
        .weigher(|uid: &String, answer: &RememberedAnswer| {
            u32::try_from(uid.len() + answer.document.body.len() + 256).unwrap_or(u32::MAX)
        })
        .build()
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(verify)).routes(routes!(history))
}

/// Tells whether a product is authentic.
#[utoipa::path(get, path = "/v1/patches/verify/{uid_tag_id}", tag = "patches",
    params(("uid_tag_id" = String, Path)), responses(
        (status = 200, body = VerifyBody<'static>), (status = 304), (status = 404)))]
async fn verify(
    _public: Public,
    state: State<HttpState>,
    known: IfNoneMatch,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    let generations = state.services.verification.generations(&path.0);
    if let Some(answer) = state.verdicts.get(&path.0)
        && answer.generations == generations
    {
        return Ok(answer.document.give(&known));
    }
    let Ok(uid) = UidTag::parse(&path.0) else { return Ok(not_found()) };
    let found = state.services.verification.verify(&uid)?;
    if found.verdict == Verdict::NotFound {
        return Ok(not_found());
    }
    let document = Document::new(verify_body(&state, &uid, &found)?);
    let answer = document.give(&known);
    state.verdicts.insert(path.0, RememberedAnswer { generations, document });
    Ok(answer)
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "application/json")], NOT_FOUND).into_response()
}

/// Tells what happened to a product, oldest first.
#[utoipa::path(get, path = "/v1/patches/{uid_tag_id}/history", tag = "patches",
    params(("uid_tag_id" = String, Path)), responses(
        (status = 200, body = HistoryBody<'static>), (status = 304),
        (status = 400, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn history(
    _public: Public,
    state: State<HttpState>,
    known: IfNoneMatch,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    let uid = parse_tag(&path.0)?;
    let found = state.services.verification.verify(&uid)?;
    if found.patch.is_none() {
        return Err(unknown_tag());
    }
    let events = found.events.iter().map(event_body).collect();
    let body = serde_json::to_vec(&HistoryBody { uid_tag_id: uid.as_str(), events })
        .map_err(|_| Problem::new(ProblemCode::Internal))?;
    Ok(Document::new(body).give(&known))
}

/// Reads a tag from a path.
pub(super) fn parse_tag(text: &str) -> Result<UidTag, Problem> {
    UidTag::parse(text).map_err(|error| Problem::invalid_field("uid_tag_id", error.to_string()))
}

/// Says that there is no such product.
pub(super) fn unknown_tag() -> Problem {
    Problem::new(ProblemCode::NotFound).detail("Nobody has registered this tag.")
}
