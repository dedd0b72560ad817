//! Content that only the present owner opens.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission;
use crate::http::HttpState;
use crate::http::credentials::{Authorized, Public};
use crate::http::extract::{ApiBytes, ApiJson, ApiPath};
use crate::http::patches::{parse_public_key, parse_signature};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::verification::parse_tag;
use crate::service::unlock::{Unlock, WrappedContent};
use crate::types::Txid;

/// An owner's request to open content.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct UnlockRequest {
    /// The owner's compressed key, 66 hexadecimal digits.
    owner_pub_key: String,
    /// Strict DER with low S, hexadecimal, over SHA-256 of the unlock message.
    owner_signature: String,
    /// The nonce of an unlock challenge, if the message has one.
    #[schema(nullable = false)]
    nonce: Option<String>,
    /// The client's own ciphertexts, all four or none.
    #[serde(rename = "wrappedKeyB64")]
    #[schema(nullable = false)]
    wrapped_key: Option<String>,
    #[serde(rename = "wrapIvB64")]
    #[schema(nullable = false)]
    wrap_iv: Option<String>,
    #[serde(rename = "ciphertextB64")]
    #[schema(nullable = false)]
    ciphertext: Option<String>,
    #[serde(rename = "cipherIvB64")]
    #[schema(nullable = false)]
    cipher_iv: Option<String>,
}

/// What was opened.
#[derive(Debug, Serialize, ToSchema)]
struct UnlockBody {
    authorized: bool,
    uid_tag_id: String,
    #[schema(value_type = String)]
    txid: Txid,
    /// The content: text where it is UTF-8, base64 elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// `utf-8` or `base64`.
    #[serde(rename = "contentEncoding", skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
}

/// A nonce for one unlock message.
#[derive(Debug, Serialize, ToSchema)]
struct ChallengeBody {
    uid_tag_id: String,
    nonce: String,
    #[serde(rename = "expiresAt")]
    expires_at: String,
}

/// Content was stored.
#[derive(Debug, Serialize, ToSchema)]
struct ContentBody {
    uid_tag_id: String,
    /// Counts replacements, from 1.
    version: u32,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(challenge))
        .routes(routes!(unlock_content))
        .routes(routes!(put_content))
}

/// Gives out a nonce for one unlock message.
#[utoipa::path(get, path = "/v1/patches/{uid_tag_id}/unlock-challenge", tag = "content",
    params(("uid_tag_id" = String, Path)), responses(
        (status = 200, body = ChallengeBody), (status = 404, body = ProblemBody)))]
async fn challenge(
    _public: Public,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    let uid = parse_tag(&path.0)?;
    let given = state.services.unlock.challenge(uid, state.clock.now()).await?;
    let body = ChallengeBody {
        uid_tag_id: given.uid.into(),
        nonce: hex::encode(given.nonce),
        expires_at: given.expires_at.to_string(),
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Opens a product's content for its present owner.
#[utoipa::path(post, path = "/v1/patches/{uid_tag_id}/unlock-content", tag = "content",
    security(("apiKey" = [])), params(("uid_tag_id" = String, Path)),
    request_body = UnlockRequest, responses(
        (status = 200, body = UnlockBody), (status = 400, body = ProblemBody),
        (status = 404, body = ProblemBody)))]
async fn unlock_content(
    _authorized: Authorized<permission::Unlock>,
    state: State<HttpState>,
    path: ApiPath<String>,
    body: ApiJson<UnlockRequest>,
) -> Result<Response, Problem> {
    let uid = parse_tag(&path.0)?;
    let request = Unlock {
        uid: uid.clone(),
        owner_public_key: parse_public_key("ownerPubKey", &body.0.owner_pub_key)?,
        owner_signature: parse_signature(&body.0.owner_signature)?,
        nonce: body.0.nonce.clone(),
        wrapped: wrapped_of(body.0)?,
    };
    let opened = state.services.unlock.unlock(request, state.clock.now()).await?;
    let (content, content_type, encoding) = match opened.content {
        None => (None, None, None),
        Some((kind, bytes)) => match String::from_utf8(bytes) {
            Ok(text) => (Some(text), Some(kind), Some("utf-8")),
            Err(error) => (Some(STANDARD.encode(error.as_bytes())), Some(kind), Some("base64")),
        },
    };
    let body = UnlockBody {
        authorized: true,
        uid_tag_id: uid.into(),
        txid: opened.txid,
        content,
        content_type,
        encoding,
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

fn wrapped_of(body: UnlockRequest) -> Result<Option<WrappedContent>, Problem> {
    match (body.wrapped_key, body.wrap_iv, body.ciphertext, body.cipher_iv) {
        (None, None, None, None) => Ok(None),
        (Some(wrapped_key), Some(wrap_nonce), Some(ciphertext), Some(cipher_nonce)) => {
            Ok(Some(WrappedContent { wrapped_key, wrap_nonce, ciphertext, cipher_nonce }))
        }
        _ => Err(Problem::invalid_field(
            "wrappedKeyB64",
            "comes with wrapIvB64, ciphertextB64 and cipherIvB64, or none of the four is sent",
        )),
    }
}

/// Stores content, encrypted, in place of older content.
#[utoipa::path(put, path = "/v1/patches/{uid_tag_id}/content", tag = "content",
    security(("apiKey" = [])), params(("uid_tag_id" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses(
        (status = 200, body = ContentBody),
        (status = 404, body = ProblemBody), (status = 413, body = ProblemBody)))]
async fn put_content(
    authorized: Authorized<permission::Unlock>,
    state: State<HttpState>,
    path: ApiPath<String>,
    headers: HeaderMap,
    body: ApiBytes,
) -> Result<Response, Problem> {
    let uid = parse_tag(&path.0)?;
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .filter(|value| value.len() <= 255)
        .unwrap_or("application/octet-stream")
        .to_owned();
    let now = state.clock.now();
    let (bytes, actor) = (body.0.to_vec(), &authorized.principal.id);
    let unlock = &state.services.unlock;
    let version = unlock.put_content(uid.clone(), content_type, bytes, actor, now).await?;
    Ok(Json(ContentBody { uid_tag_id: uid.into(), version }).into_response())
}
