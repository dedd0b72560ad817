//! Mining: a block of what waits, with real work.

use std::sync::Arc;

use crate::simnet::block::{BlockTemplate, Coinbase};
use crate::simnet::mempool::Mempool;
use crate::simnet::node::unix_seconds;
use crate::simnet::{Command, Filling, Node};
use crate::types::{BlockHash, Timestamp};

impl Node {
    /// Mines a block of everything that waits.
    pub fn mine(&mut self, now: Timestamp) -> BlockHash {
        self.mine_block(now, Filling::Everything)
    }

    /// Mines a block, of everything that waits or of nothing.
    pub fn mine_block(&mut self, now: Timestamp, filling: Filling) -> BlockHash {
        let block = self.extend(now, filling);
        self.record(&Command::Mine { now, filling, block });
        block
    }

    pub(super) fn extend(&mut self, now: Timestamp, filling: Filling) -> BlockHash {
        let taken = match filling {
            Filling::Everything => std::mem::take(&mut self.mempool),
            Filling::Nothing => Mempool::default(),
        };
        let coinbase = Coinbase {
            height: self.height().saturating_add(1),
            serial: u64::try_from(self.ledger.block_count()).unwrap_or(u64::MAX),
            fees: taken.fees().expect("fees are part of the money that exists"),
            locking_script: &self.faucet_script,
        };
        let mut transactions = vec![Arc::new(coinbase.transaction())];
        transactions.extend(taken.in_order().cloned());
        let template = BlockTemplate {
            parent: Some(self.tip().clone()),
            time: unix_seconds(now).max(self.median_time().saturating_add(1)),
            transactions,
        };
        let block = template.mine();
        let hash = block.hash();
        self.ledger.connect(Arc::new(block));
        hash
    }
}
