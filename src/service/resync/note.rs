//! Storing what the chain knows: first every transaction that was found with what it pays us, then what
//! each of them spends, so that a chain of them fits together whatever the order in which it was found.

use crate::anchor::payload::Payload;
use crate::service::funding::external;
use crate::service::resync::search::Found;
use crate::service::resync::{ACTOR, ResyncError, ResyncService};
use crate::storage::batches::batch_by_root;
use crate::storage::headers::best_hash_at;
use crate::storage::log::{log_leaves, log_place};
use crate::storage::records::{expect_record, record_by_txid};
use crate::storage::transactions::transaction;
use crate::storage::utxos::utxo;
use crate::storage::{
    FoundCommitment, StoreError, StoredFinding, StoredTransaction, Tables, TransactionState,
    WriteTx,
};
use crate::types::{OutPoint, Timestamp, Txid};
use crate::wallet::utxo::{OutputPurpose, Utxo, UtxoState};

impl ResyncService {
    /// Stores what was found.
    pub(super) async fn note_all(
        &self,
        found: Vec<Found>,
        now: Timestamp,
    ) -> Result<(), ResyncError> {
        let found = std::sync::Arc::new(found);
        for place in 0..found.len() {
            let found = std::sync::Arc::clone(&found);
            self.store.write(move |tx| take_in(tx, &found[place], now)).await?;
        }
        for place in 0..found.len() {
            let (service, found) = (self.clone(), std::sync::Arc::clone(&found));
            self.store.write(move |tx| service.note_one(tx, &found[place], now)).await?;
        }
        Ok(())
    }

    /// Marks what a transaction spends, and keeps it as a finding.
    fn note_one(
        &self,
        tx: &mut WriteTx<'_>,
        found: &Found,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let txid = found.transaction.txid();
        // The chain may have moved on since the path was checked.
        let height = match &found.proved {
            Some(it) if best_hash_at(tx, it.height)? == Some(it.block) => Some(it.height),
            Some(_) | None => None,
        };
        let (mut spends, mut products) = (Vec::new(), Vec::new());
        for outpoint in found.transaction.inputs.iter().map(|input| input.previous) {
            let Some(output) = utxo(tx, outpoint)? else { continue };
            spends.push(outpoint);
            if output.purpose == OutputPurpose::Seal {
                products.extend(product_of_seal(tx, outpoint)?);
            }
            self.mark(tx, output, txid, height.is_some(), now)?;
        }
        let finding = StoredFinding {
            txid,
            found_at: now,
            height,
            spends,
            pays: found.pays.iter().map(|it| it.outpoint).collect(),
            says: said(tx, found)?,
            products,
        };
        tracing::warn!(%txid, "the chain knows a transaction of our keys that the backup did not");
        tx.append_audit(now, ACTOR, "restore.finding", &txid.to_string())?;
        tx.put_finding(&finding)
    }

    /// Marks an output spent by a transaction in a block, or sets it aside while that is in none.
    fn mark(
        &self,
        tx: &mut WriteTx<'_>,
        output: Utxo,
        spender: Txid,
        is_mined: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut output = output;
        if let UtxoState::Locked { by } = output.state {
            // Nothing is signed for a job that only holds it; one that has signed knows what to do.
            let applied = self.anchoring.revoke_lease_in(tx, by, now)?;
            drop(applied);
            output = utxo(tx, output.outpoint)?.unwrap_or(output);
        }
        match output.state {
            UtxoState::Available | UtxoState::Unconfirmed if is_mined => {
                tx.put_outside_spend(&output.spend_elsewhere(spender)?, spender)
            }
            UtxoState::Available => tx.put_utxo(&Utxo { state: UtxoState::Unconfirmed, ..output }),
            UtxoState::Unconfirmed | UtxoState::Locked { .. } | UtxoState::Spent { .. } => Ok(()),
        }
    }
}

/// Stores a transaction that was found, and the money that it pays us; what is there already stays.
fn take_in(tx: &mut WriteTx<'_>, found: &Found, now: Timestamp) -> Result<(), StoreError> {
    let txid = found.transaction.txid();
    let stored = transaction(tx, txid)?.unwrap_or_else(|| external(&found.transaction, now));
    let mut state = stored.state;
    if let Some(proved) = &found.proved
        && best_hash_at(tx, proved.height)? == Some(proved.block)
    {
        state = TransactionState::Mined { block: proved.block, height: proved.height };
    }
    tx.put_transaction(&StoredTransaction { state, ..stored })?;
    if let (TransactionState::Mined { .. }, Some(proved)) = (state, &found.proved) {
        tx.put_proof(txid, &proved.path)?;
    }
    for output in found.money() {
        if utxo(tx, output.outpoint)?.is_none() {
            tx.put_utxo(output)?;
        }
    }
    Ok(())
}

/// Returns the product whose custody a seal holds.
fn product_of_seal(tables: &impl Tables, seal: OutPoint) -> Result<Option<String>, StoreError> {
    let Some(id) = record_by_txid(tables, seal.txid)? else { return Ok(None) };
    let record = expect_record(tables, id)?;
    Ok((record.seal == Some(seal)).then(|| record.uid.as_str().to_owned()))
}

/// Reads what a transaction commits to, and which event of ours that is.
fn said(tables: &impl Tables, found: &Found) -> Result<Vec<FoundCommitment>, StoreError> {
    let mut said = Vec::new();
    for output in &found.transaction.outputs {
        let (kind, commitment) = match Payload::from_script(&output.locking_script) {
            Some(Payload::Register(commitment)) => ("register", commitment),
            Some(Payload::Transfer(commitment)) => ("transfer", commitment),
            Some(Payload::Batch { root, .. }) => ("batch", root),
            None => continue,
        };
        let record = match kind {
            "batch" => batch_by_root(tables, &commitment)?,
            _ => match log_place(tables, &commitment)? {
                Some(place) => log_leaves(tables, place..place.saturating_add(1))?.pop(),
                None => None,
            }
            .map(|leaf| leaf.record),
        };
        said.push(FoundCommitment { kind: kind.to_owned(), commitment, record });
    }
    Ok(said)
}
