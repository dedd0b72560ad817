//! The compact proof as CBOR, as docs/COMPACT_PROOF.md has it: arrays, in which what is often missing
//! comes last, and a map with small numbers for names where much may be missing.

use minicbor::{Decode, Encode};

use crate::proof::compact::references::Pieces;

/// The version of the layout.
pub(super) const LAYOUT: u8 = 1;

/// The whole proof.
#[derive(Debug, Encode, Decode)]
pub(super) struct Proof {
    /// [`LAYOUT`].
    #[n(0)]
    pub(super) layout: u8,
    /// 0 main, 1 test.
    #[n(1)]
    pub(super) network: u8,
    /// The product's tag.
    #[n(2)]
    pub(super) uid: String,
    /// The public keys that occur, 33 bytes each, in the order in which they first do.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(super) keys: Vec<u8>,
    /// The events.
    #[n(4)]
    pub(super) records: Vec<Record>,
    /// The transactions of the BEEF in their order, then those whose ancestors are not proved.
    #[n(5)]
    pub(super) transactions: Vec<Pieces>,
    /// The Merkle paths of the BEEF in their order.
    #[n(6)]
    pub(super) paths: Vec<Path>,
    /// The headers, 80 bytes each, in the order of their heights, which the paths tell.
    #[n(7)]
    pub(super) headers: Vec<Pieces>,
    /// How many of the transactions belong to the second kind, if any.
    #[n(8)]
    pub(super) loose: Option<u64>,
}

/// One event.
#[derive(Debug, Encode, Decode)]
pub(super) struct Record {
    /// Which transaction carries it.
    #[n(0)]
    pub(super) carrier: Option<u64>,
    /// The random bytes of the commitment; there unless the content was erased.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) salt: Option<[u8; 16]>,
    /// The issuer's signature, r ‖ s.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(super) issuer_signature: Option<[u8; 64]>,
    /// What the record says, where that gives its canonical bytes again.
    #[n(3)]
    pub(super) statement: Option<Statement>,
    /// The way to the root of the tree.
    #[n(4)]
    pub(super) inclusion: Option<Inclusion>,
    /// The commitment, where salt and record do not give it.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub(super) commitment: Option<[u8; 32]>,
    /// Otherwise than by a statement: its canonical bytes.
    #[n(6)]
    pub(super) text: Option<String>,
}

/// What a record says beside network and tag, which the proof has.
#[derive(Debug, Encode, Decode)]
#[cbor(map)]
pub(super) struct Statement {
    /// 0 registration, 1 transfer.
    #[n(0)]
    pub(super) purpose: u8,
    #[n(1)]
    pub(super) name: Option<String>,
    #[n(2)]
    pub(super) category: Option<String>,
    #[n(3)]
    pub(super) sku: Option<String>,
    #[n(4)]
    pub(super) serial_number: Option<String>,
    #[n(5)]
    pub(super) material: Option<String>,
    #[n(6)]
    pub(super) notes: Option<String>,
    #[n(7)]
    pub(super) image: Option<String>,
    #[n(8)]
    pub(super) patch_location: Option<String>,
    /// RIPEMD-160(SHA-256(key)) of the owner's address.
    #[n(9)]
    pub(super) owner: Pieces,
    /// The issuer's key.
    #[n(10)]
    pub(super) issuer: Pieces,
    /// Milliseconds since 1970.
    #[n(11)]
    pub(super) issued_at: i64,
    /// The event before: transaction (bytes as hashed), commitment, its owner's key and signature.
    #[n(12)]
    pub(super) previous: Option<Previous>,
}

/// The event before, in a transfer.
#[derive(Debug, Encode, Decode)]
pub(super) struct Previous {
    #[n(0)]
    pub(super) txid: Pieces,
    #[n(1)]
    pub(super) commitment: Pieces,
    #[n(2)]
    pub(super) owner_public_key: Pieces,
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(super) owner_signature: [u8; 64],
}

/// The way from a commitment to the root of its tree.
#[derive(Debug, Encode, Decode)]
pub(super) struct Inclusion {
    #[n(0)]
    pub(super) leaf_index: u64,
    #[n(1)]
    pub(super) tree_size: u64,
    /// 32 bytes each.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(super) path: Vec<u8>,
}

/// A Merkle path of a block.
#[derive(Debug, Encode, Decode)]
#[cbor(flat)]
pub(super) enum Path {
    /// Of one transaction, with a hash on every level.
    #[n(0)]
    One {
        #[n(0)]
        height: u32,
        /// Which transaction.
        #[n(1)]
        transaction: u64,
        /// Its place in the block.
        #[n(2)]
        index: u64,
        /// 32 bytes each, from the lowest level up.
        #[cbor(n(3), with = "minicbor::bytes")]
        nodes: Vec<u8>,
    },
    /// Any other, as BUMP (BRC-74).
    #[n(1)]
    Bump {
        #[n(0)]
        bump: Pieces,
    },
}
