//! Making a BEEF: the ancestors of a transaction, collected down to those that are mined.

use std::collections::{HashMap, HashSet};

use crate::bitcoin::{Beef, BeefError, BeefTransaction, MerklePath, Transaction};
use crate::types::Txid;

/// As many unmined ancestors as nodes take; more would never be accepted.
const MAX_TRANSACTIONS: usize = 10_000;

/// A transaction whose ancestors are being visited.
struct Visit {
    txid: Txid,
    transaction: Transaction,
    merkle_path: Option<MerklePath>,
    next_input: usize,
}

impl Beef {
    /// Collects `subject` and what proves it: `lookup` gives the parents by identifier, each with
    /// its Merkle path if it is mined, and nothing is looked up behind those. The result names its
    /// subject, and the paths of one block are one.
    pub fn collect(
        subject: Transaction,
        merkle_path: Option<MerklePath>,
        lookup: impl Fn(&Txid) -> Option<(Transaction, Option<MerklePath>)>,
    ) -> Result<Self, BeefError> {
        let txid = subject.txid();
        let beef = Self::collect_all([(subject, merkle_path)], lookup)?;
        Ok(Self { subject: Some(txid), ..beef })
    }

    /// Collects several transactions and what proves them, as [`Self::collect`] does for one; what
    /// they share is there once. Those that others of them spend from come first in `subjects`. The
    /// result names no subject.
    pub fn collect_all(
        subjects: impl IntoIterator<Item = (Transaction, Option<MerklePath>)>,
        lookup: impl Fn(&Txid) -> Option<(Transaction, Option<MerklePath>)>,
    ) -> Result<Self, BeefError> {
        let mut beef = Self { merkle_paths: Vec::new(), transactions: Vec::new(), subject: None };
        let mut seen = HashSet::new();
        for (transaction, merkle_path) in subjects {
            let txid = transaction.txid();
            if seen.insert(txid) {
                let visit = Visit { txid, transaction, merkle_path, next_input: 0 };
                beef.collect_below(visit, &mut seen, &lookup)?;
            }
        }
        beef.put_parents_first();
        beef.check_structure()?;
        Ok(beef)
    }

    fn collect_below(
        &mut self,
        top: Visit,
        seen: &mut HashSet<Txid>,
        lookup: &impl Fn(&Txid) -> Option<(Transaction, Option<MerklePath>)>,
    ) -> Result<(), BeefError> {
        // Its own stack instead of recursion: a chain of ancestors may be long.
        let mut open = vec![top];
        while let Some(mut visit) = open.pop() {
            let Some(parent) = visit.next_unseen_parent(seen) else {
                self.append(visit.transaction, visit.merkle_path)?;
                continue;
            };
            let child = visit.txid;
            open.push(visit);
            if seen.len() > MAX_TRANSACTIONS {
                return Err(BeefError::TooManyAncestors(MAX_TRANSACTIONS));
            }
            let (transaction, merkle_path) =
                lookup(&parent).ok_or(BeefError::MissingParent { child, parent })?;
            let found = transaction.txid();
            if found != parent {
                return Err(BeefError::WrongTransaction { asked: parent, found });
            }
            open.push(Visit { txid: parent, transaction, merkle_path, next_input: 0 });
        }
        Ok(())
    }

    /// Nothing is looked up behind a mined transaction, but others may have brought its parents in,
    /// and readers want those before it. What is in order already keeps its order.
    fn put_parents_first(&mut self) {
        let mut waiting: HashMap<Txid, BeefTransaction> = HashMap::new();
        let mut order = Vec::with_capacity(self.transactions.len());
        for entry in self.transactions.drain(..) {
            let txid = entry.txid();
            order.push(txid);
            waiting.insert(txid, entry);
        }
        for txid in order {
            let mut open = vec![txid];
            while let Some(next) = open.last().copied() {
                let Some(entry) = waiting.get(&next) else {
                    open.pop();
                    continue;
                };
                let behind = parents_of(entry).find(|parent| waiting.contains_key(parent));
                match behind {
                    Some(parent) => open.push(parent),
                    None => self.transactions.extend(waiting.remove(&next)),
                }
            }
        }
    }

    fn append(
        &mut self,
        transaction: Transaction,
        merkle_path: Option<MerklePath>,
    ) -> Result<(), BeefError> {
        let merkle_path_index = merkle_path.map(|path| self.place_path(path)).transpose()?;
        self.transactions.push(BeefTransaction::Raw { transaction, merkle_path_index });
        Ok(())
    }

    /// Joins `path` with the one of the same block, or adds it; returns where it is.
    fn place_path(&mut self, path: MerklePath) -> Result<usize, BeefError> {
        let is_same_block = |other: &MerklePath| {
            other.block_height() == path.block_height() && other.root() == path.root()
        };
        if let Some(index) = self.merkle_paths.iter().position(is_same_block) {
            self.merkle_paths[index] = self.merkle_paths[index].combine(&path)?;
            return Ok(index);
        }
        self.merkle_paths.push(path);
        Ok(self.merkle_paths.len() - 1)
    }
}

