//! The classes of requests and what each may do in how long.

use std::time::Duration;

/// A class of requests that is limited together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitClass {
    /// Whatever needs no credential, or has a wrong one; by address.
    Public,
    /// Whatever has a valid API key; by key.
    ApiKey,
    /// Whatever has a token of ours and would be public without; by whom it was issued to.
    Token,
    /// Whether the process is well; by address.
    Probe,
    /// A file of a page, out of memory: one page is some forty of them; by address.
    Files,
    /// Beginning a login, registering a login key; by address.
    SvdBegin,
    /// Answering a challenge, changing or revoking a login key; by address.
    SvdComplete,
    /// The self-test of the login; by key.
    SvdCanary,
    /// Asking for a code by mail; by address, and by the mailbox that it would go to.
    AuthRequest,
    /// Presenting a wrong code; by address.
    AuthSubmit,
    /// Presenting a wrong password; by address.
    ConsoleLogin,
    /// The same; by the account's name, from all addresses together.
    ConsoleName,
    /// The same; by browser and name, where somebody of that name has logged in before. Such a try counts
    /// nowhere else, so that nobody else uses it up.
    ConsoleDevice,
}

/// How many times as many wrong passwords all addresses together may try at a name as one may try.
const ADDRESSES_TOGETHER: u32 = 10;

impl LimitClass {
    /// Every class.
    pub const ALL: [Self; 13] = [
        Self::Public,
        Self::ApiKey,
        Self::Token,
        Self::Probe,
        Self::Files,
        Self::SvdBegin,
        Self::SvdComplete,
        Self::SvdCanary,
        Self::AuthRequest,
        Self::AuthSubmit,
        Self::ConsoleLogin,
        Self::ConsoleName,
        Self::ConsoleDevice,
    ];

    /// Returns the name in the RateLimit fields.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::ApiKey => "api-key",
            Self::Token => "token",
            Self::Probe => "probe",
            Self::Files => "files",
            Self::SvdBegin => "svd-begin",
            Self::SvdComplete => "svd-complete",
            Self::SvdCanary => "svd-canary",
            Self::AuthRequest => "auth-request",
            Self::AuthSubmit => "auth-submit",
            Self::ConsoleLogin => "console-login",
            Self::ConsoleName => "console-name",
            Self::ConsoleDevice => "console-device",
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// Returns the class of a route, as long as nobody presents a key or a token. The classes of codes by
    /// mail and of passwords are counted by their handlers, which know whom and the outcome; their routes are public beside.
    pub fn of_route(path: &str) -> Self {
        match path {
            "/health" | "/livez" | "/ready" | "/readyz" | "/__ping" => Self::Probe,
            "/admin"
            | "/admin/"
            | "/admin/{*path}"
            | "/admin/assets/{version}/{*file}"
            | "/certificates/assets/{version}/{file}"
            | "/docs/assets/{file}" => Self::Files,
            "/api/svd/begin" | "/api/svd/register" => Self::SvdBegin,
            "/api/svd/complete" | "/api/svd/change-key" | "/api/svd/revoke" => Self::SvdComplete,
            "/api/svd/canary" => Self::SvdCanary,
            _ => Self::Public,
        }
    }
}

/// So many requests in so long, all at once or spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub most: u32,
    /// In how long.
    pub window: Duration,
}

impl Rate {
    /// Makes a rate of a number of requests in a number of seconds.
    pub const fn per_secs(most: u32, secs: u64) -> Self {
        Self { most, window: Duration::from_secs(secs) }
    }

    /// Returns the window in whole seconds, at least one.
    pub(super) fn window_secs(self) -> u64 {
        self.window.as_secs().max(1)
    }

    /// Returns the rate with so many times as many requests.
    #[must_use]
    pub const fn times(self, factor: u32) -> Self {
        Self { most: self.most.saturating_mul(factor), window: self.window }
    }
}

/// The rate of every class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// See [`LimitClass::Public`].
    pub public: Rate,
    /// See [`LimitClass::ApiKey`].
    pub api_key: Rate,
    /// See [`LimitClass::Token`].
    pub token: Rate,
    /// See [`LimitClass::Probe`]; [`LimitClass::Files`] has the same.
    pub probe: Rate,
    /// See [`LimitClass::SvdBegin`].
    pub svd_begin: Rate,
    /// See [`LimitClass::SvdComplete`].
    pub svd_complete: Rate,
    /// See [`LimitClass::SvdCanary`].
    pub svd_canary: Rate,
    /// See [`LimitClass::AuthRequest`].
    pub auth_request: Rate,
    /// See [`LimitClass::AuthSubmit`].
    pub auth_submit: Rate,
    /// See [`LimitClass::ConsoleLogin`]; [`LimitClass::ConsoleDevice`] has the same, [`LimitClass::ConsoleName`]
    /// ten times as much.
    pub console_login: Rate,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            public: Rate::per_secs(100, 15 * 60),
            api_key: Rate::per_secs(6_000, 60),
            token: Rate::per_secs(6_000, 60),
            probe: Rate::per_secs(6_000, 60),
            svd_begin: Rate::per_secs(20, 60),
            svd_complete: Rate::per_secs(30, 60),
            svd_canary: Rate::per_secs(30, 60),
            auth_request: Rate::per_secs(1, 60),
            auth_submit: Rate::per_secs(5, 10 * 60),
            console_login: Rate::per_secs(10, 10 * 60),
        }
    }
}

impl RateLimits {
    /// Returns the rate of a class.
    pub const fn of(&self, class: LimitClass) -> Rate {
        match class {
            LimitClass::Public => self.public,
            LimitClass::ApiKey => self.api_key,
            LimitClass::Token => self.token,
            LimitClass::Probe | LimitClass::Files => self.probe,
            LimitClass::SvdBegin => self.svd_begin,
            LimitClass::SvdComplete => self.svd_complete,
            LimitClass::SvdCanary => self.svd_canary,
            LimitClass::AuthRequest => self.auth_request,
            LimitClass::AuthSubmit => self.auth_submit,
            LimitClass::ConsoleLogin | LimitClass::ConsoleDevice => self.console_login,
            LimitClass::ConsoleName => self.console_login.times(ADDRESSES_TOGETHER),
        }
    }

    /// Returns limits of so many times as many requests.
    #[must_use]
    pub const fn times(self, factor: u32) -> Self {
        Self {
            public: self.public.times(factor),
            api_key: self.api_key.times(factor),
            token: self.token.times(factor),
            probe: self.probe.times(factor),
            svd_begin: self.svd_begin.times(factor),
            svd_complete: self.svd_complete.times(factor),
            svd_canary: self.svd_canary.times(factor),
            auth_request: self.auth_request.times(factor),
            auth_submit: self.auth_submit.times(factor),
            console_login: self.console_login.times(factor),
        }
    }
}
