//! Accounts of the console: the first one, and those that admins make, change, reset and remove.

#![expect(unused_qualifications, reason = "the description's macro writes whole paths")]

mod links;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LINK};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::account::{AccountId, AccountName, Password, Role};
use crate::auth::permission;
use crate::auth::session::Ticket;
use crate::bitcoin::Address;
use crate::http::HttpState;
use crate::http::credentials::{Authorized, Public};
use crate::http::extract::{ApiJson, ApiJsonDigest, ApiPath, ApiQuery};
use crate::http::once::{Repeatable, made};
use crate::http::patches::parse_address;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::sessions::{GoneBody, begun_answer, refuse_foreign};
use crate::service::accounts::{
    AccountChange, AccountError, IssuedLink, NewAccount, StoredAccount,
};
use crate::service::sessions::LoginMethod;

pub use links::setup_url;
use links::{LinkBody, link_body};

const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: usize = 200;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetupRequest {
    /// What stands in the link after `#setup=` or `#reset=`.
    token: String,
    /// The name of the first account, 3 to 64 characters; absent with a link for an account.
    #[schema(nullable = false)]
    name: Option<String>,
    /// 12 to 256 characters, not the name, not one that everybody tries first.
    #[schema(value_type = String)]
    password: Password,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct AccountsQuery {
    /// Accounts on the page, 1 to 200; 50 if not said.
    limit: Option<usize>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateAccountRequest {
    /// The name to log in with, 3 to 64 characters; one in whatever case.
    name: String,
    /// `admin`, `operator`, `cashier` or `auditor`.
    role: String,
    /// The address of the shop, for `cashier`.
    #[schema(nullable = false)]
    shop: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeAccountRequest {
    /// Another name.
    #[schema(nullable = false)]
    name: Option<String>,
    /// Another role; ends the account's sessions.
    #[schema(nullable = false)]
    role: Option<String>,
    /// Another shop; with another role than `cashier` there is none.
    #[schema(nullable = false)]
    shop: Option<String>,
    /// Whether the account opens nothing; ends its sessions.
    #[schema(nullable = false)]
    disabled: Option<bool>,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AccountBody {
    id: String,
    name: String,
    /// `admin`, `operator`, `cashier` or `auditor`.
    role: &'static str,
    /// The shop's address, of a cashier.
    shop: Option<String>,
    /// Whether it opens nothing.
    disabled: bool,
    /// Whether its holder has set a password.
    has_password: bool,
    /// Whether a login key opens it too.
    has_login_key: bool,
    created_at: String,
    created_by: String,
    last_login_at: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CheckLinkRequest {
    /// What stands in the link behind the equals sign.
    token: String,
}

/// A one-time link that is still good.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct GoodLinkBody {
    /// The name of the account that it is for; none where it makes the first one.
    name: Option<String>,
    /// From when it is good for nothing.
    expires_at: String,
}

/// A page of accounts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AccountsBody {
    items: Vec<AccountBody>,
    next_cursor: Option<String>,
}

/// A new account, with the link with which its holder sets the password.
#[derive(Debug, Serialize, ToSchema)]
struct CreatedBody {
    account: AccountBody,
    link: LinkBody,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(set_up))
        .routes(routes!(check_link))
        .routes(routes!(make_setup_link))
        .routes(routes!(list_accounts, create_account))
        .routes(routes!(change_account, remove_account))
        .routes(routes!(reset_account))
}

/// Uses a one-time link: makes the first admin, or sets the password of an account; then logs in.
#[utoipa::path(post, path = "/v1/admin/setup", tag = "console", request_body = SetupRequest,
    responses((status = 200, description = "Logged in, as POST /v1/admin/session"),
        (status = 400, body = ProblemBody),
        (status = 410, body = ProblemBody),
        (status = 403, body = ProblemBody)))]
async fn set_up(
    _public: Public,
    state: State<HttpState>,
    headers: HeaderMap,
    body: ApiJson<SetupRequest>,
) -> Result<Response, Problem> {
    refuse_foreign(&headers, &state)?;
    let SetupRequest { token, name, password } = body.0;
    let (accounts, now) = (&state.services.accounts, state.clock.now());
    let name = name.as_deref().map(parse_name).transpose()?;
    let used = match Ticket::parse(&token) {
        Some(token) => accounts.use_link(&token, name, password, now).await,
        None => Err(AccountError::LinkGone),
    };
    if matches!(used, Err(AccountError::LinkGone)) {
        state.services.audit.refusals.note("setup link");
    }
    let (live, ticket) = state.services.sessions.begin(used?, LoginMethod::Link, now).await?;
    begun_answer(&state, &headers, &live, &ticket)
}

