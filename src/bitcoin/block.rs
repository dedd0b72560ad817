//! stub
use crate::bitcoin::MerklePath;
use crate::types::{Digest, Txid};

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    #[error("a block has at least one transaction")]
    Empty,
    #[error("index {index} lies outside {count} transactions")]
    OutOfRange { index: usize, count: usize },
}
/// Root of a block's transactions in block order (bytes as hashed).
pub fn merkle_root(_txids: &[Txid]) -> Result<Digest, MerkleError> {
    unimplemented!()
}
/// BUMP of the transaction at `index`.
pub fn merkle_path_of(
    _txids: &[Txid],
    _index: usize,
    _height: u32,
) -> Result<MerklePath, MerkleError> {
    unimplemented!()
}
