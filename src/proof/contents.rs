//! That a bundle holds what its records need and nothing else: every transaction, every marked leaf
//! of a path and every header is there for a record, so nothing can be changed without a trace.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::bitcoin::{Beef, BeefTransaction, MerklePath, Transaction};
use crate::proof::{Bundle, BundleError};
use crate::types::Txid;

const SPARE_TRANSACTION: BundleError =
    BundleError::Whole("a transaction carries no record and is no ancestor of one that does");
const MISSING_TRANSACTION: &str = "its transaction is missing";

/// The transactions of a bundle by their identifiers, each with the path that it refers to.
pub(super) struct Carriers<'a>(HashMap<Txid, (&'a Transaction, Option<&'a MerklePath>)>);

impl<'a> Carriers<'a> {
    /// Finds them.
    pub(super) fn of(bundle: &'a Bundle) -> Self {
        let proved = bundle.beef.iter().flat_map(|beef| {
            beef.transactions.iter().filter_map(|entry| match entry {
                BeefTransaction::Raw { transaction, merkle_path_index } => {
                    let path = merkle_path_index.and_then(|index| beef.merkle_paths.get(index));
                    Some((transaction, path))
                }
                BeefTransaction::TxidOnly(_) => None,
            })
        });
        let all = proved.chain(bundle.transactions.iter().map(|loose| (loose, None)));
        Self(all.map(|(transaction, path)| (transaction.txid(), (transaction, path))).collect())
    }

    /// Returns a transaction.
    pub(super) fn get(&self, txid: &Txid) -> Option<&'a Transaction> {
        self.0.get(txid).map(|(transaction, _)| *transaction)
    }

    /// Returns the path that proves a transaction to be in a block, if there is one.
    pub(super) fn path_of(&self, txid: &Txid) -> Option<&'a MerklePath> {
        self.0.get(txid).and_then(|(_, path)| *path)
    }
}

impl Bundle {
    /// Checks that nothing is missing and nothing is spare.
    pub(super) fn check_contents(&self) -> Result<(), BundleError> {
        let carriers: HashSet<Txid> = self.records.iter().filter_map(|it| it.txid).collect();
        let proved = self.beef.as_ref().map(txids_of).unwrap_or_default();
        let loose: Vec<Txid> = self.transactions.iter().map(Transaction::txid).collect();
        for (index, record) in self.records.iter().enumerate() {
            let has = |txid| proved.contains(&txid) || loose.contains(&txid);
            if record.txid.is_some_and(|txid| !has(txid)) {
                return Err(BundleError::Record { index, reason: MISSING_TRANSACTION });
            }
        }
        let mut met = HashSet::new();
        for txid in &loose {
            if !carriers.contains(txid) || proved.contains(txid) || !met.insert(txid) {
                return Err(SPARE_TRANSACTION);
            }
        }
        if let Some(beef) = &self.beef {
            check_needed(beef, &carriers)?;
            check_paths(beef)?;
        }
        self.check_headers()
    }

    /// There is a header for the block of every path, and for nothing else.
    fn check_headers(&self) -> Result<(), BundleError> {
        let is_ascending = self.headers.windows(2).all(|pair| pair[0].height < pair[1].height);
        let paths = self.beef.as_ref().map(|beef| beef.merkle_paths.as_slice()).unwrap_or_default();
        let named: BTreeSet<u32> = paths.iter().map(MerklePath::block_height).collect();
        if named.len() != paths.len() {
            return Err(BundleError::Whole("two Merkle paths are of one height"));
        }
        if !is_ascending || !named.into_iter().eq(self.headers.iter().map(|it| it.height)) {
            let reason = "the headers are not those of the blocks that the Merkle paths name";
            return Err(BundleError::Whole(reason));
        }
        Ok(())
    }
}

fn txids_of(beef: &Beef) -> HashSet<Txid> {
    beef.transactions.iter().map(BeefTransaction::txid).collect()
}

/// Walks from the end, where the youngest transactions are: what is neither a carrier nor spent by a
/// transaction that needs its parents is spare.
fn check_needed(beef: &Beef, carriers: &HashSet<Txid>) -> Result<(), BundleError> {
    let mut needed = carriers.clone();
    for entry in beef.transactions.iter().rev() {
        if !needed.contains(&entry.txid()) {
            return Err(SPARE_TRANSACTION);
        }
        if let BeefTransaction::Raw { transaction, merkle_path_index: None } = entry {
            needed.extend(transaction.inputs.iter().map(|input| input.previous.txid));
        }
    }
    Ok(())
}

/// A path marks exactly the transactions that refer to it.
fn check_paths(beef: &Beef) -> Result<(), BundleError> {
    let mut referring = vec![BTreeSet::new(); beef.merkle_paths.len()];
    for entry in &beef.transactions {
        if let BeefTransaction::Raw { transaction, merkle_path_index: Some(index) } = entry
            && let Some(txids) = referring.get_mut(*index)
        {
            txids.insert(transaction.txid());
        }
    }
    let is_exact = beef
        .merkle_paths
        .iter()
        .zip(referring)
        .all(|(path, txids)| path.txids().into_iter().collect::<BTreeSet<_>>() == txids);
    let inexact = "a Merkle path marks other transactions than those that it proves";
    if is_exact { Ok(()) } else { Err(BundleError::Whole(inexact)) }
}
