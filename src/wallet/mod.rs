//! The rules of the output pool: states of an output, which ones to spend, how a transaction is
//! put together. Pure.

pub mod builder;
pub mod coin_selection;
pub mod operation;
pub mod policy;
pub mod runway;
pub mod settings;
pub mod split;
pub mod sweep;
pub mod utxo;
