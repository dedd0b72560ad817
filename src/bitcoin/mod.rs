//! The BSV formats: addresses, scripts, transactions, signature hashes, headers, Merkle paths, BEEF.
//!
//! Pure: bytes in, values out. Every reader refuses what it does not understand whole, trailing
//! bytes included, and none panics on any input.

mod address;
mod beef;
mod block;
mod codec;
mod header;
mod interpreter;
mod merkle_path;
mod script;
mod sighash;
mod transaction;

pub use address::{Address, AddressError};
pub use beef::{Beef, BeefError, BeefTransaction};
pub use block::{MerkleError, merkle_path_of, merkle_root};
pub use codec::{CodecError, Reader, write_varint};
pub use header::{BlockHeader, HeaderError, Work};
pub use interpreter::{ScriptError, verify_input, verify_transaction};
pub use merkle_path::{MerklePath, MerklePathError, TscProof};
pub use script::{MAX_PUSH, Script};
pub use sighash::{SIGHASH_ALL_FORKID, SighashCache};
pub use transaction::{P2PKH_INPUT_SIZE, P2PKH_OUTPUT_SIZE, Transaction, TxIn, TxOut};
