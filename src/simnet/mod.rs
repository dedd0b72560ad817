//! A simulated BSV network that validates for real: scripts, sums, fees and double spends; blocks
//! with work and Merkle roots; reorganisations, evictions and faults on command.
//!
//! [`Node`] is synchronous and repeatable. [`Simnet`] shares one between the faces over HTTP: the
//! shapes of WhatsOnChain under `/v1/bsv/{main|test}`, those of ARC under `/v1` (and `/arcade`, where
//! Arcade has its paths), the controls under `/sim`. It is an
//! instrument for tests and demonstrations: whoever reaches the controls rules the chain.

mod arc;
mod arc_answers;
mod block;
mod coins;
mod command;
mod control;
mod delivery;
mod explorer;
mod faucet;
mod faults;
mod journal;
mod ledger;
mod mempool;
mod mining;
mod misfortune;
mod node;
mod rejection;
#[cfg(test)]
mod reorganisation_tests;
mod reorganise;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod submission_tests;
mod transaction;
mod view;
mod whatsonchain;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::types::{BlockHash, Clock, FeeRate, Timestamp, Txid};

pub use block::Block;
pub use coins::{Coin, CoinSet, ScriptHash};
pub use command::{Command, Filling, Recorder, ReplayError};
pub use delivery::{Delivery, RECORDED_REFUSALS, canned_answer, deliver};
pub use faucet::{FaucetError, MAX_FAUCET_OUTPUTS};
pub use faults::{Decision, Fault, FaultMenu, FaultRule, Loss, Occurrence, RequestClass};
pub use journal::{JournalError, open_journal};
pub use ledger::Location;
pub use node::{Node, Policy, Standing};
pub use rejection::Rejection;
pub use reorganise::{Reorganisation, ReorganisationError, Reorganised};
pub use transaction::{
    CheckedTransaction, KnownTransaction, MAX_TRANSACTION_SIZE, VerifiedTransaction,
};
pub use view::{Spend, Unspent, View, list_position};

/// The fee rate that a new node asks for.
const DEFAULT_MIN_FEE_SAT_PER_KB: u64 = 100;
/// The time of the first block unless told otherwise: 2026-01-01T00:00:00Z.
const DEFAULT_GENESIS_TIME: Timestamp = Timestamp::from_secs(1_767_225_600);

/// How a simulated network is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimnetConfig {
    /// Where it is served.
    pub listen: SocketAddr,
    /// How often a block is mined; never by itself when absent.
    pub mine_interval: Option<Duration>,
    /// The least fee.
    pub min_fee_rate: FeeRate,
    /// How many unmined transactions may stand one upon the other.
    pub max_ancestors: usize,
    /// The time of the first block of a new chain.
    pub genesis_time: Timestamp,
    /// Decides which requests a fault of chance strikes.
    pub fault_seed: u64,
}

impl Default for SimnetConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            mine_interval: None,
            min_fee_rate: FeeRate::from_sat_per_kb(DEFAULT_MIN_FEE_SAT_PER_KB)
                .expect("the rate is within the range of rates"),
            max_ancestors: 1000,
            genesis_time: DEFAULT_GENESIS_TIME,
            fault_seed: 0,
        }
    }
}

impl SimnetConfig {
    const fn policy(&self) -> Policy {
        Policy { min_fee: self.min_fee_rate, max_ancestors: self.max_ancestors }
    }
}

/// How many transactions came in over HTTP or [`Simnet::submit`], and how many were refused.
#[derive(Debug, Default)]
struct Traffic {
    submitted: AtomicU64,
    refused: AtomicU64,
}

/// A simulated network that several tasks share; clones are the same network.
#[derive(Clone)]
pub struct Simnet {
    node: Arc<Mutex<Node>>,
    faults: Arc<Mutex<FaultMenu>>,
    arc_faults: Arc<Mutex<FaultMenu>>,
    traffic: Arc<Traffic>,
    clock: Arc<dyn Clock>,
}

impl Simnet {
    /// Starts a network that is forgotten with the process.
    pub fn new(config: &SimnetConfig, clock: Arc<dyn Clock>) -> Self {
        Self::of_node(Node::new(config.policy(), config.genesis_time), config, clock)
    }

    /// Goes on with the network whose journal is at `path`, or starts one there.
    pub fn open(
        config: &SimnetConfig,
        clock: Arc<dyn Clock>,
        path: &Path,
    ) -> Result<Self, JournalError> {
        let node = open_journal(path, config.policy(), config.genesis_time)?;
        Ok(Self::of_node(node, config, clock))
    }

    fn of_node(node: Node, config: &SimnetConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            node: Arc::new(Mutex::new(node)),
            faults: Arc::new(Mutex::new(FaultMenu::new(config.fault_seed))),
            arc_faults: Arc::new(Mutex::new(FaultMenu::new(!config.fault_seed))),
            traffic: Arc::default(),
            clock,
        }
    }

    /// Returns the node; it must not be held across an await.
    pub fn node(&self) -> MutexGuard<'_, Node> {
        // A panic elsewhere is a defect, but a simulation that goes on tells more about it.
        self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the faults of the explorer's face; they must not be held across an await.
    pub fn faults(&self) -> MutexGuard<'_, FaultMenu> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the faults of ARC's face; they must not be held across an await.
    pub fn arc_faults(&self) -> MutexGuard<'_, FaultMenu> {
        self.arc_faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the present time of the network.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Validates a transaction and puts it into the mempool; the scripts run without the node's
    /// lock.
    pub fn submit(&self, raw: &[u8]) -> Result<Txid, Rejection> {
        self.traffic.submitted.fetch_add(1, Ordering::Relaxed);
        let outcome = self.submit_uncounted(raw);
        if outcome.is_err() {
            self.traffic.refused.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    fn submit_uncounted(&self, raw: &[u8]) -> Result<Txid, Rejection> {
        let known = KnownTransaction::parse(raw)?;
        let checked = self.node().check(known)?;
        let verified = checked.verify_scripts()?;
        self.node().accept(verified)
    }

    /// Mines a block of everything that waits.
    pub fn mine(&self) -> BlockHash {
        let now = self.now();
        self.node().mine(now)
    }

    /// Returns every route: the explorer's face, ARC's face and the controls.
    pub fn router(&self) -> Router {
        whatsonchain::router(self).merge(arc::router(self)).nest("/sim", control::router(self))
    }

    /// Mines a block every `interval` until `shutdown` says true or its sender is gone.
    pub async fn mine_periodically(&self, interval: Duration, mut shutdown: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once; a block should not.
        ticks.tick().await;
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    self.mine();
                }
                stopped = shutdown.wait_for(|stop| *stop) => {
                    drop(stopped);
                    return;
                }
            }
        }
    }
}
