//! PatchProof: registers physical products, keeps their chain of custody, anchors every record on
//! the BSV blockchain and lets anyone check it.
//!
//! The modules are floors of a house; imports point down only (docs/ARCHITECTURE.md has the table,
//! `tests/architecture.rs` enforces it).

pub mod bitcoin;
pub mod chain;
pub mod crypto;
pub mod signer;
pub mod simnet;
pub mod types;
