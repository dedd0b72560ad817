//! Claims at a point of sale.

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Principal, permission};
use crate::http::HttpState;
use crate::http::acceptance::{Kind, Origin, Queued, Transferred, answer, to_the_end};
use crate::http::credentials::{Authorized, MaybeAuthorized, Public};
use crate::http::extract::{ApiJsonDigest, ApiPath};
use crate::http::headers::{IdempotencyKeyHeader, Prefer};
use crate::http::once::{Repeatable, made};
use crate::http::patches::{parse_address, parse_public_key, parse_signature};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::verification::parse_tag;
use crate::patch::claim::ClaimNonce;
use crate::service::claims::{Approval, Claim, ClaimState, Intent, ToSign};
use crate::service::idempotency::StoredAnswer;
use crate::types::{RecordId, Timestamp, Txid};

/// A nonce for one claim.
#[derive(Debug, Serialize, ToSchema)]
struct ClaimChallengeBody {
    uid_tag_id: String,
    /// 64 hexadecimal digits.
    nonce: String,
    /// The server's time in milliseconds, for the message.
    ts: i64,
    #[serde(rename = "expiresAt")]
    expires_at: String,
}

/// A claim that its customer signed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClaimIntentRequest {
    uid_tag_id: String,
    /// The customer's P2PKH address.
    #[serde(rename = "newOwnerAddress")]
    new_owner_address: String,
    /// The customer's compressed key, 66 hexadecimal digits.
    #[serde(rename = "newOwnerPubKey")]
    new_owner_pub_key: String,
    /// Strict DER with low S, hexadecimal, over SHA-256 of the claim message.
    #[serde(rename = "newOwnerSignature")]
    new_owner_signature: String,
    /// The `ts` of the claim challenge.
    ts: i64,
    /// The `nonce` of the claim challenge.
    nonce: String,
}

/// A claim is stored.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ClaimFiled {
    message: &'static str,
    claim_id: String,
    /// `pending`, `approved` or `expired`.
    status: &'static str,
    #[serde(rename = "uid_tag_id")]
    uid_tag_id: String,
    expires_at: String,
}

/// Where a claim stands. What is not for everybody is there for the shop alone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ClaimStatusBody {
    claim_id: String,
    /// `pending`, `approved` or `expired`.
    status: &'static str,
    expires_at: String,
    /// The transfer, once the claim is approved.
    #[schema(value_type = Option<String>)]
    pending_id: Option<RecordId>,
    #[serde(flatten)]
    shop: Option<ShopsView>,
}

/// What the shop has to know to approve.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ShopsView {
    #[serde(rename = "uid_tag_id")]
    uid_tag_id: String,
    new_owner_address: String,
    #[schema(value_type = String)]
    current_txid: Txid,
    /// The transfer message, which the shop's key signs.
    message: String,
}

/// A shop's approval.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ClaimApproveRequest {
    /// The claim, 32 hexadecimal digits.
    claim_id: String,
    /// The shop's compressed key, 66 hexadecimal digits.
    current_owner_pub_key: String,
    /// Strict DER with low S, hexadecimal, over SHA-256 of the transfer message.
    current_owner_signature: String,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(claim_challenge))
        .routes(routes!(claim_intent))
        .routes(routes!(claim_status))
        .routes(routes!(claim_approve))
}

/// Gives out a nonce for one claim of a product.
#[utoipa::path(get, path = "/v1/pos/claim-challenge/{uid_tag_id}", tag = "claims",
    params(("uid_tag_id" = String, Path)), responses(
        (status = 200, body = ClaimChallengeBody), (status = 400, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
async fn claim_challenge(
    _public: Public,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    let uid = parse_tag(&path.0)?;
    let given = state.services.claims.challenge(&uid, state.clock.now())?;
    let body = ClaimChallengeBody {
        uid_tag_id: uid.into(),
        nonce: hex::encode(given.nonce.to_bytes()),
        ts: given.nonce.issued_at().as_millis(),
        expires_at: given.expires_at.to_string(),
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Files a customer's claim.
#[utoipa::path(post, path = "/v1/pos/claim-intent", tag = "claims",
    request_body = ClaimIntentRequest, responses(
        (status = 201, body = ClaimFiled), (status = 200, body = ClaimFiled,
            description = "The same claim was filed before"),
        (status = 400, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 403, body = ProblemBody)))]
async fn claim_intent(
    _public: Public,
    repeatable: Repeatable,
    state: State<HttpState>,
    body: ApiJsonDigest<ClaimIntentRequest>,
) -> Result<Response, Problem> {
    let now = state.clock.now();
    let intent = intent_of(&body.value, &state)?;
    // The customer's credential is his signature: nothing is kept under his address without it.
    let once = repeatable.by(&format!("customer:{}", intent.new_owner), body.digest);
    let answer = move |_: &HttpState, filed: &_| filed_answer(filed, now);
    let deed =
        async move |state: HttpState, keep| state.services.claims.file(intent, keep, now).await;
    once.make((state.0, now), answer, deed).await
}

fn filed_answer((claim, is_new): &(Claim, bool), now: Timestamp) -> StoredAnswer {
    let (status, message) = if *is_new {
        (StatusCode::CREATED, "Claim filed; the shop has to approve it.")
    } else {
        (StatusCode::OK, "The claim was filed before.")
    };
    let claim_id = hex::encode(claim.id);
    let location = format!("/v1/pos/claim-status/{claim_id}");
    let body = ClaimFiled {
        message,
        claim_id,
        status: status_of(claim, now),
        uid_tag_id: claim.uid.as_str().to_owned(),
        expires_at: claim.expires_at.to_string(),
    };
    StoredAnswer { location: Some(location), ..made(status, &body) }
}

/// Tells where a claim stands; the shop that owns the product also learns what it has to sign.
#[utoipa::path(get, path = "/v1/pos/claim-status/{id}", tag = "claims",
    security((), ("apiKey" = [])),
    params(("id" = String, Path, description = "The claim, 32 hexadecimal digits")), responses(
        (status = 200, body = ClaimStatusBody),
        (status = 404, body = ProblemBody)))]
