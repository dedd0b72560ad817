//! The words every other module speaks: amounts, hashes, outpoints, times, identifiers, networks.
//!
//! Byte order is decided here and nowhere else: [`Txid`] and [`BlockHash`] hold the bytes as they
//! stand in a transaction or header and print them reversed, as every explorer does; [`Digest`] is
//! a plain SHA-256 and is never reversed.

mod amount;
mod checkpoint;
mod hash;
mod id;
mod network;
mod outpoint;
#[cfg(feature = "planted-bugs")]
pub mod planted;
mod setting;
mod time;

pub use amount::{AmountError, FeeRate, Satoshis};
pub use checkpoint::{Checkpoint, CheckpointParseError};
pub use hash::{BlockHash, Digest, HashParseError, Txid};
pub use id::{IdParseError, ImportId, RecordId};
pub use network::{ChainProfile, Network, NetworkParseError};
pub use outpoint::OutPoint;
pub use setting::{SettingDefinition, SettingName, SettingNameParseError, SettingValues};
pub use time::{Clock, ManualClock, SystemClock, Timestamp, TimestampParseError};
