//! Who asks: extractors that stand first in a handler, before a byte of the body is read.
//!
//! A handler names a permission ([`Authorized`]), a session ([`SessionAuthorized`]), a person
//! ([`BearerToken`]), more than one, or says openly that it needs none ([`Public`]).

use std::convert::Infallible;
use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::auth::{ApiKeys, Permission, Principal, Scope, Scopes, Subject, TokenRejection};
use crate::crypto::{constant_time_eq, sha256};
use crate::http::edge::{ClientAddress, X_API_KEY};
use crate::http::limits::LimitKey;
use crate::http::problem::{Problem, ProblemCode};
use crate::http::{HttpState, session_cookie};
use crate::service::sessions::LiveSession;

/// Lets in whoever presents an API key that grants `P`, whose account's role does, and the operators of
/// this machine.
#[derive(Debug, Clone)]
pub struct Authorized<P> {
    /// Whose key or account it is, or which operator.
    pub principal: Principal,
    permission: PhantomData<fn() -> P>,
}

impl<P: Permission> FromRequestParts<HttpState> for Authorized<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let CallerAuthorized { principal, .. } = caller(parts, state).await?;
        if principal.may::<P>() {
            return Ok(Self { principal, permission: PhantomData });
        }
        Err(lacks(&principal, P::SCOPE))
    }
}

/// Refuses whoever is known and may not.
fn lacks(principal: &Principal, scope: Scope) -> Problem {
    tracing::info!(principal = principal.id, %scope, "a key lacks a scope, or a role");
    let detail = format!("The API key, or the account's role, lacks the scope {scope}.");
    Problem::new(ProblemCode::Forbidden).detail(detail)
}

/// Lets in every session, and whoever may do everything: an admin's key, an operator of this machine.
#[derive(Debug, Clone)]
pub struct CallerAuthorized {
    /// Who asks.
    pub principal: Principal,
    /// With which session, if it is one.
    pub session: Option<LiveSession>,
}

impl FromRequestParts<HttpState> for CallerAuthorized {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let caller = caller(parts, state).await?;
        if caller.session.is_some() || caller.principal.scopes.allows(Scope::Admin) {
            return Ok(caller);
        }
        Err(lacks(&caller.principal, Scope::Admin))
    }
}

/// Lets in every session, and nothing else.
#[derive(Debug, Clone)]
pub struct SessionAuthorized {
    /// The session and its account.
    pub live: LiveSession,
}

impl FromRequestParts<HttpState> for SessionAuthorized {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let has_key = parts.headers.contains_key(X_API_KEY);
        if has_key || !session_cookie::is_presented(&parts.headers, &state.options) {
            let detail = "The route needs a session of the console, and no API key.";
            return Err(Problem::new(ProblemCode::Unauthenticated).detail(detail));
        }
        Ok(Self { live: session_cookie::let_in(parts, state).await? })
    }
}

/// Whom limits count a request for that has no credential: where it comes from.
#[derive(Debug, Clone, Copy)]
pub struct ClientKey(pub LimitKey);

impl<S: Sync> FromRequestParts<S> for ClientKey {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(LimitKey::of_client(parts.extensions.get::<ClientAddress>())))
    }
}

/// Finds out who sent a request. An API key decides alone; a session counts where there is none.
async fn caller(parts: &Parts, state: &HttpState) -> Result<CallerAuthorized, Problem> {
    let is_from_socket = matches!(
        parts.extensions.get(),
        Some(ClientAddress::Operator { .. } | ClientAddress::Stranger { .. })
    );
    let has_key = parts.headers.contains_key(X_API_KEY);
    let has_session = session_cookie::is_presented(&parts.headers, &state.options);
    if has_session && !has_key && !is_from_socket {
        let live = session_cookie::let_in(parts, state).await?;
        return Ok(CallerAuthorized { principal: live.principal(), session: Some(live) });
    }
    let principal = authenticate(parts, state.api_keys.as_ref()).inspect_err(|problem| {
        if problem.code() == ProblemCode::InvalidApiKey {
            state.services.audit.refusals.note("API key");
        }
    })?;
    Ok(CallerAuthorized { principal, session: None })
}

/// Finds out who sent a request: an operator over the control socket, which only the connection
/// itself can say, or else the holder of the key that the request presents.
pub(super) fn authenticate(parts: &Parts, keys: &dyn ApiKeys) -> Result<Principal, Problem> {
    match parts.extensions.get::<ClientAddress>() {
        Some(ClientAddress::Operator { uid }) => Ok(Principal::local_operator(*uid)),
        Some(ClientAddress::Stranger { .. }) => Err(Problem::new(ProblemCode::Forbidden)),
        Some(ClientAddress::Network(_) | ClientAddress::Local) | None => {
            key_holder(&parts.headers, keys)
        }
    }
}

fn key_holder(headers: &HeaderMap, keys: &dyn ApiKeys) -> Result<Principal, Problem> {
    let mut presented = headers.get_all(X_API_KEY).iter();
    let Some(key) = presented.next() else {
        return keys.without_key().ok_or_else(|| {
            Problem::new(ProblemCode::Unauthenticated)
                .detail("The route needs an API key in the header x-api-key.")
        });
    };
    let key = key.to_str().ok().filter(|_| presented.next().is_none());
    key.and_then(|key| keys.authenticate(key))
        .ok_or_else(|| Problem::new(ProblemCode::InvalidApiKey))
}

