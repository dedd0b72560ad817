//! Logins by a code sent to a mailbox. Answers are the same whoever asks and for whichever mailbox;
//! docs/EMAIL_CODES.md has the flow.

use std::convert::Infallible;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::email_code::{CodeRequestId, EmailCode, Mailbox};
use crate::http::HttpState;
use crate::http::credentials::{Public, authenticate};
use crate::http::edge::ClientAddress;
use crate::http::extract::ApiJson;
use crate::http::limits::{LimitClass, LimitKey};
use crate::http::problem::{Problem, ProblemBody};
use crate::service::email_codes::{EmailCodeError, Presented};

/// What every request for a code is told.
const ON_ITS_WAY: &str =
    "If mail reaches this address, a code is on its way. It is good for 10 minutes.";

/// Where to send a code.
#[derive(Debug, Deserialize, ToSchema)]
struct RequestCodeRequest {
    /// An e-mail address.
    identifier: String,
}

/// A code may be on its way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RequestCodeBody {
    success: bool,
    message: &'static str,
    /// Names the request; 32 hexadecimal digits. Present it together with the code.
    request_id: String,
}

/// A code as it was received.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SubmitCodeRequest {
    /// The e-mail address.
    identifier: String,
    /// The 8 digits of the mail.
    code: String,
    /// The answer to the request for the code.
    #[schema(nullable = false)]
    request_id: Option<String>,
}

/// A Bearer token.
#[derive(Debug, Serialize, ToSchema)]
struct SubmitCodeBody {
    success: bool,
    token: String,
}

/// Who sends a request, as limits count it.
#[derive(Debug, Clone, Copy)]
struct Sender {
    key: LimitKey,
    /// Whether it has a budget of its own, by an API key or as an operator, and was counted for it.
    is_known: bool,
}

impl FromRequestParts<HttpState> for Sender {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Infallible> {
        let has_key = parts.headers.contains_key(crate::http::edge::X_API_KEY);
        let client = parts.extensions.get::<ClientAddress>();
        let is_operator = matches!(client, Some(ClientAddress::Operator { .. }));
        let known = (has_key || is_operator).then(|| authenticate(parts, state.api_keys.as_ref()));
        Ok(match known.and_then(Result::ok) {
            Some(principal) => Self { key: LimitKey::of_text(&principal.id), is_known: true },
            None => Self { key: LimitKey::of_client(client), is_known: false },
        })
    }
}

/// A sender with a budget of its own, such as a shop that speaks for all its customers, is not counted
/// a second time: they do not share what one address may do.
impl Sender {
    fn check(self, state: &HttpState, class: LimitClass) -> Result<(), Problem> {
        if self.is_known { Ok(()) } else { state.limits.check(class, self.key).map(drop) }
    }

    fn give_back(self, state: &HttpState, class: LimitClass) {
        if !self.is_known {
            state.limits.give_back(class, self.key);
        }
    }
}

/// Returns the routes of this file.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(request_verification)).routes(routes!(submit_verification))
}

/// Sends a code to a mailbox. The answer is the same whether or not one was sent.
#[utoipa::path(post, path = "/v1/auth/request-verification", tag = "login",
    request_body = RequestCodeRequest, responses(
        (status = 200, body = RequestCodeBody), (status = 400, body = ProblemBody)))]
async fn request_verification(
    _public: Public,
    sender: Sender,
    state: State<HttpState>,
    body: ApiJson<RequestCodeRequest>,
) -> Result<Json<RequestCodeBody>, Problem> {
    let mailbox = parse_mailbox(&body.0.identifier)?;
    let service = &state.services.email_codes;
    // Whoever sends and whomever it is sent to: both must have something left (B1).
    let budget = LimitKey::of_bytes(&service.keys.budget(&mailbox));
    sender.check(&state, LimitClass::AuthRequest)?;
    if let Err(problem) = state.limits.check(LimitClass::AuthRequest, budget) {
        sender.give_back(&state, LimitClass::AuthRequest);
        return Err(problem);
    }
    let request = service.request(&mailbox, &sender.key.to_bytes(), state.clock.now()).await?;
    Ok(Json(RequestCodeBody {
        success: true,
        message: ON_ITS_WAY,
        request_id: request.to_string(),
    }))
}

/// Takes a code and returns a token. Why a code was not accepted is not told.
#[utoipa::path(post, path = "/v1/auth/submit-verification", tag = "login",
    request_body = SubmitCodeRequest, responses(
        (status = 200, body = SubmitCodeBody), (status = 400, body = ProblemBody),
        (status = 401, body = ProblemBody)))]
async fn submit_verification(
    _public: Public,
    sender: Sender,
    state: State<HttpState>,
    body: ApiJson<SubmitCodeRequest>,
) -> Result<Json<SubmitCodeBody>, Problem> {
    let mailbox = parse_mailbox(&body.0.identifier)?;
    let service = &state.services.email_codes;
    // Counted before the code is looked at and given back if it was right (B7): many at a time
    // get no further than one after the other.
    sender.check(&state, LimitClass::AuthSubmit)?;
    let request = body.0.request_id.as_deref().map(CodeRequestId::parse);
    let token = match request {
        Some(None) => Err(EmailCodeError::NotAccepted),
        named => {
            let code = EmailCode::presented(&body.0.code);
            let client_block = sender.key.to_bytes();
            let presented = Presented { mailbox, code, request: named.flatten(), client_block };
            service.submit(presented, state.clock.now()).await
        }
    };
    match &token {
        Err(EmailCodeError::NotAccepted) => state.services.audit.refusals.note("e-mail code"),
        Ok(_) | Err(EmailCodeError::Token(_) | EmailCodeError::Store(_)) => {
            sender.give_back(&state, LimitClass::AuthSubmit);
        }
    }
    Ok(Json(SubmitCodeBody { success: true, token: token? }))
}

fn parse_mailbox(text: &str) -> Result<Mailbox, Problem> {
    let expected = "must be an e-mail address such as ada@shop.example";
    Mailbox::parse(text).map_err(|_| Problem::invalid_field("identifier", expected))
}
