//! stub
use crate::types::{BlockHash, Digest, Txid};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MerklePathError {
    #[error("stub")]
    Stub,
}
/// One element of the answer of WhatsOnChain's `/tx/{txid}/proof/tsc` (BRC-10/11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TscProof {
    pub index: u64,
    #[serde(rename = "txOrId")]
    pub tx_or_id: String,
    pub target: BlockHash,
    pub nodes: Vec<String>,
}
/// A BUMP (BRC-74).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerklePath {}
impl MerklePath {
    pub fn parse(_bytes: &[u8]) -> Result<Self, MerklePathError> {
        unimplemented!()
    }
    pub fn read(_reader: &mut crate::bitcoin::Reader<'_>) -> Result<Self, MerklePathError> {
        unimplemented!()
    }
    pub fn to_bytes(&self) -> Vec<u8> {
        unimplemented!()
    }
    pub fn block_height(&self) -> u32 {
        unimplemented!()
    }
    /// Root that the path gives for `txid`, bytes as hashed.
    pub fn compute_root(&self, _txid: &Txid) -> Result<Digest, MerklePathError> {
        unimplemented!()
    }
    pub fn from_tsc(
        _proof: &TscProof,
        _txid: &Txid,
        _height: u32,
    ) -> Result<Self, MerklePathError> {
        unimplemented!()
    }
    /// The TSC form of the path of `txid`.
    pub fn to_tsc(&self, _txid: &Txid, _target: BlockHash) -> Result<TscProof, MerklePathError> {
        unimplemented!()
    }
}
