//! Sessions of the console: logging in and out, and who is logged in.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LINK, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Scope;
use crate::auth::account::Password;
use crate::auth::session::{SessionId, Ticket};
use crate::http::credentials::{
    BearerToken, CallerAuthorized, ClientKey, Public, SessionAuthorized,
};
use crate::http::extract::{ApiJson, ApiPath, ApiQuery};
use crate::http::problem::{Problem, ProblemBody, ProblemCode};
use crate::http::tries::Tries;
use crate::http::{HttpState, device_cookie, session_cookie};
use crate::service::accounts::AccountError;
use crate::service::sessions::{LiveSession, LoginMethod, SessionError};

const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: usize = 200;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogInRequest {
    /// The account's name, in any case.
    name: String,
    #[schema(value_type = String)]
    password: Password,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordRequest {
    /// The present password.
    #[schema(value_type = String)]
    old: Password,
    /// The new one: 12 to 256 characters, not the name, not one that everybody tries first.
    #[schema(value_type = String)]
    new: Password,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct SessionsQuery {
    /// Sessions on the page, 1 to 200; 50 if not said.
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Whose session it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HolderBody {
    id: String,
    name: String,
    /// `admin`, `operator`, `cashier` or `auditor`.
    role: &'static str,
    /// The shop's address, of a cashier.
    shop: Option<String>,
    /// Whether a login key opens the account too.
    has_login_key: bool,
}

/// The session that asks.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SessionBody {
    account: HolderBody,
    /// What the account may do, in the terms of API keys.
    scopes: Vec<&'static str>,
    /// Whether every route of reading is open to it.
    reads_everything: bool,
    /// When the session ends if it is not used again.
    expires_at: String,
    /// What lists call it.
    session_id: String,
    /// How it began: `password`, `login-key`, `link` or `browser-key`.
    method: &'static str,
}

/// A session in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SessionItem {
    id: String,
    account_id: String,
    account_name: String,
    role: &'static str,
    /// How it began: `password`, `login-key`, `link` or `browser-key`.
    method: &'static str,
    began_at: String,
    /// When it was used last, to the minute.
    used_at: String,
    expires_at: String,
    /// Whether it is the one that asks.
    is_current: bool,
}

/// A page of sessions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SessionsBody {
    items: Vec<SessionItem>,
    next_cursor: Option<String>,
}

/// What was ended or removed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GoneBody {
    pub(super) id: String,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(log_in, show_session, log_out))
        .routes(routes!(log_in_with_key, link_key, unlink_key))
        .routes(routes!(change_password))
        .routes(routes!(list_sessions))
        .routes(routes!(end_session))
}

/// Logs in with name and password: a cookie, and who it is. One answer for every cause of a refusal.
#[utoipa::path(post, path = "/v1/admin/session", tag = "console", request_body = LogInRequest,
    responses((status = 200, body = SessionBody), (status = 400, body = ProblemBody),
        (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)))]
async fn log_in(
    _public: Public,
    client: ClientKey,
    state: State<HttpState>,
    headers: HeaderMap,
    body: ApiJson<LogInRequest>,
) -> Result<Response, Problem> {
    refuse_foreign(&headers, &state)?;
    let LogInRequest { name, password } = body.0;
    let tries = Tries::begin(&state, client, &name, &headers)?;
    let begun = state.services.sessions.log_in(&name, password, state.clock.now()).await;
    if matches!(begun, Err(SessionError::NotAccepted)) {
        state.services.audit.refusals.note("password");
    } else {
        tries.give_back(&state);
    }
    let (live, ticket) = begun?;
    begun_answer(&state, &headers, &live, &ticket)
}

/// Tells who is logged in.
#[utoipa::path(get, path = "/v1/admin/session", tag = "console", security(("session" = [])),
    responses((status = 200, body = SessionBody)))]
async fn show_session(authorized: SessionAuthorized) -> Response {
    let body = Json(session_body(&authorized.live));
    ([(CACHE_CONTROL, "no-store")], body).into_response()
}

/// Logs out.
#[utoipa::path(delete, path = "/v1/admin/session", tag = "console", security(("session" = [])),
    responses((status = 200, body = GoneBody)))]
