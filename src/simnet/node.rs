//! The node: what it accepts, what it knows. Synchronous, without I/O and without a clock.
//!
//! Given the same calls it makes the same chain, down to the nonces. A coin that a block's first
//! transaction made can be spent in the very next block, where the public network waits for a
//! hundred: a simulation has no use for that wait.

use std::collections::HashMap;
use std::sync::Arc;

use crate::bitcoin::{Script, TxOut};
use crate::crypto::SecretKey;
use crate::simnet::block::{Block, BlockTemplate, Coinbase};
use crate::simnet::ledger::Ledger;
use crate::simnet::mempool::Mempool;
use crate::simnet::{
    CheckedTransaction, CoinSet, Command, KnownTransaction, Location, Recorder, Rejection,
    ReplayError, ScriptHash, VerifiedTransaction, faucet,
};
use crate::types::{BlockHash, FeeRate, OutPoint, Satoshis, Timestamp, Txid};

/// A lock time below this is a height, from this on a time.
const LOCK_TIME_THRESHOLD: u32 = 500_000_000;
const FINAL_SEQUENCE: u32 = u32::MAX;

/// What a node relays, beyond what is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The least fee.
    pub min_fee: FeeRate,
    /// How many unmined transactions may stand one upon the other.
    pub max_ancestors: usize,
}

impl Policy {
    /// Returns the least fee for `size` bytes: nodes round down, but ask for one satoshi at least.
    fn needed_fee(&self, size: usize) -> Satoshis {
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        let fee = size.saturating_mul(self.min_fee.sat_per_kb()) / 1000;
        Satoshis::new(fee.max(1)).unwrap_or(Satoshis::MAX)
    }
}

/// Whether a transaction must also please the node's policy: what was mined or accepted before,
/// or comes from a miner, need only be valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limits {
    Enforced,
    Waived,
}

/// What the node knows of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In a block of the best chain.
    Mined(Location),
    /// Waiting.
    InMempool,
    /// Accepted once, and since evicted, replaced or left without inputs.
    Dropped,
}

/// A BSV node with a chain of its own.
pub struct Node {
    pub(super) policy: Policy,
    pub(super) ledger: Ledger,
    pub(super) mempool: Mempool,
    /// Every transaction ever accepted, and the order of acceptance.
    pub(super) known: HashMap<Txid, Arc<KnownTransaction>>,
    pub(super) accepted: Vec<Txid>,
    pub(super) faucet_key: SecretKey,
    pub(super) faucet_script: Script,
    pub(super) recorder: Option<Recorder>,
    reorganisations: u64,
}

impl Node {
    /// Starts a chain whose first block bears the time `genesis_time`.
    pub fn new(policy: Policy, genesis_time: Timestamp) -> Self {
        let (faucet_key, faucet_script) = faucet::key_and_script();
        let coinbase =
            Coinbase { height: 0, serial: 0, fees: Satoshis::ZERO, locking_script: &faucet_script };
        let genesis = BlockTemplate {
            parent: None,
            time: unix_seconds(genesis_time),
            transactions: vec![Arc::new(coinbase.transaction())],
        };
        Self {
            policy,
            ledger: Ledger::new(genesis.mine()),
            mempool: Mempool::default(),
            known: HashMap::new(),
            accepted: Vec::new(),
            faucet_key,
            faucet_script,
            recorder: None,
            reorganisations: 0,
        }
    }

    /// Has `recorder` told of every command from now on.
    pub fn record_to(&mut self, recorder: Recorder) {
        self.recorder = Some(recorder);
    }

    /// Returns what the node relays.
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// Changes what the node relays from now on.
    pub const fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Validates a transaction and puts it into the mempool.
    pub fn submit(&mut self, raw: &[u8]) -> Result<Txid, Rejection> {
        self.submit_within(raw, Limits::Enforced)
    }

    /// Checks everything but the scripts.
    pub fn check(&self, known: KnownTransaction) -> Result<CheckedTransaction, Rejection> {
        let known = Arc::new(known);
        let (spent, _) = self.examine(&known, Limits::Enforced)?;
        Ok(CheckedTransaction { known, spent })
    }

