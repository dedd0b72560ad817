//! One-time links as they are shown, once.

use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::session::Ticket;
use crate::http::HttpState;
use crate::service::accounts::IssuedLink;

/// A one-time link, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LinkBody {
    /// The whole link, for the browser.
    url: String,
    /// What stands in it behind the equals sign.
    token: String,
    /// From when it is good for nothing.
    expires_at: String,
}

/// Writes down the link with which the first admin is made. What opens something stands behind the
/// number sign, which no browser sends.
pub fn setup_url(public_url: &url::Url, token: &Ticket) -> String {
    link_url(public_url, "setup", token)
}

fn link_url(public_url: &url::Url, word: &str, token: &Ticket) -> String {
    let base = public_url.as_str().trim_end_matches('/');
    format!("{base}/admin#{word}={}", *token.expose())
}

/// Writes an answer down that shows a link.
pub(super) fn link_body(state: &HttpState, word: &str, issued: &IssuedLink) -> LinkBody {
    LinkBody {
        url: link_url(&state.options.public_url, word, &issued.token),
        token: issued.token.expose().to_string(),
        expires_at: issued.expires_at.to_string(),
    }
}
