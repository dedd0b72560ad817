//! The explorer's face over HTTP: WhatsOnChain's paths under `/v1/bsv/{main|test}`, with the faults
//! of the menu.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;

use crate::bitcoin::{Address, TscProof};
use crate::simnet::explorer::{
    ChainInfo, Header, SpentBy, Status, Tip, TransactionInfo, UnspentItem, UnspentPage,
};
use crate::simnet::misfortune::{Menu, befall, lag_of, lost, status_code};
use crate::simnet::{
    Decision, Delivery, Fault, MAX_TRANSACTION_SIZE, Rejection, RequestClass, ScriptHash, Simnet,
    Spend, Unspent, View, deliver, list_position,
};
use crate::types::{Network, OutPoint, Satoshis, Txid};

const MAX_STATUSES: usize = 20;
const PAGE_SIZE: usize = 1_000;
const LAST_HEADERS: u32 = 10;

#[derive(Clone)]
struct Face {
    simnet: Simnet,
    network: Network,
}

/// Returns the explorer's routes for both networks; they show the same chain.
pub(super) fn router(simnet: &Simnet) -> Router {
    let face = |network| face_router(Face { simnet: simnet.clone(), network });
    Router::new()
        .nest("/v1/bsv/main", face(Network::Main))
        .nest("/v1/bsv/test", face(Network::Test))
        .fallback(|| async { not_found() })
}

fn face_router(face: Face) -> Router {
    let menu = Menu {
        faults: Arc::clone(&face.simnet.faults),
        class_of: |_, path| RequestClass::of_path(path),
    };
    Router::new()
        .route("/chain/info", get(chain_info))
        .route("/chain/tips", get(chain_tips))
        .route("/block/headers", get(last_headers))
        .route("/block/{block}/header", get(block_header))
        .route("/tx/raw", post(broadcast))
        .route("/txs/status", post(statuses))
        .route("/tx/hash/{txid}", get(transaction_info))
        .route("/tx/{txid}/hex", get(transaction_hex))
        .route("/tx/{txid}/proof/tsc", get(proof))
        .route("/tx/{txid}/{vout}/spent", get(spent))
        .route("/address/{address}/unspent", get(address_unspent))
        .route("/address/{address}/unspent/all", get(address_unspent_all))
        .route("/address/{address}/confirmed/balance", get(confirmed_balance))
        .route("/script/{script}/unspent/all", get(script_unspent_all))
        .layer(middleware::from_fn_with_state(menu, befall))
        .layer(DefaultBodyLimit::max(2 * MAX_TRANSACTION_SIZE + 1024))
        .with_state(face)
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "Not Found").into_response()
}

fn bad_request(text: &'static str) -> Response {
    (StatusCode::BAD_REQUEST, text).into_response()
}

