//! What the node accepts and what it refuses, in which words.

use crate::bitcoin::{Script, Transaction, TxIn};
use crate::simnet::scenario::{
    Money, NOW, data_output, fresh_node, fund, money, output, payment, policy, signed, spend,
    unsigned,
};
use crate::simnet::{Filling, KnownTransaction, Node, Policy, Rejection, Standing};
use crate::types::{FeeRate, OutPoint, Satoshis, Txid};

/// Returns a node with one block that holds an output of 10,000 satoshis for key 1.
fn funded() -> (Node, Money) {
    let mut node = fresh_node();
    let mut money = fund(&mut node, 1, 10_000, 1);
    node.mine(NOW);
    (node, money.remove(0))
}

#[track_caller]
fn assert_refused(node: &mut Node, transaction: &Transaction, words: &str) -> Rejection {
    let before = (node.mempool_txids(), node.accepted().to_vec(), node.coins().len());
    let rejection = node.submit(&transaction.to_bytes()).unwrap_err();
    assert_eq!(rejection.to_string(), words);
    assert_eq!((node.mempool_txids(), node.accepted().to_vec(), node.coins().len()), before);
    rejection
}

#[test]
fn a_signed_payment_is_accepted_waits_and_is_mined() {
    let (mut node, money) = funded();
    let transaction = spend(&money, vec![output(2, 9_000), data_output(b"x", 0)]);
    let txid = node.submit(&transaction.to_bytes()).unwrap();
    assert_eq!(txid, transaction.txid());
    assert_eq!(node.standing(&txid), Some(Standing::InMempool));
    assert_eq!(node.spender(&money.outpoint), Some(txid));
    assert_refused(&mut node, &transaction, "257: txn-already-known");
    node.mine(NOW);
    assert!(matches!(node.standing(&txid), Some(Standing::Mined(at)) if at.height == 2));
    assert_eq!(node.spender(&money.outpoint), Some(txid));
    assert_refused(&mut node, &transaction, "transaction already in block chain");
    assert!(node.coins().get(&OutPoint::new(txid, 1)).is_none(), "data is never a coin");
}

#[test]
fn bytes_that_are_no_plain_transaction_are_refused() {
    let (mut node, money) = funded();
    let good = spend(&money, vec![output(2, 9_000)]);
    let raw = good.to_bytes();
    for length in 0..raw.len() {
        let rejection = node.submit(&raw[..length]).unwrap_err();
        assert_eq!(rejection.to_string(), "TX decode failed", "{length}");
    }
    let trailing = [&raw[..], &[0]].concat();
    assert_eq!(node.submit(&trailing).unwrap_err().to_string(), "TX decode failed");
    for version in [0, 2, u32::MAX] {
        let other = signed(Transaction { version, ..good.clone() }, std::slice::from_ref(&money));
        assert_refused(&mut node, &other, "64: version");
    }
    let none = Transaction { inputs: vec![], ..good.clone() };
    assert_refused(&mut node, &none, "16: bad-txns-vin-empty");
    let none = spend(&money, vec![]);
    assert_refused(&mut node, &none, "16: bad-txns-vout-empty");
    let tiny = unsigned(&[money], vec![data_output(b"", 0)]);
    assert_eq!(tiny.to_bytes().len(), 63);
    assert_refused(&mut node, &tiny, "64: tx-size");
}

#[test]
fn a_coinbase_and_a_doubled_input_are_refused() {
    let (mut node, money) = funded();
    let coinbase = Transaction {
        version: 1,
        inputs: vec![TxIn {
            previous: OutPoint::new(Txid::from_bytes([0; 32]), u32::MAX),
            unlocking_script: Script::from_bytes(vec![1, 1]),
            sequence: u32::MAX,
        }],
        outputs: vec![output(1, 5)],
        lock_time: 0,
    };
    assert_refused(&mut node, &coinbase, "16: coinbase");
    let doubled = payment(&[money.clone(), money], vec![output(2, 15_000)]);
    assert_refused(&mut node, &doubled, "16: bad-txns-inputs-duplicate");
}

#[test]
fn a_second_spend_is_a_conflict_while_the_first_waits_and_missing_inputs_after() {
    let (mut node, money) = funded();
    let first = spend(&money, vec![output(2, 9_000)]);
    let second = spend(&money, vec![output(3, 8_000)]);
    let spender = node.submit(&first.to_bytes()).unwrap();
    let rejection = assert_refused(&mut node, &second, "258: txn-mempool-conflict");
    assert_eq!(rejection, Rejection::Conflict { outpoint: money.outpoint, spender });
    node.mine(NOW);
    assert_refused(&mut node, &second, "Missing inputs");
}

