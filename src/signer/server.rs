//! The signer's HTTP face: the KMS contract, served from a keystore.
//!
//! Guarantees: a batch is signed whole or not at all; a key of one use never signs for the other;
//! what was signed is logged before the signature is handed out; without the API key, if there is
//! one, nothing but `/health` answers. Listening, time-outs and connection limits are the caller's.

use std::fmt;
use std::sync::Arc;

use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::bitcoin::Address;
use crate::crypto::{PublicKey, constant_time_eq, sha256, svd_shared_secret};
use crate::outbound::excerpt;
use crate::signer::problem::Problem;
use crate::signer::signing_log::SignedHash;
use crate::signer::{KeyPurpose, Keystore, KeystoreKey, SignKind, SigningLog};
use crate::types::{Clock, Digest, Network};

/// The most hashes in one request.
pub const MAX_BATCH: usize = 512;
/// 512 requests with room for long identifiers.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// What the signer serves.
pub struct SignerServerConfig {
    /// The keys.
    pub keystore: Keystore,
    /// The bearer token that callers must send; `None` where the socket's permissions suffice.
    pub api_key: Option<String>,
    /// Whether a request may leave out what its hash is of, as plain KMS clients do.
    pub allow_unkinded: bool,
    /// Where to write down what was signed.
    pub log: Option<SigningLog>,
    /// Names the login key in answers instead of [`svd_kid`].
    pub kid: Option<String>,
    /// Dates the log.
    pub clock: Arc<dyn Clock>,
}

impl SignerServerConfig {
    /// Serves `keystore` without a token or log, to clients of the plain contract.
    pub fn new(keystore: Keystore, clock: Arc<dyn Clock>) -> Self {
        Self { keystore, api_key: None, allow_unkinded: true, log: None, kid: None, clock }
    }
}

impl fmt::Debug for SignerServerConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SignerServerConfig")
    }
}

/// Returns the identifier of a login key: `svd-` and 16 digits of SHA-256 of the key's hexadecimal
/// text.
pub fn svd_kid(server_key: &PublicKey) -> String {
    let digest = sha256(server_key.to_string().as_bytes());
    format!("svd-{}", hex::encode(&digest[..8]))
}

/// Builds the routes.
pub fn signer_router(config: SignerServerConfig) -> Router {
    let server = Arc::new(config);
    let guarded = Router::new()
        .route("/sign", post(sign))
        .route("/keys", get(list_keys))
        .route("/svd/derive-secret", post(derive_secret))
        .route_layer(from_fn_with_state(Arc::clone(&server), require_api_key));
    Router::new()
        .route("/health", get(|| async { Json(json!({ "status": "ok" })) }))
        .merge(guarded)
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(forbid_storing))
        .with_state(server)
}

async fn require_api_key(
    State(server): State<Arc<SignerServerConfig>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(api_key) = &server.api_key else { return next.run(request).await };
    let header = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let token = header.and_then(|value| match value.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => Some(token),
        Some(_) | None => None,
    });
    match token {
        Some(token) if constant_time_eq(token, api_key.as_bytes()) => next.run(request).await,
        Some(_) | None => Problem::unauthorized().into_response(),
    }
}

