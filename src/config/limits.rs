//! How often clients may ask.

use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::variable::{Kind, Variable};

/// The most requests that a window can be given; more are no limit.
const MOST: Kind = Kind::Integer { least: 1, most: 1_000_000_000 };
/// A day is the longest window.
const WINDOW: Kind = Kind::Integer { least: 1, most: 86_400_000 };

macro_rules! rate {
    ($window:ident $window_default:literal, $most:ident $most_default:literal, $what:literal) => {
        pub(super) const $window: Variable = Variable::new(
            stringify!($window),
            WINDOW,
            $window_default,
            concat!("The time in which ", $what, " are counted, in milliseconds."),
        )
        .or($window_default);
        pub(super) const $most: Variable = Variable::new(
            stringify!($most),
            MOST,
            $most_default,
            concat!("How many ", $what, " one client may make in that time."),
        )
        .or($most_default);
    };
}

rate!(PUBLIC_API_WINDOW_MS "900000", PUBLIC_API_MAX "100", "requests without a valid API key or token");
rate!(API_KEY_WINDOW_MS "60000", API_KEY_MAX "6000", "requests with one and the same API key, or of one bearer of tokens,");
rate!(SVD_BEGIN_WINDOW_MS "60000", SVD_BEGIN_MAX "20", "beginnings of logins");
rate!(SVD_COMPLETE_WINDOW_MS "60000", SVD_COMPLETE_MAX "30", "answers to login challenges");
rate!(SVD_CANARY_WINDOW_MS "60000", SVD_CANARY_MAX "30", "self-tests of the login");
rate!(AUTH_REQUEST_WINDOW_MS "60000", AUTH_REQUEST_MAX "1", "requests for a code by mail");
rate!(AUTH_SUBMIT_WINDOW_MS "600000", AUTH_SUBMIT_MAX "5", "wrong codes");
rate!(CONSOLE_LOGIN_WINDOW_MS "600000", CONSOLE_LOGIN_MAX "10", "wrong passwords of the console");

/// So many requests in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateSetting {
    /// How many.
    pub most: u32,
    /// In how long.
    pub window: Duration,
}

/// How often clients may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings {
    /// Without a valid API key, by address.
    pub public: RateSetting,
    /// With one, by key.
    pub api_key: RateSetting,
    /// Beginning logins, by address.
    pub svd_begin: RateSetting,
    /// Answering challenges, by address.
    pub svd_complete: RateSetting,
    /// Testing the login, by key.
    pub svd_canary: RateSetting,
    /// Asking for codes by mail, by address and by mailbox.
    pub auth_request: RateSetting,
    /// Presenting wrong codes, by address.
    pub auth_submit: RateSetting,
    /// Presenting wrong passwords, by address; ten times as many by name.
    pub console_login: RateSetting,
}

impl LimitSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut rate = |window: &'static Variable, most: &'static Variable| RateSetting {
            window: reader.milliseconds(window),
            most: reader.number(most),
        };
        Self {
            public: rate(&PUBLIC_API_WINDOW_MS, &PUBLIC_API_MAX),
            api_key: rate(&API_KEY_WINDOW_MS, &API_KEY_MAX),
            svd_begin: rate(&SVD_BEGIN_WINDOW_MS, &SVD_BEGIN_MAX),
            svd_complete: rate(&SVD_COMPLETE_WINDOW_MS, &SVD_COMPLETE_MAX),
            svd_canary: rate(&SVD_CANARY_WINDOW_MS, &SVD_CANARY_MAX),
            auth_request: rate(&AUTH_REQUEST_WINDOW_MS, &AUTH_REQUEST_MAX),
            auth_submit: rate(&AUTH_SUBMIT_WINDOW_MS, &AUTH_SUBMIT_MAX),
            console_login: rate(&CONSOLE_LOGIN_WINDOW_MS, &CONSOLE_LOGIN_MAX),
        }
    }
}