async fn log_out(
    authorized: SessionAuthorized,
    state: State<HttpState>,
) -> Result<Response, Problem> {
    let (live, now) = (&authorized.live, state.clock.now());
    let (id, account) = (live.session.id(), live.account.id);
    let ended = state.services.sessions.end(id, Some(account), &account.principal(), now).await;
    match ended {
        // Somebody ended it at the same moment: that is what was wanted.
        Ok(()) | Err(SessionError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    let clear = [(SET_COOKIE, session_cookie::clear(&state.options)?)];
    Ok((AppendHeaders(clear), Json(GoneBody { id: id.to_string() })).into_response())
}

/// Logs in with the token of a login with a key (SVD) that is linked to an account.
#[utoipa::path(post, path = "/v1/admin/session/svd", tag = "console", security(("bearer" = [])),
    responses((status = 200, body = SessionBody),
        (status = 403, body = ProblemBody)))]
async fn log_in_with_key(
    bearer: BearerToken,
    state: State<HttpState>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    refuse_foreign(&headers, &state)?;
    let now = state.clock.now();
    let begun = state.services.sessions.log_in_with_key(&bearer.subject, now).await;
    if matches!(begun, Err(SessionError::NotAccepted)) {
        state.services.audit.refusals.note("login key");
    }
    let (live, ticket) = begun?;
    begun_answer(&state, &headers, &live, &ticket)
}

/// Links the login key of the token to the account: it opens it from now on, beside the password.
#[utoipa::path(put, path = "/v1/admin/session/svd", tag = "console",
    security(("session" = [], "bearer" = [])),
    responses((status = 200, body = SessionBody), (status = 409, body = ProblemBody)))]
async fn link_key(
    authorized: SessionAuthorized,
    bearer: BearerToken,
    state: State<HttpState>,
) -> Result<Json<SessionBody>, Problem> {
    let (mut live, now) = (authorized.live, state.clock.now());
    live.account = state.services.sessions.link_key(&live, &bearer.subject, now).await?;
    Ok(Json(session_body(&live)))
}

/// Takes the login key away from the account.
#[utoipa::path(delete, path = "/v1/admin/session/svd", tag = "console",
    security(("session" = [])),
    responses((status = 200, body = SessionBody)))]
async fn unlink_key(
    authorized: SessionAuthorized,
    state: State<HttpState>,
) -> Result<Json<SessionBody>, Problem> {
    let (mut live, now) = (authorized.live, state.clock.now());
    live.account = state.services.sessions.unlink_key(live.account.id, now).await?;
    Ok(Json(session_body(&live)))
}

/// Changes one's own password; the session that asks goes on, the others end.
#[utoipa::path(put, path = "/v1/admin/session/password", tag = "console",
    security(("session" = [])), request_body = PasswordRequest,
    responses((status = 200, body = SessionBody), (status = 400, body = ProblemBody)))]
async fn change_password(
    authorized: SessionAuthorized,
    client: ClientKey,
    state: State<HttpState>,
    headers: HeaderMap,
    body: ApiJson<PasswordRequest>,
) -> Result<Json<SessionBody>, Problem> {
    let live = authorized.live;
    let PasswordRequest { old, new } = body.0;
    let tries = Tries::begin(&state, client, live.account.name.as_str(), &headers)?;
    let (id, digest, now) = (live.account.id, live.session.digest, state.clock.now());
    let changed = state.services.accounts.change_password(id, (old, new), digest, now).await;
    if matches!(changed, Err(AccountError::WrongPassword)) {
        state.services.audit.refusals.note("password");
    } else {
        tries.give_back(&state);
    }
    match changed {
        Ok(()) => Ok(Json(session_body(&live))),
        Err(AccountError::Password(error)) => Err(Problem::invalid_field("new", error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Lists live sessions, the newest first: one's own; all of them to admins.
#[utoipa::path(get, path = "/v1/admin/sessions", tag = "console",
    security(("session" = []), ("apiKey" = [])), params(SessionsQuery),
    responses((status = 200, body = SessionsBody), (status = 400, body = ProblemBody)))]
async fn list_sessions(
    authorized: CallerAuthorized,
    state: State<HttpState>,
    query: ApiQuery<SessionsQuery>,
) -> Result<Response, Problem> {
    let limit = query.0.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::invalid_field("limit", format!("must be 1 to {MAX_PAGE}")));
    }
    let after = query.0.cursor.as_deref().map(|text| {
        let wrong = || Problem::invalid_field("cursor", "must be the nextCursor of a page");
        SessionId::parse(text).ok_or_else(wrong)
    });
    let after = after.transpose()?;
    let sessions = state.services.sessions.list(authorized.whose(), state.clock.now())?;
    // A page whose last session ended meanwhile is followed by nothing: read the list anew.
    let begin = after.map_or(Some(0), |after| {
        sessions.iter().position(|live| live.session.id() == after).map(|at| at + 1)
    });
    let rest = sessions.get(begin.unwrap_or(sessions.len())..).unwrap_or_default();
    let page = rest.get(..limit).unwrap_or(rest);
    let has_more = rest.len() > page.len();
    let next_cursor = page.last().filter(|_| has_more).map(|it| it.session.id().to_string());
    let current = authorized.session.as_ref().map(|live| live.session.digest);
    let items = page.iter().map(|live| session_item(live, Some(live.session.digest) == current));
    let link = next_cursor.as_deref().map(|cursor| {
        (LINK, format!("</v1/admin/sessions?limit={limit}&cursor={cursor}>; rel=\"next\""))
    });
    let no_store = (CACHE_CONTROL, "no-store".to_owned());
    let headers: Vec<_> = std::iter::once(no_store).chain(link).collect();
    let body = Json(SessionsBody { items: items.collect(), next_cursor });
    Ok((AppendHeaders(headers), body).into_response())
}

