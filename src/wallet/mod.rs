//! The rules of the output pool: states of an output, which ones to spend, how a transaction is
//! put together. Pure.

pub mod builder;
pub mod coin_selection;
pub mod settings;
pub mod utxo;