#[test]
fn an_orphan_is_refused_and_not_kept_for_its_parent() {
    let (mut node, coin) = funded();
    let parent = spend(&coin, vec![output(2, 9_000)]);
    let change = money(parent.txid(), 0, 2, 9_000);
    let child = spend(&change, vec![output(3, 8_000)]);
    assert_refused(&mut node, &child, "Missing inputs");
    node.submit(&parent.to_bytes()).unwrap();
    assert_eq!(node.standing(&child.txid()), None);
    node.submit(&child.to_bytes()).unwrap();
    node.mine(NOW);
    let block: Vec<Txid> = node.tip().submitted().iter().map(|known| known.txid()).collect();
    assert_eq!(block, [parent.txid(), child.txid()], "parents come first");
}

#[test]
fn outputs_that_do_not_exist_or_hold_data_cannot_be_spent() {
    let (mut node, coin) = funded();
    let parent = spend(&coin, vec![output(2, 9_000), data_output(b"a record", 0)]);
    let txid = node.submit(&parent.to_bytes()).unwrap();
    for (vout, key) in [(1, 2), (2, 2), (u32::MAX, 2)] {
        let stray = spend(&money(txid, vout, key, 5_000), vec![output(3, 4_000)]);
        assert_refused(&mut node, &stray, "Missing inputs");
    }
}

#[test]
fn wrong_signatures_keys_and_altered_bytes_are_refused() {
    let (mut node, coin) = funded();
    let words = "16: mandatory-script-verify-flag-failed";
    let good = spend(&coin, vec![output(2, 9_000)]);
    let mut forms = vec![spend(&Money { key: 9, ..coin.clone() }, vec![output(2, 9_000)])];
    forms.push(Transaction { outputs: vec![output(3, 9_000)], ..good.clone() });
    forms.push(Transaction { lock_time: 1, ..good.clone() });
    forms.push(unsigned(
        std::slice::from_ref(&coin),
        vec![output(2, 9_000), data_output(b"long enough", 0)],
    ));
    let lied = Money { output: output(1, 10_001), ..coin };
    forms.push(spend(&lied, vec![output(2, 9_000)]));
    for form in forms {
        let refused = node.submit(&form.to_bytes()).unwrap_err();
        assert!(refused.to_string().starts_with(words), "{refused}");
        assert!(matches!(refused, Rejection::Script(_)));
    }
    node.submit(&good.to_bytes()).unwrap();
}

#[test]
fn sums_dust_and_data_with_money_are_checked() {
    let (mut node, coin) = funded();
    let more = spend(&coin, vec![output(2, 10_001)]);
    assert_refused(&mut node, &more, "64: bad-txns-in-belowout");
    let dust = spend(&coin, vec![output(2, 0), output(2, 9_000)]);
    assert_refused(&mut node, &dust, "64: dust");
    let carried = spend(&coin, vec![output(2, 9_000), data_output(b"x", 1)]);
    assert_refused(&mut node, &carried, "64: dust");
    let mut bare = data_output(b"x", 0);
    bare.locking_script = Script::from_bytes(vec![0x6a, 1, 1]);
    let bare = spend(&coin, vec![output(2, 9_000), bare]);
    assert_refused(&mut node, &bare, "64: dust");
    let half = Satoshis::MAX;
    let huge = crate::bitcoin::TxOut { value: half, ..output(2, 0) };
    let sum = spend(&coin, vec![huge.clone(), huge]);
    assert_refused(&mut node, &sum, "16: bad-txns-txouttotal-toolarge");
}

#[test]
fn the_least_fee_is_rounded_down_and_one_satoshi_at_least() {
    let (mut node, coin) = funded();
    // A DER signature varies by a byte, so the size is that of the transaction at hand.
    let paying = |fee: u32| spend(&coin, vec![output(2, 10_000 - fee)]);
    let needed = |transaction: &Transaction| {
        u32::try_from(transaction.to_bytes().len() * 100 / 1000).unwrap()
    };
    let short = (1..40).map(paying).rfind(|form| fee_of(form) < needed(form)).unwrap();
    assert_refused(&mut node, &short, "66: mempool min fee not met");
    let exact = (1..40).map(paying).find(|form| fee_of(form) == needed(form)).unwrap();
    node.submit(&exact.to_bytes()).unwrap();
    let (mut node, coin) = funded();
    node.set_policy(Policy { min_fee: FeeRate::from_sat_per_kb(1).unwrap(), ..policy() });
    let free = spend(&coin, vec![output(2, 10_000)]);
    assert_refused(&mut node, &free, "66: mempool min fee not met");
    node.submit(&spend(&coin, vec![output(2, 9_999)]).to_bytes()).unwrap();
}

