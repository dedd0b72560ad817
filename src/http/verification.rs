//! What anyone may ask of a product: is it authentic, what happened to it, prove it.
//!
//! Answers are remembered until something they rest on changes; they carry entity tags.

use std::time::Duration;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::anchor::lifecycle::Stage;
use crate::http::HttpState;
use crate::http::credentials::Public;
use crate::http::extract::{ApiPath, ApiQuery};
use crate::http::headers::{EntityTag, IfNoneMatch};
use crate::http::patches::certificate_url;
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::patch::record::Purpose;
use crate::patch::tag::UidTag;
use crate::service::verification::{BlockFacts, CustodyEvent, Verdict, Verification};
use crate::types::{BlockHash, Digest, RecordId, Txid};

const NOT_FOUND: &str = "{\"status\":\"not_found\"}";

/// An answer that is true as long as its generations are.
#[derive(Clone)]
pub struct RememberedAnswer {
    patch_generation: u64,
    chain_generation: u64,
    body: Bytes,
    tag: EntityTag,
}

/// Remembers verdicts; at most 32 MiB of them.
pub type VerdictCache = moka::sync::Cache<String, RememberedAnswer>;

/// Makes an empty memory for verdicts.
pub fn verdict_cache() -> VerdictCache {
    moka::sync::Cache::builder()
        .max_capacity(32 * 1024 * 1024)
        .weigher(|uid: &String, answer: &RememberedAnswer| {
            u32::try_from(uid.len() + answer.body.len() + 256).unwrap_or(u32::MAX)
        })
        .time_to_idle(Duration::from_secs(600))
        .build()
}

/// What verification says.
#[derive(Debug, Serialize, ToSchema)]
struct VerifyBody<'a> {
    /// `authentic`, `pending`, `compromised` or `not_found`.
    status: &'static str,
    /// The newest custody event's record as it was signed.
    #[schema(value_type = Object)]
    record: Option<&'a RawValue>,
    #[serde(rename = "verificationDetails")]
    details: DetailsBody,
}

/// Why, and what the verdict rests on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DetailsBody {
    reason: String,
    uid_tag_id: String,
    /// `accepted`, `broadcast`, `seen`, `mined`, `final`, `held` or `failed`.
    stage: &'static str,
    owner: String,
    #[schema(value_type = Option<String>)]
    current_txid: Option<Txid>,
    issuer_public_key: Option<String>,
    issuer_signature: Option<String>,
    #[schema(value_type = Option<String>)]
    commitment: Option<Digest>,
    /// The 16 random bytes in front of the canonical record in the commitment, hexadecimal.
    salt: Option<String>,
    block: Option<BlockBody>,
    events: usize,
    is_transfer_pending: bool,
    certificate_url: String,
}

/// The block of a transaction.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockBody {
    height: u32,
    #[schema(value_type = String)]
    hash: BlockHash,
    /// The miner's clock, RFC 3339: not exact.
    time: String,
    confirmations: u32,
    /// BUMP (BRC-74), hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    merkle_path: Option<String>,
}

/// A product's custody, oldest event first.
#[derive(Debug, Serialize, ToSchema)]
struct HistoryBody<'a> {
    uid_tag_id: &'a str,
    events: Vec<EventBody>,
}

/// One custody event.
#[derive(Debug, Serialize, ToSchema)]
struct EventBody {
    #[schema(value_type = String)]
    id: RecordId,
    /// `register` or `transfer`.
    #[serde(rename = "type")]
    kind: &'static str,
    stage: &'static str,
    #[schema(value_type = Option<String>)]
    txid: Option<Txid>,
    #[schema(value_type = Option<String>)]
    prev_txid: Option<Txid>,
    owner: String,
    #[schema(value_type = String)]
    commitment: Digest,
    accepted_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<BlockBody>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ProofQuery {
    /// `beef`: the newest transaction with its ancestors' proofs, BRC-62, hexadecimal text.
    format: String,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(verify)).routes(routes!(history)).routes(routes!(proof))
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
    let patch_generation = state.services.registration.store.patch_generation(&path.0);
    let chain_generation = state.services.registration.store.chain_generation();
    if let Some(answer) = state.verdicts.get(&path.0) {
        if answer.patch_generation == patch_generation
            && answer.chain_generation == chain_generation
        {
            return Ok(give(&answer, &known));
        }
    }
    let Ok(uid) = UidTag::parse(&path.0) else { return Ok(not_found()) };
    let found = state.services.verification.verify(&uid)?;
    if found.verdict == Verdict::NotFound {
        return Ok(not_found());
    }
    let body = Bytes::from(verify_body(&state, &uid, &found)?);
    let tag = EntityTag::of(&body);
    let answer = RememberedAnswer { patch_generation, chain_generation, body, tag };
    state.verdicts.insert(path.0, answer.clone());
    Ok(give(&answer, &known))
}

fn give(answer: &RememberedAnswer, known: &IfNoneMatch) -> Response {
    let headers =
        [(ETAG, answer.tag.header_value()), (CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
    if known.has(&answer.tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(CONTENT_TYPE, "application/json")], answer.body.clone()).into_response()
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "application/json")], NOT_FOUND).into_response()
}

