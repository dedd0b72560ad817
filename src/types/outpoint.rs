//! A reference to one output of one transaction.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::Txid;

/// One output of one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OutPoint {
    /// The transaction that made the output.
    pub txid: Txid,
    /// The output's place in it, from 0.
    pub vout: u32,
}

impl OutPoint {
    /// Names output `vout` of `txid`.
    pub const fn new(txid: Txid, vout: u32) -> Self {
        Self { txid, vout }
    }

    /// Returns the 36 bytes of the reference as they stand in a transaction input.
    pub fn to_bytes(self) -> [u8; 36] {
        let mut bytes = [0u8; 36];
        bytes[..32].copy_from_slice(self.txid.as_bytes());
        bytes[32..].copy_from_slice(&self.vout.to_le_bytes());
        bytes
    }

    /// Reads the 36 bytes of a reference.
    pub fn from_bytes(bytes: &[u8; 36]) -> Self {
        let mut txid = [0u8; 32];
        txid.copy_from_slice(&bytes[..32]);
        let mut vout = [0u8; 4];
        vout.copy_from_slice(&bytes[32..]);
        Self { txid: Txid::from_bytes(txid), vout: u32::from_le_bytes(vout) }
    }
}

impl fmt::Display for OutPoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.txid, self.vout)
    }
}
