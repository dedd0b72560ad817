//! Proves the transactions that brought money in: what spends them can then be proved before it is
//! in a block itself.

use std::collections::BTreeSet;

use crate::service::anchoring::observe::Proved;
use crate::service::anchoring::{AnchoringService, LOOK_BATCH};
use crate::storage::headers::best_hash_at;
use crate::storage::transactions::transaction;
use crate::storage::utxos::list_utxos;
use crate::storage::{
    StoreError, StoredTransaction, Tables, TransactionOrigin, TransactionState, WriteTx,
};
use crate::types::{Timestamp, Txid};
use crate::wallet::utxo::UtxoStatus;

/// The most outputs looked at in one go.
const MOST_OUTPUTS: usize = 500;

impl AnchoringService {
    /// Fetches the Merkle paths of transactions from outside whose outputs are in the pool, and
    /// takes back those that lead to a block that has left the best chain.
    pub async fn prove_money(&self, now: Timestamp) -> Result<(), StoreError> {
        let unproved = self.store.read(unproved)?;
        for txid in unproved.into_iter().take(LOOK_BATCH) {
            let found = self.prove(txid).await?.ok();
            self.store.write(move |tx| take_proof(tx, txid, found.as_ref(), now)).await?;
        }
        Ok(())
    }
}

/// Stores a proof with the state that it proves, or takes back the one that proves nothing any more.
fn take_proof(
    tx: &mut WriteTx<'_>,
    txid: Txid,
    found: Option<&Proved>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(stored) = transaction(tx, txid)? else { return Ok(()) };
    if is_proved(tx, &stored)? {
        return Ok(());
    }
    if let TransactionState::Mined { block, .. } = stored.state {
        tx.retire_proof(txid, block, now)?;
    }
    let state = match found {
        // The chain may have moved on since the path was checked.
        Some(proved) if best_hash_at(tx, proved.height)? == Some(proved.block) => {
            tx.put_proof(txid, &proved.path)?;
            TransactionState::Mined { block: proved.block, height: proved.height }
        }
        Some(_) | None => TransactionState::Seen,
    };
    tx.put_transaction(&StoredTransaction { state, ..stored })
}

/// Finds the transactions from outside that are in a block, as listed, and not proved to be.
fn unproved(tables: &impl Tables) -> Result<BTreeSet<Txid>, StoreError> {
    let mut found = BTreeSet::new();
    for status in [UtxoStatus::Available, UtxoStatus::Locked] {
        for output in list_utxos(tables, status, MOST_OUTPUTS)? {
            let txid = output.outpoint.txid;
            let Some(height) = output.height else { continue };
            // Below the first header that we followed nothing can be proved.
            if best_hash_at(tables, height)?.is_none() {
                continue;
            }
            let Some(stored) = transaction(tables, txid)? else { continue };
            if stored.origin == TransactionOrigin::External && !is_proved(tables, &stored)? {
                found.insert(txid);
            }
        }
    }
    Ok(found)
}

fn is_proved(tables: &impl Tables, stored: &StoredTransaction) -> Result<bool, StoreError> {
    match stored.state {
        TransactionState::Mined { block, height } => {
            Ok(best_hash_at(tables, height)? == Some(block))
        }
        TransactionState::Signed | TransactionState::Seen => Ok(false),
        // Nobody spends what has died.
        TransactionState::Dead { .. } => Ok(true),
    }
}
