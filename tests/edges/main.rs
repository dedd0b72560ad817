//! The outbound edges over real HTTP: a signer and a network endpoint that misbehave, the signer's
//! own face, and the keystore's file.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod arc;
mod hostile_network;
mod hostile_signer;
mod keystore;
mod network;
mod signer_server;
mod stub;
