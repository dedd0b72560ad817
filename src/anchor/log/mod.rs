//! The log of all commitments: an RFC 9162 tree that only grows, and what is said of it. Pure.
//!
//! [`tree`] makes roots and proofs of what is stored in blocks of 256 and checks consistency;
//! [`note`] writes and reads signed checkpoints (C2SP tlog-checkpoint, signed-note); [`tile`] names
//! the static files of C2SP tlog-tiles. docs/LOG.md tells it in prose.

pub mod note;
pub mod tile;
pub mod tree;

use serde::{Deserialize, Serialize};

use crate::types::Digest;

/// The bytes of a head on chain: size (8, little-endian), root (32).
pub const HEAD_BYTES: usize = 40;

/// The state of the log at one moment: what its first `size` leaves are, no more and no less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHead {
    /// The number of leaves, at least 1.
    pub size: u64,
    /// The RFC 9162 root over them.
    pub root: Digest,
}

impl LogHead {
    /// Returns the bytes that stand on chain.
    pub fn to_bytes(self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..8].copy_from_slice(&self.size.to_le_bytes());
        bytes[8..].copy_from_slice(self.root.as_bytes());
        bytes
    }

    /// Reads what stands on chain; nothing if it is no head of a log with a leaf.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (size, root) = bytes.split_first_chunk::<8>()?;
        let size = u64::from_le_bytes(*size);
        let root = Digest::from_bytes(root.try_into().ok()?);
        (size > 0).then_some(Self { size, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_read_back_and_others_do_not() {
        let head = LogHead { size: 258, root: Digest::from_bytes([7; 32]) };
        assert_eq!(hex::encode(&head.to_bytes()[..8]), "0201000000000000");
        assert_eq!(LogHead::from_bytes(&head.to_bytes()), Some(head));
        assert_eq!(LogHead::from_bytes(&head.to_bytes()[..39]), None);
        assert_eq!(LogHead::from_bytes(&[0; 40]), None);
        assert_eq!(LogHead::from_bytes(&[1; 41]), None);
    }
}
