//! Reading and writing Bitcoin's binary integers.

use crate::types::{AmountError, OutPoint};

/// Bytes that are not what a format says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end inside a value.
    #[error("the bytes end after {length} where more were announced")]
    Truncated {
        /// How many bytes there were.
        length: usize,
    },
    /// A variable-length integer is not in its shortest form.
    #[error("a variable-length integer is not in its shortest form")]
    NonCanonicalVarint,
    /// Bytes are left over.
    #[error("{0} bytes are left over")]
    TrailingBytes(usize),
    /// A count cannot be true for the bytes that follow.
    #[error("a count announces more than the bytes can hold")]
    ImpossibleCount,
    /// An amount exceeds all money.
    #[error("an amount cannot exist")]
    Amount(#[from] AmountError),
    /// A marker or flag has a value that the format does not know.
    #[error("a marker has the unknown value {0:#x}")]
    UnknownMarker(u64),
}

/// Takes values off the front of a byte slice.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Returns how many bytes were taken.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Returns how many bytes are left.
    pub const fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// Takes `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let end = self.position.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(CodecError::Truncated { length: self.bytes.len() })?;
        let taken = &self.bytes[self.position..end];
        self.position = end;
        Ok(taken)
    }

    /// Takes `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let mut array = [0u8; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// Takes one byte.
    pub fn u8(&mut self) -> Result<u8, CodecError> {
        Ok(self.array::<1>()?[0])
    }

    /// Takes a little-endian 32-bit number.
    pub fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Takes a little-endian 64-bit number.
    pub fn u64(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Takes an outpoint.
    pub fn outpoint(&mut self) -> Result<OutPoint, CodecError> {
        Ok(OutPoint::from_bytes(&self.array()?))
    }

    /// Takes a variable-length integer, in its shortest form only.
    pub fn varint(&mut self) -> Result<u64, CodecError> {
        let (value, least) = match self.u8()? {
            0xfd => (u64::from(u16::from_le_bytes(self.array()?)), 0xfd),
            0xfe => (u64::from(self.u32()?), 0x1_0000),
            0xff => (self.u64()?, 0x1_0000_0000),
            short => (u64::from(short), 0),
        };
        if value < least { Err(CodecError::NonCanonicalVarint) } else { Ok(value) }
    }

    /// Takes a count of items that need at least `least_size` bytes each, so that a forged count
    /// can never make the reader reserve more memory than the input has bytes.
    pub fn count(&mut self, least_size: usize) -> Result<usize, CodecError> {
        let count = usize::try_from(self.varint()?).map_err(|_| CodecError::ImpossibleCount)?;
        if count > self.remaining() / least_size.max(1) {
            return Err(CodecError::ImpossibleCount);
        }
        Ok(count)
    }

    /// Takes a byte string with its length in front.
    pub fn var_bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let length = self.count(1)?;
        self.take(length)
    }

    /// Ends reading, refusing left-over bytes.
    pub fn finish(self) -> Result<(), CodecError> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(CodecError::TrailingBytes(left)),
        }
    }
}

/// Appends a variable-length integer in its shortest form.
pub fn write_varint(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0xfc => out.push(value.to_le_bytes()[0]),
        0xfd..=0xffff => {
            out.push(0xfd);
            out.extend_from_slice(&value.to_le_bytes()[..2]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xfe);
            out.extend_from_slice(&value.to_le_bytes()[..4]);
        }
        _ => {
            out.push(0xff);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

/// Appends a byte string with its length in front.
pub(super) fn write_var_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
