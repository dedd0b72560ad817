//! The public list of what the operator committed to on chain.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LINK};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::HttpState;
use crate::http::credentials::Public;
use crate::http::extract::ApiQuery;
use crate::http::problem::{Problem, ProblemBody};
use crate::service::anchors::{Anchor, AnchorListError, AnchorPage, MAX_PAGE};
use crate::types::{BlockHash, Digest, Txid};

const DEFAULT_PAGE: usize = 50;
/// A reorganisation may change any page: nobody keeps one without asking.
const FRESHNESS: &str = "no-cache";

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct AnchorsQuery {
    /// `batch`: batches alone; everything if not said.
    pub(super) kind: Option<String>,
    /// Anchors on the page, 1 to 200; 50 if not said. A page may have fewer although more follow.
    pub(super) limit: Option<usize>,
    /// The `nextCursor` of the page before.
    pub(super) cursor: Option<String>,
}

/// A page of anchors, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AnchorsBody {
    items: Vec<AnchorBody>,
    next_cursor: Option<String>,
}

/// A transaction with what it commits to.
#[derive(Debug, Serialize, ToSchema)]
struct AnchorBody {
    /// `registration`, `transfer` or `batch`.
    kind: &'static str,
    /// What stands on chain: a record's commitment, or the RFC 9162 root of a batch.
    #[schema(value_type = String)]
    commitment: Digest,
    /// How many records that is.
    size: u64,
    #[schema(value_type = String)]
    txid: Txid,
    /// `anchoring` or `confirmed`.
    status: &'static str,
    block: Option<AnchorBlockBody>,
}

/// The block that the transaction is in.
#[derive(Debug, Serialize, ToSchema)]
struct AnchorBlockBody {
    #[schema(value_type = String)]
    hash: BlockHash,
    height: u32,
    /// The time in its header.
    time: String,
    confirmations: u32,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(list_anchors))
}

/// Lists every transaction that commits to records, newest first, so that anybody can watch what
/// the operator commits to. No product is named.
#[utoipa::path(get, path = "/v1/anchors", tag = "proofs", params(AnchorsQuery),
    responses((status = 200, body = AnchorsBody), (status = 400, body = ProblemBody)))]
async fn list_anchors(
    _public: Public,
    state: State<HttpState>,
    query: ApiQuery<AnchorsQuery>,
) -> Result<Response, Problem> {
    let asked = Asked::read(&query.0)?;
    let page = asked.page(&state)?;
    let next_cursor = page.next.map(|txid| txid.to_string());
    let link = next_cursor.as_deref().map(|cursor| (LINK, asked.link("/v1/anchors", cursor)));
    let freshness = (CACHE_CONTROL, FRESHNESS.to_owned());
    let headers: Vec<_> = std::iter::once(freshness).chain(link).collect();
    let items = page.items.into_iter().map(anchor_body).collect();
    Ok((AppendHeaders(headers), Json(AnchorsBody { items, next_cursor })).into_response())
}

/// Which page of the list.
pub(super) struct Asked {
    pub(super) only_batches: bool,
    after: Option<Txid>,
    limit: usize,
}

impl Asked {
    pub(super) fn read(query: &AnchorsQuery) -> Result<Self, Problem> {
        let limit = query.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(Problem::invalid_field("limit", format!("must be 1 to {MAX_PAGE}")));
        }
        let only_batches = match query.kind.as_deref() {
            None => false,
            Some("batch") => true,
            Some(_) => return Err(Problem::invalid_field("kind", "must be batch, or left out")),
        };
        let read = |text: &str| text.parse().map_err(|_| unknown_cursor());
        let after = query.cursor.as_deref().map(read).transpose()?;
        Ok(Self { only_batches, after, limit })
    }

    pub(super) fn page(&self, state: &HttpState) -> Result<AnchorPage, Problem> {
        state.services.anchors.list(self.only_batches, self.after, self.limit).map_err(|error| {
            match error {
                AnchorListError::UnknownCursor => unknown_cursor(),
                AnchorListError::Store(error) => error.into(),
            }
        })
    }

    /// Links to the next page of the same list (RFC 8288).
    fn link(&self, path: &str, cursor: &str) -> String {
        format!("<{path}?{}>; rel=\"next\"", self.next_query(cursor))
    }

    /// Returns the query of the next page.
    pub(super) fn next_query(&self, cursor: &str) -> String {
        let kind = if self.only_batches { "&kind=batch" } else { "" };
        format!("limit={}&cursor={cursor}{kind}", self.limit)
    }
}

fn unknown_cursor() -> Problem {
    let advice = "must be the nextCursor of a page; if it was one, its transaction left the list, \
                  which is then to be read from the beginning";
    Problem::invalid_field("cursor", advice)
}

fn anchor_body(anchor: Anchor) -> AnchorBody {
    AnchorBody {
        kind: anchor.kind.as_str(),
        commitment: anchor.commitment,
        size: anchor.size,
        txid: anchor.txid,
        status: anchor.status.as_str(),
        block: anchor.block.map(|block| AnchorBlockBody {
            hash: block.hash,
            height: block.height,
            time: block.time.to_string(),
            confirmations: block.confirmations,
        }),
    }
}
