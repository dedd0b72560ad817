//! The pool's keys in other hands: transactions that the system knows nothing of.

use patchproof::bitcoin::{SIGHASH_ALL_FORKID, Script, SighashCache, Transaction, TxIn, TxOut};
use patchproof::crypto::SecretKey;
use patchproof::simnet::View;
use patchproof::types::{OutPoint, Satoshis};

use crate::signing::secret_key;
use crate::stage::Stage;

/// What a foreign transaction pays.
const FEE: u64 = 150;

/// Makes a transaction that spends an output of the pool, to a stranger or to the pool: one that is free, or one
/// that a transaction of the system spends already, which then competes with it.
pub(crate) fn foreign_spend(stage: &mut Stage) -> Option<Vec<u8>> {
    let taken = stage.random.chance(300);
    let candidates = if taken { spent_by_us(stage) } else { stage.pool_on_network() };
    let rich: Vec<_> = candidates.into_iter().filter(|(_, value)| value.get() > FEE + 10).collect();
    let (outpoint, value) = *stage.random.pick(&rich)?;
    let (key, locking_script) = key_of(stage, &outpoint)?;
    // An operator who moves the pool's money about pays the pool again.
    let payee = if stage.random.chance(300) {
        stage.system().keyring.funding.address.locking_script()
    } else {
        Script::pay_to_public_key_hash(&[0x55; 20])
    };
    Some(spend(outpoint, value, &key, &locking_script, payee))
}

/// Returns the pool's outputs that waiting transactions of the system spend.
fn spent_by_us(stage: &Stage) -> Vec<(OutPoint, Satoshis)> {
    let ours = stage.our_transactions();
    let node = stage.net.node();
    let view = View::new(&node, 0);
    let mut found = Vec::new();
    for txid in ours {
        let Some((known, _)) = view.transaction(&txid) else { continue };
        // The last input: the first may be a seal.
        let Some(input) = known.transaction().inputs.last() else { continue };
        let made = node.transaction(&input.previous.txid);
        let vout = usize::try_from(input.previous.vout).unwrap();
        found.extend(made.map(|made| (input.previous, made.transaction().outputs[vout].value)));
    }
    found
}

fn key_of(stage: &Stage, outpoint: &OutPoint) -> Option<(SecretKey, Script)> {
    let node = stage.net.node();
    let made = node.transaction(&outpoint.txid)?;
    let output = &made.transaction().outputs[usize::try_from(outpoint.vout).unwrap()];
    let hash = output.locking_script.as_public_key_hash()?;
    let key = ["funding", "change"]
        .map(|name| secret_key(stage.seed, name, 0))
        .into_iter()
        .find(|key| key.public_key().hash160() == hash)?;
    Some((key, output.locking_script.clone()))
}

fn spend(
    outpoint: OutPoint,
    value: Satoshis,
    key: &SecretKey,
    script: &Script,
    payee: Script,
) -> Vec<u8> {
    let left = Satoshis::new(value.get() - FEE).unwrap();
    let input =
        TxIn { previous: outpoint, unlocking_script: Script::default(), sequence: u32::MAX };
    let mut transaction = Transaction {
        version: 1,
        inputs: vec![input],
        outputs: vec![TxOut { value: left, locking_script: payee }],
        lock_time: 0,
    };
    let digest = SighashCache::new(&transaction).sighash(0, script, value).unwrap();
    transaction.inputs[0].unlocking_script =
        Script::unlock_public_key_hash(&key.sign(&digest), SIGHASH_ALL_FORKID, &key.public_key());
    transaction.to_bytes()
}
