//! What the product does: each service owns the ports it needs and decides all input and output.
//!
//! Rules live below (pure), HTTP above. A service takes the time once per call, hands the store one
//! closure per state change, and talks to signer and network only outside of closures.

pub mod anchoring;
pub mod funding;
pub mod headers;
pub mod idempotency;
pub mod keys;
pub mod listing;
pub mod pending;
pub mod progress;
pub mod readiness;
pub mod registration;
pub mod transfer;
pub mod unlock;
pub mod verification;
