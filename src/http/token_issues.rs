//! Tokens that operators issue with the secret itself: nothing is issued here, only written down.

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

/// Whom a token is issued to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenIssueRequest {
    /// The subject of the token; only the person's pseudonym is written down.
    subject: String,
}

/// What the token must carry.
#[derive(Debug, Serialize, ToSchema)]
struct TokenIssueBody {
    /// How often the subject's tokens were taken back.
    epoch: u64,
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(note_token_issue))
}

/// Writes into the audit trail that whoever asks issues a token with JWT_SECRET, and returns the epoch
/// that it must carry to be worth something.
#[utoipa::path(post, path = "/v1/admin/token-issues", tag = "admin", security(("apiKey" = [])),
    request_body = TokenIssueRequest, responses((status = 201, body = TokenIssueBody),
        (status = 400, body = ProblemBody)))]
async fn note_token_issue(
    authorized: Authorized<permission::Admin>,
    repeatable: Repeatable,
    state: State<HttpState>,
    body: ApiJsonDigest<TokenIssueRequest>,
) -> Result<Response, Problem> {
    let subject = body.value.subject;
    if subject.is_empty() {
        return Err(Problem::invalid_field("subject", "must not be empty"));
    }
    let (actor, now) = (authorized.principal.id, state.clock.now());
    let once = repeatable.by(&actor, body.digest);
    let answer =
        |_: &HttpState, epoch: &u64| made(StatusCode::CREATED, &TokenIssueBody { epoch: *epoch });
    let deed = async move |state: HttpState, keep| {
        state.services.tokens.note_issue(&subject, &actor, keep, now).await
    };
    once.make((state.0, now), answer, deed).await
}