async fn claim_status(
    caller: MaybeAuthorized<permission::Pos>,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    let claim = state.services.claims.claim(parse_claim_id("id", &path.0)?)?;
    let shop = shops_view(&state, caller.principal.as_ref(), &claim)?;
    let pending_id = match claim.state {
        ClaimState::Pending => None,
        ClaimState::Approved { record, .. } => Some(record),
    };
    let body = ClaimStatusBody {
        claim_id: hex::encode(claim.id),
        status: status_of(&claim, state.clock.now()),
        expires_at: claim.expires_at.to_string(),
        pending_id,
        shop,
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Approves a claim: the product becomes the customer's.
#[utoipa::path(post, path = "/v1/pos/claim-approve", tag = "claims", security(("apiKey" = [])),
    request_body = ClaimApproveRequest, responses(
        (status = 200, body = Transferred, description = "The network has taken it"),
        (status = 202, body = Queued<'static>, description = "Stored for good, on its way"),
        (status = 400, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody)))]
async fn claim_approve(
    authorized: Authorized<permission::Pos>,
    key: IdempotencyKeyHeader,
    prefer: Prefer,
    state: State<HttpState>,
    method: Method,
    uri: Uri,
    body: ApiJsonDigest<ClaimApproveRequest>,
) -> Result<Response, Problem> {
    let approval = approval_of(&body.value, &authorized.principal)?;
    let request = Origin { method: &method, uri: &uri, body: body.digest };
    let caller = request.caller(authorized.principal.id, key, prefer, &state);
    let now = state.clock.now();
    to_the_end(async move {
        let accepted = state.services.claims.approve(approval, &caller, now).await?;
        answer(&state, &caller, &accepted.uid, accepted.acceptance, Kind::Transfer).await
    })
    .await
}

fn intent_of(body: &ClaimIntentRequest, state: &HttpState) -> Result<Intent, Problem> {
    let uid = parse_tag(&body.uid_tag_id)?;
    let nonce = parse_hex("nonce", &body.nonce, "must be 64 hexadecimal digits")?;
    let nonce = ClaimNonce::from_bytes(nonce);
    if nonce.issued_at().as_millis() != body.ts {
        return Err(Problem::invalid_field("ts", "must be the ts that came with the nonce"));
    }
    Ok(Intent {
        uid,
        new_owner: parse_address("newOwnerAddress", &body.new_owner_address, state)?,
        public_key: parse_public_key("newOwnerPubKey", &body.new_owner_pub_key)?,
        signature: parse_signature(&body.new_owner_signature)?,
        nonce,
    })
}

fn approval_of(body: &ClaimApproveRequest, principal: &Principal) -> Result<Approval, Problem> {
    Ok(Approval {
        claim: parse_claim_id("claimId", &body.claim_id)?,
        shop: principal.shop,
        public_key: parse_public_key("currentOwnerPubKey", &body.current_owner_pub_key)?,
        signature: parse_signature(&body.current_owner_signature)?,
    })
}

fn parse_claim_id(field: &str, text: &str) -> Result<[u8; 16], Problem> {
    parse_hex(field, text, "must be 32 hexadecimal digits")
}

fn parse_hex<const N: usize>(
    field: &str,
    text: &str,
    expected: &'static str,
) -> Result<[u8; N], Problem> {
    let mut bytes = [0u8; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| Problem::invalid_field(field, expected))?;
    Ok(bytes)
}

/// Returns what only the shop may see, if the caller is the shop.
fn shops_view(
    state: &HttpState,
    caller: Option<&Principal>,
    claim: &Claim,
) -> Result<Option<ShopsView>, Problem> {
    let Some(shop) = caller.and_then(|caller| caller.shop) else { return Ok(None) };
    let to_sign = state.services.claims.to_sign(claim, &shop)?;
    Ok(to_sign.map(|ToSign { current_txid, message }| ShopsView {
        uid_tag_id: claim.uid.as_str().to_owned(),
        new_owner_address: claim.new_owner.to_string(),
        current_txid,
        message,
    }))
}

pub(super) fn status_of(claim: &Claim, now: Timestamp) -> &'static str {
    match claim.state {
        ClaimState::Approved { .. } => "approved",
        ClaimState::Pending if claim.expires_at <= now => "expired",
        ClaimState::Pending => "pending",
    }
}

/// Whose claims a caller may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhoseClaims {
    /// Everybody's.
    All,
    /// Those that were filed with the shop of this key hash.
    Shop([u8; 20]),
}

impl WhoseClaims {
    /// Returns the shop, if it is one.
    pub(super) const fn shop(self) -> Option<[u8; 20]> {
        match self {
            Self::All => None,
            Self::Shop(shop) => Some(shop),
        }
    }
}

/// Returns whose claims a caller may read, if any: his shop's, or everybody's if he may do everything.
pub(super) fn whose_claims(principal: &Principal) -> Option<WhoseClaims> {
    match principal.shop {
        Some(shop) => Some(WhoseClaims::Shop(*shop.hash160())),
        None => {
            let reads_all = principal.reads_all || principal.may::<permission::Admin>();
            reads_all.then_some(WhoseClaims::All)
        }
    }
}
