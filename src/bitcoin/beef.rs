//! stub
use crate::bitcoin::{MerklePath, Transaction};
use crate::types::Txid;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BeefError {
    #[error("stub")]
    Stub,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeefTransaction {
    Raw { transaction: Transaction, merkle_path_index: Option<usize> },
    TxidOnly(Txid),
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beef {
    pub merkle_paths: Vec<MerklePath>,
    pub transactions: Vec<BeefTransaction>,
    /// The subject of an atomic BEEF (BRC-95).
    pub subject: Option<Txid>,
}
impl Beef {
    pub fn parse(_bytes: &[u8]) -> Result<Self, BeefError> {
        unimplemented!()
    }
    pub fn to_v1_bytes(&self) -> Result<Vec<u8>, BeefError> {
        unimplemented!()
    }
    pub fn to_v2_bytes(&self) -> Vec<u8> {
        unimplemented!()
    }
}
