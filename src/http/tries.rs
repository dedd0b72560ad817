//! Tries at a password, which count until they turn out right.

use axum::http::HeaderMap;

use crate::auth::account::AccountName;
use crate::http::credentials::ClientKey;
use crate::http::limits::{LimitClass, LimitKey};
use crate::http::problem::Problem;
use crate::http::{HttpState, device_cookie};

/// One try, and what it is counted by: where somebody of this name has logged in before, for the browser
/// alone, whatever others try; else for the address, and for the name from all addresses together.
pub(super) struct Tries(Vec<(LimitClass, LimitKey)>);

impl Tries {
    /// Counts a try, unless there were too many.
    pub(super) fn begin(
        state: &HttpState,
        client: ClientKey,
        name: &str,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let parsed = AccountName::parse(name).ok();
        let known = parsed.as_ref().and_then(|it| device_cookie::budget(headers, state, it));
        if let Some(budget) = known {
            let device = (LimitClass::ConsoleDevice, budget);
            return state.limits.check(device.0, device.1).map(|_| Self(vec![device]));
        }
        let name = parsed.map_or_else(|| name.to_owned(), |it| it.folded());
        let client = (LimitClass::ConsoleLogin, client.0);
        let name = (LimitClass::ConsoleName, LimitKey::of_text(&name));
        state.limits.check(client.0, client.1)?;
        let counted = state.limits.check(name.0, name.1);
        if counted.is_err() {
            state.limits.give_back(client.0, client.1);
        }
        counted.map(|_| Self(vec![client, name]))
    }

    /// Takes the try back: it was no wrong password.
    pub(super) fn give_back(self, state: &HttpState) {
        self.0.into_iter().for_each(|(class, key)| state.limits.give_back(class, key));
    }
}
