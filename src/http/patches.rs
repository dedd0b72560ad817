//! Registering products and handing them on.

use axum::extract::State;
use axum::http::{Method, Uri};
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::bitcoin::Address;
use crate::crypto::{PublicKey, Signature, SignatureError};
use crate::http::HttpState;
use crate::http::acceptance::{Kind, Origin, Queued, Registered, Transferred, answer, to_the_end};
use crate::http::credentials::{Authorized, StrongToken};
use crate::http::extract::{ApiJsonDigest, ApiPath};
use crate::http::headers::{IdempotencyKeyHeader, Prefer};
use crate::http::problem::{Problem, ProblemBody, ProblemCode, invalid_fields};
use crate::http::verification::parse_tag;
use crate::patch::record::Metadata;
use crate::service::batches::Route;
use crate::service::registration::{Caller, Registration, RegistrationTexts};
use crate::service::transfer::Transfer;
use crate::types::Timestamp;

/// A product to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RegisterPatchRequest {
    product: ProductBody,
    #[serde(default)]
    metadata: MetadataBody,
    auth: AuthBody,
}

/// The product.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProductBody {
    /// The tag's identifier: 3 to 128 printable characters.
    uid_tag_id: String,
    #[schema(nullable = false)]
    name: Option<String>,
    #[schema(nullable = false)]
    category: Option<String>,
    #[schema(nullable = false)]
    sku: Option<String>,
    #[schema(nullable = false)]
    serial_number: Option<String>,
    #[schema(nullable = false)]
    material: Option<String>,
}

/// What else the issuer says.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MetadataBody {
    #[schema(nullable = false)]
    notes: Option<String>,
    /// An https address.
    #[schema(nullable = false)]
    image: Option<String>,
    #[schema(nullable = false)]
    patch_location: Option<String>,
}

/// Who owns it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AuthBody {
    /// The first owner's P2PKH address.
    owner: String,
}

/// A transfer that the present owner signed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TransferRequest {
    /// The new owner's P2PKH address.
    new_owner_address: String,
    /// The present owner's compressed key, 66 hexadecimal digits.
    current_owner_pub_key: String,
    /// Strict DER with low S, hexadecimal, over SHA-256 of the transfer message.
    current_owner_signature: String,
    /// The tag. Needed only where the transaction is a batch's and the owner has more than a thousand
    /// products in it; the signature names the tag in any case.
    #[serde(rename = "uid_tag_id")]
    #[schema(nullable = false)]
    uid_tag_id: Option<String>,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(register)).routes(routes!(transfer_ownership))
}

/// Registers a product.
#[utoipa::path(post, path = "/v1/patches", tag = "patches", security(("apiKey" = [])),
    request_body = RegisterPatchRequest, responses(
        (status = 201, body = Registered<'static>, description = "The network has taken it"),
        (status = 202, body = Queued<'static>, description = "Stored for good, on its way"),
        (status = 400, body = ProblemBody),
        (status = 402, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 422, body = ProblemBody)))]
async fn register(
    authorized: Authorized<permission::PatchesWrite>,
    key: IdempotencyKeyHeader,
    prefer: Prefer,
    state: State<HttpState>,
    method: Method,
    uri: Uri,
    body: ApiJsonDigest<RegisterPatchRequest>,
) -> Result<Response, Problem> {
    let registration = registration_of(body.value, &state)?;
    let uid = registration.product.uid_tag_id.clone();
    let request = Origin { method: &method, uri: &uri, body: body.digest };
    let caller = request.caller(authorized.principal.id, key, prefer, &state);
    let now = state.clock.now();
    if state.services.registration.route == Route::Direct {
        refuse_without_funds(&state, &caller, now)?;
    }
    to_the_end(async move {
        let acceptance = state.services.registration.register(registration, &caller, now).await?;
        answer(&state, &caller, &uid, acceptance, Kind::Registration).await
    })
    .await
}

/// Hands a product to a new owner.
#[utoipa::path(post, path = "/v1/patches/{txid}/transfer-ownership", tag = "patches",
    security(("apiKey" = [], "bearer" = [])),
    params(("txid" = String, Path, description = "The transaction of the present state")),
    request_body = TransferRequest, responses(
        (status = 200, body = Transferred, description = "The network has taken it"),
        (status = 202, body = Queued<'static>, description = "Stored for good, on its way"),
        (status = 400, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody)))]
