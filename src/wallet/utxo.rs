//! An output that a key of ours can spend, and the only ways its state may change.
//!
//! ```text
//! unconfirmed → available → locked(job) → spent(transaction)
//!                   ↑___________|  ↑________|   only when the spending transaction is proved dead
//! ```
//!
//! An output whose spender is found on chain and turns out to be ours goes to that one's job from wherever
//! it is. A transaction from outside that is known to spend an output takes it from unconfirmed or available
//! to spent. A lease belongs to a job, never to a clock.

use serde::{Deserialize, Serialize};

use crate::types::{OutPoint, RecordId, Satoshis, Txid};

/// What an output is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OutputPurpose {
    /// Pays for transactions.
    Pool,
    /// Holds the custody of a product: one satoshi that its next transfer spends. Never funds.
    Seal,
}

/// Where an output is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UtxoState {
    /// Its transaction is not yet taken by the network, or not deep enough.
    Unconfirmed,
    /// It may be spent.
    Available,
    /// A job has it, before and while its transaction is on the way.
    Locked {
        /// The job.
        by: RecordId,
    },
    /// The network has taken a transaction that spends it.
    Spent {
        /// That transaction.
        by: Txid,
    },
}

/// The states as names and index keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UtxoStatus {
    /// See [`UtxoState::Unconfirmed`].
    Unconfirmed,
    /// See [`UtxoState::Available`].
    Available,
    /// See [`UtxoState::Locked`].
    Locked,
    /// See [`UtxoState::Spent`].
    Spent,
}

impl UtxoStatus {
    /// All of them, in the order of an output's life.
    pub const ALL: [Self; 4] = [Self::Unconfirmed, Self::Available, Self::Locked, Self::Spent];

    /// Returns the name used in answers and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::Available => "available",
            Self::Locked => "locked",
            Self::Spent => "spent",
        }
    }

    /// Returns the number used in index keys.
    pub const fn code(self) -> u8 {
        match self {
            Self::Unconfirmed => 0,
            Self::Available => 1,
            Self::Locked => 2,
            Self::Spent => 3,
        }
    }
}

impl UtxoState {
    /// Returns the state's name without its data.
    pub const fn status(&self) -> UtxoStatus {
        match self {
            Self::Unconfirmed => UtxoStatus::Unconfirmed,
            Self::Available => UtxoStatus::Available,
            Self::Locked { .. } => UtxoStatus::Locked,
            Self::Spent { .. } => UtxoStatus::Spent,
        }
    }
}

/// An output that a key of ours can spend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Utxo {
    /// Which output.
    pub outpoint: OutPoint,
    /// Its amount.
    pub value: Satoshis,
    /// The signer's name for the key.
    pub key_identifier: String,
    /// RIPEMD-160(SHA-256(key)) from its locking script.
    pub key_hash: [u8; 20],
    /// What it is for.
    pub purpose: OutputPurpose,
    /// Where it is in its life.
    pub state: UtxoState,
    /// The height of its transaction's block, if it is in one.
    pub height: Option<u32>,
    /// Unmined transactions of ours it descends from in a row; 0 when mined or from outside.
    pub chain_depth: u32,
}

/// A change of state that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("output {outpoint} is {found}, it cannot be {wanted}")]
pub struct UtxoTransitionError {
    /// The output.
    pub outpoint: OutPoint,
    /// Its present state.
    pub found: &'static str,
    /// What was asked for.
    pub wanted: &'static str,
}

impl Utxo {
    /// Gives the output to a job; giving it again to the same job changes nothing.
    pub fn lease(self, by: RecordId) -> Result<Self, UtxoTransitionError> {
        match self.state {
            UtxoState::Available => Ok(Self { state: UtxoState::Locked { by }, ..self }),
            UtxoState::Locked { by: holder } if holder == by => Ok(self),
            UtxoState::Unconfirmed | UtxoState::Locked { .. } | UtxoState::Spent { .. } => {
                Err(self.refuse("leased"))
            }
        }
    }

    /// Lets a transfer take its product's seal, even before the network has taken the transaction
    /// that made it.
    pub fn lease_seal(self, by: RecordId) -> Result<Self, UtxoTransitionError> {
        match (self.purpose, self.state) {
            (OutputPurpose::Seal, UtxoState::Unconfirmed) => {
                Ok(Self { state: UtxoState::Locked { by }, ..self })
            }
            (OutputPurpose::Seal, _) => self.lease(by),
            (OutputPurpose::Pool, _) => Err(self.refuse("leased as a seal")),
        }
    }

    /// Marks the output spent by a transaction that the network has taken.
    pub fn spend(self, by: Txid, job: RecordId) -> Result<Self, UtxoTransitionError> {
        match self.state {
            UtxoState::Locked { by: holder } if holder == job => {
                Ok(Self { state: UtxoState::Spent { by }, ..self })
            }
            UtxoState::Spent { by: spender } if spender == by => Ok(self),
            UtxoState::Unconfirmed
            | UtxoState::Available
            | UtxoState::Locked { .. }
            | UtxoState::Spent { .. } => Err(self.refuse("spent by this transaction")),
        }
    }

    /// Marks the output spent by a transaction from outside; never one that a job of ours holds, which
    /// is the job's business.
    pub fn spend_elsewhere(self, by: Txid) -> Result<Self, UtxoTransitionError> {
        match self.state {
            UtxoState::Unconfirmed | UtxoState::Available => {
                Ok(Self { state: UtxoState::Spent { by }, ..self })
            }
            UtxoState::Spent { by: spender } if spender == by => Ok(self),
            UtxoState::Locked { .. } | UtxoState::Spent { .. } => {
                Err(self.refuse("spent from outside"))
            }
        }
    }

