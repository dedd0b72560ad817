//! 32-byte identifiers, each with its own printing order.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that is not the 64 hexadecimal digits of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is written as 64 hexadecimal digits")]
pub struct HashParseError;

/// Defines a 32-byte hash; `reversed` says whether its text form runs backwards.
macro_rules! hash_type {
    ($(#[$doc:meta])* $name:ident, reversed: $reversed:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Wraps the 32 bytes in the order in which they are hashed and sent.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Returns the 32 bytes in the order in which they are hashed and sent.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Returns the 32 bytes in the order in which they are hashed and sent.
            pub const fn to_bytes(self) -> [u8; 32] {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut bytes = self.0;
                if $reversed {
                    bytes.reverse();
                }
                let mut text = [0u8; 64];
                hex::encode_to_slice(bytes, &mut text).map_err(|_| fmt::Error)?;
                formatter.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = HashParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0u8; 32];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| HashParseError)?;
                if $reversed {
                    bytes.reverse();
                }
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    <[u8; 32]>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

hash_type!(
    /// A transaction's identifier: double SHA-256 of its bytes, printed reversed.
    Txid,
    reversed: true
);
hash_type!(
    /// A block's identifier: double SHA-256 of its header, printed reversed.
    BlockHash,
    reversed: true
);
hash_type!(
    /// A plain SHA-256 digest, such as a commitment or an RFC 9162 root; never reversed.
    Digest,
    reversed: false
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_print_reversed_and_digests_do_not() {
        let mut bytes = [0u8; 32];
        bytes[0] = 0xab;
        assert!(Txid::from_bytes(bytes).to_string().ends_with("ab"));
        assert!(Digest::from_bytes(bytes).to_string().starts_with("ab"));
        let txid = Txid::from_bytes(bytes);
        assert_eq!(txid.to_string().parse(), Ok(txid));
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"a".repeat(65)] {
            assert_eq!(text.parse::<Txid>(), Err(HashParseError));
        }
    }
}
