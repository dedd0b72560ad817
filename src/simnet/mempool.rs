//! Transactions that wait for a block, parents always before their children.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::bitcoin::TxOut;
use crate::simnet::coins::ScriptIndex;
use crate::simnet::{KnownTransaction, ScriptHash};
use crate::types::{AmountError, OutPoint, Satoshis, Txid};

#[derive(Debug, Clone)]
struct Entry {
    known: Arc<KnownTransaction>,
    sequence: u64,
    chain_length: usize,
    fee: Satoshis,
}

/// The waiting transactions: no two of them spend the same output.
#[derive(Debug, Clone, Default)]
pub(super) struct Mempool {
    entries: HashMap<Txid, Entry>,
    /// Nothing enters before its parents do, so the order of arrival is an order for a block.
    order: BTreeMap<u64, Txid>,
    spenders: HashMap<OutPoint, Txid>,
    by_script: ScriptIndex,
    next_sequence: u64,
}

impl Mempool {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, txid: &Txid) -> Option<&Arc<KnownTransaction>> {
        self.entries.get(txid).map(|entry| &entry.known)
    }

    /// Returns the waiting transaction that spends `outpoint`.
    pub(super) fn spender(&self, outpoint: &OutPoint) -> Option<Txid> {
        self.spenders.get(outpoint).copied()
    }

    /// Returns a spendable output of a waiting transaction, whether or not another spends it.
    pub(super) fn output(&self, outpoint: &OutPoint) -> Option<&TxOut> {
        self.get(&outpoint.txid)?.spendable_output(outpoint.vout)
    }

    /// Returns the outputs of waiting transactions that a script locks.
    pub(super) fn of_script(&self, hash: &ScriptHash) -> impl Iterator<Item = (OutPoint, &TxOut)> {
        self.by_script
            .outpoints(hash)
            .filter_map(|outpoint| self.output(outpoint).map(|output| (*outpoint, output)))
    }

    /// Returns the waiting transactions, parents before children.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Arc<KnownTransaction>> {
        self.order.values().filter_map(|txid| self.get(txid))
    }

    /// Adds up all fees.
    pub(super) fn fees(&self) -> Result<Satoshis, AmountError> {
        Satoshis::sum(self.entries.values().map(|entry| entry.fee))
    }

    /// Returns how many unmined transactions stand one upon the other when `known` is the topmost,
    /// itself included.
    pub(super) fn chain_length(&self, known: &KnownTransaction) -> usize {
        let parents = known.transaction().inputs.iter();
        let longest = parents
            .filter_map(|input| self.entries.get(&input.previous.txid))
            .map(|parent| parent.chain_length)
            .max();
        longest.unwrap_or(0).saturating_add(1)
    }

    /// Adds a transaction whose inputs the caller has found to be free.
    pub(super) fn insert(&mut self, known: Arc<KnownTransaction>, fee: Satoshis) {
        for input in &known.transaction().inputs {
            self.spenders.insert(input.previous, known.txid());
        }
        for (outpoint, output) in known.spendable_outputs() {
            self.by_script.insert(&output.locking_script, outpoint);
        }
        let sequence = self.next_sequence;
        self.next_sequence = sequence.saturating_add(1);
        self.order.insert(sequence, known.txid());
        let chain_length = self.chain_length(&known);
        self.entries.insert(known.txid(), Entry { known, sequence, chain_length, fee });
    }

    /// Removes a transaction and all that stand upon it; returns them, parents first.
    pub(super) fn remove_with_descendants(&mut self, txid: &Txid) -> Vec<Arc<KnownTransaction>> {
        let mut removed = Vec::new();
        let mut doomed = vec![*txid];
        while let Some(next) = doomed.pop() {
            let Some(entry) = self.entries.remove(&next) else { continue };
            self.order.remove(&entry.sequence);
            for input in &entry.known.transaction().inputs {
                self.spenders.remove(&input.previous);
            }
            for (outpoint, output) in entry.known.spendable_outputs() {
                self.by_script.remove(&output.locking_script, &outpoint);
                doomed.extend(self.spenders.get(&outpoint));
            }
            removed.push((entry.sequence, entry.known));
        }
        removed.sort_by_key(|(sequence, _)| *sequence);
        removed.into_iter().map(|(_, known)| known).collect()
    }
}
