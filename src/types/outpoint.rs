//! A reference to one output of one transaction.

use std::fmt;
use std::str::FromStr;

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

/// Text that names no output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an output is written as its transaction, a colon and its number")]
pub struct OutPointParseError;

impl FromStr for OutPoint {
    type Err = OutPointParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (txid, vout) = text.split_once(':').ok_or(OutPointParseError)?;
        let txid = txid.parse().map_err(|_| OutPointParseError)?;
        let vout: u32 = vout.parse().map_err(|_| OutPointParseError)?;
        let named = Self { txid, vout };
        // One output has one name: no signs, no leading zeros.
        if named.to_string() == text { Ok(named) } else { Err(OutPointParseError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_has_one_name() {
        let named = OutPoint::new(Txid::from_bytes([7; 32]), 10);
        let text = named.to_string();
        assert_eq!(text.parse(), Ok(named));
        for wrong in
            [text.replace(":10", ""), text.replace(":10", ":+10"), text.replace(":10", ":010")]
        {
            assert_eq!(wrong.parse::<OutPoint>(), Err(OutPointParseError), "{wrong}");
        }
    }
}
