//! Branches that replace others: where transactions go, and that the node's books stay true.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use crate::bitcoin::{MerklePath, TxOut, merkle_root};
use crate::simnet::scenario::{
    Money, NOW, data_output, fresh_node, fund, money, output, policy, spend,
};
use crate::simnet::{
    Block, Command, Filling, Node, Policy, Reorganisation, ReorganisationError, ScriptHash,
    Standing,
};
use crate::types::{BlockHash, ChainProfile, OutPoint, Timestamp, Txid};

#[track_caller]
fn assert_proved(node: &Node, txid: &Txid) -> BlockHash {
    let location = node.ledger.location(txid).expect("it is mined");
    let block = node.block_at(location.height).unwrap();
    let proof = block.proof(location.index).unwrap();
    let path = MerklePath::from_tsc(&proof, txid, location.height).unwrap();
    assert_eq!(path.compute_root(txid), Ok(block.header().merkle_root));
    assert_eq!(proof.target, block.hash());
    block.hash()
}

/// Checks the books of `node` against a count of its own from the first block on.
fn audit(node: &Node) {
    let mut coins: HashMap<OutPoint, TxOut> = HashMap::new();
    let mut above: Option<Arc<Block>> = None;
    for height in 0..=node.height() {
        let block = node.block_at(height).unwrap();
        audit_block(node, block, above.as_deref());
        for known in block.transactions() {
            if !known.transaction().is_coinbase() {
                for input in &known.transaction().inputs {
                    assert!(coins.remove(&input.previous).is_some());
                    assert_eq!(node.ledger.spender(&input.previous), Some(known.txid()));
                }
            }
            for (outpoint, output) in known.spendable_outputs() {
                assert!(coins.insert(outpoint, output.clone()).is_none());
            }
        }
        above = Some(block.clone());
    }
    assert_eq!(coins.len(), node.coins().len());
    for (outpoint, coin) in node.coins().iter() {
        assert_eq!(coins.get(outpoint), Some(&coin.output));
        assert_eq!(node.ledger.spender(outpoint), None);
        let script = ScriptHash::of(&coin.output.locking_script);
        assert!(node.coins().of_script(&script).any(|(listed, _)| listed == *outpoint));
    }
    let money: u64 = coins.values().map(|output| output.value.get()).sum();
    assert_eq!(money, 5_000_000_000 * (u64::from(node.height()) + 1), "no satoshi made or lost");
    audit_mempool(node, coins);
}

fn audit_block(node: &Node, block: &Block, parent: Option<&Block>) {
    let txids: Vec<Txid> = block.transactions().iter().map(|known| known.txid()).collect();
    assert_eq!(merkle_root(&txids), Ok(block.header().merkle_root));
    block.header().check_work(ChainProfile::Simulated).unwrap();
    if let Some(parent) = parent {
        assert_eq!(block.header().previous, parent.hash());
        assert!(block.header().time > node.ledger.median_time_at(parent.height()));
        assert!(block.chain_work() > parent.chain_work());
    }
}

fn audit_mempool(node: &Node, mut coins: HashMap<OutPoint, TxOut>) {
    for txid in node.mempool_txids() {
        let known = node.transaction(&txid).unwrap();
        for input in &known.transaction().inputs {
            assert!(coins.remove(&input.previous).is_some(), "free, and parents come first");
            assert_eq!(node.spender(&input.previous), Some(txid));
        }
        coins.extend(known.spendable_outputs().map(|(at, output)| (at, output.clone())));
    }
}

#[test]
fn transactions_go_back_to_waiting_and_into_other_blocks_at_every_depth() {
    for depth in 1..=7 {
        let mut node = fresh_node();
        let coins = fund(&mut node, 1, 10_000, 7);
        node.mine(NOW);
        let mut mined = Vec::new();
        for coin in &coins {
            let transaction = spend(coin, vec![output(2, 9_000)]);
            mined.push(node.submit(&transaction.to_bytes()).unwrap());
            node.mine(NOW);
        }
        let before: Vec<_> = mined.iter().map(|txid| assert_proved(&node, txid)).collect();
        let (height, old_tip) = (node.height(), node.tip().clone());
        let outcome = node.reorganise(&Reorganisation::of_depth(depth), NOW).unwrap();
        assert_eq!(outcome.disconnected, before[7 - depth as usize..]);
        assert_eq!(outcome.connected.len(), depth as usize + 1);
        assert_eq!((node.height(), outcome.dropped), (height + 1, vec![]));
        assert!(node.tip().chain_work() > old_tip.chain_work());
        assert_eq!(node.block(&old_tip.hash()), Some(&old_tip), "stays known");
        assert_eq!(node.ledger.abandoned_tips(), [(old_tip, depth)]);
        let (kept, back) = mined.split_at(7 - depth as usize);
        assert_eq!(node.mempool_txids(), back);
        kept.iter().zip(&before).for_each(|(txid, at)| assert_eq!(assert_proved(&node, txid), *at));
        audit(&node);
        node.mine(NOW);
        for (txid, at) in back.iter().zip(&before[7 - depth as usize..]) {
            assert_ne!(assert_proved(&node, txid), *at);
        }
        audit(&node);
    }
}

