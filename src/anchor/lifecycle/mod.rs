//! A record's way to the chain as a state machine: (job, event) → (job, changes, effects). A treasury
//! operation goes the same way; its plan and lease are made first, so it begins at reserved.
//!
//! ```text
//! accepted → reserved → signed ⇄ seen → mined → final
//!     └────────┴──────────┴──────┴────→ held (an operator or the network must act; visible)
//!     └───────────────────┴───────────→ failed (refused by the network for good, or the state that
//!                                       its owner handed over is gone; inputs released; begins
//!                                       anew only after proof that it is nowhere)
//! ```
//!
//! Pure: no clock, no store, no network. The worker carries out effects and reports what happened
//! as the next event; changes are applied in the same storage transaction as the job. The rules
//! that keep money safe are all here: bytes are signed once and sent again after any doubt, inputs
//! are released only on proof that their transaction can never be mined, no clock releases
//! anything, and a late message never takes a record back a step.

mod answers;
mod backoff;
mod step;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::types::{BlockHash, RecordId, Timestamp, Txid};

pub use backoff::RetryPolicy;
pub use step::{Step, step};

/// Blocks on top, the record's own included, after which a record is final.
pub const FINAL_CONFIRMATIONS: u32 = 6;

/// The most blocks that a reorganisation may take off for the records in them to go back by
/// themselves; a deeper one is for an operator to look into before anything is sent again.
pub const DEEPEST_FOLLOWED: u32 = 7;

/// How far a record has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Stored; nothing is signed yet.
    Accepted,
    /// Issuer's signature stored, outputs leased.
    Reserved,
    /// The signed transaction is stored; whether the network has it is not known.
    Signed {
        /// The transaction.
        txid: Txid,
    },
    /// The network has taken the transaction.
    Seen {
        /// The transaction.
        txid: Txid,
    },
    /// The transaction is in a block of our best chain, proved by a Merkle path.
    Mined {
        /// The transaction.
        txid: Txid,
        /// The block.
        block: BlockHash,
        /// Its height.
        height: u32,
    },
    /// The block is buried under enough others.
    Final {
        /// The transaction.
        txid: Txid,
        /// The block.
        block: BlockHash,
        /// Its height.
        height: u32,
    },
    /// Stuck until someone acts; not terminal.
    Held {
        /// The signed transaction, if there is one.
        txid: Option<Txid>,
        /// Why.
        reason: HeldReason,
    },
    /// Refused for good; no transaction of it can ever be mined.
    Failed {
        /// The network's words.
        reason: String,
    },
}

/// Why a record is stuck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeldReason {
    /// The signer refuses or answers wrongly again and again.
    Signer,
    /// The network wants a higher fee than the signed transaction pays.
    FeeTooLow,
    /// Another transaction spends an input.
    InputSpentElsewhere,
    /// Its block left the best chain in a reorganisation deeper than [`DEEPEST_FOLLOWED`].
    DeepReorganisation,
    /// The network refuses the bytes, but an earlier attempt may still reach it: the inputs stay.
    Refused,
}

impl HeldReason {
    /// Says in a sentence what is wrong and what to do.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Signer => {
                "the signer refuses or answers wrongly; check its keys and its log, then run records recover"
            }
            Self::FeeTooLow => {
                "the network wants a higher fee than the signed transaction pays; it is sent again until one takes it"
            }
            Self::InputSpentElsewhere => {
                "another transaction spends one of the inputs; someone else uses the funding key"
            }
            Self::DeepReorganisation => {
                "its block left the best chain in a reorganisation deeper than 7 blocks; make sure that the network endpoint tells the truth, then run records recover, which sends the same transaction again"
            }
            Self::Refused => {
                "the network refuses the transaction, but an earlier attempt may still reach it; it is sent again until one takes it"
            }
        }
    }
}

/// The work on one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The record.
    pub id: RecordId,
    /// How far it has come.
    pub stage: Stage,
    /// Attempts at the present stage that brought nothing.
    pub attempts: u32,
    /// When the worker looks at it next; none when only a new block or an operator can move it.
    pub due: Option<Timestamp>,
    /// What went wrong last, for the operator.
    pub problem: Option<String>,
    /// When the record was accepted.
    pub accepted_at: Timestamp,
    /// When the present stage began.
    pub stage_since: Timestamp,
    /// Earlier transactions of the record that are proved dead.
    pub dead: Vec<Txid>,
    /// Refusals in a row, of the signer or of the network against the bytes, with nothing else heard
    /// in between.
    pub refusals: u32,
    /// Whether the network ever took the present transaction: then its bytes are in order, whatever is
    /// said of them later.
    pub was_seen: bool,
    /// Whether an attempt to send the present transaction ended without an answer: its bytes may still
    /// arrive, so that no verdict can free its inputs.
    pub was_doubtful: bool,
    /// Whether the pool had nothing to pay with when it was last asked.
    pub waits_for_money: bool,
}

impl Job {
    /// Starts the work on a record, due at once.
    pub const fn new(id: RecordId, now: Timestamp) -> Self {
        Self {
            id,
            stage: Stage::Accepted,
            attempts: 0,
            due: Some(now),
            problem: None,
            accepted_at: now,
            stage_since: now,
            dead: Vec::new(),
            refusals: 0,
            was_seen: false,
            was_doubtful: false,
            waits_for_money: false,
        }
    }