    /// Puts a transaction into the mempool whose scripts were run, if nothing came in between.
    pub fn accept(&mut self, verified: VerifiedTransaction) -> Result<Txid, Rejection> {
        let known = verified.known;
        let (_, fee) = self.examine(&known, Limits::Enforced)?;
        Ok(self.admit(known, fee))
    }

    pub(super) fn submit_within(&mut self, raw: &[u8], limits: Limits) -> Result<Txid, Rejection> {
        let known = Arc::new(KnownTransaction::parse(raw)?);
        let (spent, fee) = self.examine(&known, limits)?;
        let verified = CheckedTransaction { known, spent }.verify_scripts()?;
        Ok(self.admit(verified.known, fee))
    }

    fn admit(&mut self, known: Arc<KnownTransaction>, fee: Satoshis) -> Txid {
        let txid = known.txid();
        let raw = known.raw().clone();
        if self.known.insert(txid, known.clone()).is_none() {
            self.accepted.push(txid);
        }
        self.mempool.insert(known, fee);
        self.record(&Command::Submit { raw });
        txid
    }

    /// Puts a transaction back that was accepted before, if its inputs are still to be had.
    pub(super) fn readmit(&mut self, known: Arc<KnownTransaction>) -> Result<(), Rejection> {
        let (_, fee) = self.examine(&known, Limits::Waived)?;
        self.mempool.insert(known, fee);
        Ok(())
    }

    /// Returns the outputs that `known` spends and its fee, if everything but the scripts is right.
    fn examine(
        &self,
        known: &KnownTransaction,
        limits: Limits,
    ) -> Result<(Vec<TxOut>, Satoshis), Rejection> {
        if self.mempool.get(&known.txid()).is_some() {
            return Err(Rejection::AlreadyKnown);
        }
        if self.ledger.location(&known.txid()).is_some() {
            return Err(Rejection::AlreadyMined);
        }
        if !self.is_final(known) {
            return Err(Rejection::NonFinal);
        }
        let spent = self.find_inputs(known)?;
        let fee = fee_of(known, &spent)?;
        if limits == Limits::Enforced {
            self.check_policy(known, fee)?;
        }
        Ok((spent, fee))
    }

    fn is_final(&self, known: &KnownTransaction) -> bool {
        let transaction = known.transaction();
        let reached = if transaction.lock_time < LOCK_TIME_THRESHOLD {
            self.height().saturating_add(1)
        } else {
            self.median_time()
        };
        transaction.lock_time < reached
            || transaction.inputs.iter().all(|input| input.sequence == FINAL_SEQUENCE)
    }

    fn find_inputs(&self, known: &KnownTransaction) -> Result<Vec<TxOut>, Rejection> {
        let outpoints = || known.transaction().inputs.iter().map(|input| input.previous);
        for outpoint in outpoints() {
            if let Some(spender) = self.mempool.spender(&outpoint) {
                return Err(Rejection::Conflict { outpoint, spender });
            }
        }
        outpoints()
            .map(|outpoint| {
                self.unspent_output(&outpoint).cloned().ok_or(Rejection::MissingInputs(outpoint))
            })
            .collect()
    }

    fn unspent_output(&self, outpoint: &OutPoint) -> Option<&TxOut> {
        let coin = self.ledger.coins().get(outpoint).map(|coin| &coin.output);
        coin.or_else(|| self.mempool.output(outpoint))
    }

    fn check_policy(&self, known: &KnownTransaction, paid: Satoshis) -> Result<(), Rejection> {
        let needed = self.policy.needed_fee(known.raw().len());
        if paid < needed {
            return Err(Rejection::FeeTooLow { paid, needed });
        }
        let length = self.mempool.chain_length(known);
        if length > self.policy.max_ancestors {
            return Err(Rejection::ChainTooLong { length });
        }
        Ok(())
    }

    /// Drops a waiting transaction and all that stand upon it; returns them, parents first.
    pub fn drop_from_mempool(&mut self, txid: &Txid) -> Vec<Txid> {
        let removed = self.mempool.remove_with_descendants(txid);
        if !removed.is_empty() {
            self.record(&Command::Evict { txid: *txid });
        }
        removed.into_iter().map(|known| known.txid()).collect()
    }