/// Ends a session: one's own; any to admins.
#[utoipa::path(delete, path = "/v1/admin/sessions/{id}", tag = "console",
    security(("session" = []), ("apiKey" = [])), params(("id" = String, Path)),
    responses((status = 200, body = GoneBody), (status = 404, body = ProblemBody)))]
async fn end_session(
    authorized: CallerAuthorized,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Json<GoneBody>, Problem> {
    let id = SessionId::parse(&path.0).ok_or(SessionError::NotFound)?;
    let (whose, actor) = (authorized.whose(), &authorized.principal.id);
    state.services.sessions.end(id, whose, actor, state.clock.now()).await?;
    Ok(Json(GoneBody { id: id.to_string() }))
}

impl CallerAuthorized {
    /// Returns whose sessions the caller may see and end; nobody's in particular is everybody's.
    fn whose(&self) -> Option<crate::auth::account::AccountId> {
        let is_admin = self.principal.scopes.allows(Scope::Admin);
        self.session.as_ref().filter(|_| !is_admin).map(|live| live.account.id)
    }
}

/// Refuses a login that a page of another origin makes: its session would be put on somebody.
pub(super) fn refuse_foreign(headers: &HeaderMap, state: &HttpState) -> Result<(), Problem> {
    if !session_cookie::is_foreign_login(headers, &state.options) {
        return Ok(());
    }
    let detail = "A page of another origin cannot log in here; see PUBLIC_URL.";
    Err(Problem::new(ProblemCode::CrossOrigin).detail(detail))
}

/// Answers with a new session: the cookie in the head, never in the body, and beside it the one by which the
/// browser is known from now on.
pub(super) fn begun_answer(
    state: &HttpState,
    asked: &HeaderMap,
    live: &LiveSession,
    ticket: &Ticket,
) -> Result<Response, Problem> {
    let cookie = session_cookie::set(&state.options, ticket)?;
    let no_store = axum::http::HeaderValue::from_static("no-store");
    let known = device_cookie::after_login(asked, state, &live.account.name)?;
    let headers =
        AppendHeaders([(SET_COOKIE, cookie), (SET_COOKIE, known), (CACHE_CONTROL, no_store)]);
    Ok((StatusCode::OK, headers, Json(session_body(live))).into_response())
}

fn session_body(live: &LiveSession) -> SessionBody {
    let account = &live.account;
    SessionBody {
        account: HolderBody {
            id: account.id.to_string(),
            name: account.name.as_str().to_owned(),
            role: account.role.as_str(),
            shop: account.shop.map(|shop| shop.to_string()),
            has_login_key: account.login_key.is_some(),
        },
        scopes: account.role.scopes().iter().map(Scope::as_str).collect(),
        reads_everything: account.role.reads_all(),
        expires_at: live.ends_at().to_string(),
        session_id: live.session.id().to_string(),
        method: method_name(live.session.method),
    }
}

const fn method_name(method: LoginMethod) -> &'static str {
    match method {
        LoginMethod::Password => "password",
        LoginMethod::LoginKey => "login-key",
        LoginMethod::Link => "link",
        LoginMethod::BrowserKey(_) => "browser-key",
    }
}

fn session_item(live: &LiveSession, is_current: bool) -> SessionItem {
    SessionItem {
        id: live.session.id().to_string(),
        account_id: live.account.id.to_string(),
        account_name: live.account.name.as_str().to_owned(),
        role: live.account.role.as_str(),
        method: method_name(live.session.method),
        began_at: live.session.began_at.to_string(),
        used_at: live.session.used_at.to_string(),
        expires_at: live.ends_at().to_string(),
        is_current,
    }
}
