//! What must be true in the end, of the store and of the chain.

use std::collections::{HashMap, HashSet};
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

/// What stands on chain.
#[derive(Default)]
pub(crate) struct Anchored {
    transactions: HashSet<Txid>,
    spenders: HashMap<OutPoint, Txid>,
    /// Commitments of records and roots of batches.
    carriers: HashMap<Digest, Txid>,
    /// Transactions with more than one record.
    pub(crate) batches: u64,
    /// Records in all of them.
    pub(crate) records: u64,
}

/// Reads every transaction the network ever took: no output is spent twice, no commitment and no
/// root stands in two transactions, and there are at least as many records as were acknowledged.
/// That each record of a batch is under its root, the check of the store has found out.
pub(crate) async fn chain_holds_each_record_once(world: &World, ledger: &Ledger) -> Anchored {
    let mut seen = Anchored::default();
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
            seen.inspect(listed);
        }
    }
    let (records, batches) = (seen.records, seen.batches);
    println!("{records} records, {batches} batches among them, in {after} transactions");
    assert!(records >= ledger.len() as u64, "{records} < {}", ledger.len());
    seen
}

impl Anchored {
    fn inspect(&mut self, listed: &Value) {
        let raw = hex::decode(listed["hex"].as_str().unwrap()).unwrap();
        let transaction = Transaction::parse(&raw).unwrap();
        let txid = transaction.txid();
        // One that came back after a reorganisation is listed again.
        if !self.transactions.insert(txid) {
            return;
        }
        for input in &transaction.inputs {
            let other = self.spenders.insert(input.previous, txid);
            assert!(other.is_none(), "{} spent twice", input.previous);
        }
        for output in &transaction.outputs {
            let (digest, size) = match Payload::from_script(&output.locking_script) {
                Some(Payload::Register(digest) | Payload::Transfer(digest)) => (digest, 1),
                Some(Payload::Batch { root, tree_size, .. }) => (root, tree_size),
                None => continue,
            };
            let other = self.carriers.insert(digest, txid);
            assert!(other.is_none(), "{digest} is in two transactions");
            self.records += size;
            self.batches += u64::from(size > 1);
        }
    }
}
