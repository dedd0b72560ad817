//! Which network addresses and transactions belong to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The two families of address versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Real money.
    Main,
    /// Test networks, the simulated one included.
    Test,
}

impl Network {
    /// Returns the version byte of a P2PKH address: 0x00 on main, 0x6f on test.
    pub const fn address_version(self) -> u8 {
        match self {
            Self::Main => 0x00,
            Self::Test => 0x6f,
        }
    }

    /// Returns the name used in configuration, paths and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A network name that is neither `main` nor `test`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the network is main or test")]
pub struct NetworkParseError;

impl FromStr for Network {
    type Err = NetworkParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "main" => Ok(Self::Main),
            "test" => Ok(Self::Test),
            _ => Err(NetworkParseError),
        }
    }
}

/// What a header chain must prove: the easiest target that its headers may claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChainProfile {
    /// The public networks: difficulty 1 at least.
    Public,
    /// The simulated network: any nonce has an even chance.
    Simulated,
}

impl ChainProfile {
    /// Returns the compact form of the easiest target allowed.
    pub const fn easiest_bits(self) -> u32 {
        match self {
            Self::Public => 0x1d00_ffff,
            Self::Simulated => 0x207f_ffff,
        }
    }
}
