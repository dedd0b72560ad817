//! The controls over HTTP, under `/sim`: money from the faucet, blocks, reorganisations, evictions
//! and faults.

use std::sync::atomic::Ordering;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::bitcoin::Address;
use crate::simnet::{
    FaultRule, Filling, KnownTransaction, Node, Policy, Reorganisation, Simnet, Standing,
};
use crate::types::{BlockHash, FeeRate, Network, Satoshis, Txid};

const MAX_BLOCKS: u32 = 1_000;
const MAX_LISTED: usize = 1_000;
const MAX_HEADERS: u32 = 10_000;

/// Returns the routes of the controls.
pub(super) fn router(simnet: &Simnet) -> Router {
    Router::new()
        .route("/info", get(info))
        .route("/faucet", post(faucet))
        .route("/mine", post(mine))
        .route("/reorg", post(reorganise))
        .route("/evict", post(evict))
        .route("/policy", post(set_policy))
        .route("/faults", post(add_fault).delete(clear_faults))
        .route("/transactions", get(transactions))
        .route("/headers", get(headers))
        .with_state(simnet.clone())
}

/// Answers 400 with an error and its causes.
fn refused(error: &dyn std::error::Error) -> Response {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let text = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    (StatusCode::BAD_REQUEST, Json(json!({ "error": text }))).into_response()
}

fn refused_text(text: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": text }))).into_response()
}