fn verify_body(state: &HttpState, uid: &UidTag, found: &Verification) -> Result<Vec<u8>, Problem> {
    let internal = || Problem::new(ProblemCode::Internal);
    let patch = found.patch.as_ref().ok_or_else(internal)?;
    let head = found.events.iter().find(|event| event.stored.id == patch.head);
    let (status, reason) = words(&found.verdict);
    let canonical = head.and_then(|head| std::str::from_utf8(&head.stored.canonical).ok());
    let record: Option<&RawValue> = canonical.and_then(|text| serde_json::from_str(text).ok());
    let details = DetailsBody {
        reason,
        uid_tag_id: uid.as_str().to_owned(),
        stage: head.map_or("accepted", |head| stage_word(&head.job.stage)),
        owner: patch.owner.to_string(),
        current_txid: patch.current_txid,
        issuer_public_key: head.map(|head| head.record.auth.issuer.to_string()),
        issuer_signature: head.and_then(issuer_signature),
        commitment: head.map(|head| head.stored.commitment),
        salt: head.map(|head| hex::encode(head.stored.salt.as_bytes())),
        block: head.and_then(|head| head.block.as_ref()).map(block_body),
        events: found.events.len(),
        is_transfer_pending: patch.pending.is_some(),
        certificate_url: certificate_url(state, uid),
    };
    serde_json::to_vec(&VerifyBody { status, record, details }).map_err(|_| internal())
}

fn issuer_signature(event: &CustodyEvent) -> Option<String> {
    let signature = event.stored.issuer_signature.as_ref()?.signature()?;
    Some(signature.to_string())
}

fn words(verdict: &Verdict) -> (&'static str, String) {
    match verdict {
        Verdict::NotFound => ("not_found", "Nobody has registered this tag.".to_owned()),
        Verdict::Pending => {
            ("pending", "Registered; the network has not taken the record yet.".to_owned())
        }
        Verdict::Authentic => (
            "authentic",
            "Every event of its custody is signed, linked and committed to on chain.".to_owned(),
        ),
        Verdict::Compromised { reason } => ("compromised", reason.clone()),
    }
}

/// Returns the word for a stage of anchoring.
pub(super) const fn stage_word(stage: &Stage) -> &'static str {
    match stage {
        Stage::Accepted | Stage::Reserved => "accepted",
        Stage::Signed { .. } => "broadcast",
        Stage::Seen { .. } => "seen",
        Stage::Mined { .. } => "mined",
        Stage::Final { .. } => "final",
        Stage::Held { .. } => "held",
        Stage::Failed { .. } => "failed",
    }
}

fn block_body(block: &BlockFacts) -> BlockBody {
    BlockBody {
        height: block.height,
        hash: block.hash,
        time: block.time.to_string(),
        confirmations: block.confirmations,
        merkle_path: block.merkle_path.as_ref().map(|path| hex::encode(path.to_bytes())),
    }
}

/// Tells what happened to a product, oldest first.
#[utoipa::path(get, path = "/v1/patches/{uid_tag_id}/history", tag = "patches",
    params(("uid_tag_id" = String, Path)), responses(
        (status = 200, body = HistoryBody<'static>), (status = 404, body = ProblemBody)))]
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
    let tag = EntityTag::of(&body);
    let answer =
        RememberedAnswer { patch_generation: 0, chain_generation: 0, body: body.into(), tag };
    Ok(give(&answer, &known))
}

fn event_body(event: &CustodyEvent) -> EventBody {
    EventBody {
        id: event.stored.id,
        kind: match event.stored.purpose {
            Purpose::RegisterPatch => "register",
            Purpose::TransferOwnership => "transfer",
        },
        stage: stage_word(&event.job.stage),
        txid: event.stored.txid.filter(|_| event.job.is_on_network()),
        prev_txid: event.record.auth.prev_txid,
        owner: event.record.auth.owner.clone(),
        commitment: event.stored.commitment,
        accepted_at: event.stored.accepted_at.to_string(),
        block: event.block.as_ref().map(block_body),
    }
}

/// Gives the newest transaction with everything that proves it.
#[utoipa::path(get, path = "/v1/patches/{uid_tag_id}/proof", tag = "patches",
    params(("uid_tag_id" = String, Path), ProofQuery), responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 400, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn proof(
    _public: Public,
    state: State<HttpState>,
    path: ApiPath<String>,
    query: ApiQuery<ProofQuery>,
) -> Result<Response, Problem> {
    let uid = parse_tag(&path.0)?;
    if query.0.format != "beef" {
        return Err(Problem::invalid_field("format", "must be beef"));
    }
    let beef = state.services.verification.beef(&uid)?.ok_or_else(unknown_tag)?;
    let bytes = beef.to_v1_bytes().map_err(|_| Problem::new(ProblemCode::Internal))?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], hex::encode(bytes)).into_response())
}

/// Reads a tag from a path.
pub(super) fn parse_tag(text: &str) -> Result<UidTag, Problem> {
    UidTag::parse(text).map_err(|error| Problem::invalid_field("uid_tag_id", error.to_string()))
}

fn unknown_tag() -> Problem {
    Problem::new(ProblemCode::NotFound).detail("Nobody has registered this tag.")
}
