//! The passwordless login. Bodies are the predecessor's; docs/SVD_AUTH.md has the protocol.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::auth::svd::{CHALLENGE_BYTES, Challenge, UserId};
use crate::crypto::{PublicKey, Signature};
use crate::http::HttpState;
use crate::http::credentials::{Authorized, MaybeAuthorized, Public};
use crate::http::extract::{ApiJson, ApiJsonDigest, ApiPath};
use crate::http::once::{Repeatable, made};
use crate::http::patches::parse_public_key;
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::service::login::{CanaryReport, KeyChange, Revocation};

/// Tokens and challenges are for one reader.
const NO_STORE: (axum::http::HeaderName, &str) = (CACHE_CONTROL, "no-store");

/// A user and the key to log in with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RegisterRequest {
    /// 24 hexadecimal digits.
    user_id: String,
    /// The compressed key, 66 hexadecimal digits.
    pmc_hex: String,
}

/// A user who wants to log in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BeginRequest {
    /// 24 hexadecimal digits.
    user_id: String,
}

/// A challenge.
#[derive(Debug, Serialize, ToSchema)]
struct BeginBody {
    /// 24 bytes in hexadecimal: 8 of time, 16 that nobody can guess.
    #[serde(rename = "M")]
    challenge: String,
    /// The user's key.
    #[serde(rename = "pmcHex")]
    #[schema(value_type = String)]
    pmc_hex: PublicKey,
}

/// An answer to a challenge.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CompleteRequest {
    /// 24 hexadecimal digits.
    user_id: String,
    /// The challenge.
    #[serde(rename = "M")]
    challenge: String,
    /// Strict DER with low S over SHA-256(M) under PMC + SHA-256(M)·G, hexadecimal.
    signature_hex: String,
}

/// A Bearer token.
#[derive(Debug, Serialize, ToSchema)]
struct TokenBody {
    token: String,
}

/// A new key, signed by the present one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ChangeRequest {
    /// 24 hexadecimal digits.
    user_id: String,
    /// The new compressed key.
    new_pmc_hex: String,
    /// A challenge of the user's.
    #[serde(rename = "M")]
    challenge: String,
    /// The present key's signature over the change message, strict DER with low S, hexadecimal.
    signature_hex: String,
}

/// The end of a key, signed by it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RevokeRequest {
    /// 24 hexadecimal digits.
    user_id: String,
    /// A challenge of the user's.
    #[serde(rename = "M")]
    challenge: String,
    /// The key's signature over the revocation message, strict DER with low S, hexadecimal.
    signature_hex: String,
}

/// It was done.
#[derive(Debug, Serialize, ToSchema)]
struct DoneBody {
    success: bool,
    message: &'static str,
}

/// The identifier of the server's key.
#[derive(Debug, Serialize, ToSchema)]
struct KidBody {
    kid: String,
}

/// How a self-test went.
#[derive(Debug, Serialize, ToSchema)]
struct CanaryBody {
    ok: bool,
    /// The identifier of the server's key, if the signer told it.
    kid: Option<String>,
    steps: Vec<CanaryStepBody>,
}

/// One step of a self-test.
#[derive(Debug, Serialize, ToSchema)]
struct CanaryStepBody {
    step: &'static str,
    ok: bool,
    /// Whether logins work without it.
    optional: bool,
    #[serde(rename = "tookMs")]
    took_ms: u64,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(begin))
        .routes(routes!(complete))
        .routes(routes!(change_key))
        .routes(routes!(revoke))
        .routes(routes!(revoke_by_operator))
        .routes(routes!(kid))
        .routes(routes!(canary))
}

/// Registers a user's login key; never overwrites one.
#[utoipa::path(post, path = "/api/svd/register", tag = "login", security((), ("apiKey" = [])),
    request_body = RegisterRequest, responses(
        (status = 201, body = DoneBody), (status = 400, body = ProblemBody), (status = 409, body = ProblemBody)))]
async fn register(
    key: MaybeAuthorized<permission::KeysWrite>,
    repeatable: Repeatable,
    state: State<HttpState>,
    body: ApiJsonDigest<RegisterRequest>,
) -> Result<Response, Problem> {
    let is_public = key.principal.is_none();
    let actor = match key.principal {
        Some(principal) => principal.id,
        None if state.options.svd_open_registration => "anybody".to_owned(),
        None => {
            return Err(Problem::new(ProblemCode::Unauthenticated)
                .detail("Registering needs an API key here (SVD_OPEN_REGISTRATION is off)."));
        }
    };
    let user = parse_user(&body.value.user_id)?;
    let public_key = parse_public_key("pmcHex", &body.value.pmc_hex)?;
    let now = state.clock.now();
    // Whoever has no credential speaks for one user, whose key is registered only once.
    let scope = if is_public { format!("svd:{user}") } else { actor.clone() };
    let once = repeatable.by(&scope, body.digest);
    let answer = |_: &HttpState, (): &()| {
        let message = "The login key is registered.";
        made(StatusCode::CREATED, &DoneBody { success: true, message })
    };
    let deed = async move |state: HttpState, keep| {
        state.services.login.register(user, public_key, &actor, keep, now).await
    };
    once.make((state.0, now), answer, deed).await
}

/// Gives out a challenge; the answer is of one kind for known and unknown users.
#[utoipa::path(post, path = "/api/svd/begin", tag = "login", request_body = BeginRequest,
    responses((status = 200, body = BeginBody), (status = 400, body = ProblemBody)))]
async fn begin(
    _public: Public,
    state: State<HttpState>,
    body: ApiJson<BeginRequest>,
) -> Result<Response, Problem> {
    let user = parse_user(&body.0.user_id)?;
    let begun = state.services.login.begin(user, state.clock.now())?;
    let body = BeginBody { challenge: begun.challenge.to_string(), pmc_hex: begun.public_key };
    Ok(([NO_STORE], Json(body)).into_response())
}

