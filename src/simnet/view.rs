//! What an explorer's index shows of the node: all of it, or the chain as it was some blocks ago.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bitcoin::{TscProof, TxOut};
use crate::simnet::block::Block;
use crate::simnet::{KnownTransaction, Location, Node, ScriptHash, Standing};
use crate::types::{BlockHash, OutPoint, Satoshis, Txid};

/// An output in a list of unspent ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unspent {
    /// The output.
    pub outpoint: OutPoint,
    /// Its amount.
    pub value: Satoshis,
    /// The height of its block, if it is in one.
    pub height: Option<u32>,
    /// Whether a waiting transaction spends it.
    pub spent_in_mempool: bool,
}

/// Who spends an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spend {
    /// The transaction is unknown, or the output can never be spent.
    Unknown,
    /// Nobody, as far as known.
    Unspent,
    /// This input.
    SpentBy {
        /// The spending transaction.
        txid: Txid,
        /// The place of the input in it.
        vin: usize,
        /// Whether it is in a block.
        confirmed: bool,
    },
}

/// The node as an index shows it that has not seen the newest `lag` blocks.
///
/// What those blocks hold still waits, in its eyes; lists of outputs are those of the older block,
/// without anything that waits and with everything that was spent since.
#[derive(Clone, Copy)]
pub struct View<'a> {
    node: &'a Node,
    lag: u32,
}

impl<'a> View<'a> {
    /// Shows `node` as it was `lag` blocks ago.
    pub const fn new(node: &'a Node, lag: u32) -> Self {
        Self { node, lag }
    }

    /// Returns the height that the index has reached.
    pub fn height(&self) -> u32 {
        self.node.height().saturating_sub(self.lag)
    }

    /// Returns the newest block that the index has seen.
    pub fn tip(&self) -> &'a Arc<Block> {
        self.block_at(self.height()).unwrap_or_else(|| self.node.tip())
    }

    /// Returns the block at `height` of the best chain, if the index has reached it.
    pub fn block_at(&self, height: u32) -> Option<&'a Arc<Block>> {
        self.node.block_at(height).filter(|_| height <= self.height())
    }

    /// Returns a block that the index has seen, of an abandoned branch too.
    pub fn block(&self, hash: &BlockHash) -> Option<&'a Arc<Block>> {
        let block = self.node.block(hash)?;
        (block.height() <= self.height() || !self.is_best(block)).then_some(block)
    }

    /// Says whether `block` is part of the best chain.
    pub fn is_best(&self, block: &Block) -> bool {
        self.node.ledger.is_best(block)
    }

    /// Returns the last blocks of abandoned branches, each with the branch's length.
    pub fn abandoned_tips(&self) -> Vec<(Arc<Block>, u32)> {
        self.node.ledger.abandoned_tips()
    }

    /// Returns the median time of the eleven blocks up to `height`.
    pub fn median_time_at(&self, height: u32) -> u32 {
        self.node.ledger.median_time_at(height)
    }

    /// Returns the number of blocks from `block` to the newest, itself included; -1 for a block of
    /// an abandoned branch.
    pub fn confirmations(&self, block: &Block) -> i64 {
        if self.is_best(block) {
            i64::from(self.height()) - i64::from(block.height()) + 1
        } else {
            -1
        }
    }

    /// Returns a transaction that is mined or waits, and where it stands.
    pub fn transaction(
        &self,
        txid: &Txid,
    ) -> Option<(&'a Arc<KnownTransaction>, Option<Location>)> {
        let location = match self.node.standing(txid)? {
            Standing::Mined(location) => Some(location).filter(|at| at.height <= self.height()),
            Standing::InMempool => None,
            Standing::Dropped => return None,
        };
        self.node.transaction(txid).map(|known| (known, location))
    }

    /// Returns the proof of a mined transaction.
    pub fn proof(&self, txid: &Txid) -> Option<TscProof> {
        let location = self.transaction(txid)?.1?;
        self.block_at(location.height)?.proof(location.index)
    }

    /// Returns who spends an output.
    pub fn spend(&self, outpoint: &OutPoint) -> Spend {
        let made = self.transaction(&outpoint.txid);
        if made.and_then(|(known, _)| known.spendable_output(outpoint.vout)).is_none() {
            return Spend::Unknown;
        }
        let Some(txid) = self.node.spender(outpoint) else { return Spend::Unspent };
        let Some((spender, location)) = self.transaction(&txid) else { return Spend::Unspent };
        if self.lag > 0 && location.is_none() {
            return Spend::Unspent;
        }
        let mut inputs = spender.transaction().inputs.iter();
        let vin = inputs.position(|input| input.previous == *outpoint).unwrap_or(0);
        Spend::SpentBy { txid, vin, confirmed: location.is_some() }
    }

    /// Lists the unspent outputs of a script: mined ones by height, then waiting ones.
    pub fn unspent(&self, script: &ScriptHash) -> Vec<Unspent> {
        let mut listed: Vec<Unspent> =
            if self.lag == 0 { self.present_outputs(script) } else { self.past_outputs(script) };
        listed.sort_by_key(list_position);
        listed
    }

    fn present_outputs(&self, script: &ScriptHash) -> Vec<Unspent> {
        let mined = self.node.coins().of_script(script);
        let mined = mined.map(|(outpoint, coin)| (outpoint, &coin.output, Some(coin.height)));
        let waiting = self.node.waiting_outputs(script);
        mined
            .chain(waiting.map(|(outpoint, output)| (outpoint, output, None)))
            .map(|(outpoint, output, height)| Unspent {
                outpoint,
                value: output.value,
                height,
                spent_in_mempool: self.node.mempool.spender(&outpoint).is_some(),
            })
            .collect()
    }

    fn past_outputs(&self, script: &ScriptHash) -> Vec<Unspent> {
        let mut listed: BTreeMap<OutPoint, (Satoshis, u32)> = self
            .node
            .coins()
            .of_script(script)
            .map(|(outpoint, coin)| (outpoint, (coin.output.value, coin.height)))
            .collect();
        let locks = |output: &TxOut| ScriptHash::of(&output.locking_script) == *script;
        for height in (self.height()..self.node.height()).rev().map(|height| height + 1) {
            for (outpoint, coin) in self.node.ledger.taken_at(height) {
                if locks(&coin.output) {
                    listed.insert(*outpoint, (coin.output.value, coin.height));
                }
            }
        }
        listed
            .into_iter()
            .filter(|(_, (_, height))| *height <= self.height())
            .map(|(outpoint, (value, height))| Unspent {
                outpoint,
                value,
                height: Some(height),
                spent_in_mempool: false,
            })
            .collect()
    }
}

/// Returns the place of an output in a list; stable while other outputs come and go.
pub fn list_position(unspent: &Unspent) -> (u32, OutPoint) {
    (unspent.height.unwrap_or(u32::MAX), unspent.outpoint)
}
