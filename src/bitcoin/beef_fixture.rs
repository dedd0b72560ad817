//! A small chain of real payments for the tests of BEEF.

use crate::bitcoin::{
    MerklePath, SIGHASH_ALL_FORKID, Script, SighashCache, Transaction, TxIn, TxOut, merkle_path_of,
    merkle_root,
};
use crate::crypto::SecretKey;
use crate::types::{Digest, OutPoint, Satoshis, Txid};

/// The height of the one block.
pub(super) const HEIGHT: u32 = 800;

/// Two mined transactions of two outputs each, and three unmined ones: `child` spends from both,
/// `sibling` from the second, `grandchild` from both of these.
pub(super) struct Chain {
    pub(super) mined: [Transaction; 2],
    pub(super) child: Transaction,
    pub(super) sibling: Transaction,
    pub(super) grandchild: Transaction,
}

impl Chain {
    pub(super) fn new() -> Self {
        let mined = [1, 2].map(|seed| {
            let foreign = OutPoint::new(Txid::from_bytes([seed; 32]), 0);
            let mut transaction = unsigned(&[foreign], &[1000, 1000]);
            transaction.inputs[0].unlocking_script = Script::from_bytes(vec![0x51]);
            transaction
        });
        let child = spend(&[(&mined[0], 0), (&mined[1], 0)], &[1500, 400]);
        let sibling = spend(&[(&mined[1], 1)], &[900]);
        let grandchild = spend(&[(&sibling, 0), (&child, 1)], &[1200]);
        Self { mined, child, sibling, grandchild }
    }

    fn block(&self) -> Vec<Txid> {
        let others = (50..55).map(|seed| Txid::from_bytes([seed; 32]));
        others.chain(self.mined.iter().map(Transaction::txid)).collect()
    }

    pub(super) fn root(&self) -> Digest {
        merkle_root(&self.block()).unwrap()
    }

    pub(super) fn path(&self, mined: usize) -> MerklePath {
        merkle_path_of(&self.block(), 5 + mined, HEIGHT).unwrap()
    }

    /// Finds a transaction of the chain, with its path if it is mined.
    pub(super) fn lookup(&self, txid: &Txid) -> Option<(Transaction, Option<MerklePath>)> {
        for (index, transaction) in self.mined.iter().enumerate() {
            if transaction.txid() == *txid {
                return Some((transaction.clone(), Some(self.path(index))));
            }
        }
        let unmined = [&self.child, &self.sibling, &self.grandchild];
        unmined.into_iter().find(|t| t.txid() == *txid).map(|t| (t.clone(), None))
    }
}

fn key() -> SecretKey {
    SecretKey::from_bytes(&[0x11; 32]).unwrap()
}

fn unsigned(spent: &[OutPoint], amounts: &[u32]) -> Transaction {
    let input = |previous: &OutPoint| TxIn {
        previous: *previous,
        unlocking_script: Script::default(),
        sequence: u32::MAX,
    };
    let output = |amount: &u32| TxOut {
        value: Satoshis::from_const(*amount),
        locking_script: Script::pay_to_public_key_hash(&key().public_key().hash160()),
    };
    Transaction {
        version: 1,
        inputs: spent.iter().map(input).collect(),
        outputs: amounts.iter().map(output).collect(),
        lock_time: 0,
    }
}

/// Makes a signed transaction that spends outputs of the fixture's key.
pub(super) fn spend(parents: &[(&Transaction, u32)], amounts: &[u32]) -> Transaction {
    let outpoints: Vec<OutPoint> =
        parents.iter().map(|(parent, vout)| OutPoint::new(parent.txid(), *vout)).collect();
    let mut transaction = unsigned(&outpoints, amounts);
    let scripts: Vec<Script> = {
        let cache = SighashCache::new(&transaction);
        let sign = |(index, (parent, vout)): (usize, &(&Transaction, u32))| {
            let spent = &parent.outputs[*vout as usize];
            let sighash = cache.sighash(index, &spent.locking_script, spent.value).unwrap();
            Script::unlock_public_key_hash(
                &key().sign(&sighash),
                SIGHASH_ALL_FORKID,
                &key().public_key(),
            )
        };
        parents.iter().enumerate().map(sign).collect()
    };
    for (input, script) in transaction.inputs.iter_mut().zip(scripts) {
        input.unlocking_script = script;
    }
    transaction
}