/// Takes the answer to a challenge and returns a token.
#[utoipa::path(post, path = "/api/svd/complete", tag = "login", request_body = CompleteRequest,
    responses((status = 200, body = TokenBody), (status = 400, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 401, body = ProblemBody)))]
async fn complete(
    _public: Public,
    state: State<HttpState>,
    body: ApiJson<CompleteRequest>,
) -> Result<Response, Problem> {
    let user = parse_user(&body.0.user_id)?;
    let challenge = parse_challenge(&body.0.challenge)?;
    let signature = hex::decode(&body.0.signature_hex)
        .map_err(|_| Problem::new(ProblemCode::SvdInvalidSignature))?;
    let login = &state.services.login;
    let token = login.complete(user, challenge, &signature, state.clock.now()).await;
    let token = token.inspect_err(|_| state.services.audit.refusals.note("login"))?;
    Ok(([NO_STORE], Json(TokenBody { token })).into_response())
}

/// Replaces a login key; the present key signs.
#[utoipa::path(post, path = "/api/svd/change-key", tag = "login", request_body = ChangeRequest,
    responses((status = 200, body = DoneBody), (status = 400, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 401, body = ProblemBody)))]
async fn change_key(
    _public: Public,
    state: State<HttpState>,
    body: ApiJson<ChangeRequest>,
) -> Result<Response, Problem> {
    let change = KeyChange {
        user: parse_user(&body.0.user_id)?,
        new_key: parse_public_key("newPmcHex", &body.0.new_pmc_hex)?,
        challenge: parse_challenge(&body.0.challenge)?,
        signature: parse_signature(&body.0.signature_hex)?,
    };
    state.services.login.change_key(change, state.clock.now()).await?;
    let message = "The login key is replaced; tokens of the old one have ended.";
    Ok(([NO_STORE], Json(DoneBody { success: true, message })).into_response())
}

/// Revokes a login key; the key itself signs.
#[utoipa::path(post, path = "/api/svd/revoke", tag = "login", request_body = RevokeRequest,
    responses((status = 200, body = DoneBody), (status = 400, body = ProblemBody), (status = 409, body = ProblemBody),
        (status = 401, body = ProblemBody)))]
async fn revoke(
    _public: Public,
    state: State<HttpState>,
    body: ApiJson<RevokeRequest>,
) -> Result<Response, Problem> {
    let revocation = Revocation {
        user: parse_user(&body.0.user_id)?,
        challenge: parse_challenge(&body.0.challenge)?,
        signature: parse_signature(&body.0.signature_hex)?,
    };
    state.services.login.revoke(revocation, state.clock.now()).await?;
    Ok(([NO_STORE], Json(revoked())).into_response())
}

/// Revokes a user's login key on an operator's word.
#[utoipa::path(delete, path = "/v1/admin/svd/{userId}", tag = "operation",
    security(("apiKey" = [])), params(("userId" = String, Path)), responses(
        (status = 200, body = DoneBody), (status = 400, body = ProblemBody)))]
async fn revoke_by_operator(
    authorized: Authorized<permission::KeysWrite>,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    let user = parse_user(&path.0)?;
    let (actor, now) = (authorized.principal.id, state.clock.now());
    state.services.login.revoke_by_operator(user, &actor, now).await?;
    Ok(Json(revoked()).into_response())
}

/// Names the server's login key.
#[utoipa::path(get, path = "/api/svd/kid", tag = "login", responses(
    (status = 200, body = KidBody)))]
async fn kid(_public: Public, state: State<HttpState>) -> Result<Response, Problem> {
    let kid = state.services.login.proofs.kid().await?;
    Ok(([(CACHE_CONTROL, "public, max-age=300")], Json(KidBody { kid })).into_response())
}

/// Tries the whole login with a user made up for it; nothing is stored.
#[utoipa::path(get, path = "/api/svd/canary", tag = "operation", security(("apiKey" = [])),
    responses((status = 200, body = CanaryBody), (status = 503, body = CanaryBody)))]
async fn canary(
    _authorized: Authorized<permission::MetricsRead>,
    state: State<HttpState>,
) -> Response {
    let report = state.services.login.canary(state.clock.as_ref()).await;
    let status = if report.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [NO_STORE], Json(CanaryBody::from(report))).into_response()
}

impl From<CanaryReport> for CanaryBody {
    fn from(report: CanaryReport) -> Self {
        let ok = report.is_ok();
        let steps = report.steps.into_iter().map(|step| CanaryStepBody {
            step: step.name,
            ok: step.is_ok,
            optional: step.is_optional,
            took_ms: u64::try_from(step.took.as_millis()).unwrap_or(u64::MAX),
        });
        Self { ok, kid: report.kid, steps: steps.collect() }
    }
}

const fn revoked() -> DoneBody {
    DoneBody { success: true, message: "The login key is revoked; its tokens have ended." }
}

fn parse_user(text: &str) -> Result<UserId, Problem> {
    text.parse().map_err(|_| Problem::invalid_field("userId", "must be 24 hexadecimal digits"))
}

fn parse_challenge(text: &str) -> Result<Challenge, Problem> {
    let mut bytes = [0u8; CHALLENGE_BYTES];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_| Problem::new(ProblemCode::SvdBadChallenge))?;
    Ok(Challenge::from_bytes(bytes))
}

fn parse_signature(text: &str) -> Result<Signature, Problem> {
    text.parse().map_err(|_| Problem::new(ProblemCode::SvdInvalidSignature))
}
