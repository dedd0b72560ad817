//! API keys: made, listed, rotated, revoked.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::api_key::ApiKeyId;
use crate::auth::{Scope, Scopes, permission};
use crate::http::HttpState;
use crate::http::credentials::Authorized;
use crate::http::extract::{ApiJsonDigest, ApiPath, ApiQuery};
use crate::http::once::{Repeatable, made};
use crate::http::patches::parse_address;
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::service::api_keys::{
    IssuedApiKey, MAX_GRACE, MAX_KEYS, MAX_NAME, NewApiKey, StoredApiKey,
};
use crate::service::idempotency::StoredAnswer;
use crate::types::Timestamp;

const DEFAULT_PAGE: usize = 50;
/// A hundred years; more is no expiry.
const MAX_LIFE_SECS: u64 = 100 * 365 * 86_400;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct KeysQuery {
    /// Keys on the page, 1 to 200; 50 if not said.
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CreateKeyRequest {
    /// What it is for, 1 to 100 characters.
    name: String,
    /// What it may do: `patches:write`, `pos`, `unlock`, `metrics:read`, `utxo:write`,
    /// `settings:write`, `keys:write`, `admin`.
    scopes: Vec<String>,
    /// The address of the shop, for `pos`.
    #[schema(nullable = false)]
    shop: Option<String>,
    /// After how many seconds it opens nothing any more.
    #[schema(nullable = false)]
    expires_in_secs: Option<u64>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RotateKeyRequest {
    /// For how many seconds the former secret stays good, 0 to 604,800.
    #[serde(default)]
    grace_secs: u64,
}

/// An API key without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyBody {
    id: String,
    name: String,
    scopes: Vec<&'static str>,
    shop: Option<String>,
    /// `active`, `expired` or `revoked`.
    status: &'static str,
    created_at: String,
    created_by: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    /// When it was used last, to the second or so.
    last_used_at: Option<String>,
    /// Until when the secret before the last rotation is good.
    former_until: Option<String>,
}

/// An API key with its secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
struct IssuedKeyBody {
    /// The whole key, to be sent as x-api-key.
    key: String,
    #[serde(flatten)]
    about: KeyBody,
}

/// A page of API keys.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeysBody {
    items: Vec<KeyBody>,
    next_cursor: Option<String>,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(list_keys, create_key))
        .routes(routes!(get_key, revoke_key))
        .routes(routes!(rotate_key))
}

/// Lists API keys in the order of their identifiers.
#[utoipa::path(get, path = "/v1/admin/keys", tag = "admin", security(("apiKey" = [])),
    params(KeysQuery), responses((status = 200, body = KeysBody),
        (status = 400, body = ProblemBody)))]
async fn list_keys(
    _authorized: Authorized<permission::KeysRead>,
    state: State<HttpState>,
    query: ApiQuery<KeysQuery>,
) -> Result<Json<KeysBody>, Problem> {
    let limit = query.0.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_KEYS).contains(&limit) {
        return Err(Problem::invalid_field("limit", format!("must be 1 to {MAX_KEYS}")));
    }
    let after = query.0.cursor.as_deref().map(|text| parse_id("cursor", text)).transpose()?;
    let (page, now) = (state.services.api_keys.list(after, limit)?, state.clock.now());
    let items = page.keys.into_iter().map(|(key, used)| key_body(key, used, now)).collect();
    Ok(Json(KeysBody { items, next_cursor: page.next.map(|id| id.to_string()) }))
}

/// Makes an API key; its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/v1/admin/keys", tag = "admin", security(("apiKey" = [])),
    request_body = CreateKeyRequest, responses((status = 201, body = IssuedKeyBody),
        (status = 400, body = ProblemBody)))]
async fn create_key(
    authorized: Authorized<permission::KeysWrite>,
    repeatable: Repeatable,
    state: State<HttpState>,
    body: ApiJsonDigest<CreateKeyRequest>,
) -> Result<Response, Problem> {
    let (now, maker) = (state.clock.now(), authorized.principal);
    let wanted = wanted_key(body.value, &state, now)?;
    let once = repeatable.by(&maker.id, body.digest);
    let answer = move |_: &HttpState, made: &_| issued_answer(StatusCode::CREATED, made, now);
    let deed = async move |state: HttpState, keep| {
        state.services.api_keys.create(wanted, &maker, keep, now).await
    };
    once.make((state.0, now), answer, deed).await
}