#[expect(clippy::too_many_arguments, reason = "each extractor of a handler is an argument")]
async fn transfer_ownership(
    authorized: Authorized<permission::PatchesWrite>,
    bearer: StrongToken,
    key: IdempotencyKeyHeader,
    prefer: Prefer,
    state: State<HttpState>,
    path: ApiPath<String>,
    method: Method,
    uri: Uri,
    body: ApiJsonDigest<TransferRequest>,
) -> Result<Response, Problem> {
    let transfer = transfer_of(&path.0, &body.value, &state)?;
    let request = Origin { method: &method, uri: &uri, body: body.digest };
    let actor = format!(
        "{} for {}",
        authorized.principal.id,
        state.services.persons.pseudonym(&bearer.subject.id)
    );
    let caller = request.caller(actor, key, prefer, &state);
    let now = state.clock.now();
    to_the_end(async move {
        let accepted = state.services.transfer.transfer(transfer, &caller, now).await?;
        answer(&state, &caller, &accepted.uid, accepted.acceptance, Kind::Transfer).await
    })
    .await
}

fn registration_of(body: RegisterPatchRequest, state: &HttpState) -> Result<Registration, Problem> {
    let texts = RegistrationTexts {
        uid_tag_id: body.product.uid_tag_id,
        name: body.product.name,
        category: body.product.category,
        sku: body.product.sku,
        serial_number: body.product.serial_number,
        material: body.product.material,
        metadata: Metadata {
            notes: body.metadata.notes,
            image: body.metadata.image,
            patch_location: body.metadata.patch_location,
        },
        owner: body.auth.owner,
    };
    Registration::read(texts, state.options.network).map_err(invalid_fields)
}

fn transfer_of(txid: &str, body: &TransferRequest, state: &HttpState) -> Result<Transfer, Problem> {
    let current_txid = txid
        .parse()
        .map_err(|_| Problem::invalid_field("txid", "must be 64 hexadecimal digits"))?;
    let new_owner = parse_address("newOwnerAddress", &body.new_owner_address, state)?;
    let owner_public_key = parse_public_key("currentOwnerPubKey", &body.current_owner_pub_key)?;
    let owner_signature = parse_signature(&body.current_owner_signature)?;
    let uid = body.uid_tag_id.as_deref().map(parse_tag).transpose()?;
    Ok(Transfer { uid, current_txid, new_owner, owner_public_key, owner_signature })
}

pub(super) fn parse_address(
    field: &str,
    text: &str,
    state: &HttpState,
) -> Result<Address, Problem> {
    Address::parse(text, state.options.network)
        .map_err(|error| Problem::invalid_field(field, error.to_string()))
}

/// Reads a compressed key.
pub(super) fn parse_public_key(field: &str, text: &str) -> Result<PublicKey, Problem> {
    text.parse::<PublicKey>().map_err(|error| Problem::invalid_field(field, error.to_string()))
}

/// Reads an owner's signature; one in another form is no acceptable signature.
pub(super) fn parse_signature(text: &str) -> Result<Signature, Problem> {
    text.parse().map_err(|error: SignatureError| {
        Problem::new(ProblemCode::InvalidSignature).detail(match error {
            SignatureError::HighS => "The signature has a high S; normalise it.",
            SignatureError::NotDer | SignatureError::Mismatch => {
                "The signature is not strict DER in hexadecimal."
            }
        })
    })
}

/// A request that wants its transaction now is told at once when nothing can pay for it.
/// A repeated request is not: what it did the first time counts.
fn refuse_without_funds(state: &HttpState, caller: &Caller, now: Timestamp) -> Result<(), Problem> {
    if caller.patience.is_zero() {
        return Ok(());
    }
    if let Some(request) = &caller.idempotency
        && state.services.idempotency.has_seen(request, now)?
    {
        return Ok(());
    }
    if state.services.maintenance.treasury.can_ever_pay()? {
        // What is under way comes back as change; until then the record waits.
        return Ok(());
    }
    Err(Problem::new(ProblemCode::InsufficientFunds).detail(
        "The whole pool cannot pay for it. Fund its address, or send Prefer: respond-async to queue the request.",
    ))
}