async fn info(State(simnet): State<Simnet>) -> Response {
    let (faults, struck) = {
        let menu = simnet.faults();
        (menu.rules().to_vec(), menu.struck())
    };
    let arc_faults = simnet.arc_faults().rules().to_vec();
    let node = simnet.node();
    Json(json!({
        "height": node.height(),
        "tip": node.tip().hash(),
        "mempool": node.mempool_len(),
        "minFeeSatPerKb": node.policy().min_fee,
        "faults": faults,
        "arcFaults": arc_faults,
        "totals": {
            "submitted": simnet.traffic.submitted.load(Ordering::Relaxed),
            "refused": simnet.traffic.refused.load(Ordering::Relaxed),
            "accepted": node.accepted().len(),
            "reorganisations": node.reorganisations(),
            "faultsStruck": struck,
            "unspentOutputs": node.coins().len(),
        },
    }))
    .into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaucetRequest {
    address: String,
    satoshis: u64,
    count: Option<u32>,
}

async fn faucet(State(simnet): State<Simnet>, Json(request): Json<FaucetRequest>) -> Response {
    let networks = [Network::Test, Network::Main];
    let parsed = networks.map(|network| Address::parse(&request.address, network));
    let address = match parsed {
        [Ok(address), _] | [_, Ok(address)] => address,
        [Err(error), _] => return refused(&error),
    };
    let satoshis = match Satoshis::new(request.satoshis) {
        Ok(satoshis) => satoshis,
        Err(error) => return refused(&error),
    };
    let count = request.count.unwrap_or(1);
    let paid = simnet.node().faucet(&address, satoshis, count);
    match paid {
        Ok(txid) => {
            let vouts: Vec<u32> = (0..count).collect();
            Json(json!({ "txid": txid, "vouts": vouts })).into_response()
        }
        Err(error) => refused(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MineRequest {
    blocks: Option<u32>,
    /// Leaves what waits where it is.
    #[serde(default)]
    empty: bool,
}

async fn mine(State(simnet): State<Simnet>, request: Option<Json<MineRequest>>) -> Response {
    let (blocks, empty) =
        request.map_or((1, false), |Json(request)| (request.blocks.unwrap_or(1), request.empty));
    if blocks > MAX_BLOCKS {
        return refused_text("at most 1000 blocks are mined at once");
    }
    let now = simnet.now();
    let filling = if empty { Filling::Nothing } else { Filling::Everything };
    let mined: Vec<BlockHash> =
        (0..blocks).map(|_| simnet.node().mine_block(now, filling)).collect();
    let height = simnet.node().height();
    Json(json!({ "blocks": mined, "height": height })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReorganiseRequest {
    depth: u32,
    #[serde(default)]
    drop: Vec<Txid>,
    /// Raw transactions, in hexadecimal, for the first new block.
    #[serde(default)]
    replacements: Vec<String>,
    /// Whether the first new block takes all that comes back.
    #[serde(default)]
    refill: bool,
}

async fn reorganise(
    State(simnet): State<Simnet>,
    Json(request): Json<ReorganiseRequest>,
) -> Response {
    let replacements: Result<Vec<Vec<u8>>, _> =
        request.replacements.iter().map(hex::decode).collect();
    let replacements = match replacements {
        Ok(replacements) => replacements,
        Err(error) => return refused(&error),
    };
    let refill = if request.refill { Filling::Everything } else { Filling::Nothing };
    let plan = Reorganisation { depth: request.depth, drop: request.drop, replacements, refill };
    let now = simnet.now();
    let outcome = simnet.node().reorganise(&plan, now);
    match outcome {
        Ok(outcome) => Json(json!({
            "disconnected": outcome.disconnected,
            "connected": outcome.connected,
            "dropped": outcome.dropped,
        }))
        .into_response(),
        Err(error) => refused(&error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvictRequest {
    txid: Txid,
}

async fn evict(State(simnet): State<Simnet>, Json(request): Json<EvictRequest>) -> Response {
    let evicted = simnet.node().drop_from_mempool(&request.txid);
    Json(json!({ "evicted": evicted })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PolicyRequest {
    min_fee_sat_per_kb: u64,
}

async fn set_policy(State(simnet): State<Simnet>, Json(request): Json<PolicyRequest>) -> Response {
    let Some(min_fee) = FeeRate::from_sat_per_kb(request.min_fee_sat_per_kb) else {
        return refused_text("the fee rate is out of range");
    };
    let mut node = simnet.node();
    let policy = Policy { min_fee, ..node.policy() };
    node.set_policy(policy);
    StatusCode::NO_CONTENT.into_response()
}

/// Which face a fault is aimed at.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FaceName {
    #[default]
    Whatsonchain,
    Arc,
}

#[derive(Deserialize)]
struct FaceQuery {
    #[serde(default)]
    face: FaceName,
}

async fn add_fault(
    State(simnet): State<Simnet>,
    Query(query): Query<FaceQuery>,
    Json(rule): Json<FaultRule>,
) -> Response {
    let mut menu = match query.face {
        FaceName::Whatsonchain => simnet.faults(),
        FaceName::Arc => simnet.arc_faults(),
    };
    menu.add(rule);
    (StatusCode::CREATED, Json(json!({ "faults": menu.rules() }))).into_response()
}

async fn clear_faults(State(simnet): State<Simnet>) -> StatusCode {
    simnet.faults().clear();
    simnet.arc_faults().clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct TransactionsQuery {
    #[serde(default)]
    after: usize,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct ListedTransaction {
    /// Its place in the order of acceptance, from 1.
    number: usize,
    txid: Txid,
    hex: String,
    state: &'static str,
    block: Option<BlockHash>,
    height: Option<u32>,
}

impl ListedTransaction {
    fn of(node: &Node, number: usize, known: &KnownTransaction) -> Self {
        let standing = node.standing(&known.txid());
        let (state, height) = match standing {
            Some(Standing::Mined(location)) => ("mined", Some(location.height)),
            Some(Standing::InMempool) => ("mempool", None),
            Some(Standing::Dropped) | None => ("dropped", None),
        };
        let block = height.and_then(|height| node.block_at(height)).map(|block| block.hash());
        let hex = hex::encode(known.raw());
        Self { number, txid: known.txid(), hex, state, block, height }
    }
}

async fn transactions(
    State(simnet): State<Simnet>,
    Query(query): Query<TransactionsQuery>,
) -> Json<Vec<ListedTransaction>> {
    let limit = query.limit.unwrap_or(MAX_LISTED).min(MAX_LISTED);
    let node = simnet.node();
    let accepted = (1..).zip(node.accepted()).skip(query.after).take(limit);
    let listed = accepted.filter_map(|(number, txid)| {
        node.transaction(txid).map(|known| ListedTransaction::of(&node, number, known))
    });
    Json(listed.collect())
}

#[derive(Deserialize)]
struct HeadersQuery {
    #[serde(default)]
    from: u32,
    count: Option<u32>,
}

/// Answers one line of hexadecimal per header, ascending; fewer than asked for at the chain's end.
async fn headers(State(simnet): State<Simnet>, Query(query): Query<HeadersQuery>) -> String {
    let count = query.count.unwrap_or(MAX_HEADERS).min(MAX_HEADERS);
    let node = simnet.node();
    let heights = query.from..query.from.saturating_add(count);
    let blocks = heights.map_while(|height| node.block_at(height));
    blocks.map(|block| format!("{}\n", hex::encode(block.header().to_bytes()))).collect()
}