impl Face {
    /// Answers from the node as an index shows it that may lag behind.
    fn read<T>(&self, decision: &Decision, answer: impl FnOnce(&View<'_>) -> T) -> T {
        let node = self.simnet.node();
        answer(&View::new(&node, lag_of(decision)))
    }
}

async fn chain_info(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
) -> Json<ChainInfo> {
    Json(face.read(&decision, |view| ChainInfo::of(view, face.network)))
}

async fn chain_tips(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
) -> Json<Vec<Tip>> {
    Json(face.read(&decision, Tip::all))
}

async fn last_headers(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
) -> Json<Vec<Header>> {
    Json(face.read(&decision, |view| {
        let heights = (0..=view.height()).rev().take(LAST_HEADERS.try_into().unwrap_or(0));
        let blocks = heights.filter_map(|height| view.block_at(height));
        blocks.map(|block| Header::of(view, block)).collect()
    }))
}

async fn block_header(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
    Path(block): Path<String>,
) -> Response {
    let found = face.read(&decision, |view| {
        // A hash may consist of digits only: its length tells it from a height.
        let found = match block.parse() {
            Ok(hash) => view.block(&hash),
            Err(_) => block.parse().ok().and_then(|height| view.block_at(height)),
        };
        found.map(|block| Header::of(view, block))
    });
    found.map_or_else(not_found, |header| Json(header).into_response())
}

#[derive(Deserialize)]
struct RawTransaction {
    txhex: String,
}

async fn broadcast(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
    Json(request): Json<RawTransaction>,
) -> Response {
    // Scripts are heavy work, so they must not hold up the tasks of this thread.
    let delivering = tokio::task::spawn_blocking(move || {
        deliver(decision.fault.as_ref(), || {
            let raw = hex::decode(request.txhex.trim()).map_err(|_| Rejection::NotHexadecimal)?;
            face.simnet.submit(&raw)
        })
    });
    match delivering.await {
        Ok(Delivery::Answered { status, body }) => (status_code(status), body).into_response(),
        Ok(Delivery::Lost(loss)) => lost(loss),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[derive(Deserialize)]
struct StatusRequest {
    txids: Vec<String>,
}

async fn statuses(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
    Json(request): Json<StatusRequest>,
) -> Response {
    if request.txids.len() > MAX_STATUSES {
        return bad_request("Maximum number of transactions is 20");
    }
    let forged = decision.fault == Some(Fault::ForgeStatus);
    let answer = face.read(&decision, |view| {
        let one = |txid| if forged { Status::forged(view, txid) } else { Status::of(view, txid) };
        request.txids.into_iter().map(one).collect::<Vec<_>>()
    });
    Json(answer).into_response()
}

async fn transaction_info(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
    Path(txid): Path<String>,
) -> Response {
    let Ok(txid) = txid.parse::<Txid>() else { return bad_request("Invalid txid") };
    let info = face.read(&decision, |view| {
        let (known, location) = view.transaction(&txid)?;
        Some(TransactionInfo::of(view, known, location, face.network))
    });
    info.map_or_else(not_found, |info| Json(info).into_response())
}

async fn transaction_hex(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
    Path(txid): Path<String>,
) -> Response {
    let Ok(txid) = txid.parse::<Txid>() else { return bad_request("Invalid txid") };
    let raw =
        face.read(&decision, |view| view.transaction(&txid).map(|(known, _)| known.raw().clone()));
    raw.map_or_else(not_found, |raw| hex::encode(raw).into_response())
}

async fn proof(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
    Path(txid): Path<String>,
) -> Response {
    let Ok(txid) = txid.parse::<Txid>() else { return bad_request("Invalid txid") };
    let mut proof = face.read(&decision, |view| view.proof(&txid));
    if decision.fault == Some(Fault::ForgeProof) {
        proof = proof.map(forged);
    }
    // `null` while there is no proof.
    Json(proof.map(|proof| [proof])).into_response()
}

/// Returns a proof of the same form that leads to another root.
fn forged(mut proof: TscProof) -> TscProof {
    match proof.nodes.first_mut() {
        Some(node) => *node = Txid::from_bytes([0x66; 32]).to_string(),
        None => proof.nodes.push(proof.tx_or_id.clone()),
    }
    proof
}

async fn spent(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
    Path((txid, vout)): Path<(String, String)>,
) -> Response {
    let (Ok(txid), Ok(vout)) = (txid.parse(), vout.parse()) else {
        return bad_request("Invalid outpoint");
    };
    match face.read(&decision, |view| view.spend(&OutPoint::new(txid, vout))) {
        Spend::Unknown => bad_request("Bad Request"),
        Spend::Unspent => not_found(),
        Spend::SpentBy { txid, vin, confirmed } => {
            let status = if confirmed { "confirmed" } else { "unconfirmed" };
            Json(SpentBy { txid, vin, status }).into_response()
        }
    }
}

#[derive(Deserialize)]
struct PageQuery {
    token: Option<String>,
}

impl Face {
    fn script_of(&self, address: &str) -> Option<ScriptHash> {
        let address = Address::parse(address, self.network).ok()?;
        Some(ScriptHash::of(&address.locking_script()))
    }
}

async fn address_unspent(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
    Path(address): Path<String>,
) -> Response {
    let Some(script) = face.script_of(&address) else { return bad_request("Invalid address") };
    let listed = face.read(&decision, |view| view.unspent(&script));
    let free = listed.iter().filter(|unspent| !unspent.spent_in_mempool);
    Json(free.map(UnspentItem::plain).collect::<Vec<_>>()).into_response()
}

async fn address_unspent_all(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
    Path(address): Path<String>,
    Query(query): Query<PageQuery>,
) -> Response {
    let Some(script) = face.script_of(&address) else { return bad_request("Invalid address") };
    let listed = face.read(&decision, |view| view.unspent(&script));
    page(&listed, query.token.as_deref(), Some(address), None)
}

async fn script_unspent_all(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
    Path(script): Path<String>,
    Query(query): Query<PageQuery>,
) -> Response {
    let Ok(hash) = script.parse() else { return bad_request("Invalid script hash") };
    let listed = face.read(&decision, |view| view.unspent(&hash));
    page(&listed, query.token.as_deref(), None, Some(script))
}

fn page(
    listed: &[Unspent],
    token: Option<&str>,
    address: Option<String>,
    script: Option<String>,
) -> Response {
    let last_seen = match token.map(parse_token) {
        Some(None) => return bad_request("Invalid token"),
        Some(position) => position,
        None => None,
    };
    let begin = listed.partition_point(|unspent| Some(list_position(unspent)) <= last_seen);
    let rest = &listed[begin..];
    let shown = &rest[..rest.len().min(PAGE_SIZE)];
    let next_page_token =
        shown.last().filter(|_| shown.len() < rest.len()).map(|last| token_of(list_position(last)));
    let result = shown.iter().map(UnspentItem::full).collect();
    Json(UnspentPage { address, script, result, error: "", next_page_token }).into_response()
}

/// A token names the last output of a page, so that pages neither skip nor repeat an output while
/// others come and go.
fn token_of((height, outpoint): (u32, OutPoint)) -> String {
    format!("{height}-{}", hex::encode(outpoint.to_bytes()))
}

fn parse_token(token: &str) -> Option<(u32, OutPoint)> {
    let (height, outpoint) = token.split_once('-')?;
    let mut bytes = [0u8; 36];
    hex::decode_to_slice(outpoint, &mut bytes).ok()?;
    Some((height.parse().ok()?, OutPoint::from_bytes(&bytes)))
}

async fn confirmed_balance(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
    Path(address): Path<String>,
) -> Response {
    let Some(script) = face.script_of(&address) else { return bad_request("Invalid address") };
    let listed = face.read(&decision, |view| view.unspent(&script));
    let mined = listed.iter().filter(|unspent| unspent.height.is_some());
    let confirmed = Satoshis::sum(mined.map(|unspent| unspent.value)).unwrap_or(Satoshis::MAX);
    Json(serde_json::json!({ "confirmed": confirmed })).into_response()
}
