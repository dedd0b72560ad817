//! Base45 (RFC 9285): bytes as the 45 characters that a QR code holds in its alphanumeric mode.
//!
//! Ours and not a crate's, because a proof has one spelling: two characters for the last odd byte, and
//! no triple above 65,535.

use crate::proof::compact::CompactError;

const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// Writes bytes: three characters for two bytes, two for a last one.
pub(super) fn encode(bytes: &[u8]) -> String {
    let digit = |value: usize| char::from(ALPHABET[value % 45]);
    let mut text = String::with_capacity(bytes.len().div_ceil(2) * 3);
    for pair in bytes.chunks(2) {
        let value = pair.iter().fold(0, |value, byte| value << 8 | usize::from(*byte));
        text.extend([digit(value), digit(value / 45)]);
        if pair.len() == 2 {
            text.push(digit(value / (45 * 45)));
        }
    }
    text
}

/// Reads what [`encode`] writes, and nothing else.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, CompactError> {
    let mut bytes = Vec::with_capacity(text.len() / 3 * 2 + 1);
    for group in text.as_bytes().chunks(3) {
        let mut value = 0;
        for character in group.iter().rev() {
            let digit = ALPHABET.iter().position(|it| it == character);
            value = value * 45 + digit.ok_or(CompactError::Base45)?;
        }
        match group.len() {
            3 => {
                bytes.extend(u16::try_from(value).map_err(|_| CompactError::Base45)?.to_be_bytes())
            }
            2 => bytes.push(u8::try_from(value).map_err(|_| CompactError::Base45)?),
            _ => return Err(CompactError::Base45),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        for (bytes, text) in [
            ("AB", "BB8"),
            ("Hello!!", "%69 VD92EX0"),
            ("base-45", "UJCLQE7W581"),
            ("ietf!", "QED8WEX0"),
            ("", ""),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), bytes.as_bytes());
        }
        // FGW is 65,535; GGW, and :: for one byte, are above what fits; a lone character is nothing.
        assert_eq!(decode("FGW").unwrap(), [255, 255]);
        for wrong in ["GGW", ":::", "::", "V5", "A", "ABCD", "ab8", "B\u{e9}", "BB8\n"] {
            assert!(decode(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back_and_a_text_has_one_meaning(bytes: Vec<u8>, text in "[0-9A-Z $%*+./:-]{0,40}") {
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