/// Lets in everybody, and says whose key it is if one is presented; that one must be good for `P`. A
/// browser sends its session unasked: one that is not good for `P` counts as none.
#[derive(Debug, Clone)]
pub struct MaybeAuthorized<P> {
    /// Whose key it is, or which operator; nobody's if none was presented.
    pub principal: Option<Principal>,
    permission: PhantomData<fn() -> P>,
}

impl<P: Permission> FromRequestParts<HttpState> for MaybeAuthorized<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let is_operator = matches!(parts.extensions.get(), Some(ClientAddress::Operator { .. }));
        let principal = if is_operator || parts.headers.contains_key(X_API_KEY) {
            Some(Authorized::<P>::from_request_parts(parts, state).await?.principal)
        } else if session_cookie::is_presented(&parts.headers, &state.options) {
            let live = session_cookie::let_in(parts, state).await.ok();
            live.map(|live| live.principal()).filter(Principal::may::<P>)
        } else {
            None
        };
        Ok(Self { principal, permission: PhantomData })
    }
}

/// Lets in whoever presents a token that is good enough to hand a product on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrongToken {
    /// Whom the token speaks for.
    pub subject: Subject,
}

impl FromRequestParts<HttpState> for StrongToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let BearerToken { subject } = BearerToken::from_request_parts(parts, state).await?;
        if !subject.scope.is_strong() {
            return Err(Problem::new(ProblemCode::Forbidden)
                .detail("A token from an e-mail code is not enough here; log in with a key."));
        }
        Ok(Self { subject })
    }
}

/// Lets in whoever presents a valid Bearer token (RFC 6750).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerToken {
    /// Whom the token speaks for.
    pub subject: Subject,
}

impl FromRequestParts<HttpState> for BearerToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let mut presented = parts.headers.get_all(AUTHORIZATION).iter();
        let Some(value) = presented.next() else {
            let subject = state.tokens.without_token().ok_or_else(|| {
                Problem::new(ProblemCode::Unauthenticated)
                    .detail("The route needs a token as Authorization: Bearer.")
            })?;
            return Ok(Self { subject });
        };
        let invalid = || Problem::new(ProblemCode::TokenInvalid);
        let value = value.to_str().ok().filter(|_| presented.next().is_none());
        let token = value.and_then(bearer_token).ok_or_else(invalid)?;
        let subject = state.tokens.verify(token, state.clock.now()).map_err(|reason| {
            tracing::info!(%reason, "a token was refused");
            state.services.audit.refusals.note("token");
            match reason {
                TokenRejection::Unknown => Problem::new(ProblemCode::StorageUnavailable),
                TokenRejection::Malformed
                | TokenRejection::WrongSignature
                | TokenRejection::Expired
                | TokenRejection::NotYetValid
                | TokenRejection::WrongClaims
                | TokenRejection::Revoked => invalid(),
            }
        })?;
        Ok(Self { subject })
    }
}

/// Returns the Bearer token that a request presents, if it presents exactly one.
pub(super) fn presented_token(headers: &HeaderMap) -> Option<&str> {
    let mut presented = headers.get_all(AUTHORIZATION).iter();
    let value = presented.next().filter(|_| presented.next().is_none());
    value.and_then(|value| value.to_str().ok()).and_then(bearer_token)
}

/// Returns what follows the scheme, whose case does not matter.
fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then_some(token)
}

/// Says that a handler is open to everyone.
#[derive(Debug, Clone, Copy)]
pub struct Public;

impl<S: Sync> FromRequestParts<S> for Public {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// The one API key of the environment, allowed everything; only its hash is kept.
pub struct ConfiguredApiKey([u8; 32]);

impl ConfiguredApiKey {
    /// Takes the key's text.
    pub fn new(key: &str) -> Self {
        Self(sha256(key.as_bytes()))
    }
}

impl ApiKeys for ConfiguredApiKey {
    fn authenticate(&self, presented: &str) -> Option<Principal> {
        let is_ours = constant_time_eq(&sha256(presented.as_bytes()), &self.0);
        is_ours.then(|| Principal {
            id: "configured".to_owned(),
            scopes: Scopes::all(),
            shop: None,
            reads_all: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_read_in_any_case() {
        assert_eq!(bearer_token("Bearer a.b.c"), Some("a.b.c"));
        assert_eq!(bearer_token("bEARER  a.b.c"), Some("a.b.c"));
        for bad in ["Bearer", "Bearer ", "Basic a.b.c", "a.b.c", "Bearer a b", "Bearer\ta"] {
            assert_eq!(bearer_token(bad), None, "{bad}");
        }
    }

    #[test]
    fn b18_only_the_configured_key_opens() {
        let keys = ConfiguredApiKey::new("correct horse");
        assert!(keys.authenticate("correct horse").is_some());
        for wrong in ["", "correct hors", "correct horse ", "Correct horse"] {
            assert!(keys.authenticate(wrong).is_none());
        }
    }

    #[test]
    fn b18_what_is_compared_is_as_long_whatever_the_key() {
        // Hashes of both sides are compared: no length of the key is there to be told apart.
        assert_eq!(size_of::<ConfiguredApiKey>(), 32);
        for key in ["", "short", &"long ".repeat(10_000)] {
            assert_eq!(ConfiguredApiKey::new(key).0, sha256(key.as_bytes()));
            assert_eq!(ConfiguredApiKey::new(key).authenticate(key).unwrap().id, "configured");
        }
    }
}
