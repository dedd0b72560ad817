//! The bundle in so few bytes that a QR code holds it: CBOR, raw deflate, base45, with `PP1:` before it.
//!
//! The same evidence in another spelling: a bundle comes back exactly as it was, and is then checked as
//! every bundle is. Left out is only what follows from the rest (statuses, issuers, identifiers of
//! transactions that are there, commitments, roots). docs/COMPACT_PROOF.md has the layout.
//!
//! The CBOR of a bundle has one spelling, anything else is refused. Deflate has many; that layer is
//! an envelope without meaning, so that a reader need not compress as we do.

mod base45;
mod json;
mod layout;
mod read;
mod references;
mod statement;
#[cfg(test)]
mod tests;
mod write;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

pub use json::CompactJson;

use crate::proof::compact::layout::Proof;
use crate::proof::{Bundle, BundleError};

/// What a compact proof in text begins with.
pub const PREFIX: &str = "PP1:";
/// The most that a compact proof may unfold to, in bytes of CBOR and of transactions: fifteen times what
/// the largest QR code holds.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// A bundle that has no compact form, or what is none.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// The text does not begin as one.
    #[error("a compact proof begins with {PREFIX}")]
    Prefix,
    /// A character or group that base45 does not have.
    #[error("the compact proof is not base45")]
    Base45,
    /// Not one whole deflate stream, or bytes after it.
    #[error("the compact proof is not one deflate stream")]
    Deflate,
    /// Too long, folded or unfolded.
    #[error("a compact proof unfolds to at most {MAX_BYTES} bytes")]
    TooLarge,
    /// Not the CBOR of the layout.
    #[error("the compact proof does not follow its layout: {0}")]
    Cbor(String),
    /// A later layout.
    #[error("the compact proof has layout {0}; this program reads layout 1")]
    Layout(u8),
    /// A reference to what is not known at its place.
    #[error("the compact proof refers to value {0}, which is not known there")]
    Reference(u64),
    /// A part that is none.
    #[error("{0}")]
    Part(&'static str),
    /// Written in another way than a bundle is.
    #[error("a value of the compact proof is not spelled as it is written")]
    Spelling,
    /// Parts that do not fit together.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A bundle that does not come back as it was; no bundle that was read is.
    #[error("the bundle has no compact form")]
    Unfit,
}

impl Bundle {
    /// Returns the compact form as bytes.
    pub fn to_compact_bytes(&self) -> Result<Vec<u8>, CompactError> {
        let cbor = to_cbor(self)?;
        // Whoever holds nothing but the compact form must be able to read it.
        if from_cbor(&cbor)? == *self { Ok(deflate(&cbor)) } else { Err(CompactError::Unfit) }
    }

    /// Returns the compact form as the text of a QR code: [`PREFIX`] and base45.
    pub fn to_compact_text(&self) -> Result<String, CompactError> {
        Ok(format!("{PREFIX}{}", base45::encode(&self.to_compact_bytes()?)))
    }

    /// Reads the compact form from bytes.
    pub fn from_compact_bytes(bytes: &[u8]) -> Result<Self, CompactError> {
        from_cbor(&inflate(bytes)?)
    }

    /// Reads the compact form from the text of a QR code.
    pub fn from_compact_text(text: &str) -> Result<Self, CompactError> {
        let folded = text.strip_prefix(PREFIX).ok_or(CompactError::Prefix)?;
        // Deflate makes nothing longer than a few bytes in a thousand.
        if folded.len() > 2 * MAX_BYTES {
            return Err(CompactError::TooLarge);
        }
        Self::from_compact_bytes(&base45::decode(folded)?)
    }
}

fn to_cbor(bundle: &Bundle) -> Result<Vec<u8>, CompactError> {
    let cbor = minicbor::to_vec(write::lay_out(bundle)?)
        .map_err(|error| CompactError::Cbor(error.to_string()))?;
    if cbor.len() > MAX_BYTES { Err(CompactError::TooLarge) } else { Ok(cbor) }
}

fn from_cbor(cbor: &[u8]) -> Result<Bundle, CompactError> {
    let proof: Proof =
        minicbor::decode(cbor).map_err(|error| CompactError::Cbor(error.to_string()))?;
    let bundle = read::read(&proof)?;
    if bundle.records.is_empty() {
        return Err(CompactError::Part("a bundle has at least one record"));
    }
    bundle.check_contents()?;
    // Whatever is written again the same way has one spelling: nothing hides in another.
    if to_cbor(&bundle)? == cbor { Ok(bundle) } else { Err(CompactError::Spelling) }
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut stream = Compress::new(Compression::best(), false);
    // Stored blocks, the worst case, add five bytes to every 65,535.
    let mut folded = Vec::with_capacity(bytes.len() + 64);
    let status = stream.compress_vec(bytes, &mut folded, FlushCompress::Finish);
    assert!(matches!(status, Ok(Status::StreamEnd)), "deflate fits its worst case");
    folded
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, CompactError> {
    let mut stream = Decompress::new(false);
    let mut unfolded = Vec::with_capacity(MAX_BYTES + 1);
    let status = stream.decompress_vec(bytes, &mut unfolded, FlushDecompress::Finish);
    let is_whole = stream.total_in() == bytes.len() as u64;
    match status {
        _ if unfolded.len() > MAX_BYTES => Err(CompactError::TooLarge),
        Ok(Status::StreamEnd) if is_whole => Ok(unfolded),
        Ok(_) | Err(_) => Err(CompactError::Deflate),
    }
}
