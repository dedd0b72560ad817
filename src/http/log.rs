//! The log of all commitments, for everybody: its newest checkpoint, proofs, and the files of C2SP
//! tlog-tiles. Nothing is told of what no checkpoint covers yet.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::anchor::log::LogHead;
use crate::anchor::log::note::SIGNATURE_TYPE;
use crate::anchor::log::tile::Tile;
use crate::http::HttpState;
use crate::http::credentials::Public;
use crate::http::extract::{ApiPath, ApiQuery};
use crate::http::headers::IfNoneMatch;
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::http::verification::Document;
use crate::service::log::{LogAnswer, LogSubject};
use crate::types::Digest;

/// A checkpoint is replaced every few seconds.
const BRIEFLY: &str = "public, max-age=5";
/// A tile of a width never changes: the log only grows.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct InclusionQuery {
    /// The commitment, 64 hexadecimal digits; or `record`.
    commitment: Option<String>,
    /// The custody event; or `commitment`.
    record: Option<String>,
    /// The size of the log in which it is to stand; as it was signed last without it.
    size: Option<u64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ConsistencyQuery {
    /// The earlier size, at least 1.
    from: u64,
    /// The later size; that which was signed last without it.
    to: Option<u64>,
}

/// The key that signs the log's checkpoints.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LogKeyBody {
    /// The log's name, which every checkpoint begins with.
    origin: String,
    /// The verifier key of C2SP signed-note: name, identifier, type and key.
    vkey: String,
    /// The issuer's key, 33 bytes, hexadecimal.
    public_key: String,
    /// The kind of signature, after the type byte 0xff.
    signature_type: &'static str,
}

/// That a commitment stands in the log: RFC 9162, the leaf is the commitment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LogInclusionBody {
    #[schema(value_type = String)]
    commitment: Digest,
    /// Its place, from 0, in the order of acceptance.
    leaf_index: u64,
    /// The number of leaves.
    tree_size: u64,
    /// The sibling hashes from the leaf upwards.
    #[schema(value_type = Vec<String>)]
    path: Vec<Digest>,
    /// The root that the path leads to.
    #[schema(value_type = String)]
    root: Digest,
    /// The newest checkpoint, where it is of this size: a signed note.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    checkpoint: Option<String>,
}

/// The log at one moment.
#[derive(Debug, Serialize, ToSchema)]
struct LogHeadBody {
    /// The number of leaves.
    size: u64,
    #[schema(value_type = String)]
    root: Digest,
}

/// That the log of `to` begins with all of that of `from`: RFC 9162.
#[derive(Debug, Serialize, ToSchema)]
struct LogConsistencyBody {
    from: LogHeadBody,
    to: LogHeadBody,
    #[schema(value_type = Vec<String>)]
    path: Vec<Digest>,
    /// The newest checkpoint, where it is of the later size: a signed note.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    checkpoint: Option<String>,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(checkpoint))
        .routes(routes!(key))
        .routes(routes!(inclusion))
        .routes(routes!(consistency))
        .routes(routes!(tiled_checkpoint))
        .routes(routes!(tile))
}

/// Gives the newest signed checkpoint of the log of all commitments.
#[utoipa::path(get, path = "/v1/log/checkpoint", tag = "log", responses(
    (status = 200, body = String, content_type = "text/plain",
        description = "A checkpoint (C2SP tlog-checkpoint) in a signed note"),
    (status = 404, body = ProblemBody, description = "Nothing is signed yet")))]
async fn checkpoint(_public: Public, state: State<HttpState>) -> Result<Response, Problem> {
    newest(&state)
}

/// Gives the same as /v1/log/checkpoint where C2SP tlog-tiles has it.
#[utoipa::path(get, path = "/log/checkpoint", tag = "log", responses(
    (status = 200, body = String, content_type = "text/plain",
        description = "A checkpoint (C2SP tlog-checkpoint) in a signed note"),
    (status = 404, body = ProblemBody, description = "Nothing is signed yet")))]
async fn tiled_checkpoint(_public: Public, state: State<HttpState>) -> Result<Response, Problem> {
    newest(&state)
}

fn newest(state: &HttpState) -> Result<Response, Problem> {
    let (_, note) = state.services.log.checkpoint()?.ok_or_else(|| {
        Problem::new(ProblemCode::NotFound).detail("No checkpoint of the log is signed yet.")
    })?;
    Ok(([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, BRIEFLY)], note).into_response())
}

/// Gives the key under which checkpoints of the log are signed. Whoever watches the log pins it.
#[utoipa::path(get, path = "/v1/log/key", tag = "log",
    responses((status = 200, body = LogKeyBody), (status = 304)))]
async fn key(
    _public: Public,
    state: State<HttpState>,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let key = state.services.log.key()?;
    give(
        &LogKeyBody {
            origin: key.name().to_owned(),
            vkey: key.to_string(),
            public_key: key.public_key().to_string(),
            signature_type: SIGNATURE_TYPE,
        },
        &known,
    )
}

