//! Outputs that somebody else had spent in a block that has left the best chain, however deep it was.

use crate::service::anchoring::AnchoringService;
use crate::storage::headers::best_hash_at;
use crate::storage::outside_spends::outside_spends;
use crate::storage::transactions::expect_transaction;
use crate::storage::utxos::expect_utxo;
use crate::storage::{StoreError, StoredTransaction, Tables, TransactionState, WriteTx};
use crate::types::{OutPoint, Timestamp, Txid};

impl AnchoringService {
    /// Sets such outputs aside again: what the network lists of them then is believed anew.
    pub(super) async fn doubt_outside_spends(&self, now: Timestamp) -> Result<(), StoreError> {
        if self.store.read(undone)?.is_empty() {
            return Ok(());
        }
        self.store
            .write(move |tx| {
                for (outpoint, spender) in undone(tx)? {
                    doubt(tx, outpoint, spender, now)?;
                }
                Ok(())
            })
            .await
    }
}

fn doubt(
    tx: &mut WriteTx<'_>,
    outpoint: OutPoint,
    spender: Txid,
    now: Timestamp,
) -> Result<(), StoreError> {
    tracing::warn!(%outpoint, %spender, "the block in which somebody else spent an output has gone");
    let stored = expect_transaction(tx, spender)?;
    if let TransactionState::Mined { block, .. } = stored.state {
        tx.retire_proof(spender, block, now)?;
        tx.put_transaction(&StoredTransaction { state: TransactionState::Seen, ..stored })?;
    }
    let output = expect_utxo(tx, outpoint)?.doubt_spender(spender)?;
    tx.put_utxo(&output)
}

/// Finds the outputs whose spender is in no block of the best chain any more.
fn undone(tables: &impl Tables) -> Result<Vec<(OutPoint, Txid)>, StoreError> {
    let mut found = Vec::new();
    for (outpoint, spender) in outside_spends(tables)? {
        let is_there = match expect_transaction(tables, spender)?.state {
            TransactionState::Mined { block, height } => {
                best_hash_at(tables, height)? == Some(block)
            }
            TransactionState::Signed | TransactionState::Seen | TransactionState::Dead { .. } => {
                false
            }
        };
        if !is_there {
            found.push((outpoint, spender));
        }
    }
    Ok(found)
}
