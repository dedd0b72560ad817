//! stub
use crate::bitcoin::{SighashCache, Transaction, TxOut};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    #[error("stub")]
    Stub,
}
/// Runs unlocking then locking script of input `index` against the output it spends.
pub fn verify_input(
    _transaction: &Transaction,
    _index: usize,
    _spent: &TxOut,
    _cache: &SighashCache<'_>,
) -> Result<(), ScriptError> {
    unimplemented!()
}
/// Runs all inputs; `spent` are the outputs they spend, in the order of the inputs.
pub fn verify_transaction(_transaction: &Transaction, _spent: &[TxOut]) -> Result<(), ScriptError> {
    unimplemented!()
}
