//! The compact proof in JSON, for whoever passes JSON on: the text of the QR code under a name.

use serde::{Deserialize, Serialize};

use crate::anchor::canonical::to_canonical_bytes;
use crate::proof::compact::CompactError;
use crate::proof::{Bundle, BundleError};

/// A compact proof as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompactJson {
    format: FormatName,
    proof: String,
    version: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum FormatName {
    #[serde(rename = "patchproof-compact")]
    Compact,
}

impl CompactJson {
    /// Makes the compact proof of a bundle.
    pub fn new(bundle: &Bundle) -> Result<Self, CompactError> {
        let proof = bundle.to_compact_text()?;
        Ok(Self { format: FormatName::Compact, proof, version: 1 })
    }

    /// Reads one; nothing if the bytes are of another format.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Writes RFC 8785 JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CompactError> {
        to_canonical_bytes(self).map_err(|error| BundleError::Unwritable(error).into())
    }

    /// Returns the bundle.
    pub fn bundle(&self) -> Result<Bundle, CompactError> {
        if self.version == 1 {
            Bundle::from_compact_text(&self.proof)
        } else {
            Err(CompactError::Layout(self.version))
        }
    }
}
