//! What stands on chain: one `OP_FALSE OP_RETURN` output that names the product, the kind of
//! commitment and the commitment.
//!
//! Pushes: `PatchProof`, one byte version‖kind, 32 bytes (commitment or Merkle root), for a batch
//! the tree size (8 bytes little-endian) and the state of the log of all commitments (40 bytes; batches
//! of before the log have none), and, where the operator publishes records, the record.

use crate::anchor::log::LogHead;
use crate::bitcoin::Script;
use crate::types::Digest;

const TAG: &[u8] = b"PatchProof";
const VERSION: u8 = 1;

/// What a transaction commits to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// The registration with this commitment.
    Register(Digest),
    /// The transfer with this commitment.
    Transfer(Digest),
    /// Many records: the root over their commitments.
    Batch {
        /// The RFC 9162 root.
        root: Digest,
        /// The number of leaves, without which the root proves too little.
        tree_size: u64,
        /// A state of the log of all commitments that has all of them in it; none in batches that
        /// were formed before there was a log, or while it could not be signed.
        log: Option<LogHead>,
    },
}

impl Payload {
    const fn kind(&self) -> u8 {
        match self {
            Self::Register(_) => 1,
            Self::Transfer(_) => 2,
            Self::Batch { .. } => 3,
        }
    }

    /// Makes the output's script; `record` is appended where the operator publishes records.
    pub fn to_script(&self, record: Option<&[u8]>) -> Script {
        let marker = [(VERSION << 4) | self.kind()];
        let (digest, tree_size, log) = match self {
            Self::Register(digest) | Self::Transfer(digest) => (digest, None, None),
            Self::Batch { root, tree_size, log } => {
                (root, Some(tree_size.to_le_bytes()), log.map(LogHead::to_bytes))
            }
        };
        let mut pushes: Vec<&[u8]> = vec![TAG, &marker, digest.as_bytes()];
        if let Some(size) = &tree_size {
            pushes.push(size);
        }
        if let Some(log) = &log {
            pushes.push(log);
        }
        if let Some(record) = record {
            pushes.push(record);
        }
        Script::data(&pushes)
    }

    /// Reads a payload from an output's script, or nothing if it is not one of ours.
    pub fn from_script(script: &Script) -> Option<Self> {
        let pushes = script.as_data()?;
        let [tag, [marker], digest, rest @ ..] = pushes.as_slice() else { return None };
        if *tag != TAG || *marker >> 4 != VERSION {
            return None;
        }
        let digest = Digest::from_bytes((*digest).try_into().ok()?);
        match (marker & 0x0f, rest) {
            (1, [] | [_]) => Some(Self::Register(digest)),
            (2, [] | [_]) => Some(Self::Transfer(digest)),
            (3, [size, rest @ ..]) => {
                let tree_size = u64::from_le_bytes((*size).try_into().ok()?);
                let log = match rest {
                    [] => None,
                    [head] => Some(LogHead::from_bytes(head)?),
                    _ => return None,
                };
                (tree_size > 0).then_some(Self::Batch { root: digest, tree_size, log })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogHead = LogHead { size: 258, root: Digest::from_bytes([0xcd; 32]) };

    #[test]
    fn payloads_read_back_and_strangers_do_not() {
        let digest = Digest::from_bytes([7; 32]);
        for payload in [
            Payload::Register(digest),
            Payload::Transfer(digest),
            Payload::Batch { root: digest, tree_size: 42, log: None },
            Payload::Batch { root: digest, tree_size: 42, log: Some(LOG) },
        ] {
            assert_eq!(Payload::from_script(&payload.to_script(None)), Some(payload));
        }
        let published = Payload::Register(digest).to_script(Some(b"{}"));
        assert_eq!(Payload::from_script(&published), Some(Payload::Register(digest)));
        for script in [
            Script::data(&[TAG]),
            Script::data(&[TAG, &[0x21], digest.as_bytes()]),
            Script::data(&[TAG, &[0x11], &[7; 31]]),
            Script::data(&[b"PatchProog", &[0x11], digest.as_bytes()]),
            Script::data(&[TAG, &[0x13], digest.as_bytes(), &[0; 8]]),
            Script::data(&[TAG, &[0x13], digest.as_bytes(), &[1; 8], &[0; 40]]),
            Script::data(&[TAG, &[0x13], digest.as_bytes(), &[1; 8], &[1; 39]]),
            Script::data(&[TAG, &[0x13], digest.as_bytes(), &[1; 8], &[1; 40], &[1; 40]]),
        ] {
            assert_eq!(Payload::from_script(&script), None, "{script:?}");
        }
    }

    #[test]
    fn the_bytes_on_chain_are_these() {
        let script = Payload::Register(Digest::from_bytes([0xab; 32])).to_script(None);
        assert_eq!(
            hex::encode(script.as_bytes()),
            format!("006a0a{}011120{}", hex::encode("PatchProof"), "ab".repeat(32))
        );
        let batch =
            Payload::Batch { root: Digest::from_bytes([0xab; 32]), tree_size: 3, log: Some(LOG) };
        let tree = format!("20{}080300000000000000", "ab".repeat(32));
        let log = format!("280201000000000000{}", "cd".repeat(32));
        assert_eq!(
            hex::encode(batch.to_script(None).as_bytes()),
            format!("006a0a{}0113{tree}{log}", hex::encode("PatchProof"))
        );
    }
}
