//! Byte strings in which what is known already is referred to instead of repeated.
//!
//! What follows from the rest of a proof costs two bytes instead of its length: a key's hash, an
//! earlier transaction's identifier, a commitment, a Merkle root. The first references are constants:
//! stretches that the transactions of this product have in common.

use minicbor::data::Type;
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::crypto::hash160;
use crate::proof::compact::CompactError;

/// The constants, hexadecimal; docs/COMPACT_PROOF.md says what each is. A later version of the layout may
/// add others, this one never.
pub(super) const CONSTANTS: [&str; 12] = [
    "0100000001",
    "ffffffff020000000000000000",
    "ffffffff030000000000000000",
    "30006a0a506174636850726f6f66011120",
    "30006a0a506174636850726f6f66011220",
    "39006a0a506174636850726f6f66011320",
    "62006a0a506174636850726f6f66011320",
    "01000000000000001976a914",
    "000000001976a914",
    "88ac00000000",
    "6a4730440220",
    "ffffffff02000000000000000062006a0a506174636850726f6f66011320",
];

/// A part of a byte string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Bytes as they are.
    Bytes(Vec<u8>),
    /// The known value of this number.
    Known(u64),
}

/// A byte string in parts: one part is written alone, several as an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pieces(pub(super) Vec<Piece>);

/// What is known so far, in the order in which it came to be known.
#[derive(Debug)]
pub(super) struct Known(Vec<Vec<u8>>);

impl Known {
    /// Begins with the constants, and each key with its hash.
    pub(super) fn new(keys: &[[u8; 33]]) -> Self {
        let constant = |text: &&str| hex::decode(text).expect("the constants are hexadecimal");
        let mut known = Self(CONSTANTS.iter().map(constant).collect());
        for key in keys {
            known.add(key);
            known.add(&hash160(key));
        }
        known
    }

    /// Adds a value.
    pub(super) fn add(&mut self, value: &[u8]) {
        self.0.push(value.to_vec());
    }

    /// Writes a byte string with as few own bytes as a walk from its front finds: at every place the
    /// longest known value that stands there, of equal ones the first.
    pub(super) fn shorten(&self, bytes: &[u8]) -> Pieces {
        let mut pieces = Vec::new();
        let (mut own, mut at) = (Vec::new(), 0);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let here = self.0.iter().enumerate().filter(|(_, value)| rest.starts_with(value));
            match here.rev().max_by_key(|(_, value)| value.len()) {
                Some((number, value)) => {
                    if !own.is_empty() {
                        pieces.push(Piece::Bytes(std::mem::take(&mut own)));
                    }
                    pieces.push(Piece::Known(number as u64));
                    at += value.len();
                }
                None => {
                    own.push(rest[0]);
                    at += 1;
                }
            }
        }
        if !own.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Bytes(own));
        }
        Pieces(pieces)
    }

    /// Returns the bytes of a string, at most `most`.
    pub(super) fn resolve(&self, pieces: &Pieces, most: usize) -> Result<Vec<u8>, CompactError> {
        let mut bytes = Vec::new();
        for piece in &pieces.0 {
            match piece {
                Piece::Bytes(own) => bytes.extend_from_slice(own),
                Piece::Known(number) => {
                    let place = usize::try_from(*number).ok();
                    let value = place.and_then(|place| self.0.get(place));
                    bytes.extend_from_slice(value.ok_or(CompactError::Reference(*number))?);
                }
            }
            if bytes.len() > most {
                return Err(CompactError::TooLarge);
            }
        }
        Ok(bytes)
    }

    /// Returns the bytes of a string that has exactly `N`.
    pub(super) fn array<const N: usize>(&self, pieces: &Pieces) -> Result<[u8; N], CompactError> {
        let bytes = self.resolve(pieces, N)?;
        bytes.try_into().map_err(|_| CompactError::Part("a value has another length"))
    }
}

impl<C> Encode<C> for Piece {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        match self {
            Self::Bytes(own) => encoder.bytes(own)?.ok(),
            Self::Known(number) => encoder.u64(*number)?.ok(),
        }
    }
}

impl<'b, C> Decode<'b, C> for Piece {
    fn decode(decoder: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        if decoder.datatype()? == Type::Bytes {
            Ok(Self::Bytes(decoder.bytes()?.to_vec()))
        } else {
            Ok(Self::Known(decoder.u64()?))
        }
    }
}

impl<C> Encode<C> for Pieces {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        match self.0.as_slice() {
            [piece] => piece.encode(encoder, context),
            pieces => pieces.encode(encoder, context),
        }
    }
}

impl<'b, C> Decode<'b, C> for Pieces {
    fn decode(decoder: &mut Decoder<'b>, context: &mut C) -> Result<Self, DecodeError> {
        if decoder.datatype()? == Type::Array {
            Ok(Self(Vec::decode(decoder, context)?))
        } else {
            Ok(Self(vec![Piece::decode(decoder, context)?]))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_known_is_referred_to_and_the_rest_stands() {
        let key = [2; 33];
        let mut known = Known::new(&[key]);
        known.add(&[9; 32]);
        let bytes = [&[1, 7][..], &hash160(&key), &[5], &[9; 32], &key].concat();
        let pieces = known.shorten(&bytes);
        let first = CONSTANTS.len() as u64;
        let expected = [
            Piece::Bytes(vec![1, 7]),
            Piece::Known(first + 1),
            Piece::Bytes(vec![5]),
            Piece::Known(first + 2),
            Piece::Known(first),
        ];
        assert_eq!(pieces.0, expected);
        assert_eq!(known.resolve(&pieces, bytes.len()).unwrap(), bytes);
        assert!(matches!(known.resolve(&pieces, 80), Err(CompactError::TooLarge)));
        let stranger = Pieces(vec![Piece::Known(first + 3)]);
        assert!(matches!(known.resolve(&stranger, 80), Err(CompactError::Reference(_))));
    }

    proptest! {
        #[test]
        fn every_string_comes_back(
            values in proptest::collection::vec(proptest::collection::vec(0..3u8, 1..6), 0..6),
            bytes in proptest::collection::vec(0..3u8, 0..60),
        ) {
            let mut known = Known::new(&[]);
            values.iter().for_each(|value| known.add(value));
            let pieces = known.shorten(&bytes);
            prop_assert_eq!(known.resolve(&pieces, 60).unwrap(), bytes);
            let written = minicbor::to_vec(&pieces).unwrap();
            prop_assert_eq!(minicbor::decode::<Pieces>(&written).unwrap(), pieces);
        }
    }
}