    /// Carries out a recorded command and checks that the same came of it.
    pub fn replay(&mut self, command: &Command) -> Result<(), ReplayError> {
        let (recorded, made) = match command {
            Command::Submit { raw } => {
                self.submit_within(raw, Limits::Waived)?;
                return Ok(());
            }
            Command::Evict { txid } => {
                self.drop_from_mempool(txid);
                return Ok(());
            }
            Command::Mine { now, filling, block } => (*block, self.mine_block(*now, *filling)),
            Command::Reorganise { plan, now, tip } => {
                self.reorganise(plan, *now)?;
                (*tip, self.tip().hash())
            }
        };
        if recorded == made { Ok(()) } else { Err(ReplayError::Diverged { recorded, made }) }
    }

    pub(super) fn record(&mut self, command: &Command) {
        if let Some(recorder) = &mut self.recorder {
            recorder(command);
        }
    }

    pub(super) const fn count_reorganisation(&mut self) {
        self.reorganisations = self.reorganisations.saturating_add(1);
    }

    /// Returns how often a branch was replaced.
    pub const fn reorganisations(&self) -> u64 {
        self.reorganisations
    }

    /// Returns the newest block of the best chain.
    pub fn tip(&self) -> &Arc<Block> {
        self.ledger.tip()
    }

    /// Returns the height of the newest block.
    pub fn height(&self) -> u32 {
        self.ledger.height()
    }

    /// Returns the median time of the last eleven blocks in unix seconds.
    pub fn median_time(&self) -> u32 {
        self.ledger.median_time_at(self.height())
    }

    /// Returns the unspent outputs of the best chain.
    pub const fn coins(&self) -> &CoinSet {
        self.ledger.coins()
    }

    /// Returns the block at `height` of the best chain.
    pub fn block_at(&self, height: u32) -> Option<&Arc<Block>> {
        self.ledger.block_at(height)
    }

    /// Returns a block, of an abandoned branch too.
    pub fn block(&self, hash: &BlockHash) -> Option<&Arc<Block>> {
        self.ledger.block(hash)
    }

    /// Returns how many transactions wait.
    pub fn mempool_len(&self) -> usize {
        self.mempool.len()
    }

    /// Returns the identifiers of the waiting transactions, parents before children.
    pub fn mempool_txids(&self) -> Vec<Txid> {
        self.mempool.in_order().map(|known| known.txid()).collect()
    }

    /// Returns every submitted transaction ever accepted, in the order of acceptance.
    pub fn accepted(&self) -> &[Txid] {
        &self.accepted
    }

    /// Returns a transaction that is or was part of the chain or the mempool.
    pub fn transaction(&self, txid: &Txid) -> Option<&Arc<KnownTransaction>> {
        let mined = || self.ledger.transaction_at(self.ledger.location(txid)?);
        self.known.get(txid).or_else(mined)
    }

    /// Returns what has become of a transaction, if it was ever accepted.
    pub fn standing(&self, txid: &Txid) -> Option<Standing> {
        if let Some(location) = self.ledger.location(txid) {
            Some(Standing::Mined(location))
        } else if self.mempool.get(txid).is_some() {
            Some(Standing::InMempool)
        } else {
            self.known.contains_key(txid).then_some(Standing::Dropped)
        }
    }

    /// Returns the transaction, mined or waiting, that spends `outpoint`.
    pub fn spender(&self, outpoint: &OutPoint) -> Option<Txid> {
        self.mempool.spender(outpoint).or_else(|| self.ledger.spender(outpoint))
    }

    /// Returns the waiting outputs that a script locks.
    pub fn waiting_outputs(&self, hash: &ScriptHash) -> impl Iterator<Item = (OutPoint, &TxOut)> {
        self.mempool.of_script(hash)
    }
}

fn fee_of(known: &KnownTransaction, spent: &[TxOut]) -> Result<Satoshis, Rejection> {
    let outputs = known.transaction().output_total().map_err(|_| Rejection::OutputTotal)?;
    let inputs = Satoshis::sum(spent.iter().map(|output| output.value))
        .map_err(|_| Rejection::OutputTotal)?;
    inputs.checked_sub(outputs).map_err(|_| Rejection::BelowOutputs { inputs, outputs })
}

/// Returns unix seconds as a header holds them.
pub(super) fn unix_seconds(time: Timestamp) -> u32 {
    u32::try_from(time.as_secs().max(0)).unwrap_or(u32::MAX)
}
