//! The world outside of the system: the network, what goes wrong on the way to it, and what was
//! sent. It goes on when the system crashes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use patchproof::simnet::{Node, Policy};
use patchproof::types::{FeeRate, Timestamp, Txid};

use crate::clock::SimClock;
use crate::gates::Gates;
use crate::weather::Weather;

/// 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp::from_secs(1_767_225_600);
/// The least fee of the network on an ordinary day.
const MIN_FEE_SAT_PER_KB: u64 = 100;

/// What was sent, and what of it is still on its way.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Every transaction that the system ever sent, with its bytes.
    pub(crate) sent: BTreeMap<Txid, Vec<u8>>,
    /// How often it sent any.
    pub(crate) broadcasts: u64,
    /// Requests that will arrive later.
    pub(crate) late: Vec<Vec<u8>>,
    /// What the system did that it must never do.
    pub(crate) offences: Vec<String>,
}

pub(crate) struct Net {
    node: Mutex<Node>,
    weather: Mutex<Weather>,
    traffic: Mutex<Traffic>,
    pub(crate) clock: SimClock,
    pub(crate) gates: Gates,
}

impl Net {
    pub(crate) fn new(weather: Weather) -> Arc<Self> {
        Arc::new(Self {
            node: Mutex::new(Node::new(policy(MIN_FEE_SAT_PER_KB), START)),
            weather: Mutex::new(weather),
            traffic: Mutex::default(),
            clock: SimClock::new(START.as_millis() + 1_000_000),
            gates: Gates::default(),
        })
    }

    pub(crate) fn node(&self) -> MutexGuard<'_, Node> {
        self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn weather(&self) -> MutexGuard<'_, Weather> {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the least fee that the network relays; nothing for the ordinary one.
    pub(crate) fn set_min_fee(&self, sat_per_kb: Option<u64>) {
        self.node().set_policy(policy(sat_per_kb.unwrap_or(MIN_FEE_SAT_PER_KB)));
    }

    /// Lets everything arrive that is on its way.
    pub(crate) fn deliver_late(&self) {
        let late = std::mem::take(&mut self.traffic().late);
        for raw in late {
            // Nobody hears the answer.
            drop(self.node().submit(&raw));
        }
    }
}

fn policy(sat_per_kb: u64) -> Policy {
    let min_fee = FeeRate::from_sat_per_kb(sat_per_kb).unwrap();
    Policy { min_fee, max_ancestors: 50 }
}