/// Looks at a one-time link without using it up: whose password it sets, and until when it is good.
#[utoipa::path(post, path = "/v1/admin/setup/check", tag = "console",
    request_body = CheckLinkRequest, responses((status = 200, body = GoodLinkBody),
        (status = 400, body = ProblemBody), (status = 410, body = ProblemBody)))]
async fn check_link(
    _public: Public,
    state: State<HttpState>,
    body: ApiJson<CheckLinkRequest>,
) -> Result<Response, Problem> {
    let (accounts, now) = (&state.services.accounts, state.clock.now());
    let found = match Ticket::parse(&body.0.token) {
        Some(token) => accounts.look_at_link(&token, now),
        None => Err(AccountError::LinkGone),
    };
    if matches!(found, Err(AccountError::LinkGone)) {
        state.services.audit.refusals.note("setup link");
    }
    let (name, expires_at) = found?;
    let name = name.map(|it| it.as_str().to_owned());
    let body = GoodLinkBody { name, expires_at: expires_at.to_string() };
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Makes the link with which the first admin is made; 409 once there is an account.
#[utoipa::path(post, path = "/v1/admin/setup-links", tag = "console", security(("apiKey" = [])),
    responses((status = 201, body = LinkBody), (status = 409, body = ProblemBody)))]
async fn make_setup_link(
    authorized: Authorized<permission::Admin>,
    repeatable: Repeatable,
    state: State<HttpState>,
) -> Result<Response, Problem> {
    let (actor, now) = (authorized.principal.id, state.clock.now());
    let once = repeatable.empty_by(&actor);
    let answer = |state: &HttpState, issued: &_| {
        made(StatusCode::CREATED, &link_body(state, "setup", issued))
    };
    let deed = async move |state: HttpState, keep| {
        state.services.accounts.make_setup_link_once(&actor, keep, now).await
    };
    once.make((state.0, now), answer, deed).await
}

/// Lists accounts in the order of their names.
#[utoipa::path(get, path = "/v1/admin/accounts", tag = "console",
    security(("session" = []), ("apiKey" = [])), params(AccountsQuery),
    responses((status = 200, body = AccountsBody), (status = 400, body = ProblemBody)))]
async fn list_accounts(
    _authorized: Authorized<permission::Admin>,
    state: State<HttpState>,
    query: ApiQuery<AccountsQuery>,
) -> Result<Response, Problem> {
    let limit = query.0.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::invalid_field("limit", format!("must be 1 to {MAX_PAGE}")));
    }
    let after = query.0.cursor.as_deref().map(|text| {
        let wrong = |_| Problem::invalid_field("cursor", "must be the nextCursor of a page");
        text.parse::<AccountId>().map_err(wrong)
    });
    let accounts = state.services.accounts.list()?;
    // An account that went meanwhile is followed by nothing: read the list anew.
    let begin = match after.transpose()? {
        None => Some(0),
        Some(after) => accounts.iter().position(|it| it.id == after).map(|at| at + 1),
    };
    let mut rest = accounts.into_iter().skip(begin.unwrap_or(usize::MAX));
    let items: Vec<AccountBody> = rest.by_ref().take(limit).map(account_body).collect();
    let has_more = rest.next().is_some();
    let next_cursor = items.last().filter(|_| has_more).map(|it| it.id.clone());
    let link = next_cursor.as_deref().map(|cursor| {
        (LINK, format!("</v1/admin/accounts?limit={limit}&cursor={cursor}>; rel=\"next\""))
    });
    let no_store = (CACHE_CONTROL, "no-store".to_owned());
    let headers: Vec<_> = std::iter::once(no_store).chain(link).collect();
    Ok((AppendHeaders(headers), Json(AccountsBody { items, next_cursor })).into_response())
}

/// Makes an account and the link with which its holder sets the password.
#[utoipa::path(post, path = "/v1/admin/accounts", tag = "console",
    security(("session" = []), ("apiKey" = [])), request_body = CreateAccountRequest,
    responses((status = 201, body = CreatedBody), (status = 400, body = ProblemBody),
        (status = 409, body = ProblemBody)))]
