//! ARC's face over HTTP: ARC v1 under `/v1`, Arcade's paths under `/arcade`, over the same node and
//! with a menu of faults of its own.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router, middleware};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bitcoin::{CodecError, Reader, Transaction, TxOut};
use crate::simnet::arc_answers::{ArcError, ArcStatus, Refusal, body, submitted};
use crate::simnet::delivery::{Heard, arrive};
use crate::simnet::misfortune::{Menu, befall, lag_of, lost, status_code};
use crate::simnet::{Decision, Fault, MAX_TRANSACTION_SIZE, RequestClass, Simnet, View};
use crate::types::Txid;

/// The most transactions in one request.
const MAX_BATCH: usize = 1_000;

#[derive(Clone)]
struct Face {
    simnet: Simnet,
    /// What a transaction that was taken is answered with.
    taken: StatusCode,
}

/// Returns ARC's routes and Arcade's.
pub(super) fn router(simnet: &Simnet) -> Router {
    let face = |taken| face_router(Face { simnet: simnet.clone(), taken });
    Router::new().nest("/v1", face(StatusCode::OK)).nest("/arcade", face(StatusCode::ACCEPTED))
}

fn face_router(face: Face) -> Router {
    let menu = Menu { faults: Arc::clone(&face.simnet.arc_faults), class_of };
    Router::new()
        .route("/tx", post(submit_one))
        .route("/txs", post(submit_many))
        .route("/tx/{txid}", get(status))
        .route("/policy", get(policy))
        .route("/health", get(health))
        .layer(middleware::from_fn_with_state(menu, befall))
        .layer(DefaultBodyLimit::max(2 * MAX_TRANSACTION_SIZE + 1024))
        .with_state(face)
}

fn class_of(method: &Method, path: &str) -> RequestClass {
    let is_about_transactions = path.trim_start_matches('/').starts_with("tx");
    match (is_about_transactions, method == Method::POST) {
        (true, true) => RequestClass::Broadcast,
        (true, false) => RequestClass::Status,
        (false, _) => RequestClass::Header,
    }
}

/// A transaction as it came in.
struct Submitted {
    transaction: Transaction,
    /// The outputs that it says it spends, in the extended form.
    stated: Option<Vec<TxOut>>,
}

impl Submitted {
    /// Reads the extended form, else the plain one.
    fn parse(bytes: &[u8]) -> Result<Self, CodecError> {
        if let Ok((transaction, stated)) = Transaction::parse_extended(bytes) {
            return Ok(Self { transaction, stated: Some(stated) });
        }
        Ok(Self { transaction: Transaction::parse(bytes)?, stated: None })
    }

    fn submit(&self, simnet: &Simnet) -> Result<Txid, Refusal> {
        if let Some(stated) = &self.stated {
            for (input, stated) in self.transaction.inputs.iter().zip(stated) {
                let node = simnet.node();
                let Some(made) = node.transaction(&input.previous.txid) else { continue };
                let vout = usize::try_from(input.previous.vout).unwrap_or(usize::MAX);
                if made.transaction().outputs.get(vout) != Some(stated) {
                    return Err(Refusal::WrongOutput(input.previous));
                }
            }
        }
        let is_extended = self.stated.is_some();
        let outcome = simnet.submit(&self.transaction.to_bytes());
        outcome.map_err(|rejection| Refusal::Node { rejection, is_extended })
    }
}

#[derive(Deserialize)]
struct RawTransaction {
    #[serde(rename = "rawTx")]
    raw: String,
}

/// Reads the transactions of a request in the form that its media type says; nothing if the request
/// is none.
fn read_bodies(headers: &HeaderMap, bytes: &Bytes, is_batch: bool) -> Option<Vec<Vec<u8>>> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())?;
    let decode = |text: &str| hex::decode(text.trim()).ok();
    match kind.split(';').next().unwrap_or_default().trim() {
        "application/json" if is_batch => {
            let all: Vec<RawTransaction> = serde_json::from_slice(bytes).ok()?;
            all.iter().map(|one| decode(&one.raw)).collect()
        }
        "application/json" => {
            let one: RawTransaction = serde_json::from_slice(bytes).ok()?;
            Some(vec![decode(&one.raw)?])
        }
        "text/plain" => {
            let text = std::str::from_utf8(bytes).ok()?;
            text.lines().filter(|line| !line.trim().is_empty()).map(decode).collect()
        }
        "application/octet-stream" if is_batch => split_raw(bytes),
        "application/octet-stream" => Some(vec![bytes.to_vec()]),
        _ => None,
    }
}

