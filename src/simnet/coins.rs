//! Unspent outputs, found by outpoint and by script.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

use crate::bitcoin::{Script, TxOut};
use crate::crypto::sha256;
use crate::types::{HashParseError, OutPoint, Txid};

/// SHA-256 of a locking script, printed reversed as explorers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScriptHash([u8; 32]);

impl ScriptHash {
    /// Hashes `script`.
    pub fn of(script: &Script) -> Self {
        Self(sha256(script.as_bytes()))
    }
}

impl fmt::Display for ScriptHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only the order of printing is borrowed.
        Txid::from_bytes(self.0).fmt(formatter)
    }
}

impl FromStr for ScriptHash {
    type Err = HashParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Txid>().map(|reversed| Self(reversed.to_bytes()))
    }
}

/// An unspent output in a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coin {
    /// The amount and the script that locks it.
    pub output: TxOut,
    /// The height of its block.
    pub height: u32,
    /// Whether a block's first transaction made it.
    pub coinbase: bool,
}

/// Which outpoints a script locks.
#[derive(Debug, Clone, Default)]
pub(super) struct ScriptIndex(HashMap<ScriptHash, BTreeSet<OutPoint>>);

impl ScriptIndex {
    pub(super) fn insert(&mut self, script: &Script, outpoint: OutPoint) {
        self.0.entry(ScriptHash::of(script)).or_default().insert(outpoint);
    }

    pub(super) fn remove(&mut self, script: &Script, outpoint: &OutPoint) {
        let hash = ScriptHash::of(script);
        if let Some(outpoints) = self.0.get_mut(&hash) {
            outpoints.remove(outpoint);
            if outpoints.is_empty() {
                self.0.remove(&hash);
            }
        }
    }

    pub(super) fn outpoints(&self, hash: &ScriptHash) -> impl Iterator<Item = &OutPoint> {
        self.0.get(hash).into_iter().flatten()
    }
}

/// The unspent outputs of the best chain.
#[derive(Debug, Clone, Default)]
pub struct CoinSet {
    coins: HashMap<OutPoint, Coin>,
    by_script: ScriptIndex,
}

impl CoinSet {
    /// Returns the coin at `outpoint`.
    pub fn get(&self, outpoint: &OutPoint) -> Option<&Coin> {
        self.coins.get(outpoint)
    }

    /// Returns how many coins there are.
    pub fn len(&self) -> usize {
        self.coins.len()
    }

    /// Says whether there is no coin at all.
    pub fn is_empty(&self) -> bool {
        self.coins.is_empty()
    }

    /// Returns all coins, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&OutPoint, &Coin)> {
        self.coins.iter()
    }

    /// Returns the coins that a script locks, in the order of their outpoints.
    pub fn of_script(&self, hash: &ScriptHash) -> impl Iterator<Item = (OutPoint, &Coin)> {
        self.by_script.outpoints(hash).map(|outpoint| {
            let coin = self.coins.get(outpoint).expect("the index names coins only");
            (*outpoint, coin)
        })
    }

    pub(super) fn insert(&mut self, outpoint: OutPoint, coin: Coin) {
        self.by_script.insert(&coin.output.locking_script, outpoint);
        self.coins.insert(outpoint, coin);
    }

    pub(super) fn remove(&mut self, outpoint: &OutPoint) -> Option<Coin> {
        let coin = self.coins.remove(outpoint)?;
        self.by_script.remove(&coin.output.locking_script, outpoint);
        Some(coin)
    }
}
