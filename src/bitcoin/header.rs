//! Block headers and proof of work.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bitcoin::codec::{CodecError, Reader};
use crate::crypto::sha256d;
use crate::types::{BlockHash, ChainProfile, Digest, Network};

/// Why a header proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not 80 bytes.
    #[error("a header has 80 bytes")]
    Codec(#[from] CodecError),
    /// The compact target is negative, zero or beyond 256 bits.
    #[error("the target {0:#010x} is not valid")]
    BadTarget(u32),
    /// The target is easier than the network allows.
    #[error("the target {0:#010x} is easier than the network allows")]
    TooEasy(u32),
    /// The hash is above the target.
    #[error("the hash is above the target: no work was done")]
    NoWork,
    /// Much less work than the headers before, which the network does not allow.
    #[error("the work is less than a quarter of the average of the 144 blocks before")]
    WorkDropped,
}

/// The expected number of hashes behind a header or chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Work(u128);

impl Work {
    /// The least work there is: one hash.
    pub const ONE: Self = Self(1);
    /// Where a chain is counted from whose beginning is not known: headers below its first one can
    /// be given less. Far above any real chain's work, far below the end of the numbers.
    pub const UNKNOWN_BEGINNING: Self = Self(1 << 120);

    /// Returns this work so many times over; far beyond any real chain it saturates.
    #[must_use]
    pub const fn times(self, count: u128) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// Returns the work of this chain without its last header's `own`, if it has as much.
    #[must_use]
    pub const fn without(self, own: Self) -> Option<Self> {
        match self.0.checked_sub(own.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }

    /// Returns the work of this chain with `other` on top; far beyond any real chain it saturates.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:064x}", self.0)
    }
}

/// A block header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockHeader {
    /// The block version.
    pub version: u32,
    /// The block before.
    pub previous: BlockHash,
    /// The Merkle root of the block's transactions, bytes as hashed.
    pub merkle_root: Digest,
    /// The miner's clock in unix seconds: up to two hours ahead, not exact.
    pub time: u32,
    /// The target in compact form.
    pub bits: u32,
    /// The number that was searched for.
    pub nonce: u32,
}

impl BlockHeader {
    /// Reads the 80 bytes of a header.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let mut reader = Reader::new(bytes);
        let header = Self {
            version: reader.u32()?,
            previous: BlockHash::from_bytes(reader.array()?),
            merkle_root: Digest::from_bytes(reader.array()?),
            time: reader.u32()?,
            bits: reader.u32()?,
            nonce: reader.u32()?,
        };
        reader.finish()?;
        Ok(header)
    }

    /// Returns the 80 bytes.
    pub fn to_bytes(&self) -> [u8; 80] {
        let mut out = [0u8; 80];
        out[..4].copy_from_slice(&self.version.to_le_bytes());
        out[4..36].copy_from_slice(self.previous.as_bytes());
        out[36..68].copy_from_slice(self.merkle_root.as_bytes());
        out[68..72].copy_from_slice(&self.time.to_le_bytes());
        out[72..76].copy_from_slice(&self.bits.to_le_bytes());
        out[76..].copy_from_slice(&self.nonce.to_le_bytes());
        out
    }

    /// Returns the block's identifier.
    pub fn hash(&self) -> BlockHash {
        BlockHash::from_bytes(sha256d(&self.to_bytes()))
    }

    /// Checks that the hash meets a target that `profile` allows, and returns the work it stands for.
    pub fn check_work(&self, profile: ChainProfile) -> Result<Work, HeaderError> {
        let target = expand_target(self.bits).ok_or(HeaderError::BadTarget(self.bits))?;
        let easiest = expand_target(profile.easiest_bits()).unwrap_or([0; 32]);
        if target > easiest {
            return Err(HeaderError::TooEasy(self.bits));
        }
        let mut hash = self.hash().to_bytes();
        hash.reverse();
        if hash > target { Err(HeaderError::NoWork) } else { Ok(work_of(&target)) }
    }
}

/// Expands a compact target to 32 bytes big-endian; nothing if negative, zero or too large.
fn expand_target(bits: u32) -> Option<[u8; 32]> {
    let [exponent, mantissa @ ..] = bits.to_be_bytes();
    if mantissa[0] & 0x80 != 0 {
        return None;
    }
    let mut target = [0u8; 32];
    // The number is mantissa * 256^(exponent - 3); places count from the lowest byte.
    for (index, byte) in mantissa.into_iter().enumerate() {
        let Some(place) = usize::from(exponent).checked_sub(index + 1) else { continue };
        match 31usize.checked_sub(place) {
            Some(position) => target[position] = byte,
            None if byte != 0 => return None,
            None => {}
        }
    }
    target.iter().any(|byte| *byte != 0).then_some(target)
}

