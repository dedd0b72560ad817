//! Judging a BEEF: every mined transaction by its block's root, every other by its inputs.

use std::collections::{HashMap, HashSet};

use crate::bitcoin::{Beef, BeefError, BeefTransaction, Transaction, TxOut, verify_transaction};
use crate::types::{Digest, OutPoint, Satoshis, Txid};

impl Beef {
    /// Checks that all transactions are mined in blocks whose root `is_root` knows, or spend by the
    /// rules what such transactions made. What it cannot see is whether unmined outputs were spent
    /// elsewhere.
    ///
    /// `is_root` gets a block height and a Merkle root, bytes as hashed.
    pub fn verify(&self, is_root: impl Fn(u32, &Digest) -> bool) -> Result<(), BeefError> {
        self.check_structure()?;
        let mut before: HashMap<Txid, &Transaction> = HashMap::new();
        let mut spent_before: HashSet<OutPoint> = HashSet::new();
        for entry in &self.transactions {
            let (transaction, path_index) = match entry {
                BeefTransaction::Raw { transaction, merkle_path_index } => {
                    (transaction, *merkle_path_index)
                }
                BeefTransaction::TxidOnly(txid) => return Err(BeefError::TxidOnly(*txid)),
            };
            let txid = transaction.txid();
            match path_index {
                Some(index) => self.check_root(transaction, txid, index, &is_root)?,
                None => check_spending(transaction, txid, &before)?,
            }
            // Every coinbase "spends" the same nothing.
            let inputs = if transaction.is_coinbase() { &[][..] } else { &transaction.inputs };
            if let Some(again) =
                inputs.iter().map(|input| input.previous).find(|spent| !spent_before.insert(*spent))
            {
                return Err(BeefError::DoubleSpend(again));
            }
            before.insert(txid, transaction);
        }
        Ok(())
    }

    fn check_root(
        &self,
        transaction: &Transaction,
        txid: Txid,
        path_index: usize,
        is_root: &impl Fn(u32, &Digest) -> bool,
    ) -> Result<(), BeefError> {
        let path = self.merkle_paths.get(path_index).ok_or(BeefError::PathIndex(path_index))?;
        let height = path.block_height();
        if is_root(height, &path.compute_root_of(transaction)?) {
            Ok(())
        } else {
            Err(BeefError::UnknownRoot { txid, height })
        }
    }
}

/// Runs the scripts of all inputs and adds up the amounts.
fn check_spending(
    transaction: &Transaction,
    txid: Txid,
    before: &HashMap<Txid, &Transaction>,
) -> Result<(), BeefError> {
    let spent = transaction
        .inputs
        .iter()
        .map(|input| spent_output(txid, input.previous, before))
        .collect::<Result<Vec<TxOut>, _>>()?;
    verify_transaction(transaction, &spent).map_err(|source| BeefError::Script { txid, source })?;
    Satoshis::sum(spent.iter().map(|output| output.value))
        .and_then(|available| available.checked_sub(transaction.output_total()?))
        .map(|_fee| ())
        .map_err(|source| BeefError::Amount { txid, source })
}

fn spent_output(
    child: Txid,
    outpoint: OutPoint,
    before: &HashMap<Txid, &Transaction>,
) -> Result<TxOut, BeefError> {
    let parent = outpoint.txid;
    let transaction = before.get(&parent).ok_or(BeefError::MissingParent { child, parent })?;
    usize::try_from(outpoint.vout)
        .ok()
        .and_then(|vout| transaction.outputs.get(vout).cloned())
        .ok_or(BeefError::MissingOutput(outpoint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitcoin::ScriptError;
    use crate::bitcoin::beef_fixture::{Chain, HEIGHT, spend};
    use crate::types::AmountError;

    fn verify(chain: &Chain, subject: &Transaction) -> Result<(), BeefError> {
        let beef = Beef::collect(subject.clone(), None, |txid| chain.lookup(txid)).unwrap();
        beef.verify(|height, root| (height, *root) == (HEIGHT, chain.root()))
    }

    #[test]
    fn honest_payments_are_believed_with_their_root_only() {
        let chain = Chain::new();
        assert_eq!(verify(&chain, &chain.grandchild), Ok(()));
        let beef =
            Beef::collect(chain.grandchild.clone(), None, |txid| chain.lookup(txid)).unwrap();
        let txid = chain.mined[1].txid();
        let unknown = Err(BeefError::UnknownRoot { txid, height: HEIGHT });
        assert_eq!(beef.verify(|_, _| false), unknown);
    }

    #[test]
    fn outputs_above_inputs_are_refused() {
        let chain = Chain::new();
        let greedy = spend(&[(&chain.child, 1)], &[401]);
        let source = AmountError::Insufficient { available: 400, needed: 401 };
        let refused = BeefError::Amount { txid: greedy.txid(), source };
        assert_eq!(verify(&chain, &greedy), Err(refused));
        let exact = spend(&[(&chain.child, 1)], &[400]);
        assert_eq!(verify(&chain, &exact), Ok(()));
    }

    #[test]
    fn an_output_is_spent_once() {
        let chain = Chain::new();
        let outpoint = OutPoint::new(chain.mined[1].txid(), 1);
        let twice = spend(&[(&chain.mined[1], 1), (&chain.mined[1], 1)], &[1]);
        assert_eq!(verify(&chain, &twice), Err(BeefError::DoubleSpend(outpoint)));
        let against_sibling = spend(&[(&chain.sibling, 0), (&chain.mined[1], 1)], &[1]);
        assert_eq!(verify(&chain, &against_sibling), Err(BeefError::DoubleSpend(outpoint)));
    }

    #[test]
    fn forged_inputs_are_refused() {
        let chain = Chain::new();
        let mut changed = chain.grandchild.clone();
        changed.outputs[0].value = Satoshis::from_const(1199);
        let refused = verify(&chain, &changed);
        assert!(
            matches!(refused, Err(BeefError::Script { source: ScriptError::Signature(_), .. })),
            "{refused:?}"
        );
        let mut nowhere = chain.grandchild.clone();
        nowhere.inputs[0].previous.vout = 1;
        let outpoint = nowhere.inputs[0].previous;
        assert_eq!(verify(&chain, &nowhere), Err(BeefError::MissingOutput(outpoint)));
    }

    #[test]
    fn transactions_that_are_only_named_prove_nothing() {
        let chain = Chain::new();
        let mut beef =
            Beef::collect(chain.sibling.clone(), None, |txid| chain.lookup(txid)).unwrap();
        let txid = chain.mined[1].txid();
        beef.transactions[0] = BeefTransaction::TxidOnly(txid);
        assert_eq!(beef.check_structure(), Ok(()));
        assert_eq!(beef.verify(|_, _| true), Err(BeefError::TxidOnly(txid)));
    }
}