async fn create_account(
    authorized: Authorized<permission::Admin>,
    repeatable: Repeatable,
    state: State<HttpState>,
    body: ApiJsonDigest<CreateAccountRequest>,
) -> Result<Response, Problem> {
    let wanted = NewAccount {
        name: parse_name(&body.value.name)?,
        role: parse_role(&body.value.role)?,
        shop: parse_shop(body.value.shop.as_deref(), &state)?,
    };
    let (actor, now) = (authorized.principal.id, state.clock.now());
    let once = repeatable.by(&actor, body.digest);
    let answer = |state: &HttpState, (account, issued): &(StoredAccount, IssuedLink)| {
        let link = link_body(state, "reset", issued);
        made(StatusCode::CREATED, &CreatedBody { account: account_body(account.clone()), link })
    };
    let deed = async move |state: HttpState, keep| {
        state.services.accounts.create(wanted, &actor, keep, now).await
    };
    once.make((state.0, now), answer, deed).await
}

/// Changes an account; what is not said stays.
#[utoipa::path(patch, path = "/v1/admin/accounts/{id}", tag = "console",
    security(("session" = []), ("apiKey" = [])), params(("id" = String, Path)),
    request_body = ChangeAccountRequest,
    responses((status = 200, body = AccountBody), (status = 400, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
async fn change_account(
    authorized: Authorized<permission::Admin>,
    state: State<HttpState>,
    path: ApiPath<String>,
    body: ApiJson<ChangeAccountRequest>,
) -> Result<Json<AccountBody>, Problem> {
    let body = body.0;
    let change = AccountChange {
        name: body.name.as_deref().map(parse_name).transpose()?,
        role: body.role.as_deref().map(parse_role).transpose()?,
        shop: parse_shop(body.shop.as_deref(), &state)?.map(Some),
        is_disabled: body.disabled,
    };
    let (id, actor, now) = (parse_id(&path.0)?, &authorized.principal.id, state.clock.now());
    let changed = state.services.accounts.change(id, change, actor, now).await?;
    Ok(Json(account_body(changed)))
}

/// Removes an account and ends its sessions; the audit trail keeps its identifier.
#[utoipa::path(delete, path = "/v1/admin/accounts/{id}", tag = "console",
    security(("session" = []), ("apiKey" = [])), params(("id" = String, Path)),
    responses((status = 200, body = GoneBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody)))]
async fn remove_account(
    authorized: Authorized<permission::Admin>,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Json<GoneBody>, Problem> {
    let (id, actor, now) = (parse_id(&path.0)?, &authorized.principal.id, state.clock.now());
    state.services.accounts.remove(id, actor, now).await?;
    Ok(Json(GoneBody { id: id.to_string() }))
}

/// Takes an account's password and login key away, ends its sessions, and makes a link with which its
/// holder sets another password.
#[utoipa::path(post, path = "/v1/admin/accounts/{id}/reset", tag = "console",
    security(("session" = []), ("apiKey" = [])), params(("id" = String, Path)),
    responses((status = 201, body = LinkBody), (status = 404, body = ProblemBody)))]
async fn reset_account(
    authorized: Authorized<permission::Admin>,
    repeatable: Repeatable,
    state: State<HttpState>,
    path: ApiPath<String>,
) -> Result<Response, Problem> {
    let (id, actor, now) = (parse_id(&path.0)?, authorized.principal.id, state.clock.now());
    let once = repeatable.empty_by(&actor);
    let answer = |state: &HttpState, issued: &_| {
        made(StatusCode::CREATED, &link_body(state, "reset", issued))
    };
    let deed = async move |state: HttpState, keep| {
        state.services.accounts.reset(id, &actor, keep, now).await
    };
    once.make((state.0, now), answer, deed).await
}

fn parse_name(text: &str) -> Result<AccountName, Problem> {
    AccountName::parse(text).map_err(|error| Problem::invalid_field("name", error.to_string()))
}

fn parse_role(text: &str) -> Result<Role, Problem> {
    let wrong = |_| Problem::invalid_field("role", "must be admin, operator, cashier or auditor");
    text.parse().map_err(wrong)
}

fn parse_shop(text: Option<&str>, state: &HttpState) -> Result<Option<Address>, Problem> {
    text.map(|text| parse_address("shop", text, state)).transpose()
}

fn parse_id(text: &str) -> Result<AccountId, AccountError> {
    text.parse().map_err(|_| AccountError::NotFound)
}

fn account_body(account: StoredAccount) -> AccountBody {
    AccountBody {
        id: account.id.to_string(),
        name: account.name.into(),
        role: account.role.as_str(),
        shop: account.shop.map(|shop| shop.to_string()),
        disabled: account.disabled_at.is_some(),
        has_password: account.password.is_some(),
        has_login_key: account.login_key.is_some(),
        created_at: account.created_at.to_string(),
        created_by: account.created_by,
        last_login_at: account.logged_in_at.map(|at| at.to_string()),
    }
}
