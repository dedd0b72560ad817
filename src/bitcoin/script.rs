//! Scripts: the two forms this product makes (P2PKH and `OP_FALSE OP_RETURN` data) and their parts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::crypto::{PublicKey, Signature};

const OP_0: u8 = 0x00;
const OP_PUSHDATA1: u8 = 0x4c;
const OP_PUSHDATA2: u8 = 0x4d;
const OP_PUSHDATA4: u8 = 0x4e;
const OP_RETURN: u8 = 0x6a;
const OP_DUP: u8 = 0x76;
const OP_EQUALVERIFY: u8 = 0x88;
const OP_HASH160: u8 = 0xa9;
const OP_CHECKSIG: u8 = 0xac;

/// The longest push this product makes or reads.
pub const MAX_PUSH: usize = 1 << 20;

/// The bytes of a locking or unlocking script.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Script(Vec<u8>);

impl Script {
    /// Wraps raw script bytes.
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Returns the script's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Makes the script that pays to a key's hash.
    pub fn pay_to_public_key_hash(hash: &[u8; 20]) -> Self {
        let mut bytes = Vec::with_capacity(25);
        bytes.extend_from_slice(&[OP_DUP, OP_HASH160, 20]);
        bytes.extend_from_slice(hash);
        bytes.extend_from_slice(&[OP_EQUALVERIFY, OP_CHECKSIG]);
        Self(bytes)
    }

    /// Makes an unspendable data script: `OP_FALSE OP_RETURN` and one push each.
    pub fn data(pushes: &[&[u8]]) -> Self {
        let mut bytes = vec![OP_0, OP_RETURN];
        for push in pushes {
            push_bytes(&mut bytes, push);
        }
        Self(bytes)
    }

    /// Makes the unlocking script of a P2PKH output.
    pub fn unlock_public_key_hash(
        signature: &Signature,
        sighash_type: u8,
        key: &PublicKey,
    ) -> Self {
        let mut signed = signature.to_der();
        signed.push(sighash_type);
        let mut bytes = Vec::with_capacity(108);
        push_bytes(&mut bytes, &signed);
        push_bytes(&mut bytes, &key.to_bytes());
        Self(bytes)
    }

    /// Returns the key hash if this is exactly the P2PKH form.
    pub fn as_public_key_hash(&self) -> Option<[u8; 20]> {
        match self.0.as_slice() {
            [OP_DUP, OP_HASH160, 20, hash @ .., OP_EQUALVERIFY, OP_CHECKSIG] => {
                hash.try_into().ok()
            }
            _ => None,
        }
    }

    /// Returns the pushes if this is a data script that begins `OP_FALSE OP_RETURN`.
    pub fn as_data(&self) -> Option<Vec<&[u8]>> {
        let mut rest = self.0.strip_prefix(&[OP_0, OP_RETURN])?;
        let mut pushes = Vec::new();
        while !rest.is_empty() {
            let (push, left) = split_push(rest)?;
            pushes.push(push);
            rest = left;
        }
        Some(pushes)
    }

    /// Says whether the script begins `OP_FALSE OP_RETURN`, so that nobody can ever spend it.
    pub fn is_data(&self) -> bool {
        self.0.starts_with(&[OP_0, OP_RETURN])
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Script({})", hex::encode(&self.0))
    }
}

/// Appends `data` with the shortest push opcode for its length.
fn push_bytes(out: &mut Vec<u8>, data: &[u8]) {
    let length = data.len();
    let little = (length as u64).to_le_bytes();
    match length {
        0..=75 => out.push(little[0]),
        76..=0xff => out.extend_from_slice(&[OP_PUSHDATA1, little[0]]),
        0x100..=0xffff => out.extend_from_slice(&[OP_PUSHDATA2, little[0], little[1]]),
        _ => {
            out.push(OP_PUSHDATA4);
            out.extend_from_slice(&little[..4]);
        }
    }
    out.extend_from_slice(data);
}

/// Splits one push off the front, or nothing if the script goes on with another opcode.
fn split_push(script: &[u8]) -> Option<(&[u8], &[u8])> {
    let (opcode, rest) = script.split_first()?;
    let (length, rest) = match *opcode {
        direct @ 0..=75 => (usize::from(direct), rest),
        OP_PUSHDATA1 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length), rest)
        }
        OP_PUSHDATA2 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        OP_PUSHDATA4 => {
            let (length, rest) = rest.split_first_chunk::<4>()?;
            (usize::try_from(u32::from_le_bytes(*length)).ok()?, rest)
        }
        _ => return None,
    };
    if length > MAX_PUSH {
        return None;
    }
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_scripts_read_back_what_they_were_made_of() {
        for length in [0usize, 1, 75, 76, 255, 256, 65_535, 65_536] {
            let push = vec![0x5a; length];
            let script = Script::data(&[b"PatchProof", &push]);
            assert_eq!(script.as_data(), Some(vec![&b"PatchProof"[..], &push[..]]), "{length}");
        }
        assert!(Script::data(&[]).as_bytes() == [0x00, 0x6a]);
    }

    #[test]
    fn only_the_exact_form_is_p2pkh() {
        let script = Script::pay_to_public_key_hash(&[9; 20]);
        assert_eq!(script.as_public_key_hash(), Some([9; 20]));
        let mut longer = script.as_bytes().to_vec();
        longer.push(OP_CHECKSIG);
        assert_eq!(Script::from_bytes(longer).as_public_key_hash(), None);
        assert!(!Script::from_bytes(vec![OP_RETURN]).is_data(), "a bare OP_RETURN is spendable");
    }
}