/// Returns 2^256 / (target + 1), rounded down, computed as ~target / (target + 1) + 1.
fn work_of(target: &[u8; 32]) -> Work {
    // Long division bit by bit: the quotient of a difficulty-1 target or harder fits 128 bits for
    // any chain that can exist; easier targets give small numbers.
    let mut divisor = *target;
    let overflow = increment(&mut divisor);
    if overflow {
        return Work(1);
    }
    let mut remainder = [0u8; 32];
    let mut quotient: u128 = 0;
    for bit in 0..256usize {
        let incoming = (!target[bit / 8] >> (7 - bit % 8)) & 1;
        let carried = shift_left(&mut remainder, incoming);
        quotient = quotient.saturating_mul(2);
        if carried || remainder >= divisor {
            subtract(&mut remainder, &divisor);
            quotient = quotient.saturating_add(1);
        }
    }
    Work(quotient.saturating_add(1))
}

fn increment(number: &mut [u8; 32]) -> bool {
    for byte in number.iter_mut().rev() {
        let (next, overflow) = byte.overflowing_add(1);
        *byte = next;
        if !overflow {
            return false;
        }
    }
    true
}

fn shift_left(number: &mut [u8; 32], incoming: u8) -> bool {
    let mut carry = incoming;
    for byte in number.iter_mut().rev() {
        let next = *byte >> 7;
        *byte = (*byte << 1) | carry;
        carry = next;
    }
    carry != 0
}

fn subtract(number: &mut [u8; 32], other: &[u8; 32]) {
    let mut borrow = false;
    for (byte, taken) in number.iter_mut().zip(other).rev() {
        let (first, under) = byte.overflowing_sub(*taken);
        let (second, again) = first.overflowing_sub(u8::from(borrow));
        *byte = second;
        borrow = under || again;
    }
}

/// Returns the first header of a public network, as every node of it has it built in.
pub fn genesis_header(network: Network) -> BlockHeader {
    // One transaction is the whole block, the same on both networks: its identifier is the root.
    const MERKLE_ROOT: [u8; 32] = [
        0x3b, 0xa3, 0xed, 0xfd, 0x7a, 0x7b, 0x12, 0xb2, 0x7a, 0xc7, 0x2c, 0x3e, 0x67, 0x76, 0x8f,
        0x61, 0x7f, 0xc8, 0x1b, 0xc3, 0x88, 0x8a, 0x51, 0x32, 0x3a, 0x9f, 0xb8, 0xaa, 0x4b, 0x1e,
        0x5e, 0x4a,
    ];
    let (time, nonce) = match network {
        Network::Main => (1_231_006_505, 2_083_236_893),
        Network::Test => (1_296_688_602, 414_098_458),
    };
    BlockHeader {
        version: 1,
        previous: BlockHash::from_bytes([0; 32]),
        merkle_root: Digest::from_bytes(MERKLE_ROOT),
        time,
        bits: 0x1d00_ffff,
        nonce,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_headers_are_those_of_the_networks() {
        let known = [
            (Network::Main, "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"),
            (Network::Test, "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943"),
        ];
        for (network, hash) in known {
            let genesis = genesis_header(network);
            assert_eq!(genesis.hash().to_string(), hash);
            assert_eq!(genesis.check_work(ChainProfile::Public), Ok(Work(0x1_0001_0001)));
        }
    }

    #[test]
    fn targets_expand_as_the_network_reads_them() {
        let target = expand_target(0x1d00_ffff).unwrap();
        assert_eq!(hex::encode(target), format!("00000000ffff{}", "0".repeat(52)));
        assert_eq!(
            hex::encode(expand_target(0x207f_ffff).unwrap()),
            format!("7fffff{}", "0".repeat(58))
        );
        assert_eq!(expand_target(0x1d80_0000), None, "negative");
        assert_eq!(expand_target(0), None, "zero");
        assert_eq!(expand_target(0xff7f_ffff), None, "beyond 256 bits");
        assert_eq!(expand_target(0x0101_0000).map(|target| target[31]), Some(1));
    }

    #[test]
    fn work_matches_the_known_figure_of_difficulty_one() {
        assert_eq!(work_of(&expand_target(0x1d00_ffff).unwrap()), Work(0x1_0001_0001));
        assert_eq!(work_of(&expand_target(0x207f_ffff).unwrap()), Work(2));
    }
}
