//! What the tests of the node have in common: a policy, a time, keys and signed payments.

use crate::bitcoin::{Address, SIGHASH_ALL_FORKID, Script, SighashCache, Transaction, TxIn, TxOut};
use crate::crypto::SecretKey;
use crate::simnet::{Node, Policy, SimnetConfig};
use crate::types::{Network, OutPoint, Satoshis, Timestamp, Txid};

/// The present time of the tests.
pub(super) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// An output with the number of the key that unlocks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Money {
    pub(super) outpoint: OutPoint,
    pub(super) output: TxOut,
    pub(super) key: u8,
}

pub(super) fn policy() -> Policy {
    SimnetConfig::default().policy()
}

#[must_use]
pub(super) fn fresh_node() -> Node {
    Node::new(policy(), Timestamp::from_secs(1_700_000_000))
}

pub(super) fn secret(key: u8) -> SecretKey {
    SecretKey::from_bytes(&[key; 32]).unwrap()
}

pub(super) fn address(key: u8) -> Address {
    Address::of_key(&secret(key).public_key(), Network::Test)
}

/// Returns an output of `satoshis` for `key`.
pub(super) fn output(key: u8, satoshis: u32) -> TxOut {
    let value = Satoshis::from_const(satoshis);
    TxOut { value, locking_script: address(key).locking_script() }
}

pub(super) fn data_output(push: &[u8], satoshis: u32) -> TxOut {
    let value = Satoshis::from_const(satoshis);
    TxOut { value, locking_script: Script::data(&[push]) }
}

/// Has the faucet pay `count` outputs to `key`.
#[track_caller]
pub(super) fn fund(node: &mut Node, key: u8, satoshis: u32, count: u32) -> Vec<Money> {
    let txid = node.faucet(&address(key), Satoshis::from_const(satoshis), count).unwrap();
    (0..count).map(|vout| money(txid, vout, key, satoshis)).collect()
}

pub(super) fn money(txid: Txid, vout: u32, key: u8, satoshis: u32) -> Money {
    Money { outpoint: OutPoint::new(txid, vout), output: output(key, satoshis), key }
}

/// Returns a transaction that spends `inputs`, not yet signed.
pub(super) fn unsigned(inputs: &[Money], outputs: Vec<TxOut>) -> Transaction {
    let input = |money: &Money| TxIn {
        previous: money.outpoint,
        unlocking_script: Script::default(),
        sequence: u32::MAX,
    };
    Transaction { version: 1, inputs: inputs.iter().map(input).collect(), outputs, lock_time: 0 }
}

/// Signs every input of `transaction`, which spends `inputs` in their order.
pub(super) fn signed(mut transaction: Transaction, inputs: &[Money]) -> Transaction {
    let cache = SighashCache::new(&transaction);
    let scripts: Vec<Script> = inputs
        .iter()
        .enumerate()
        .map(|(index, money)| {
            let spent = &money.output;
            let digest = cache.sighash(index, &spent.locking_script, spent.value).unwrap();
            let key = secret(money.key);
            let signature = key.sign(&digest);
            Script::unlock_public_key_hash(&signature, SIGHASH_ALL_FORKID, &key.public_key())
        })
        .collect();
    for (input, script) in transaction.inputs.iter_mut().zip(scripts) {
        input.unlocking_script = script;
    }
    transaction
}

/// Returns a signed transaction.
pub(super) fn payment(inputs: &[Money], outputs: Vec<TxOut>) -> Transaction {
    signed(unsigned(inputs, outputs), inputs)
}

/// Returns a signed transaction that spends `coin` only.
pub(super) fn spend(coin: &Money, outputs: Vec<TxOut>) -> Transaction {
    payment(std::slice::from_ref(coin), outputs)
}