#[test]
fn a_refilled_branch_takes_the_transactions_at_once() {
    let mut node = fresh_node();
    let txid = fund(&mut node, 1, 10_000, 1)[0].outpoint.txid;
    let old = node.mine(NOW);
    let waiting = fund(&mut node, 1, 10_000, 1)[0].outpoint.txid;
    let refill = Filling::Everything;
    let plan = Reorganisation { refill, ..Reorganisation::of_depth(1) };
    let outcome = node.reorganise(&plan, NOW).unwrap();
    assert_eq!(assert_proved(&node, &txid), outcome.connected[0]);
    assert_eq!(assert_proved(&node, &waiting), outcome.connected[0]);
    assert_ne!(outcome.connected[0], old);
    audit(&node);
}

#[test]
fn dropped_transactions_take_their_descendants_along_and_may_come_back() {
    let mut node = fresh_node();
    let coin = fund(&mut node, 1, 10_000, 1).remove(0);
    node.mine(NOW);
    let parent = spend(&coin, vec![output(2, 9_000)]);
    let txid = node.submit(&parent.to_bytes()).unwrap();
    node.mine(NOW);
    let child = spend(&money(txid, 0, 2, 9_000), vec![output(3, 8_000)]);
    node.submit(&child.to_bytes()).unwrap();
    let plan = Reorganisation { drop: vec![txid], ..Reorganisation::of_depth(1) };
    let outcome = node.reorganise(&plan, NOW).unwrap();
    assert_eq!(outcome.dropped, [txid, child.txid()]);
    assert_eq!(node.standing(&txid), Some(Standing::Dropped));
    audit(&node);
    node.submit(&parent.to_bytes()).unwrap();
    node.submit(&child.to_bytes()).unwrap();
    node.mine(NOW);
    assert_proved(&node, &child.txid());
}

#[test]
fn a_double_spend_in_the_new_branch_wins() {
    let mut node = fresh_node();
    let coin = fund(&mut node, 1, 10_000, 1).remove(0);
    node.mine(NOW);
    let first = spend(&coin, vec![output(2, 9_000)]);
    let txid = node.submit(&first.to_bytes()).unwrap();
    node.mine(NOW);
    let second = spend(&coin, vec![output(3, 10_000)]);
    assert!(node.submit(&second.to_bytes()).is_err());
    let outcome = node.reorganise_with(1, vec![second.to_bytes()], NOW).unwrap();
    assert_eq!(outcome.dropped, [txid]);
    assert_eq!(assert_proved(&node, &second.txid()), outcome.connected[0], "a miner asks no fee");
    assert_eq!(node.spender(&coin.outpoint), Some(second.txid()));
    assert_eq!(node.submit(&first.to_bytes()).unwrap_err().to_string(), "Missing inputs");
    audit(&node);
}

#[test]
fn a_reorganisation_that_cannot_be_changes_nothing() {
    let mut node = fresh_node();
    let settled = fund(&mut node, 1, 10_000, 1).remove(0);
    node.mine(NOW);
    let coin = fund(&mut node, 1, 10_000, 1).remove(0);
    node.mine(NOW);
    let waiting = fund(&mut node, 1, 10_000, 1).remove(0);
    let picture = |node: &Node| {
        (node.tip().hash(), node.mempool_txids(), node.accepted().to_vec(), node.reorganisations())
    };
    let before = picture(&node);
    for depth in [0, 3, u32::MAX] {
        let outcome = node.reorganise(&Reorganisation::of_depth(depth), NOW);
        assert_eq!(outcome, Err(ReorganisationError::Depth { depth, height: 2 }));
    }
    // Not yet there on the branch below: its parent comes back only after the replacements.
    let orphan = spend(&coin, vec![output(2, 9_000)]);
    let valid = spend(&settled, vec![output(2, 9_000)]);
    let outcome = node.reorganise_with(1, vec![valid.to_bytes(), orphan.to_bytes()], NOW);
    assert!(matches!(outcome, Err(ReorganisationError::Replacement { index: 1, .. })));
    assert_eq!(picture(&node), before);
    assert_eq!(node.standing(&orphan.txid()), None);
    assert_eq!(node.standing(&valid.txid()), None);
    assert_eq!(node.standing(&waiting.outpoint.txid), Some(Standing::InMempool));
    audit(&node);
}

