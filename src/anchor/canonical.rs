//! Canonical JSON bytes (RFC 8785): made once, stored, and never recomputed from an edited document.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A document that has no canonical bytes, or bytes that are not canonical.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// The document cannot be written as JSON.
    #[error("the document cannot be written as canonical JSON")]
    Unwritable(#[source] serde_json::Error),
    /// The bytes are not JSON of the expected shape.
    #[error("the stored bytes are not a document of the expected shape")]
    Unreadable(#[source] serde_json::Error),
    /// The bytes are JSON, but not in canonical form.
    #[error("the stored bytes are not in canonical form")]
    NotCanonical,
}

/// Writes `document` as RFC 8785 JSON.
pub fn to_canonical_bytes<T: Serialize>(document: &T) -> Result<Vec<u8>, CanonicalError> {
    serde_jcs::to_vec(document).map_err(CanonicalError::Unwritable)
}

/// Reads canonical bytes back, refusing any that would not be written the same way again, so that
/// one document has one set of bytes and nothing hides in them.
pub fn from_canonical_bytes<T: DeserializeOwned + Serialize>(
    bytes: &[u8],
) -> Result<T, CanonicalError> {
    let document: T = serde_json::from_slice(bytes).map_err(CanonicalError::Unreadable)?;
    if to_canonical_bytes(&document)? == bytes {
        Ok(document)
    } else {
        Err(CanonicalError::NotCanonical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn keys_sort_by_utf_16_units_as_in_rfc_8785_section_3_2_3() {
        let document = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis"
        });
        let text = String::from_utf8(to_canonical_bytes(&document).unwrap()).unwrap();
        let order: Vec<usize> = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"]
            .iter()
            .map(|word| text.find(word).unwrap())
            .collect();
        assert!(order.is_sorted(), "{text}");
    }

    #[test]
    fn numbers_and_escapes_take_their_one_form() {
        let document: Value = serde_json::from_str(
            r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/"}"#,
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(to_canonical_bytes(&document).unwrap()).unwrap(),
            "{\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    #[test]
    fn other_spellings_of_the_same_document_are_refused() {
        assert!(from_canonical_bytes::<Value>(br#"{"a":1,"b":2}"#).is_ok());
        for other in [&br#"{"b":2,"a":1}"#[..], br#"{"a":1, "b":2}"#, br#"{"a":1,"b":2} "#] {
            assert!(from_canonical_bytes::<Value>(other).is_err());
        }
    }
}
