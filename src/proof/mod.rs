//! Portable proofs: a product's custody as one file that anybody checks without asking us. Pure.
//!
//! A floor of its own above `patch` and `anchor`, because a proof joins what these two may not know
//! of each other: records and who signed them, commitments and the chain that holds them.
//! [`Bundle`] is the file, [`verify`] the check, [`Report`] what it says; docs/BUNDLE.md explains.

mod bundle;
mod contents;
mod events;
#[cfg(test)]
pub(crate) mod fixture;
mod known_chain;
mod report;
#[cfg(test)]
mod tests;
mod verification;
mod wire;

pub use bundle::{Bundle, BundleError, BundledHeader, BundledRecord, Content, RecordStatus};
pub use known_chain::{KnownChain, KnownChainError};
pub use report::{BlockReport, EventReport, Outcome, Report, Step, Verdict};
pub use verification::{Trust, verify, verify_bytes};
pub use wire::VERSION;
