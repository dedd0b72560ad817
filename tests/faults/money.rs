//! Where every satoshi went, in our books and on the network.

use std::collections::HashMap;
use std::process::Command;

use patchproof::bitcoin::Transaction;
use patchproof::types::Txid;
use serde_json::{Value, json};

use crate::processes::{API_KEY, Server, World};

/// What the server pays, in satoshis per 1000 bytes.
const FEE_RATE: u64 = 512;
/// The most that a transaction may pay beyond its rate: signatures are counted at their longest, and
/// change that would cost more to spend than it is worth is left to the miner.
const MOST_EXTRA: u64 = 200;

/// Sets the rate as an operator, whatever the network's policy says.
pub(crate) async fn fix_the_rate(world: &World, server: &Server) {
    let request = world.client.patch(format!("{}/v1/admin/settings", server.base));
    let request = request.header("x-api-key", API_KEY).json(&json!({ "FEE_PER_KB": FEE_RATE }));
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// Prints the books, which must balance to the last satoshi.
pub(crate) fn is_conserved(world: &World) {
    let output = Command::new(env!("CARGO_BIN_EXE_patchproof"))
        .args(["check", "--json", "--data-dir"])
        .arg(world.data())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let book = &report["ledger"];
    println!("ledger: {book}");
    let amount = |name: &str| book[name].as_u64().unwrap_or_else(|| panic!("{name}: {book}"));
    let accounted =
        amount("unspent") + amount("fees") + amount("paid_out") + amount("spent_elsewhere");
    assert_eq!(amount("received"), accounted, "{book}");
    assert_eq!(amount("spent_elsewhere"), 0, "{book}");
}

/// Recomputes every fee from the network's own transactions.
pub(crate) async fn fees_are_in_bounds(world: &World) {
    let known = transactions(world).await;
    let (mut total, mut count) = (0, 0u64);
    for transaction in known.values() {
        // The faucet's money comes from blocks.
        let Some(brought) = brought(transaction, &known) else { continue };
        let fee = brought - transaction.output_total().unwrap().get();
        let size = u64::try_from(transaction.to_bytes().len()).unwrap();
        let least = (size * FEE_RATE).div_ceil(1000);
        assert!(
            (least..=least + MOST_EXTRA).contains(&fee),
            "{} of {size} bytes pays {fee}, its rate asks for {least}",
            transaction.txid()
        );
        (total, count) = (total + fee, count + 1);
    }
    println!("{count} transactions paid {total} satoshis in fees");
}

/// Returns what a transaction's inputs bring, or nothing if one of them is not listed.
fn brought(transaction: &Transaction, known: &HashMap<Txid, Transaction>) -> Option<u64> {
    let values = transaction.inputs.iter().map(|input| {
        let parent = known.get(&input.previous.txid)?;
        let place = usize::try_from(input.previous.vout).ok()?;
        parent.outputs.get(place).map(|output| output.value.get())
    });
    values.sum()
}

async fn transactions(world: &World) -> HashMap<Txid, Transaction> {
    let mut known = HashMap::new();
    let mut after = 0;
    loop {
        let url = format!("{}/sim/transactions?after={after}&limit=500", world.chain());
        let page = world.get(&url).await;
        let listed = page.as_array().unwrap();
        if listed.is_empty() {
            return known;
        }
        after += listed.len();
        for transaction in listed {
            let raw = hex::decode(transaction["hex"].as_str().unwrap()).unwrap();
            let transaction = Transaction::parse(&raw).unwrap();
            known.insert(transaction.txid(), transaction);
        }
    }
}
