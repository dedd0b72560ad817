//! Outputs that were checked, taken into the pool in one transaction with what the audit trail says.

use crate::bitcoin::Transaction;
use crate::service::anchoring::{is_on_network, take_up_waiting};
use crate::service::funding::FundingService;
use crate::service::once::Keep;
use crate::storage::transactions::transaction;
use crate::storage::utxos::{expect_utxo, utxo};
use crate::storage::{StoreError, StoredTransaction, TransactionOrigin, TransactionState, WriteTx};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{Satoshis, Timestamp};
use crate::wallet::utxo::{Utxo, UtxoState};

enum Taken {
    Added,
    Updated,
    Unchanged,
}

fn take_in_one(
    tx: &mut WriteTx<'_>,
    parent: &Transaction,
    output: &Utxo,
    now: Timestamp,
) -> Result<Taken, StoreError> {
    let stored = transaction(tx, output.outpoint.txid)?;
    if stored.as_ref().is_some_and(|it| matches!(it.state, TransactionState::Dead { .. })) {
        // A list that lags still shows what never will be.
        return Ok(Taken::Unchanged);
    }
    let Some(known) = utxo(tx, output.outpoint)? else {
        tx.put_utxo(output)?;
        if stored.is_none() {
            tx.put_transaction(&external(parent, now))?;
        }
        return Ok(Taken::Added);
    };
    let matured = match output.state {
        // Our own transactions are followed by their records, which may know of trouble.
        UtxoState::Available if is_on_network(tx, output.outpoint.txid)? => known.clone().mature(),
        UtxoState::Available
        | UtxoState::Unconfirmed
        | UtxoState::Locked { .. }
        | UtxoState::Spent { .. } => known.clone(),
    };
    #[cfg(feature = "planted-bugs")]
    let matured = if Defect::SyncReopens.is_planted() {
        Utxo { state: output.state, ..matured }
    } else {
        matured
    };
    let updated = Utxo { height: output.height.or(known.height), ..matured };
    if updated == known {
        return Ok(Taken::Unchanged);
    }
    tx.put_utxo(&updated)?;
    Ok(Taken::Updated)
}

pub(in crate::service) fn external(parent: &Transaction, now: Timestamp) -> StoredTransaction {
    StoredTransaction {
        txid: parent.txid(),
        raw: parent.to_bytes(),
        origin: TransactionOrigin::External,
        state: TransactionState::Seen,
        fee: Satoshis::ZERO,
        stored_at: now,
    }
}

impl FundingService {
    /// Stores one output that somebody stated and that was checked, with the line of the audit trail that
    /// says so, and returns it as it is then: one that was known already may be locked or spent here.
    pub(super) async fn take_one_in(
        &self,
        parent: Transaction,
        output: Utxo,
        keep: Keep<Utxo>,
        actor: &str,
        now: Timestamp,
    ) -> Result<Utxo, StoreError> {
        let actor = actor.to_owned();
        self.store
            .write(move |tx| {
                tx.append_audit(now, &actor, "utxo.add", &output.outpoint.to_string())?;
                let is_news = !matches!(take_in_one(tx, &parent, &output, now)?, Taken::Unchanged);
                take_up_waiting(tx, usize::from(is_news), now)?;
                let taken = expect_utxo(tx, output.outpoint)?;
                keep.put(tx, &taken)?;
                Ok(taken)
            })
            .await
    }

    /// Stores outputs that the network lists and that were checked, with the line of the audit trail that
    /// says so, and returns how many are new and how many changed.
    pub(super) async fn take_in(
        &self,
        found: Vec<(Transaction, Utxo)>,
        actor: &str,
        now: Timestamp,
    ) -> Result<(usize, usize), StoreError> {
        let actor = actor.to_owned();
        self.store
            .write(move |tx| {
                let (mut added, mut updated) = (0, 0);
                for (parent, output) in &found {
                    match take_in_one(tx, parent, output, now)? {
                        Taken::Added => added += 1,
                        Taken::Updated => updated += 1,
                        Taken::Unchanged => {}
                    }
                }
                if added + updated > 0 {
                    let subject = format!("{added} added, {updated} updated");
                    tx.append_audit(now, &actor, "utxo.sync", &subject)?;
                }
                take_up_waiting(tx, added + updated, now)?;
                Ok((added, updated))
            })
            .await
    }
}