/// Proves that a commitment stands in the log of all commitments.
#[utoipa::path(get, path = "/v1/log/inclusion", tag = "log", params(InclusionQuery), responses(
    (status = 200, body = LogInclusionBody), (status = 304), (status = 400, body = ProblemBody),
    (status = 404, body = ProblemBody, description = "No such commitment was accepted, or no \
        checkpoint covers it yet")))]
async fn inclusion(
    _public: Public,
    state: State<HttpState>,
    known: IfNoneMatch,
    query: ApiQuery<InclusionQuery>,
) -> Result<Response, Problem> {
    let InclusionQuery { commitment, record, size } = query.0;
    let subject = match (commitment, record) {
        (Some(text), None) => {
            LogSubject::Commitment(text.parse().map_err(|_| {
                Problem::invalid_field("commitment", "must be 64 hexadecimal digits")
            })?)
        }
        (None, Some(text)) => LogSubject::Record(
            text.parse().map_err(|_| Problem::invalid_field("record", "must be an identifier"))?,
        ),
        (Some(_), Some(_)) | (None, None) => {
            return Err(Problem::invalid_field(
                "commitment",
                "or record must be given, one of them",
            ));
        }
    };
    let found = told(state.services.log.inclusion(subject, size)?, "size")?;
    let body = LogInclusionBody {
        commitment: found.commitment,
        leaf_index: found.proof.leaf_index,
        tree_size: found.proof.tree_size,
        checkpoint: note_of(&state, found.proof.tree_size)?,
        path: found.proof.path,
        root: found.root,
    };
    give(&body, &known)
}

/// Proves that the log of all commitments only grew between two sizes.
#[utoipa::path(get, path = "/v1/log/consistency", tag = "log", params(ConsistencyQuery), responses(
    (status = 200, body = LogConsistencyBody), (status = 304), (status = 400, body = ProblemBody)))]
async fn consistency(
    _public: Public,
    state: State<HttpState>,
    known: IfNoneMatch,
    query: ApiQuery<ConsistencyQuery>,
) -> Result<Response, Problem> {
    let growth = told(state.services.log.growth(query.0.from, query.0.to)?, "from")?;
    let body = LogConsistencyBody {
        from: head_body(growth.from),
        to: head_body(growth.to),
        path: growth.path,
        checkpoint: note_of(&state, growth.to.size)?,
    };
    give(&body, &known)
}

/// Gives a tile of hashes or a bundle of entries, named as in C2SP tlog-tiles.
#[utoipa::path(get, path = "/log/tile/{*tile}", tag = "log",
    params(("*tile" = String, Path, description = "`0/x001/234`, `entries/000.p/17`")), responses(
        (status = 200, content_type = "application/octet-stream",
            description = "Hashes of 32 bytes, or entries each with its length before it"),
        (status = 404, body = ProblemBody, description = "The signed log has no such tile")))]
async fn tile(
    _public: Public,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    let none = || Problem::new(ProblemCode::NotFound).detail("The signed log has no such tile.");
    let tile = Tile::parse(&path.0).ok_or_else(none)?;
    let LogAnswer::Found(bytes) = state.services.log.tile(tile)? else { return Err(none()) };
    Ok(([(CONTENT_TYPE, BYTES), (CACHE_CONTROL, FOR_EVER)], bytes).into_response())
}

/// Returns the newest checkpoint if it is of this size.
fn note_of(state: &HttpState, size: u64) -> Result<Option<String>, Problem> {
    let newest = state.services.log.checkpoint()?;
    Ok(newest.filter(|(head, _)| head.size == size).map(|(_, note)| note))
}

fn told<T>(answer: LogAnswer<T>, field: &'static str) -> Result<T, Problem> {
    match answer {
        LogAnswer::Found(found) => Ok(found),
        LogAnswer::Unknown => {
            Err(Problem::new(ProblemCode::NotFound).detail("No such commitment stands in the log."))
        }
        LogAnswer::NotYetSigned => Err(Problem::new(ProblemCode::NotFound)
            .retry_after(10)
            .detail("It stands in the log, and no checkpoint covers it yet: the next one will.")),
        LogAnswer::Beyond(signed) => Err(Problem::invalid_field(
            field,
            format!("the sizes must hold it, and be 1 to {signed}, which is signed"),
        )),
    }
}

const fn head_body(head: LogHead) -> LogHeadBody {
    LogHeadBody { size: head.size, root: head.root }
}

fn give(body: &impl Serialize, known: &IfNoneMatch) -> Result<Response, Problem> {
    let body = serde_json::to_vec(body).map_err(|_| Problem::new(ProblemCode::Internal))?;
    Ok(Document::new(body).give(known))
}
