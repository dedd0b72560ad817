//! What is committed to the chain and what happens to a record on its way there. Pure.
//!
//! [`canonical`] bytes → salted [`commitment`] → [`payload`] of a transaction (or, many at once, a
//! [`merkle`] root) → [`lifecycle`] until it is buried. Beside it the [`log`] of all that was accepted.

pub mod canonical;
pub mod commitment;
pub mod lifecycle;
pub mod log;
pub mod merkle;
pub mod payload;
