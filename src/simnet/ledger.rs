//! The best chain and what follows from it: coins, places of transactions, spenders of outputs.
//!
//! Connecting a block and disconnecting it again leaves everything as it was. Blocks of abandoned
//! branches stay known.

use std::collections::HashMap;
use std::sync::Arc;

use crate::simnet::block::Block;
use crate::simnet::{Coin, CoinSet, KnownTransaction};
use crate::types::{BlockHash, OutPoint, Txid};

/// How many block times the network takes the median of.
const MEDIAN_SPAN: usize = 11;

/// Where a transaction stands in the best chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The height of its block.
    pub height: u32,
    /// Its place in the block.
    pub index: usize,
}

/// A block of the best chain with the coins it took.
#[derive(Debug, Clone)]
struct Connected {
    block: Arc<Block>,
    taken: Vec<(OutPoint, Coin)>,
}

/// The best chain, never empty.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    blocks: HashMap<BlockHash, Arc<Block>>,
    best: Vec<Connected>,
    coins: CoinSet,
    locations: HashMap<Txid, Location>,
    spenders: HashMap<OutPoint, Txid>,
}

impl Ledger {
    pub(super) fn new(genesis: Block) -> Self {
        let mut ledger = Self {
            blocks: HashMap::new(),
            best: Vec::new(),
            coins: CoinSet::default(),
            locations: HashMap::new(),
            spenders: HashMap::new(),
        };
        ledger.connect(Arc::new(genesis));
        ledger
    }

    pub(super) fn tip(&self) -> &Arc<Block> {
        &self.best.last().expect("the first block is never disconnected").block
    }

    pub(super) fn height(&self) -> u32 {
        self.tip().height()
    }

    pub(super) const fn coins(&self) -> &CoinSet {
        &self.coins
    }

    /// Returns how many blocks were ever made, abandoned ones included.
    pub(super) fn block_count(&self) -> usize {
        self.blocks.len()
    }

    pub(super) fn block_at(&self, height: u32) -> Option<&Arc<Block>> {
        let index = usize::try_from(height).ok()?;
        self.best.get(index).map(|connected| &connected.block)
    }

    pub(super) fn block(&self, hash: &BlockHash) -> Option<&Arc<Block>> {
        self.blocks.get(hash)
    }

    pub(super) fn is_best(&self, block: &Block) -> bool {
        self.block_at(block.height()).is_some_and(|best| best.hash() == block.hash())
    }

    /// Returns the last blocks of abandoned branches, each with the branch's length.
    pub(super) fn abandoned_tips(&self) -> Vec<(Arc<Block>, u32)> {
        let mut tips: Vec<_> = self
            .blocks
            .values()
            .filter(|block| !self.is_best(block))
            .filter(|block| {
                self.blocks.values().all(|child| child.header().previous != block.hash())
            })
            .map(|block| (block.clone(), self.branch_length(block)))
            .collect();
        tips.sort_by_key(|(block, _)| (std::cmp::Reverse(block.height()), block.hash()));
        tips
    }

    fn branch_length(&self, tip: &Arc<Block>) -> u32 {
        let mut length = 0;
        let mut block = Some(tip);
        while let Some(abandoned) = block.filter(|block| !self.is_best(block)) {
            length += 1;
            block = self.blocks.get(&abandoned.header().previous);
        }
        length
    }

    pub(super) fn location(&self, txid: &Txid) -> Option<Location> {
        self.locations.get(txid).copied()
    }

    pub(super) fn transaction_at(&self, location: Location) -> Option<&Arc<KnownTransaction>> {
        self.block_at(location.height)?.transactions().get(location.index)
    }

    pub(super) fn spender(&self, outpoint: &OutPoint) -> Option<Txid> {
        self.spenders.get(outpoint).copied()
    }

    /// Returns what the block at `height` took, oldest first.
    pub(super) fn taken_at(&self, height: u32) -> &[(OutPoint, Coin)] {
        let index = usize::try_from(height).unwrap_or(usize::MAX);
        self.best.get(index).map_or(&[], |connected| &connected.taken)
    }

    /// Returns the median time of the eleven blocks up to `height`.
    pub(super) fn median_time_at(&self, height: u32) -> u32 {
        let mut times: Vec<u32> = (0..=height)
            .rev()
            .take(MEDIAN_SPAN)
            .filter_map(|height| self.block_at(height))
            .map(|block| block.header().time)
            .collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or(0)
    }

    /// Puts `block`, whose transactions the caller has validated, on top.
    pub(super) fn connect(&mut self, block: Arc<Block>) {
        let mut taken = Vec::new();
        for (index, known) in block.transactions().iter().enumerate() {
            if index > 0 {
                for input in &known.transaction().inputs {
                    let coin = self.coins.remove(&input.previous);
                    let coin = coin.expect("only transactions whose inputs exist are mined");
                    taken.push((input.previous, coin));
                    self.spenders.insert(input.previous, known.txid());
                }
            }
            let (height, coinbase) = (block.height(), index == 0);
            for (outpoint, output) in known.spendable_outputs() {
                self.coins.insert(outpoint, Coin { output: output.clone(), height, coinbase });
            }
            self.locations.insert(known.txid(), Location { height, index });
        }
        self.blocks.insert(block.hash(), block.clone());
        self.best.push(Connected { block, taken });
    }

    /// Takes the topmost block off; the first block stays.
    pub(super) fn disconnect_tip(&mut self) -> Option<Arc<Block>> {
        if self.best.len() < 2 {
            return None;
        }
        let Connected { block, taken } = self.best.pop()?;
        // What was taken comes back first: a coin that the block both made and took must go again.
        for (outpoint, coin) in taken {
            self.spenders.remove(&outpoint);
            self.coins.insert(outpoint, coin);
        }
        for known in block.transactions() {
            for (outpoint, _) in known.spendable_outputs() {
                self.coins.remove(&outpoint);
            }
            self.locations.remove(&known.txid());
        }
        Some(block)
    }
}
