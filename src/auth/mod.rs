//! Who asks, and what they may do: pure words, no storage and no HTTP.
//!
//! Guarantees that a permission is one of a closed list. The traits at the bottom are how the
//! HTTP edge asks for a verdict on what a client presented; whoever keeps keys answers them.

pub mod account;
pub mod api_key;
pub mod device;
pub mod email_code;
mod principal;
pub mod pseudonym;
mod relaxed;
pub mod session;
pub mod svd;
pub mod token;

pub use relaxed::Relaxed;

pub use principal::{
    ApiKeys, Bearer, Permission, Principal, Scope, ScopeParseError, Scopes, Subject,
    TokenRejection, TokenScope, Tokens, permission,
};