    /// Gives the output to a job whose transaction, found on chain, spends it.
    pub fn hold_for_spender(self, by: Txid, job: RecordId) -> Result<Self, UtxoTransitionError> {
        match self.state {
            UtxoState::Unconfirmed | UtxoState::Available => {
                Ok(Self { state: UtxoState::Locked { by: job }, ..self })
            }
            UtxoState::Spent { by: spender } if spender == by => {
                Ok(Self { state: UtxoState::Locked { by: job }, ..self })
            }
            UtxoState::Locked { by: holder } if holder == job => Ok(self),
            UtxoState::Locked { .. } | UtxoState::Spent { .. } => {
                Err(self.refuse("held for its spender"))
            }
        }
    }

    /// Sets the output aside because the block in which a transaction from outside spent it has left
    /// the best chain.
    pub fn doubt_spender(self, by: Txid) -> Result<Self, UtxoTransitionError> {
        match self.state {
            UtxoState::Spent { by: spender } if spender == by => {
                Ok(Self { state: UtxoState::Unconfirmed, ..self })
            }
            UtxoState::Unconfirmed
            | UtxoState::Available
            | UtxoState::Locked { .. }
            | UtxoState::Spent { .. } => Err(self.refuse("spent by this transaction")),
        }
    }

    /// Gives the output back after the transaction that was to spend it is proved dead.
    pub fn release(self, dead: Txid, job: RecordId) -> Result<Self, UtxoTransitionError> {
        match self.state {
            UtxoState::Locked { by } if by == job => {
                Ok(Self { state: UtxoState::Available, ..self })
            }
            UtxoState::Spent { by } if by == dead => {
                Ok(Self { state: UtxoState::Available, ..self })
            }
            UtxoState::Unconfirmed
            | UtxoState::Available
            | UtxoState::Locked { .. }
            | UtxoState::Spent { .. } => Err(self.refuse("released")),
        }
    }

    /// Makes an unconfirmed output usable; any other stays as it is.
    #[must_use]
    pub fn mature(self) -> Self {
        match self.state {
            UtxoState::Unconfirmed => Self { state: UtxoState::Available, ..self },
            UtxoState::Available | UtxoState::Locked { .. } | UtxoState::Spent { .. } => self,
        }
    }

    fn refuse(&self, wanted: &'static str) -> UtxoTransitionError {
        UtxoTransitionError { outpoint: self.outpoint, found: self.state.status().as_str(), wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utxo(state: UtxoState) -> Utxo {
        Utxo {
            outpoint: OutPoint::new(Txid::from_bytes([1; 32]), 0),
            value: Satoshis::from_const(5000),
            key_identifier: "funding".into(),
            key_hash: [2; 20],
            purpose: OutputPurpose::Pool,
            state,
            height: None,
            chain_depth: 0,
        }
    }

    #[test]
    fn only_the_holder_spends_and_only_death_releases() {
        let (mine, other) = (RecordId::from_bytes([1; 16]), RecordId::from_bytes([2; 16]));
        let (good, dead) = (Txid::from_bytes([8; 32]), Txid::from_bytes([9; 32]));
        let leased = utxo(UtxoState::Available).lease(mine).unwrap();
        assert_eq!(leased.clone().lease(mine).unwrap(), leased);
        assert!(leased.clone().lease(other).is_err());
        assert!(leased.clone().spend(good, other).is_err());
        assert!(leased.clone().release(dead, other).is_err());
        let spent = leased.spend(good, mine).unwrap();
        assert!(spent.clone().lease(mine).is_err());
        assert!(spent.clone().release(dead, mine).is_err(), "spent by a live transaction");
        assert!(spent.clone().doubt_spender(dead).is_err());
        assert_eq!(spent.clone().doubt_spender(good).unwrap().state, UtxoState::Unconfirmed);
        assert_eq!(spent.release(good, mine).unwrap().state, UtxoState::Available);
    }

    #[test]
    fn what_was_found_spent_is_held_for_its_spender_and_for_no_other() {
        let (mine, other) = (RecordId::from_bytes([1; 16]), RecordId::from_bytes([2; 16]));
        let (good, bad) = (Txid::from_bytes([8; 32]), Txid::from_bytes([9; 32]));
        let held = UtxoState::Locked { by: mine };
        for state in [UtxoState::Unconfirmed, UtxoState::Available, UtxoState::Spent { by: good }] {
            assert_eq!(utxo(state).hold_for_spender(good, mine).unwrap().state, held);
        }
        assert!(utxo(UtxoState::Spent { by: bad }).hold_for_spender(good, mine).is_err());
        assert!(utxo(UtxoState::Locked { by: other }).hold_for_spender(good, mine).is_err());
    }

    #[test]
    fn maturing_never_takes_an_output_back() {
        let mine = RecordId::from_bytes([1; 16]);
        let locked = utxo(UtxoState::Locked { by: mine });
        assert_eq!(locked.clone().mature(), locked);
        assert_eq!(utxo(UtxoState::Unconfirmed).mature().state, UtxoState::Available);
        assert!(utxo(UtxoState::Unconfirmed).lease(mine).is_err());
    }
}