/// Shows one API key.
#[utoipa::path(get, path = "/v1/admin/keys/{id}", tag = "admin", security(("apiKey" = [])),
    params(("id" = String, Path)), responses((status = 200, body = KeyBody),
        (status = 400, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn get_key(
    _authorized: Authorized<permission::KeysRead>,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Json<KeyBody>, Problem> {
    let (key, used) = state.services.api_keys.get(parse_id("id", &path.0)?)?;
    Ok(Json(key_body(key, used, state.clock.now())))
}

/// Revokes an API key, at once and for good.
#[utoipa::path(delete, path = "/v1/admin/keys/{id}", tag = "admin", security(("apiKey" = [])),
    params(("id" = String, Path)), responses((status = 200, body = KeyBody),
        (status = 400, body = ProblemBody), (status = 404, body = ProblemBody)))]
async fn revoke_key(
    authorized: Authorized<permission::KeysWrite>,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Json<KeyBody>, Problem> {
    let (id, now) = (parse_id("id", &path.0)?, state.clock.now());
    let keys = &state.services.api_keys;
    keys.revoke(id, &authorized.principal, now).await?;
    let (key, used) = keys.get(id)?;
    Ok(Json(key_body(key, used, now)))
}

/// Gives an API key a new secret.
#[utoipa::path(post, path = "/v1/admin/keys/{id}/rotate", tag = "admin",
    security(("apiKey" = [])), params(("id" = String, Path)), request_body = RotateKeyRequest,
    responses((status = 200, body = IssuedKeyBody), (status = 400, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
async fn rotate_key(
    authorized: Authorized<permission::KeysWrite>,
    repeatable: Repeatable,
    state: State<HttpState>,
    path: ApiPath<String>,
    body: ApiJsonDigest<RotateKeyRequest>,
) -> Result<Response, Problem> {
    let grace = Duration::from_secs(body.value.grace_secs);
    if grace > MAX_GRACE {
        let most = MAX_GRACE.as_secs();
        return Err(Problem::invalid_field("graceSecs", format!("must be 0 to {most}")));
    }
    let (id, now) = (parse_id("id", &path.0)?, state.clock.now());
    let actor = authorized.principal;
    let once = repeatable.by(&actor.id, body.digest);
    let answer = move |_: &HttpState, made: &_| issued_answer(StatusCode::OK, made, now);
    let deed = async move |state: HttpState, keep| {
        state.services.api_keys.rotate(id, grace, &actor, keep, now).await
    };
    once.make((state.0, now), answer, deed).await
}

/// Reads what somebody calls something: 1 to `most` characters that can be seen, without spaces around them.
pub(super) fn parse_label(field: &str, text: &str, most: usize) -> Result<String, Problem> {
    let label = text.trim();
    let is_short = (1..=most).contains(&label.chars().count());
    if is_short && !text.chars().any(char::is_control) {
        return Ok(label.to_owned());
    }
    Err(Problem::invalid_field(field, format!("must be 1 to {most} characters")))
}

fn wanted_key(
    body: CreateKeyRequest,
    state: &HttpState,
    now: Timestamp,
) -> Result<NewApiKey, Problem> {
    let name = parse_label("name", &body.name, MAX_NAME)?;
    let scopes: Result<Vec<Scope>, _> = body.scopes.iter().map(|scope| scope.parse()).collect();
    let scopes = scopes.ok().filter(|scopes| !scopes.is_empty());
    let scopes = scopes.ok_or_else(|| {
        let names: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        Problem::invalid_field("scopes", format!("must be one or more of {}", names.join(", ")))
    })?;
    let shop = body.shop.map(|shop| parse_address("shop", &shop, state)).transpose()?;
    let life = body.expires_in_secs;
    if life.is_some_and(|secs| !(1..=MAX_LIFE_SECS).contains(&secs)) {
        return Err(Problem::invalid_field("expiresInSecs", "must be 1 second to 100 years"));
    }
    Ok(NewApiKey {
        name,
        scopes: scopes.into_iter().collect::<Scopes>(),
        shop,
        expires_at: life.map(|secs| now.plus(Duration::from_secs(secs))),
    })
}

fn issued_answer(status: StatusCode, issued: &IssuedApiKey, now: Timestamp) -> StoredAnswer {
    let key = issued.secret.whole_key(issued.key.id);
    made(status, &IssuedKeyBody { key, about: key_body(issued.key.clone(), None, now) })
}

fn key_body(key: StoredApiKey, used: Option<Timestamp>, now: Timestamp) -> KeyBody {
    let status = match (key.revoked_at, key.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(at)) if at <= now => "expired",
        (None, _) => "active",
    };
    let text = |time: Timestamp| time.to_string();
    KeyBody {
        id: key.id.to_string(),
        name: key.name,
        scopes: key.scopes.iter().map(Scope::as_str).collect(),
        shop: key.shop.map(|shop| shop.to_string()),
        status,
        created_at: key.created_at.to_string(),
        created_by: key.created_by,
        expires_at: key.expires_at.map(text),
        revoked_at: key.revoked_at.map(text),
        last_used_at: used.map(text),
        former_until: key.former.map(|(_, until)| until).filter(|it| now < *it).map(text),
    }
}

fn parse_id(field: &'static str, text: &str) -> Result<ApiKeyId, Problem> {
    text.parse().map_err(|_| {
        let problem = Problem::invalid_field(field, "must be 16 hexadecimal digits");
        if field == "id" { Problem::new(ProblemCode::NotFound) } else { problem }
    })
}
