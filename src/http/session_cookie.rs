//! The cookie of a session, and where a request with it must come from.
//!
//! A browser sends a cookie by itself, so the cookie alone proves nobody's wish. What changes anything
//! must come from a page of our own origin, by what the browser says (Origin, Sec-Fetch-Site), and
//! carry a header that no form and no page of another origin can set.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::auth::session::{ABSOLUTE, Ticket};
use crate::http::problem::{Problem, ProblemCode};
use crate::http::{HttpOptions, HttpState};
use crate::service::sessions::LiveSession;

/// The name of the cookie that holds a session.
const NAMES: Names = Names { secure: "__Host-patchproof", plain: "patchproof-session" };
/// What our own pages send, and pages of other origins may not.
const X_PATCHPROOF_CONSOLE: HeaderName = HeaderName::from_static("x-patchproof-console");
/// What a page sends that asks by itself while nobody touches it: such a request is no use of a session,
/// which would otherwise never rest while a console is open.
const X_PATCHPROOF_BACKGROUND: HeaderName = HeaderName::from_static("x-patchproof-background");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Says whether browsers reach the server over plain HTTP: on this machine, or because the operator
/// says so.
fn is_plain(options: &HttpOptions) -> bool {
    let url = &options.public_url;
    let is_here = url.host_str().is_some_and(is_loopback);
    options.insecure_cookie || (url.scheme() == "http" && is_here)
}

/// What a cookie of ours is called.
#[derive(Clone, Copy)]
pub(super) struct Names {
    /// Where browsers hold the server to Secure, Path=/ and no Domain (RFC 6265bis, 4.1.3.2).
    pub(super) secure: &'static str,
    /// Where the server is reached over plain HTTP.
    pub(super) plain: &'static str,
}

impl Names {
    /// Returns the name that counts.
    pub(super) fn of(self, options: &HttpOptions) -> &'static str {
        if is_plain(options) { self.plain } else { self.secure }
    }
}

/// Returns the header that hands a session to a browser.
pub(super) fn set(options: &HttpOptions, ticket: &Ticket) -> Result<HeaderValue, Problem> {
    written(options, NAMES, &ticket.expose(), ABSOLUTE)
}

/// Returns the header that takes it away.
pub(super) fn clear(options: &HttpOptions) -> Result<HeaderValue, Problem> {
    written(options, NAMES, "", Duration::ZERO)
}

/// Returns the header that hands a cookie to a browser, for our own pages alone.
pub(super) fn written(
    options: &HttpOptions,
    names: Names,
    value: &str,
    kept: Duration,
) -> Result<HeaderValue, Problem> {
    let secure = if is_plain(options) { "" } else { "; Secure" };
    let (name, max_age) = (names.of(options), kept.as_secs());
    let text =
        format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}");
    let mut header =
        HeaderValue::try_from(text).map_err(|_| Problem::new(ProblemCode::Internal))?;
    header.set_sensitive(true);
    Ok(header)
}

/// Returns the values of our cookie, in however many headers.
fn presented<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).map(str::trim);
    pairs.filter_map(move |pair| pair.split_once('=').filter(|(it, _)| *it == name)).map(|it| it.1)
}

/// Returns the value of a cookie that a request presents once.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &'a str) -> Option<&'a str> {
    let mut values = presented(headers, name);
    values.next().filter(|_| values.next().is_none())
}

/// Says whether a request presents a session, good or not.
pub(super) fn is_presented(headers: &HeaderMap, options: &HttpOptions) -> bool {
    presented(headers, NAMES.of(options)).next().is_some()
}

/// Returns whose session a request presents, wherever it comes from; good for counting, opens nothing.
pub(super) fn principal(headers: &HeaderMap, state: &HttpState) -> Option<String> {
    let is_asked = is_presented(headers, &state.options);
    let live = is_asked.then(|| find(headers, state).ok().flatten()).flatten();
    live.map(|live| live.account.id.principal())
}

/// Finds the session that a request presents: one, in one cookie.
fn find(headers: &HeaderMap, state: &HttpState) -> Result<Option<LiveSession>, Problem> {
    let value = single(headers, NAMES.of(&state.options));
    let Some(ticket) = value.and_then(Ticket::parse) else { return Ok(None) };
    Ok(state.services.sessions.find(&ticket, state.clock.now())?)
}

/// Lets in with a session: it is live, and the request is our own page's.
pub(super) async fn let_in(parts: &Parts, state: &HttpState) -> Result<LiveSession, Problem> {
    let Some(mut live) = find(&parts.headers, state)? else {
        state.services.audit.refusals.note("session");
        return Err(Problem::new(ProblemCode::SessionInvalid));
    };
    if let Some(reason) = foreign(parts, &state.options) {
        tracing::info!(principal = live.account.id.principal(), reason, "a page was refused");
        return Err(Problem::new(ProblemCode::CrossOrigin).detail(reason));
    }
    if !parts.headers.contains_key(X_PATCHPROOF_BACKGROUND) {
        state.services.sessions.note_use(&mut live, state.clock.now()).await;
    }
    Ok(live)
}

/// Marks a request as one that nobody made just now: judging it is no use of its session.
pub(super) fn mark_as_background(parts: &mut Parts) {
    parts.headers.insert(X_PATCHPROOF_BACKGROUND, HeaderValue::from_static("1"));
}

/// Says why a request with a session is not from our own page.
fn foreign(parts: &Parts, options: &HttpOptions) -> Option<&'static str> {
    let headers = &parts.headers;
    let is_safe = parts.method.is_safe();
    if !is_site_ours(headers, is_safe) {
        return Some("The browser says that the request is another site's.");
    }
    if is_safe {
        return None;
    }
    if only(headers, &X_PATCHPROOF_CONSOLE) != Some("1") {
        return Some(
            "A request with a session that changes something needs X-PatchProof-Console: 1.",
        );
    }
    if !headers.contains_key(ORIGIN) || !is_origin_ours(headers, options) {
        return Some("The request's Origin is not that of this server; see PUBLIC_URL.");
    }
    None
}

/// Says why a request that begins a session is another site's. Programs that are no browsers say
/// nothing of where they come from, and have no session that could be put on them.
pub(super) fn is_foreign_login(headers: &HeaderMap, options: &HttpOptions) -> bool {
    !is_site_ours(headers, false)
        || (headers.contains_key(ORIGIN) && !is_origin_ours(headers, options))
}

fn is_site_ours(headers: &HeaderMap, is_safe: bool) -> bool {
    match only(headers, &SEC_FETCH_SITE) {
        None => !headers.contains_key(SEC_FETCH_SITE),
        Some("same-origin") => true,
        // Somebody typed the address.
        Some("none") => is_safe,
        Some(_) => false,
    }
}

/// Says whether Origin is the public address's, or, on this machine or over plain HTTP, the one that
/// the request itself went to, whichever of the two schemes it used.
fn is_origin_ours(headers: &HeaderMap, options: &HttpOptions) -> bool {
    let Some(origin) = only(headers, &ORIGIN) else { return false };
    if origin == options.public_url.origin().ascii_serialization() {
        return true;
    }
    let Some(host) = only(headers, &HOST) else { return false };
    let is_here = is_loopback(host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
    }));
    let is_the_host =
        origin.strip_prefix("http://").or(origin.strip_prefix("https://")) == Some(host);
    (is_here || options.insecure_cookie) && is_the_host
}

/// Returns a header that occurs once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none());
    value.and_then(|value| value.to_str().ok())
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|it| it.is_loopback())
}
