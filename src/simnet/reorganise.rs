//! Reorganisations: a heavier branch takes the place of the topmost blocks.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::simnet::block::Block;
use crate::simnet::node::Limits;
use crate::simnet::{Command, Filling, KnownTransaction, Node, Rejection};
use crate::types::{BlockHash, Timestamp, Txid};

/// A reorganisation to carry out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reorganisation {
    /// How many blocks are taken off; one more takes their place.
    pub depth: u32,
    /// Transactions that do not come back, be they mined or waiting.
    pub drop: Vec<Txid>,
    /// Transactions that the first new block holds, before any that come back.
    pub replacements: Vec<Vec<u8>>,
    /// Whether the first new block also takes all that come back; else they wait.
    pub refill: Filling,
}

impl Reorganisation {
    /// Takes `depth` blocks off and lets their transactions wait again.
    pub const fn of_depth(depth: u32) -> Self {
        Self { depth, drop: Vec::new(), replacements: Vec::new(), refill: Filling::Nothing }
    }
}

/// What a reorganisation changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reorganised {
    /// The blocks that were taken off, the lowest first.
    pub disconnected: Vec<BlockHash>,
    /// The blocks that took their place, the lowest first.
    pub connected: Vec<BlockHash>,
    /// Transactions that did not come back: told so, in conflict, or without inputs now.
    pub dropped: Vec<Txid>,
}

/// Why there was no reorganisation. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReorganisationError {
    /// There are not so many blocks above the first.
    #[error("{depth} blocks cannot be taken off a chain of height {height}")]
    Depth {
        /// What was asked for.
        depth: u32,
        /// The height of the chain.
        height: u32,
    },
    /// A replacement is not valid on the new branch.
    #[error("replacement {index} is refused")]
    Replacement {
        /// Its place in the list.
        index: usize,
        /// Why.
        #[source]
        rejection: Rejection,
    },
}

impl Node {
    /// Replaces the topmost blocks by a heavier branch.
    ///
    /// The transactions of the old blocks and of the mempool come back in their order, unless they
    /// are told not to, conflict with a replacement, or have lost an input.
    pub fn reorganise(
        &mut self,
        plan: &Reorganisation,
        now: Timestamp,
    ) -> Result<Reorganised, ReorganisationError> {
        let height = self.height();
        if plan.depth == 0 || plan.depth > height {
            return Err(ReorganisationError::Depth { depth: plan.depth, height });
        }
        let recorder = self.recorder.take();
        let outcome = self.switch_branch(plan, now);
        self.recorder = recorder;
        if outcome.is_ok() {
            self.count_reorganisation();
            let tip = self.tip().hash();
            self.record(&Command::Reorganise { plan: plan.clone(), now, tip });
        }
        outcome
    }

    /// Replaces the topmost blocks and mines `replacements` in their stead.
    pub fn reorganise_with(
        &mut self,
        depth: u32,
        replacements: Vec<Vec<u8>>,
        now: Timestamp,
    ) -> Result<Reorganised, ReorganisationError> {
        let plan = Reorganisation { replacements, ..Reorganisation::of_depth(depth) };
        self.reorganise(&plan, now)
    }

    fn switch_branch(
        &mut self,
        plan: &Reorganisation,
        now: Timestamp,
    ) -> Result<Reorganised, ReorganisationError> {
        let old_branch = self.disconnect(plan.depth);
        let waiting = std::mem::take(&mut self.mempool);
        let accepted = self.accepted.len();
        if let Err(error) = self.submit_replacements(&plan.replacements) {
            for txid in self.accepted.drain(accepted..) {
                self.known.remove(&txid);
            }
            self.mempool = waiting;
            old_branch.into_iter().for_each(|block| self.ledger.connect(block));
            return Err(error);
        }
        let returning: Vec<_> = old_branch
            .iter()
            .flat_map(|block| block.submitted())
            .chain(waiting.in_order())
            .cloned()
            .collect();
        let mut connected = Vec::new();
        if plan.refill == Filling::Nothing {
            connected.push(self.extend(now, Filling::Everything));
        }
        let dropped = self.bring_back(returning, &plan.drop);
        if plan.refill == Filling::Everything {
            connected.push(self.extend(now, Filling::Everything));
        }
        connected.extend((0..plan.depth).map(|_| self.extend(now, Filling::Nothing)));
        let disconnected = old_branch.iter().map(|block| block.hash()).collect();
        Ok(Reorganised { disconnected, connected, dropped })
    }

    fn disconnect(&mut self, depth: u32) -> Vec<Arc<Block>> {
        let mut blocks: Vec<_> = (0..depth).map_while(|_| self.ledger.disconnect_tip()).collect();
        blocks.reverse();
        blocks
    }

    fn submit_replacements(&mut self, replacements: &[Vec<u8>]) -> Result<(), ReorganisationError> {
        for (index, raw) in replacements.iter().enumerate() {
            // A miner may take what others would not relay.
            self.submit_within(raw, Limits::Waived)
                .map_err(|rejection| ReorganisationError::Replacement { index, rejection })?;
        }
        Ok(())
    }

    fn bring_back(&mut self, returning: Vec<Arc<KnownTransaction>>, drop: &[Txid]) -> Vec<Txid> {
        let unwanted: HashSet<&Txid> = drop.iter().collect();
        let mut dropped = Vec::new();
        for known in returning {
            let txid = known.txid();
            if unwanted.contains(&txid) {
                dropped.push(txid);
                continue;
            }
            match self.readmit(known) {
                // A replacement may be one of them.
                Ok(()) | Err(Rejection::AlreadyKnown | Rejection::AlreadyMined) => {}
                Err(_) => dropped.push(txid),
            }
        }
        dropped
    }
}