async fn forbid_storing(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[derive(Deserialize)]
struct SignBody {
    requests: Vec<SignItem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignItem {
    key_identifier: String,
    sighash: Digest,
    kind: Option<SignKind>,
}

#[derive(Serialize)]
struct SignatureItem {
    #[serde(rename = "signatureHex")]
    signature_hex: String,
    #[serde(rename = "pubKeyHex")]
    public_key_hex: String,
}

async fn sign(
    State(server): State<Arc<SignerServerConfig>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body: SignBody = parse(body)?;
    // Signing hundreds of hashes and writing the log would hold up every other request.
    let signatures = tokio::task::spawn_blocking(move || sign_all(&server, &body.requests))
        .await
        .map_err(|_| Problem::interrupted())??;
    Ok(Json(json!({ "signatures": signatures })).into_response())
}

fn sign_all(
    server: &SignerServerConfig,
    items: &[SignItem],
) -> Result<Vec<SignatureItem>, Problem> {
    if items.is_empty() {
        return Err(Problem::malformed("There is nothing to sign."));
    }
    if items.len() > MAX_BATCH {
        let detail = format!("{} hashes are more than {MAX_BATCH}.", items.len());
        return Err(Problem::too_large(detail));
    }
    let keys: Vec<&KeystoreKey> =
        items.iter().map(|item| permitted_key(server, item)).collect::<Result<_, _>>()?;
    let signed: Vec<SignedHash<'_>> = items
        .iter()
        .zip(&keys)
        .map(|(item, key)| SignedHash {
            key_identifier: &key.identifier,
            kind: item.kind,
            sighash: item.sighash,
            signature: key.sign(&item.sighash),
        })
        .collect();
    if let Some(log) = &server.log {
        log.append(&signed, server.clock.now()).map_err(|error| {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "nothing was signed");
            Problem::log_unavailable()
        })?;
    }
    let answer = signed.iter().zip(keys).map(|(signed, key)| SignatureItem {
        signature_hex: signed.signature.to_string(),
        public_key_hex: key.public_key().to_string(),
    });
    Ok(answer.collect())
}

/// Returns the key that `item` names, if it may sign what `item` says it is.
fn permitted_key<'a>(
    server: &'a SignerServerConfig,
    item: &SignItem,
) -> Result<&'a KeystoreKey, Problem> {
    let key = server
        .keystore
        .get(&item.key_identifier)
        .ok_or_else(|| Problem::unknown_key(&excerpt(&item.key_identifier)))?;
    let own = key.purpose.kind();
    match item.kind {
        Some(kind) if kind == own => Ok(key),
        Some(_) => Err(Problem::key_use(match own {
            SignKind::Message => format!("The key {} never signs transactions.", key.identifier),
            SignKind::Transaction => format!("The key {} signs only transactions.", key.identifier),
        })),
        None if server.allow_unkinded => Ok(key),
        None => Err(Problem::key_use("The request must say its kind: message or transaction.")),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedKey<'a> {
    key_identifier: &'a str,
    public_key: PublicKey,
    purpose: KeyPurpose,
    address_main: String,
    address_test: String,
}

async fn list_keys(State(server): State<Arc<SignerServerConfig>>) -> Response {
    let address =
        |key: &KeystoreKey, network| Address::of_key(&key.public_key(), network).to_string();
    let keys: Vec<_> = server
        .keystore
        .keys()
        .iter()
        .map(|key| ListedKey {
            key_identifier: &key.identifier,
            public_key: key.public_key(),
            purpose: key.purpose,
            address_main: address(key, Network::Main),
            address_test: address(key, Network::Test),
        })
        .collect();
    Json(keys).into_response()
}

#[derive(Deserialize)]
struct DeriveBody {
    #[serde(rename = "Mhex")]
    challenge_hex: String,
    #[serde(rename = "pmcHex")]
    user_key: PublicKey,
}

async fn derive_secret(
    State(server): State<Arc<SignerServerConfig>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body: DeriveBody = parse(body)?;
    let mut challenge = [0u8; 24];
    hex::decode_to_slice(&body.challenge_hex, &mut challenge)
        .map_err(|_| Problem::malformed("Mhex is not 48 hexadecimal digits."))?;
    let key = server
        .keystore
        .find(KeyPurpose::Svd)
        .ok_or_else(|| Problem::unknown_key(KeyPurpose::Svd.as_str()))?;
    let secret = svd_shared_secret(key.secret_key(), &body.user_key, &challenge)
        .map_err(|_| Problem::malformed("The challenge has no secret for this key."))?;
    let kid = server.kid.clone().unwrap_or_else(|| svd_kid(&key.public_key()));
    Ok(Json(json!({ "sharedSecretHex": hex::encode(secret), "kid": kid })).into_response())
}

/// Reads a JSON body whatever its content type says, as simple clients forget it.
fn parse<T: serde::de::DeserializeOwned>(
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Problem> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::too_large(format!("The body exceeds {MAX_BODY_BYTES} bytes."))
        }
        _ => Problem::malformed("The body cannot be read."),
    })?;
    serde_json::from_slice(&body).map_err(|error| {
        let detail = format!("The body is not the JSON expected: {}.", excerpt(&error.to_string()));
        Problem::malformed(detail)
    })
}
