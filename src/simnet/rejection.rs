//! Why the node refuses a transaction, in the words that a BSV node uses: [`Rejection`]'s
//! `Display` is what travels over the wire, the fields say more to a test.

use crate::bitcoin::{CodecError, ScriptError};
use crate::types::{OutPoint, Satoshis, Txid};

/// Why a transaction was refused. Nothing of it was kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The bytes are not one whole transaction.
    #[error("TX decode failed")]
    Malformed(#[source] CodecError),
    /// The bytes are not hexadecimal.
    #[error("TX decode failed")]
    NotHexadecimal,
    /// The version is not 1.
    #[error("64: version")]
    Version(u32),
    /// A coinbase cannot stand outside a block.
    #[error("16: coinbase")]
    Coinbase,
    /// Nothing is spent.
    #[error("16: bad-txns-vin-empty")]
    NoInputs,
    /// Nothing is made.
    #[error("16: bad-txns-vout-empty")]
    NoOutputs,
    /// Too short to be told from a Merkle node, or longer than the node relays.
    #[error("64: tx-size")]
    Size(usize),
    /// Two inputs spend the same output.
    #[error("16: bad-txns-inputs-duplicate")]
    DuplicateInput(OutPoint),
    /// The outputs add up to more than all money.
    #[error("16: bad-txns-txouttotal-toolarge")]
    OutputTotal,
    /// A data output carries money, or a spendable one carries none.
    #[error("64: dust")]
    Dust {
        /// The output.
        vout: usize,
    },
    /// Its lock time lies ahead of the next block.
    #[error("64: non-final")]
    NonFinal,
    /// It waits in the mempool already.
    #[error("257: txn-already-known")]
    AlreadyKnown,
    /// It stands in a block already.
    #[error("transaction already in block chain")]
    AlreadyMined,
    /// A transaction in the mempool spends the same output.
    #[error("258: txn-mempool-conflict")]
    Conflict {
        /// The output both want.
        outpoint: OutPoint,
        /// The transaction that came first.
        spender: Txid,
    },
    /// An input's output is unknown, unspendable, or was spent in a block.
    #[error("Missing inputs")]
    MissingInputs(OutPoint),
    /// The outputs take more than the inputs give.
    #[error("64: bad-txns-in-belowout")]
    BelowOutputs {
        /// What the inputs give.
        inputs: Satoshis,
        /// What the outputs take.
        outputs: Satoshis,
    },
    /// The fee is below what the node relays.
    #[error("66: mempool min fee not met")]
    FeeTooLow {
        /// What it pays.
        paid: Satoshis,
        /// What it should pay.
        needed: Satoshis,
    },
    /// Too many unmined transactions stand one upon the other.
    #[error("64: too-long-mempool-chain")]
    ChainTooLong {
        /// How long the chain would become.
        length: usize,
    },
    /// A script does not unlock its output.
    #[error("16: mandatory-script-verify-flag-failed ({0})")]
    Script(ScriptError),
}
