//! The cookie by which a browser is known that somebody has logged in with. It opens nothing; what it is
//! for is in `auth::device`.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};

use crate::auth::account::AccountName;
use crate::auth::device::Device;
use crate::crypto::random_bytes;
use crate::http::limits::LimitKey;
use crate::http::problem::Problem;
use crate::http::{HttpState, session_cookie};

/// The name beside that of the session's cookie, over TLS and over plain HTTP.
const NAMES: session_cookie::Names =
    session_cookie::Names { secure: "__Host-patchproof-device", plain: "patchproof-device" };
/// The longest that browsers keep a cookie (RFC 6265bis, 5.5); every login begins it anew.
const KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Returns by what wrong passwords of a name are counted in a browser that has logged in with it before.
pub(super) fn budget(
    headers: &HeaderMap,
    state: &HttpState,
    name: &AccountName,
) -> Option<LimitKey> {
    let device = presented(headers, state)?;
    let is_known = state.services.sessions.devices.knows(&device, name);
    is_known.then(|| LimitKey::of_text(&device.budget(name)))
}

/// Returns the header by which the browser will be known for a name that has just logged in.
pub(super) fn after_login(
    headers: &HeaderMap,
    state: &HttpState,
    name: &AccountName,
) -> Result<HeaderValue, Problem> {
    let before = presented(headers, state);
    let device = state.services.sessions.devices.after_login(before, name, random_bytes());
    session_cookie::written(&state.options, NAMES, &device.expose(), KEPT)
}

fn presented(headers: &HeaderMap, state: &HttpState) -> Option<Device> {
    session_cookie::single(headers, NAMES.of(&state.options)).and_then(Device::parse)
}
