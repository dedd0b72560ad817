//! Outputs that a transaction from outside has spent for good, as far as the chain goes: looked at
//! again when the chain gives blocks back that were thought final.
//!
//! A row lives as long as its output is spent by that transaction; `put_utxo` and `remove_utxo` see
//! to it.

use redb::ReadableTable;

use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{OutPoint, Txid};
use crate::wallet::utxo::{Utxo, UtxoState};

impl WriteTx<'_> {
    /// Stores an output that a transaction from outside has spent.
    pub fn put_outside_spend(&mut self, utxo: &Utxo, spender: Txid) -> Result<(), StoreError> {
        self.put_utxo(utxo)?;
        self.tables.outside_spends.insert(utxo.outpoint.to_bytes(), spender.to_bytes())?;
        Ok(())
    }

    /// Removes the row of an output that is no longer spent.
    pub(super) fn trim_outside_spend(&mut self, utxo: &Utxo) -> Result<(), StoreError> {
        if !matches!(utxo.state, UtxoState::Spent { .. }) {
            self.tables.outside_spends.remove(utxo.outpoint.to_bytes())?;
        }
        Ok(())
    }
}

/// Returns all outputs that transactions from outside have spent, with those transactions.
pub fn outside_spends(tables: &impl Tables) -> Result<Vec<(OutPoint, Txid)>, StoreError> {
    tables
        .outside_spends()
        .iter()?
        .map(|row| {
            let (point, spender) = row?;
            Ok((OutPoint::from_bytes(&point.value()), Txid::from_bytes(spender.value())))
        })
        .collect()
}
