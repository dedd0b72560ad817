//! What must be true in the end, of the store and of the chain.

use std::collections::HashMap;
use std::process::Command;

use patchproof::anchor::payload::Payload;
use patchproof::bitcoin::Transaction;
use patchproof::types::{Digest, OutPoint, Txid};
use serde_json::Value;

use crate::ledger::Ledger;
use crate::processes::World;

/// Runs `patchproof check` with the ledger: every invariant holds, every acknowledgement is there.
pub(crate) fn store_is_clean(world: &World, ledger: &Ledger) {
    let output = Command::new(env!("CARGO_BIN_EXE_patchproof"))
        .args(["check", "--json", "--data-dir"])
        .arg(world.data())
        .arg("--acknowledged")
        .arg(ledger.path())
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Reads every transaction the network ever took: no output is spent twice, no commitment stands
/// in two transactions, and there are at least as many as were acknowledged. Returns how many.
pub(crate) async fn chain_holds_each_record_once(world: &World, ledger: &Ledger) -> usize {
    let mut spenders: HashMap<OutPoint, Txid> = HashMap::new();
    let mut carriers: HashMap<Digest, Txid> = HashMap::new();
    let mut after = 0;
    loop {
        let url = format!("{}/sim/transactions?after={after}&limit=500", world.chain());
        let page = world.get(&url).await;
        let transactions = page.as_array().cloned().unwrap_or_default();
        if transactions.is_empty() {
            break;
        }
        after += transactions.len();
        for listed in &transactions {
            inspect(listed, &mut spenders, &mut carriers);
        }
    }
    println!("{} commitments in {} transactions", carriers.len(), after);
    assert!(carriers.len() >= ledger.len(), "{} < {}", carriers.len(), ledger.len());
    carriers.len()
}

fn inspect(
    listed: &Value,
    spenders: &mut HashMap<OutPoint, Txid>,
    carriers: &mut HashMap<Digest, Txid>,
) {
    let raw = hex::decode(listed["hex"].as_str().unwrap()).unwrap();
    let transaction = Transaction::parse(&raw).unwrap();
    let txid = transaction.txid();
    for input in &transaction.inputs {
        let other = spenders.insert(input.previous, txid);
        assert!(other.is_none_or(|other| other == txid), "{} spent twice", input.previous);
    }
    for output in &transaction.outputs {
        let digest = match Payload::from_script(&output.locking_script) {
            Some(Payload::Register(digest) | Payload::Transfer(digest)) => digest,
            Some(Payload::Batch { .. }) | None => continue,
        };
        let other = carriers.insert(digest, txid);
        assert!(other.is_none_or(|other| other == txid), "{digest} is in two transactions");
    }
}