/// Takes plain transactions apart that follow one another.
fn split_raw(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let transaction = Transaction::read(&mut Reader::new(rest)).ok()?;
        let raw = transaction.to_bytes();
        rest = rest.get(raw.len()..)?;
        found.push(raw);
    }
    Some(found)
}

async fn submit_one(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let read = read_bodies(&headers, &bytes, false).unwrap_or_default();
    let Ok([raw]) = <[Vec<u8>; 1]>::try_from(read) else {
        return problem(400, None, "one transaction is expected");
    };
    match face.deliver(raw, decision).await {
        Answer::Told(status, body) => (status_code(status), Json(body)).into_response(),
        Answer::Response(response) => response,
    }
}

async fn submit_many(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let all = read_bodies(&headers, &bytes, true).filter(|all| all.len() <= MAX_BATCH);
    let Some(all) = all else { return problem(400, None, "a list of transactions is expected") };
    let mut answers = Vec::with_capacity(all.len());
    for raw in all {
        match face.deliver(raw, decision.clone()).await {
            Answer::Told(_, body) => answers.push(body),
            Answer::Response(response) => return response,
        }
    }
    Json(answers).into_response()
}

enum Answer {
    /// ARC's own, as status and body.
    Told(u16, Value),
    /// Anything else.
    Response(Response),
}

impl Face {
    async fn deliver(&self, raw: Vec<u8>, decision: Decision) -> Answer {
        let face = self.clone();
        // Scripts are heavy work, so they must not hold up the tasks of this thread.
        let delivering = tokio::task::spawn_blocking(move || face.deliver_now(&raw, &decision));
        let failed = |_| Answer::Response(StatusCode::INTERNAL_SERVER_ERROR.into_response());
        delivering.await.unwrap_or_else(failed)
    }

    fn deliver_now(&self, raw: &[u8], decision: &Decision) -> Answer {
        let Ok(sent) = Submitted::parse(raw) else {
            let error = ArcError::new(463, None, "the bytes are no transaction".to_owned());
            return Answer::Told(463, body(&error));
        };
        let txid = sent.transaction.txid();
        match arrive(decision.fault.as_ref(), || sent.submit(&self.simnet)) {
            Heard::Outcome(outcome) => {
                let now = self.simnet.now();
                let (status, body) =
                    submitted(&View::new(&self.simnet.node(), 0), txid, outcome, now);
                let status = if status == 200 { self.taken.as_u16() } else { status };
                Answer::Told(status, body)
            }
            Heard::Lost(loss) => Answer::Response(lost(loss)),
            Heard::Instead { status, body } => {
                Answer::Response((status_code(status), body).into_response())
            }
        }
    }
}

fn problem(status: u16, txid: Option<Txid>, detail: &str) -> Response {
    let error = ArcError::new(status, txid, detail.to_owned());
    (status_code(status), Json(body(&error))).into_response()
}

async fn status(
    State(face): State<Face>,
    Extension(decision): Extension<Decision>,
    Path(txid): Path<String>,
) -> Response {
    let Ok(txid) = txid.parse::<Txid>() else { return problem(400, None, "no txid") };
    let now = face.simnet.now();
    let found = {
        let node = face.simnet.node();
        let view = View::new(&node, lag_of(&decision));
        match decision.fault {
            Some(Fault::ForgeStatus | Fault::ForgeProof) => {
                Some(ArcStatus::forged(&view, txid, now))
            }
            Some(_) | None => ArcStatus::found(&view, txid, now),
        }
    };
    match found {
        Some(status) => Json(body(&status)).into_response(),
        None => problem(404, Some(txid), "the transaction is not known"),
    }
}

async fn policy(State(face): State<Face>) -> Json<Value> {
    let (rate, now) = (face.simnet.node().policy().min_fee, face.simnet.now());
    Json(json!({
        "timestamp": now.to_string(),
        "policy": {
            "maxscriptsizepolicy": 500_000,
            "maxtxsigopscountspolicy": 4_294_967_295_u32,
            "maxtxsizepolicy": MAX_TRANSACTION_SIZE,
            "miningFee": { "satoshis": rate.sat_per_kb(), "bytes": 1_000 },
            "standardFormatSupported": true,
        },
    }))
}

async fn health() -> Json<Value> {
    Json(json!({ "healthy": true, "version": "simnet", "reason": null }))
}
