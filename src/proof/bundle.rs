//! The proof bundle: what is in it, and that it has one meaning.
//!
//! Read strictly: unknown members, members given twice, values in another spelling (capital
//! hexadecimal digits, empty lists that should be left out) and parts that do not fit together are
//! refused. Space between values and the order of members carry no meaning, so any JSON tool may
//! rewrite the file; [`Bundle::to_bytes`] writes RFC 8785. Whether what it says is true,
//! [`crate::proof::verify`] finds out.

use crate::anchor::canonical::{CanonicalError, to_canonical_bytes};
use crate::anchor::commitment::Salt;
use crate::anchor::merkle::InclusionProof;
use crate::bitcoin::{Beef, BlockHeader, Transaction};
use crate::crypto::{PublicKey, Signature};
use crate::patch::record::AuthenticationRecord;
use crate::patch::tag::UidTag;
use crate::proof::contents::Carriers;
use crate::proof::wire::{BundleJson, VERSION};
use crate::types::{BlockHash, Digest, Network, Txid};

/// How far a record has come, as its bundle shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordStatus {
    /// Its transaction is proved to be in a block.
    Mined,
    /// Its transaction is signed, and in no block that the bundle proves.
    Unconfirmed,
    /// It has no transaction yet.
    Unsent,
}

/// What a record says, with what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The record's canonical bytes, as they were signed.
    pub record: String,
    /// The random bytes of its commitment.
    pub salt: Salt,
    /// The issuer's signature over SHA-256 of the canonical bytes, once there is one.
    pub issuer_signature: Option<Signature>,
}

/// One event of a product's custody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundledRecord {
    /// What it says; nothing if that was erased.
    pub content: Option<Content>,
    /// SHA-256(salt ‖ canonical bytes): what the chain holds.
    pub commitment: Digest,
    /// The transaction that carries the commitment, or the root of the tree that does.
    pub txid: Option<Txid>,
    /// The way from the commitment to that root, where many records share a transaction.
    pub inclusion: Option<InclusionProof>,
}

/// The header of a block that a transaction of the bundle is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BundledHeader {
    /// The block's height. A header does not hold it: only headers from elsewhere prove it.
    pub height: u32,
    /// The header.
    pub header: BlockHeader,
}

/// A product's custody with everything that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The network of its addresses and transactions.
    pub network: Network,
    /// The product's tag.
    pub uid: UidTag,
    /// Its events, oldest first; at least one.
    pub records: Vec<BundledRecord>,
    /// The transactions that carry them with their ancestors, down to Merkle paths.
    pub beef: Option<Beef>,
    /// Carrying transactions whose ancestors are not proved yet, in the order of the records.
    pub transactions: Vec<Transaction>,
    /// The headers of the blocks that the paths lead to, in the order of their heights.
    pub headers: Vec<BundledHeader>,
}

/// Bytes that are no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// No JSON, or not of this shape.
    #[error("this is no proof bundle: {0}")]
    Json(#[from] serde_json::Error),
    /// A later format.
    #[error("the bundle has version {0}; this program reads version {VERSION}")]
    Version(u32),
    /// A value is spelled in another way than it is written.
    #[error("a value of the bundle is not spelled as it is written")]
    Spelling,
    /// Parts that do not fit together.
    #[error("record {index}: {reason}")]
    Record {
        /// The record's place, from 0.
        index: usize,
        /// What does not fit.
        reason: &'static str,
    },
    /// The same for the whole.
    #[error("{0}")]
    Whole(&'static str),
    /// Cannot be written, which no bundle that was read can cause.
    #[error("the bundle cannot be written")]
    Unwritable(#[source] CanonicalError),
}

impl Bundle {
    /// Reads a bundle.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let json: BundleJson = serde_json::from_slice(bytes)?;
        if json.version != VERSION {
            return Err(BundleError::Version(json.version));
        }
        let bundle = Self::try_from(json)?;
        // Whatever was read twice the same way has one spelling: nothing hides in another.
        let value: serde_json::Value = serde_json::from_slice(bytes)?;
        let given = to_canonical_bytes(&value).map_err(BundleError::Unwritable)?;
        if given == bundle.to_bytes()? { Ok(bundle) } else { Err(BundleError::Spelling) }
    }

    /// Writes the bundle as RFC 8785 JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        to_canonical_bytes(&BundleJson::from(self)).map_err(BundleError::Unwritable)
    }

    /// Returns how far each record has come, by the bundle's own evidence.
    pub fn statuses(&self) -> Vec<RecordStatus> {
        let carriers = Carriers::of(self);
        let status = |record: &BundledRecord| match record.txid {
            None => RecordStatus::Unsent,
            Some(txid) if carriers.path_of(&txid).is_some() => RecordStatus::Mined,
            Some(_) => RecordStatus::Unconfirmed,
        };
        self.records.iter().map(status).collect()
    }

    /// Returns the block of each record, where the bundle proves one.
    pub fn blocks(&self) -> Vec<Option<BundledHeader>> {
        let carriers = Carriers::of(self);
        let block = |record: &BundledRecord| {
            let height = carriers.path_of(&record.txid?)?.block_height();
            self.headers.iter().find(|block| block.height == height).copied()
        };
        self.records.iter().map(block).collect()
    }

    /// Says whether every record is in a block, so that there is nothing to wait for.
    pub fn is_complete(&self) -> bool {
        self.statuses().iter().all(|status| *status == RecordStatus::Mined)
    }

    /// Lists the keys that signed, in the order in which they first did, as the records name them.
    pub fn issuers(&self) -> Vec<PublicKey> {
        let mut issuers = Vec::new();
        for content in self.records.iter().filter_map(|record| record.content.as_ref()) {
            if let Some(issuer) = content.issuer().filter(|issuer| !issuers.contains(issuer)) {
                issuers.push(issuer);
            }
        }
        issuers
    }

    /// Takes over what `older`, a bundle of the same product, still says of records that were erased
    /// since. Says whether `older` is the beginning of this one; if it is not, nothing is taken.
    #[must_use]
    pub fn continues(&mut self, older: &Self) -> bool {
        let is_same = self.uid == older.uid && self.network == older.network;
        let is_beginning = self.records.len() >= older.records.len()
            && older.records.iter().zip(&self.records).all(|(a, b)| a.commitment == b.commitment);
        if !(is_same && is_beginning) {
            return false;
        }
        for (record, before) in self.records.iter_mut().zip(&older.records) {
            if record.content.is_none() {
                record.content.clone_from(&before.content);
            }
        }
        true
    }
}

impl Content {
    /// Returns the issuer that the record names, if it can be read.
    fn issuer(&self) -> Option<PublicKey> {
        let record: AuthenticationRecord = serde_json::from_str(&self.record).ok()?;
        Some(record.auth.issuer)
    }
}

impl BundledHeader {
    /// Returns the block's identifier.
    pub fn hash(&self) -> BlockHash {
        self.header.hash()
    }
}