#[test]
fn block_times_never_run_back() {
    let mut node = fresh_node();
    let early = Timestamp::from_secs(0);
    let mut hashes = HashSet::new();
    for _ in 0..30 {
        hashes.insert(node.mine(early));
    }
    assert_eq!(hashes.len(), 30);
    let plan = Reorganisation::of_depth(7);
    node.reorganise(&plan, early).unwrap();
    audit(&node);
    node.mine(NOW);
    assert_eq!(i64::from(node.tip().header().time), NOW.as_secs());
}

/// A random walk: each step is one of the things that can happen to a node.
struct Walk {
    node: Node,
    purse: Vec<Money>,
}

impl Walk {
    fn step(&mut self, kind: u8, choice: u16) {
        let choice = usize::from(choice);
        match kind {
            0..=3 => self.spend(choice, 1 + choice % 3),
            4 => self.purse.extend(fund(&mut self.node, 1, 30_000, 4)),
            5..=6 => drop(self.node.mine(NOW)),
            7 => drop(self.node.mine_block(NOW, Filling::Nothing)),
            8 => {
                let waiting = self.node.mempool_txids();
                if let Some(txid) = waiting.get(choice % waiting.len().max(1)) {
                    self.node.drop_from_mempool(txid);
                }
            }
            _ => self.reorganise(choice),
        }
    }

    fn spend(&mut self, choice: usize, parts: usize) {
        if self.purse.is_empty() {
            return;
        }
        let coin = self.purse[choice % self.purse.len()].clone();
        let value = u32::try_from(coin.output.value.get()).unwrap();
        let part = (value.saturating_sub(60)) / u32::try_from(parts).unwrap();
        let mut outputs = vec![output(1, part); parts];
        outputs.push(data_output(&choice.to_le_bytes(), 0));
        let transaction = spend(&coin, outputs);
        // Spent coins stay in the purse: double spends are part of the walk.
        if let Ok(txid) = self.node.submit(&transaction.to_bytes()) {
            let parts = u32::try_from(parts).unwrap();
            self.purse.extend((0..parts).map(|vout| money(txid, vout, 1, part)));
        }
    }

    fn reorganise(&mut self, choice: usize) {
        let depth = u32::try_from(choice % 7 + 1).unwrap();
        let accepted = self.node.accepted();
        let drop = accepted.iter().skip(choice % 11).step_by(11).copied();
        let plan = Reorganisation {
            drop: if choice.is_multiple_of(2) { drop.collect() } else { vec![] },
            refill: if choice.is_multiple_of(3) { Filling::Everything } else { Filling::Nothing },
            ..Reorganisation::of_depth(depth)
        };
        let _too_deep = self.node.reorganise(&plan, NOW);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_are_true_after_any_history_and_its_record_repeats_it(
        steps in proptest::collection::vec((0u8..10, any::<u16>()), 1..60)
    ) {
        let commands: Arc<Mutex<Vec<Command>>> = Arc::default();
        let mut node = fresh_node();
        let sink = commands.clone();
        node.record_to(Box::new(move |command| sink.lock().unwrap().push(command.clone())));
        let purse = fund(&mut node, 1, 30_000, 4);
        let mut walk = Walk { node, purse };
        for (kind, choice) in steps {
            walk.step(kind, choice);
        }
        audit(&walk.node);
        let mut again = fresh_node();
        again.set_policy(Policy { max_ancestors: 1, ..policy() });
        for command in commands.lock().unwrap().iter() {
            again.replay(command).unwrap();
        }
        prop_assert_eq!(again.tip().hash(), walk.node.tip().hash());
        prop_assert_eq!(again.mempool_txids(), walk.node.mempool_txids());
        prop_assert_eq!(again.accepted(), walk.node.accepted());
        audit(&again);
    }
}
