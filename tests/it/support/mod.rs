//! The product in this process, everything outside of it within reach, and clients of it.
//!
//! The store is real and in memory, the network is `simnet` behind HTTP, the signer is the shipped
//! one behind HTTP. Every test owns all of it; nothing is shared and nothing has a fixed port.

pub(crate) mod answer;
pub(crate) mod app;
pub(crate) mod call;
pub(crate) mod clients;
pub(crate) mod clock;
pub(crate) mod listener;
pub(crate) mod outside;
pub(crate) mod post_office;
pub(crate) mod redaction;
pub(crate) mod schema;
pub(crate) mod staff;
pub(crate) mod store;