fn parents_of(entry: &BeefTransaction) -> impl Iterator<Item = Txid> {
    let inputs = match entry {
        BeefTransaction::Raw { transaction, .. } => transaction.inputs.as_slice(),
        BeefTransaction::TxidOnly(_) => &[],
    };
    inputs.iter().map(|input| input.previous.txid)
}

impl Visit {
    /// Returns the next parent that nobody asked for yet; a mined transaction needs none.
    fn next_unseen_parent(&mut self, seen: &mut HashSet<Txid>) -> Option<Txid> {
        if self.merkle_path.is_some() {
            return None;
        }
        while let Some(input) = self.transaction.inputs.get(self.next_input) {
            self.next_input += 1;
            if seen.insert(input.previous.txid) {
                return Some(input.previous.txid);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitcoin::beef_fixture::Chain;

    #[test]
    fn ancestors_are_collected_once_in_order_and_down_to_mined_ones() {
        let chain = Chain::new();
        let beef =
            Beef::collect(chain.grandchild.clone(), None, |txid| chain.lookup(txid)).unwrap();
        let txids: Vec<Txid> = beef.transactions.iter().map(BeefTransaction::txid).collect();
        let expected =
            [&chain.mined[1], &chain.sibling, &chain.mined[0], &chain.child, &chain.grandchild];
        assert_eq!(txids, expected.map(Transaction::txid));
        assert_eq!(beef.subject, Some(chain.grandchild.txid()));
        assert_eq!(beef.merkle_paths.len(), 1, "one block, one path");
        assert_eq!(beef.merkle_paths[0].txids().len(), 2);
    }

    #[test]
    fn several_subjects_share_their_ancestors() {
        let chain = Chain::new();
        let subjects = [
            (chain.mined[0].clone(), Some(chain.path(0))),
            (chain.child.clone(), None),
            (chain.grandchild.clone(), None),
        ];
        let beef = Beef::collect_all(subjects, |txid| chain.lookup(txid)).unwrap();
        let txids: Vec<Txid> = beef.transactions.iter().map(BeefTransaction::txid).collect();
        let expected =
            [&chain.mined[0], &chain.mined[1], &chain.child, &chain.sibling, &chain.grandchild];
        assert_eq!(txids, expected.map(Transaction::txid));
        assert_eq!((beef.subject, beef.merkle_paths.len()), (None, 1));
        assert_eq!(Beef::collect_all([], |txid| chain.lookup(txid)), Err(BeefError::Empty));
    }

    #[test]
    fn a_mined_child_stands_after_its_parent_that_another_needs() {
        let chain = Chain::new();
        // The first is taken as mined and brings no parents; the second brings the first's parent in.
        let path = |txid: Txid| crate::bitcoin::merkle_path_of(&[txid], 0, 801).unwrap();
        let (first, second) = (chain.sibling.clone(), chain.child.clone());
        let subjects = [(first.clone(), Some(path(first.txid()))), (second.clone(), None)];
        let beef = Beef::collect_all(subjects, |txid| chain.lookup(txid)).unwrap();
        let txids: Vec<Txid> = beef.transactions.iter().map(BeefTransaction::txid).collect();
        let expected = [&chain.mined[1], &first, &chain.mined[0], &second];
        assert_eq!(txids, expected.map(Transaction::txid));
    }

    #[test]
    fn a_mined_subject_stands_alone() {
        let chain = Chain::new();
        let subject = chain.mined[0].clone();
        let beef = Beef::collect(subject, Some(chain.path(0)), |_| None).unwrap();
        assert_eq!(beef.transactions.len(), 1);
    }

    #[test]
    fn lookups_that_know_nothing_or_answer_wrongly_are_errors() {
        let chain = Chain::new();
        let (child, parent) = (chain.child.txid(), chain.mined[0].txid());
        let nothing = Beef::collect(chain.child.clone(), None, |_| None);
        assert_eq!(nothing, Err(BeefError::MissingParent { child, parent }));
        let wrong = Beef::collect(chain.child.clone(), None, |_| {
            Some((chain.sibling.clone(), Some(chain.path(0))))
        });
        let found = chain.sibling.txid();
        assert_eq!(wrong, Err(BeefError::WrongTransaction { asked: parent, found }));
        let foreign_path = Beef::collect(chain.child.clone(), None, |txid| {
            chain.lookup(txid).map(|(transaction, _)| (transaction, Some(chain.path(0))))
        });
        assert!(matches!(foreign_path, Err(BeefError::Path(_))), "{foreign_path:?}");
    }
}