    /// Starts the work on a treasury operation whose inputs are leased, in the same storage
    /// transaction; due at once.
    pub fn planned(id: RecordId, now: Timestamp) -> Self {
        Self { stage: Stage::Reserved, ..Self::new(id, now) }
    }

    /// Returns the transaction that carries the record, if one is signed.
    pub const fn txid(&self) -> Option<Txid> {
        match &self.stage {
            Stage::Accepted | Stage::Reserved | Stage::Failed { .. } => None,
            Stage::Signed { txid }
            | Stage::Seen { txid }
            | Stage::Mined { txid, .. }
            | Stage::Final { txid, .. } => Some(*txid),
            Stage::Held { txid, .. } => *txid,
        }
    }

    /// Says whether the network has taken the record's transaction.
    pub const fn is_on_network(&self) -> bool {
        matches!(self.stage, Stage::Seen { .. } | Stage::Mined { .. } | Stage::Final { .. })
    }
}

/// What happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It is due.
    Woken,
    /// The issuer's signature is stored and inputs are leased, in this same transaction.
    Reserved,
    /// The pool has too little.
    NotFunded {
        /// Satoshis wanted.
        needed: u64,
        /// Satoshis usable.
        available: u64,
    },
    /// The signer gave no answer.
    SignerSilent(String),
    /// The signer refused, or its answer failed a check.
    SignerWrong(String),
    /// The signed transaction is stored, in this same transaction.
    SignedStored {
        /// The transaction.
        txid: Txid,
    },
    /// The network answered to the transaction being sent.
    Sent(SendResult),
    /// The network answered to a question about the transaction.
    Looked(Sighting),
    /// The spenders of the inputs were looked up.
    SpenderFound(Spender),
    /// The transaction of the state that this record's owner handed over is dead; nothing is signed
    /// for the record yet.
    StateGone,
    /// The block that holds the transaction left the best chain.
    BlockOrphaned {
        /// How many blocks left it together: the old tip's height less that of the fork.
        depth: u32,
    },
    /// An operator has the work on a held record taken up again; or on a failed registration, after
    /// proof that none of its transactions can ever be mined.
    Resumed,
    /// What the operator lets be spent in fees is spent for the day: nothing new is signed.
    Capped(String),
    /// An operator takes back what is leased and not signed for; the work begins anew.
    LeaseRevoked,
    /// The plan of a treasury operation cannot be carried out, and nothing is signed for it.
    PlanVoid(String),
    /// The process ended while the transaction may have been on its way.
    Interrupted,
    /// The best chain has grown; the transaction's block has this many confirmations.
    Buried {
        /// Blocks on top, its own included.
        confirmations: u32,
    },
}

/// What sending a transaction taught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendResult {
    /// The network has it, new or known.
    Taken,
    /// Nothing.
    Unknown {
        /// What happened.
        reason: String,
        /// A pause asked for.
        retry_after_ms: Option<u64>,
    },
    /// A parent is missing or an input was spent in a block.
    Orphan(String),
    /// Another transaction is said to spend an input.
    Conflict(String),
    /// The bytes break a rule.
    Invalid(String),
    /// The fee is too low.
    FeeTooLow(String),
}

/// What looking for a transaction taught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// The endpoint does not know it.
    Missing,
    /// It waits for a block.
    InMempool,
    /// It is in a block of our best chain, proved by a Merkle path.
    Mined {
        /// The block.
        block: BlockHash,
        /// Its height.
        height: u32,
    },
    /// It is said to be in a block, which is not proved.
    Unproved(String),
}

/// Who spends the inputs of a transaction, or of those it stands upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spender {
    /// Nobody else, as far as known.
    Nobody,
    /// Another transaction, not buried deep enough to be final; or one that is, while something
    /// still stands upon ours.
    Other(Txid),
    /// Another transaction in a final block: ours can never be mined.
    OtherFinal(Txid),
    /// The same, and with ours died the state that the record's owner handed over: what the owner
    /// signed can never come true.
    StateGone(Txid),
    /// The same, and ours is a treasury operation, which is not planned again by itself.
    PlanDead(Txid),
}

/// What a step changes besides the job, in the same storage transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The network has the transaction: its inputs are spent, its outputs usable, custody moves on.
    Settle {
        /// The transaction.
        txid: Txid,
    },
    /// The transaction is in this block.
    Bury {
        /// The transaction.
        txid: Txid,
        /// The block.
        block: BlockHash,
        /// Its height.
        height: u32,
    },
    /// The transaction is in no block any more.
    Unbury {
        /// The transaction.
        txid: Txid,
    },
    /// The transaction is dead: its inputs return unless the named one spends them, its outputs go.
    Abandon {
        /// The dead transaction.
        txid: Txid,
        /// What killed it, if known.
        killed_by: Option<Txid>,
    },
    /// Nothing was signed with the leased outputs: they return.
    ReturnLease,
    /// Somebody else spends an input: nothing new may stand upon the transaction's outputs.
    Freeze {
        /// The transaction.
        txid: Txid,
    },
    /// The record will never be anchored: its claim on the custody head is given up.
    GiveUp,
}

/// What the worker has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Get the issuer's signature and lease inputs.
    Reserve,
    /// Build the transaction, have it signed, check and store it.
    Sign,
    /// Send the stored bytes.
    Send {
        /// The transaction.
        txid: Txid,
    },
    /// Ask whether the network has the transaction and in which block.
    Look {
        /// The transaction.
        txid: Txid,
    },
    /// Ask who spends the transaction's inputs.
    FindSpender {
        /// The transaction.
        txid: Txid,
    },
}