fn fee_of(transaction: &Transaction) -> u32 {
    u32::try_from(10_000 - transaction.output_total().unwrap().get()).unwrap()
}

#[test]
fn a_chain_of_waiting_transactions_has_its_length() {
    let (mut node, mut coin) = funded();
    node.set_policy(Policy { max_ancestors: 5, ..policy() });
    let mut value = 10_000;
    let mut next = |coin: &Money| {
        value -= 50;
        let transaction = spend(coin, vec![output(1, value)]);
        (money(transaction.txid(), 0, 1, value), transaction)
    };
    for _ in 0..5 {
        let (change, transaction) = next(&coin);
        node.submit(&transaction.to_bytes()).unwrap();
        coin = change;
    }
    let (_, sixth) = next(&coin);
    assert_refused(&mut node, &sixth, "64: too-long-mempool-chain");
    node.mine(NOW);
    node.submit(&sixth.to_bytes()).unwrap();
}

#[test]
fn a_transaction_locked_until_later_waits_for_its_time() {
    let (mut node, coin) = funded();
    let locked = |lock_time| {
        let mut transaction = unsigned(std::slice::from_ref(&coin), vec![output(2, 9_000)]);
        transaction.inputs[0].sequence = 0;
        transaction.lock_time = lock_time;
        signed(transaction, std::slice::from_ref(&coin))
    };
    assert_refused(&mut node, &locked(2), "64: non-final");
    assert_refused(&mut node, &locked(1_900_000_000), "64: non-final");
    node.mine_block(NOW, Filling::Nothing);
    node.submit(&locked(2).to_bytes()).unwrap();
}

#[test]
fn eviction_takes_the_descendants_and_frees_the_inputs() {
    let (mut node, coin) = funded();
    let parent = spend(&coin, vec![output(2, 4_000), output(2, 4_000)]);
    let txid = node.submit(&parent.to_bytes()).unwrap();
    let child = spend(&money(txid, 0, 2, 4_000), vec![output(3, 3_000)]);
    node.submit(&child.to_bytes()).unwrap();
    assert_eq!(node.drop_from_mempool(&txid), [txid, child.txid()]);
    assert_eq!(node.mempool_len(), 0);
    assert_eq!(node.standing(&child.txid()), Some(Standing::Dropped));
    assert_eq!(node.drop_from_mempool(&txid), []);
    assert_refused(&mut node, &child, "Missing inputs");
    node.submit(&parent.to_bytes()).unwrap();
    assert_eq!(node.accepted().iter().filter(|known| **known == txid).count(), 1);
}

#[test]
fn scripts_run_without_the_node_and_what_came_in_between_is_seen() {
    let (mut node, coin) = funded();
    let first = spend(&coin, vec![output(2, 9_000)]);
    let second = spend(&coin, vec![output(3, 8_000)]);
    let check = |node: &Node, form: &Transaction| {
        let known = KnownTransaction::parse(&form.to_bytes()).unwrap();
        node.check(known).unwrap().verify_scripts().unwrap()
    };
    let (slow, fast) = (check(&node, &first), check(&node, &second));
    node.accept(fast.clone()).unwrap();
    let late = node.accept(slow).unwrap_err();
    assert_eq!(late.to_string(), "258: txn-mempool-conflict");
    assert_eq!(node.accept(fast), Err(Rejection::AlreadyKnown));
}

#[test]
fn the_faucet_pays_real_equal_outputs_until_it_is_empty() {
    let mut node = fresh_node();
    let paid = fund(&mut node, 4, 1_234, 250);
    let (txid, last) = (paid[0].outpoint.txid, paid[249].clone());
    node.mine(NOW);
    assert_eq!(node.coins().get(&last.outpoint).map(|coin| &coin.output), Some(&last.output));
    let joined = payment(&paid[..2], vec![output(5, 2_000)]);
    node.submit(&joined.to_bytes()).unwrap();
    assert_eq!(node.accepted(), [txid, joined.txid()]);
    let address = crate::simnet::scenario::address(4);
    let ask = |node: &mut Node, satoshis, count| {
        node.faucet(&address, Satoshis::new(satoshis).unwrap(), count).unwrap_err().to_string()
    };
    assert!(ask(&mut node, 1, 0).contains("1 to 20000"));
    assert!(ask(&mut node, 0, 1).contains("1 to 20000"));
    assert!(ask(&mut node, 1, 20_001).contains("1 to 20000"));
    assert!(ask(&mut node, 30_000_000_000, 1).starts_with("the faucet has 9999"));
}
