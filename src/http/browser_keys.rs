//! Login keys in browsers: their holders keep, list and revoke them. Logging in with one is the login of
//! docs/SVD_AUTH.md, then `POST /v1/admin/session/svd`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::HttpState;
use crate::http::credentials::SessionAuthorized;
use crate::http::extract::{ApiJsonDigest, ApiPath};
use crate::http::keys::parse_label;
use crate::http::once::{Repeatable, made};
use crate::http::patches::parse_public_key;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::sessions::GoneBody;
use crate::service::login::BrowserKey;
use crate::service::sessions::SessionError;

/// The longest name of a browser, in characters.
const MAX_LABEL: usize = 64;
const NO_STORE: (axum::http::HeaderName, &str) = (CACHE_CONTROL, "no-store");

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct KeepKeyRequest {
    /// What its holder calls the browser: 1 to 64 characters.
    label: String,
    /// The compressed public key, 66 hexadecimal digits.
    pmc_hex: String,
}

/// A login key that a browser keeps.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BrowserKeyBody {
    /// The user that logs in with it: `userId` at `/api/svd/begin` and `/api/svd/complete`.
    id: String,
    label: String,
    created_at: String,
    /// When somebody logged in with it last.
    last_used_at: Option<String>,
    /// Whether the session that asks began with it.
    is_current: bool,
}

/// The login keys that browsers keep of an account, the newest first; at most 10.
#[derive(Debug, Serialize, ToSchema)]
struct BrowserKeysBody {
    items: Vec<BrowserKeyBody>,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(list_keys, keep_key)).routes(routes!(remove_key))
}

/// Lists the login keys that browsers keep of one's own account.
#[utoipa::path(get, path = "/v1/admin/session/keys", tag = "console",
    security(("session" = [])), responses(
        (status = 200, body = BrowserKeysBody)))]
async fn list_keys(
    authorized: SessionAuthorized,
    state: State<HttpState>,
) -> Result<Response, Problem> {
    let keys = state.services.login.browser_keys(authorized.live.account.id)?;
    let items = keys.into_iter().map(|key| body_of(key, &authorized)).collect();
    Ok(([NO_STORE], Json(BrowserKeysBody { items })).into_response())
}

/// Has the key that a browser made open one's own account; it takes a session that began with the password
/// or a one-time link.
#[utoipa::path(post, path = "/v1/admin/session/keys", tag = "console",
    security(("session" = [])), request_body = KeepKeyRequest, responses(
        (status = 201, body = BrowserKeyBody), (status = 400, body = ProblemBody),
        (status = 409, body = ProblemBody)))]
async fn keep_key(
    authorized: SessionAuthorized,
    repeatable: Repeatable,
    state: State<HttpState>,
    body: ApiJsonDigest<KeepKeyRequest>,
) -> Result<Response, Problem> {
    let label = parse_label("label", &body.value.label, MAX_LABEL)?;
    let public_key = parse_public_key("pmcHex", &body.value.pmc_hex)?;
    let now = state.clock.now();
    let once = repeatable.by(&authorized.live.principal().id, body.digest);
    // No session that may do this began with a key of a browser.
    let answer =
        |_: &HttpState, key: &BrowserKey| made(StatusCode::CREATED, &key_body(key.clone(), false));
    let deed = async move |state: HttpState, keep| {
        let wanted = (public_key, label);
        state.services.login.add_browser_key(&authorized.live, wanted, keep, now).await
    };
    once.make((state.0, now), answer, deed).await
}

/// Revokes a login key that a browser keeps; the sessions that it began end.
#[utoipa::path(delete, path = "/v1/admin/session/keys/{id}", tag = "console",
    security(("session" = [])), params(("id" = String, Path)), responses(
        (status = 200, body = GoneBody), (status = 404, body = ProblemBody)))]
async fn remove_key(
    authorized: SessionAuthorized,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Json<GoneBody>, Problem> {
    let user = path.0.parse().map_err(|_| SessionError::NoSuchKey)?;
    let (id, now) = (authorized.live.account.id, state.clock.now());
    state.services.login.remove_browser_key(id, user, now).await?;
    Ok(Json(GoneBody { id: user.to_string() }))
}

fn body_of(key: BrowserKey, asking: &SessionAuthorized) -> BrowserKeyBody {
    let is_current = asking.live.session.method.browser_key() == Some(key.user);
    key_body(key, is_current)
}

fn key_body(key: BrowserKey, is_current: bool) -> BrowserKeyBody {
    BrowserKeyBody {
        id: key.user.to_string(),
        is_current,
        label: key.label,
        created_at: key.registered_at.to_string(),
        last_used_at: key.used_at.map(|at| at.to_string()),
    }
}
