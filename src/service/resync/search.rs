//! The walk from what the store knows to what the chain knows.

use std::collections::{HashSet, VecDeque};

use crate::bitcoin::Transaction;
use crate::chain::SpendStatus;
use crate::service::anchoring::{Proved, prove};
use crate::service::funding::unlocks;
use crate::service::resync::ancestry::Ancestry;
use crate::service::resync::{ResyncError, ResyncService};
use crate::storage::transactions::transaction;
use crate::storage::utxos::unspent_outputs;
use crate::storage::{StoreError, TransactionOrigin, TransactionState};
use crate::types::{OutPoint, Txid};
use crate::wallet::utxo::{OutputPurpose, Utxo, UtxoState};

/// A transaction of our keys that the store does not know as one of its own.
pub(super) struct Found {
    pub(super) transaction: Transaction,
    /// Its place in our best chain, if it is in a block.
    pub(super) proved: Option<Proved>,
    /// Outputs that it pays to keys of ours.
    pub(super) pays: Vec<Utxo>,
}

impl ResyncService {
    /// Finds every such transaction that spends an output of ours, however long the chain of them is:
    /// forwards from what the store knows, and backwards from what the network lists.
    pub(super) async fn search(&self) -> Result<Vec<Found>, ResyncError> {
        let listed = self.listed().await?;
        let known = self.store.read(unspent_outputs)?;
        let mut queue: VecDeque<Utxo> =
            known.into_iter().filter(|it| !listed.contains(&it.outpoint)).collect();
        let (mut seen, mut asked) = (HashSet::new(), 0usize);
        let Ancestry { mut found, mut unknown } = self.search_back(&listed, &mut seen).await?;
        let made = found.iter().flat_map(|it| &it.pays);
        queue.extend(made.filter(|it| !listed.contains(&it.outpoint)).cloned());
        while let Some(output) = queue.pop_front() {
            asked += 1;
            self.fence.note(format!(
                "fenced: the chain was asked about {asked} outputs, {} are left; {} transactions \
                 found that the backup does not know",
                queue.len(),
                found.len()
            ));
            let spender = match self.tracker.spender(output.outpoint).await? {
                SpendStatus::Unspent => continue,
                SpendStatus::SpentBy(txid) => txid,
                SpendStatus::Unknown => {
                    unknown += usize::from(self.must_be_known(output.outpoint)?);
                    continue;
                }
            };
            if seen.contains(&spender) || self.is_own(spender)? {
                continue;
            }
            let Some(transaction) = self.tracker.transaction(spender).await? else {
                unknown += 1;
                continue;
            };
            if !unlocks(&output, &transaction, spender) {
                unknown += 1;
                continue;
            }
            let pays = self.own_outputs(&transaction);
            queue.extend(pays.iter().filter(|it| !listed.contains(&it.outpoint)).cloned());
            seen.insert(spender);
            let proved =
                prove(&self.store, &self.anchors, self.tracker.as_ref(), spender).await?.ok();
            found.push(Found { transaction, proved, pays });
        }
        if unknown > 0 {
            return Err(ResyncError::Unknown(unknown));
        }
        Ok(found)
    }

    /// Returns what the network lists as unspent for every key of ours.
    async fn listed(&self) -> Result<HashSet<OutPoint>, ResyncError> {
        let mut listed = HashSet::new();
        let keys = self.keyring.payment_keys().into_iter().chain(self.keyring.custody.as_ref());
        for key in keys {
            let outputs = self.source.unspent(&key.address.to_string()).await?;
            listed.extend(outputs.into_iter().map(|output| output.outpoint));
        }
        Ok(listed)
    }

    /// Says whether the network must know an output: not one of a transaction that never left.
    fn must_be_known(&self, outpoint: OutPoint) -> Result<bool, StoreError> {
        let stored = self.store.read(|tx| transaction(tx, outpoint.txid))?;
        Ok(stored.is_none_or(|it| {
            matches!(it.state, TransactionState::Seen | TransactionState::Mined { .. })
        }))
    }

    /// Says whether a transaction is one that the store made itself: its job knows better.
    pub(super) fn is_own(&self, txid: Txid) -> Result<bool, StoreError> {
        let stored = self.store.read(|tx| transaction(tx, txid))?;
        Ok(stored.is_some_and(|it| it.origin != TransactionOrigin::External))
    }

    pub(super) fn own_outputs(&self, made: &Transaction) -> Vec<Utxo> {
        let txid = made.txid();
        let own = |(vout, output): (u32, &crate::bitcoin::TxOut)| {
            let key_hash = output.locking_script.as_public_key_hash()?;
            let (key_identifier, purpose) = self.keyring.owner_of_output(&key_hash)?;
            Some(Utxo {
                outpoint: OutPoint::new(txid, vout),
                value: output.value,
                key_identifier,
                key_hash,
                purpose,
                state: UtxoState::Unconfirmed,
                height: None,
                chain_depth: 0,
            })
        };
        (0u32..).zip(&made.outputs).filter_map(own).collect()
    }
}

impl Found {
    /// Returns the outputs that may pay for something once the chain has them deep enough. A seal of an
    /// event that we do not know holds the custody of nothing that we know.
    pub(super) fn money(&self) -> impl Iterator<Item = &Utxo> {
        self.pays.iter().filter(|it| it.purpose == OutputPurpose::Pool)
    }
}
