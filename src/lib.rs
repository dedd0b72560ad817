//! PatchProof: registers physical products, keeps their chain of custody, anchors every record on
//! the BSV blockchain and lets anyone check it.
//!
//! The modules are floors of a house; imports point down only (docs/ARCHITECTURE.md has the table,
//! `tests/architecture.rs` enforces it).

pub mod anchor;
pub mod app;
pub mod auth;
pub mod bitcoin;
pub mod certificate;
pub mod chain;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod http;
pub mod mail;
pub mod outbound;
pub mod patch;
pub mod proof;
pub mod service;
pub mod signer;
pub mod simnet;
pub mod storage;
pub mod telemetry;
pub mod types;
pub mod wallet;
pub mod worker;
