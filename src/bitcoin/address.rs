//! Addresses: base58check of a version byte and the hash of a compressed key.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bitcoin::Script;
use crate::crypto::PublicKey;
use crate::types::Network;

/// 25 bytes in base58 have at most 35 digits.
const LONGEST_TEXT: usize = 35;

/// Text that is not an address of the wanted network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not base58, or the checksum is wrong.
    #[error("the address is mistyped: its checksum does not match")]
    Checksum,
    /// A valid base58check text that is no P2PKH address.
    #[error("the text is not a P2PKH address")]
    NotPublicKeyHash,
    /// An address of the other network.
    #[error("the address belongs to the {found} network, not {wanted}")]
    WrongNetwork {
        /// The network of the address.
        found: Network,
        /// The network that was asked for.
        wanted: Network,
    },
    /// An address that nobody can have a key for.
    #[error("nobody can hold the key of this address")]
    Burn,
}

/// A P2PKH address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    network: Network,
    hash: [u8; 20],
}

impl Address {
    /// Returns the address of `key` on `network`.
    pub fn of_key(key: &PublicKey, network: Network) -> Self {
        Self { network, hash: key.hash160() }
    }

    /// Returns the address of a key's hash.
    pub const fn of_hash(hash: [u8; 20], network: Network) -> Self {
        Self { network, hash }
    }

    /// Reads an address of `wanted`.
    pub fn parse(text: &str, wanted: Network) -> Result<Self, AddressError> {
        // Decoding takes time in the square of the length; a hostile text must not buy any.
        if text.len() > LONGEST_TEXT {
            return Err(AddressError::NotPublicKeyHash);
        }
        let decoded =
            bs58::decode(text).with_check(None).into_vec().map_err(|_| AddressError::Checksum)?;
        let (version, hash) = decoded.split_first().ok_or(AddressError::NotPublicKeyHash)?;
        let hash: [u8; 20] = hash.try_into().map_err(|_| AddressError::NotPublicKeyHash)?;
        let found = [Network::Main, Network::Test]
            .into_iter()
            .find(|network| network.address_version() == *version)
            .ok_or(AddressError::NotPublicKeyHash)?;
        if found != wanted {
            return Err(AddressError::WrongNetwork { found, wanted });
        }
        if hash.iter().all(|byte| *byte == hash[0]) && matches!(hash[0], 0x00 | 0xff) {
            return Err(AddressError::Burn);
        }
        Ok(Self { network: found, hash })
    }

    /// Returns RIPEMD-160(SHA-256(key)).
    pub const fn hash160(&self) -> &[u8; 20] {
        &self.hash
    }

    /// Returns the network of the address.
    pub const fn network(&self) -> Network {
        self.network
    }

    /// Returns the locking script that pays to the address.
    pub fn locking_script(&self) -> Script {
        Script::pay_to_public_key_hash(&self.hash)
    }

    /// Says whether `key` is the key of the address.
    pub fn belongs_to(&self, key: &PublicKey) -> bool {
        key.hash160() == self.hash
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = bs58::encode(self.hash)
            .with_check_version(self.network.address_version())
            .into_string();
        formatter.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistyped_character_is_found() {
        let address = Address::of_hash([0x42; 20], Network::Test).to_string();
        let alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
        for index in 0..address.len() {
            for other in alphabet.chars().filter(|c| *c != address.as_bytes()[index] as char) {
                let mut changed = address.clone();
                changed.replace_range(index..=index, other.encode_utf8(&mut [0; 4]));
                assert!(Address::parse(&changed, Network::Test).is_err(), "{changed}");
            }
        }
    }

    #[test]
    fn long_texts_are_refused_unread() {
        let long = "2".repeat(1 << 20);
        assert_eq!(Address::parse(&long, Network::Main), Err(AddressError::NotPublicKeyHash));
    }

    #[test]
    fn networks_and_kinds_are_kept_apart() {
        let main = Address::of_hash([1; 20], Network::Main).to_string();
        assert_eq!(main, "16Jswqk47s9PUcyCc88MMVwzgvHPvtEpf");
        assert!(matches!(
            Address::parse(&main, Network::Test),
            Err(AddressError::WrongNetwork { .. })
        ));
        let script_hash = bs58::encode([1; 20]).with_check_version(5).into_string();
        assert_eq!(
            Address::parse(&script_hash, Network::Main),
            Err(AddressError::NotPublicKeyHash)
        );
        assert_eq!(
            Address::parse("1111111111111111111114oLvT2", Network::Main),
            Err(AddressError::Burn)
        );
    }
}
