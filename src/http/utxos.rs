//! Outputs that an operator names to be taken into the pool.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::ApiJsonDigest;
use crate::http::once::{Repeatable, made};
use crate::http::problem::{Problem, ProblemBody};
use crate::service::funding::StatedOutput;
use crate::types::{OutPoint, Satoshis, Txid};
use crate::wallet::utxo::Utxo;

/// An output to be taken in; what is stated beside txid and vout is compared with the chain.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AddOutputRequest {
    txid: String,
    vout: u32,
    #[serde(default)]
    #[schema(nullable = false)]
    satoshis: Option<u64>,
    /// The signer's name for its key.
    #[serde(default)]
    #[schema(nullable = false)]
    key_id: Option<String>,
    /// Its locking script in hexadecimal.
    #[serde(default)]
    #[schema(nullable = false)]
    script: Option<String>,
    /// Whether the pool is to have no other output that can be spent. Nothing is marked as spent
    /// for that: the output is refused if there are others.
    #[serde(default)]
    exclusive: bool,
    /// Must be true with `exclusive`.
    #[serde(default)]
    confirm: bool,
}

/// An output of the pool.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AddedOutputBody {
    #[schema(value_type = String)]
    txid: Txid,
    vout: u32,
    satoshis: u64,
    key_id: String,
    /// `unconfirmed`, `available`, `locked` or `spent`.
    status: &'static str,
    height: Option<u32>,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(add_output))
}

/// Takes one output into the pool after checking that it exists, pays us and is not spent.
#[utoipa::path(post, path = "/v1/admin/utxos", tag = "admin", security(("apiKey" = [])),
    request_body = AddOutputRequest, responses((status = 201, body = AddedOutputBody),
        (status = 400, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
async fn add_output(
    authorized: Authorized<permission::UtxoWrite>,
    repeatable: Repeatable,
    state: State<HttpState>,
    body: ApiJsonDigest<AddOutputRequest>,
) -> Result<Response, Problem> {
    let stated = stated_output(body.value)?;
    let (actor, now) = (authorized.principal.id, state.clock.now());
    let once = repeatable.by(&actor, body.digest);
    let answer = |_: &HttpState, added: &_| made(StatusCode::CREATED, &added_body(added));
    let deed = async move |state: HttpState, keep| {
        state.services.funding.add(&stated, &actor, keep, now).await
    };
    once.make((state.0, now), answer, deed).await
}

fn added_body(added: &Utxo) -> AddedOutputBody {
    AddedOutputBody {
        txid: added.outpoint.txid,
        vout: added.outpoint.vout,
        satoshis: added.value.get(),
        status: added.state.status().as_str(),
        height: added.height,
        key_id: added.key_identifier.clone(),
    }
}

fn stated_output(request: AddOutputRequest) -> Result<StatedOutput, Problem> {
    let txid = request.txid.parse();
    let txid: Txid = txid.map_err(|_| Problem::invalid_field("txid", "must be 64 hex digits"))?;
    let value = request.satoshis.map(Satoshis::new).transpose();
    if request.exclusive && !request.confirm {
        return Err(Problem::invalid_field("confirm", "must be true with exclusive"));
    }
    Ok(StatedOutput {
        outpoint: OutPoint::new(txid, request.vout),
        value: value.map_err(|error| Problem::invalid_field("satoshis", error.to_string()))?,
        script: request.script,
        key_identifier: request.key_id,
        is_exclusive: request.exclusive,
    })
}
