//! Proofs to take away: a product's custody as one file, its newest transaction for other tools.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::HttpState;
use crate::http::credentials::Public;
use crate::http::extract::{ApiPath, ApiQuery};
use crate::http::headers::IfNoneMatch;
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::http::verification::{Document, parse_tag, unknown_tag};
use crate::patch::tag::UidTag;
use crate::proof::CompactJson;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ProofQuery {
    /// `bundle`: the whole custody with everything that proves it, docs/BUNDLE.md. `beef`: the newest
    /// transaction with its ancestors' proofs, BRC-62, hexadecimal text. `tsc`: the proof that the
    /// newest transaction is in a block, BRC-10. `compact`: the bundle in half the bytes, for a QR code,
    /// docs/COMPACT_PROOF.md; only while it fits.
    #[serde(default = "default_format")]
    #[param(required = false, default = "bundle")]
    format: String,
}

fn default_format() -> String {
    "bundle".to_owned()
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(proof))
}

/// Gives everything that proves a product's custody, to be checked without us.
#[utoipa::path(get, path = "/v1/patches/{uid_tag_id}/proof", tag = "patches",
    params(("uid_tag_id" = String, Path), ProofQuery), responses(
        (status = 200, description = "A proof bundle (docs/bundle.schema.json), a TSC proof, a compact proof, or BEEF \
            as text, by `format`", content_type = "application/json"),
        (status = 304), (status = 400, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn proof(
    _public: Public,
    state: State<HttpState>,
    known: IfNoneMatch,
    path: ApiPath<String>,
    query: ApiQuery<ProofQuery>,
) -> Result<Response, Problem> {
    let uid = parse_tag(&path.0)?;
    match query.0.format.as_str() {
        "bundle" => bundle(&state, &uid, &known),
        "beef" => beef(&state, &uid),
        "tsc" => tsc(&state, &uid, &known),
        "compact" => compact(&state, &uid, &known),
        _ => Err(Problem::invalid_field("format", "must be bundle, beef, tsc or compact")),
    }
}

fn internal() -> Problem {
    Problem::new(ProblemCode::Internal)
}

fn bundle(state: &HttpState, uid: &UidTag, known: &IfNoneMatch) -> Result<Response, Problem> {
    let bundle = state.services.verification.bundle(uid)?.ok_or_else(unknown_tag)?;
    let mut answer = Document::new(bundle.to_bytes().map_err(|_| internal())?).give(known);
    answer.headers_mut().insert(CONTENT_DISPOSITION, file_name(uid));
    Ok(answer)
}

fn beef(state: &HttpState, uid: &UidTag) -> Result<Response, Problem> {
    let beef = state.services.verification.beef(uid)?.ok_or_else(unproved_tag)?;
    let bytes = beef.to_v1_bytes().map_err(|_| internal())?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], hex::encode(bytes)).into_response())
}

fn tsc(state: &HttpState, uid: &UidTag, known: &IfNoneMatch) -> Result<Response, Problem> {
    let proof = state.services.verification.tsc_proof(uid)?.ok_or_else(unproved_tag)?;
    Ok(Document::new(serde_json::to_vec(&proof).map_err(|_| internal())?).give(known))
}

fn compact(state: &HttpState, uid: &UidTag, known: &IfNoneMatch) -> Result<Response, Problem> {
    let bundle = state.services.verification.bundle(uid)?.ok_or_else(unknown_tag)?;
    let json = CompactJson::new(&bundle).and_then(|json| json.to_bytes());
    Ok(Document::new(json.map_err(|_| unfit_proof())?).give(known))
}

/// Proposes a name that every file system takes, whatever the tag is called.
fn file_name(uid: &UidTag) -> HeaderValue {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let plain: String = uid.as_str().chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    HeaderValue::from_str(&format!("attachment; filename=\"{plain}.proof.json\""))
        .expect("letters, digits and dashes are a header value")
}

fn unfit_proof() -> Problem {
    Problem::new(ProblemCode::NotFound)
        .detail("The custody has grown too long for a compact proof; ask for the bundle.")
}

fn unproved_tag() -> Problem {
    Problem::new(ProblemCode::NotFound).detail(
        "Nobody has registered this tag, or nothing proves it yet: neither its newest transaction \
         is in a block nor all that it spends.",
    )
}
