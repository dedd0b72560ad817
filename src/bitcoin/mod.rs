//! The BSV formats: addresses, scripts, transactions, signature hashes, headers, Merkle paths, BEEF.
//!
//! Pure: bytes in, values out. Every reader refuses what it does not understand whole, trailing
//! bytes included, and none panics on any input.

mod address;
mod beef;
mod beef_assembly;
#[cfg(test)]
mod beef_fixture;
mod beef_verification;
mod block;
mod chain_selection;
mod codec;
mod difficulty;
mod header;
mod header_file;
mod interpreter;
mod merkle_path;
mod merkle_path_json;
mod merkle_tree;
mod script;
mod script_error;
mod script_step;
mod sighash;
mod transaction;
mod tsc_proof;

pub use address::{Address, AddressError};
pub use beef::{Beef, BeefError, BeefTransaction};
pub use block::{MerkleError, combined_merkle_path, merkle_path_of, merkle_root};
pub use chain_selection::{Claim, Switch, TreePlace, switch};
pub use codec::{CodecError, Reader, write_varint};
pub use difficulty::{WINDOW as DIFFICULTY_WINDOW, WorkWindow};
pub use header::{BlockHeader, HeaderError, Work, genesis_header};
pub use header_file::{HeaderFile, HeaderFileError};
pub use interpreter::{verify_input, verify_transaction};
pub use merkle_path::MerklePath;
pub use merkle_tree::{MerklePathError, Place, check_leaf_size};
pub use script::{MAX_PUSH, Script};
pub use script_error::ScriptError;
pub use sighash::{SIGHASH_ALL_FORKID, SighashCache};
pub use transaction::{P2PKH_INPUT_SIZE, P2PKH_OUTPUT_SIZE, Transaction, TxIn, TxOut};
pub use tsc_proof::TscProof;
