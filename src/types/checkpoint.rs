//! A block that an operator vouches for.

use std::fmt;
use std::str::FromStr;

use crate::types::BlockHash;

/// A block of the best chain, by height and hash, as an operator vouches for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checkpoint {
    /// Its height, genesis being 0.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
}

/// Text that is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a checkpoint is a height, a colon and a block hash of 64 hexadecimal digits")]
pub struct CheckpointParseError;

impl FromStr for Checkpoint {
    type Err = CheckpointParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (height, hash) = text.split_once(':').ok_or(CheckpointParseError)?;
        let is_plain = height.bytes().all(|byte| byte.is_ascii_digit());
        let height = height.parse().ok().filter(|_| is_plain).ok_or(CheckpointParseError)?;
        Ok(Self { height, hash: hash.parse().map_err(|_| CheckpointParseError)? })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.height, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_back_as_it_is_written() {
        let text = "0:000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
        let checkpoint: Checkpoint = text.parse().unwrap();
        assert_eq!(checkpoint.height, 0);
        assert_eq!(checkpoint.to_string(), text);
        for wrong in ["", "0", "0:", "+1:00", "-1:00", "x:00", &text[1..], &text[..60]] {
            assert_eq!(wrong.parse::<Checkpoint>(), Err(CheckpointParseError), "{wrong}");
        }
    }
}
