//! Headers as a file: four bytes of first height, little-endian, then 80 bytes for each header,
//! ascending, without gaps.
//!
//! Reading checks the form and the links only; who takes the headers in checks everything else.

use crate::bitcoin::{BlockHeader, HeaderError};
use crate::types::BlockHash;

const HEIGHT_SIZE: usize = 4;
const HEADER_SIZE: usize = 80;

/// Headers in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFile {
    /// The height of the first.
    pub first_height: u32,
    /// They themselves, at least one, each building on the one before.
    pub headers: Vec<BlockHeader>,
}

/// Bytes that are no file of headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFileError {
    /// Not a height and whole headers.
    #[error("{0} bytes are not a height of 4 bytes and headers of 80 bytes each")]
    Length(usize),
    /// More headers than heights.
    #[error("the heights run over")]
    Heights,
    /// A header that cannot be read.
    #[error("the header at height {height} cannot be read")]
    Header {
        /// Its height.
        height: u32,
        /// Why.
        #[source]
        source: HeaderError,
    },
    /// A header that does not build on the one before.
    #[error("the header at height {0} does not build on the one before")]
    Link(u32),
}

impl HeaderFile {
    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderFileError> {
        let length = HeaderFileError::Length(bytes.len());
        let (height, rest) = bytes.split_first_chunk::<HEIGHT_SIZE>().ok_or(length)?;
        if rest.is_empty() || !rest.len().is_multiple_of(HEADER_SIZE) {
            return Err(length);
        }
        let first_height = u32::from_le_bytes(*height);
        let count = u32::try_from(rest.len() / HEADER_SIZE).ok();
        if count.and_then(|count| first_height.checked_add(count)).is_none() {
            return Err(HeaderFileError::Heights);
        }
        let mut headers = Vec::with_capacity(rest.len() / HEADER_SIZE);
        let mut below: Option<BlockHash> = None;
        for (height, bytes) in (first_height..).zip(rest.chunks_exact(HEADER_SIZE)) {
            let header = BlockHeader::parse(bytes)
                .map_err(|source| HeaderFileError::Header { height, source })?;
            if below.is_some_and(|below| below != header.previous) {
                return Err(HeaderFileError::Link(height));
            }
            below = Some(header.hash());
            headers.push(header);
        }
        Ok(Self { first_height, headers })
    }

    /// Returns the height of the last header.
    pub fn last_height(&self) -> u32 {
        let above = self.headers.len().saturating_sub(1);
        self.first_height.saturating_add(u32::try_from(above).unwrap_or(u32::MAX))
    }

    /// Returns the file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEIGHT_SIZE + self.headers.len() * HEADER_SIZE);
        bytes.extend(self.first_height.to_le_bytes());
        self.headers.iter().for_each(|header| bytes.extend(header.to_bytes()));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bitcoin::genesis_header;
    use crate::types::Network;

    fn chain(first_height: u32, count: u32) -> HeaderFile {
        let mut headers = vec![genesis_header(Network::Main)];
        for nonce in 1..count {
            let previous = headers[headers.len() - 1].hash();
            headers.push(BlockHeader { previous, nonce, ..headers[0] });
        }
        HeaderFile { first_height, headers }
    }

    proptest! {
        #[test]
        fn a_file_is_read_back_as_it_was_written(height in 0u32..2_000_000, count in 1u32..30) {
            let file = chain(height, count);
            prop_assert_eq!(HeaderFile::parse(&file.to_bytes()), Ok(file));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(file) = HeaderFile::parse(&bytes) {
                prop_assert_eq!(file.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn what_is_cut_off_unlinked_or_too_high_is_refused() {
        let bytes = chain(7, 3).to_bytes();
        for length in [0, 3, 4, 5, 83, 85, bytes.len() - 1] {
            assert_eq!(HeaderFile::parse(&bytes[..length]), Err(HeaderFileError::Length(length)));
        }
        let mut broken = bytes.clone();
        broken[90] ^= 1;
        assert_eq!(HeaderFile::parse(&broken), Err(HeaderFileError::Link(8)));
        let high = HeaderFile { first_height: u32::MAX - 1, ..chain(0, 3) };
        assert_eq!(HeaderFile::parse(&high.to_bytes()), Err(HeaderFileError::Heights));
    }
}
