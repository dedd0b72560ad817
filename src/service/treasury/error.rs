//! Why the treasury does nothing.

use crate::bitcoin::Address;
use crate::storage::StoreError;
use crate::types::OutPoint;
use crate::wallet::split::NoSplit;
use crate::wallet::sweep::NoSweep;

/// Why there is no operation; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum TreasuryError {
    /// There is nothing to split.
    #[error(transparent)]
    NoSplit(#[from] NoSplit),
    /// There is nothing to sweep.
    #[error(transparent)]
    NoSweep(#[from] NoSweep),
    /// An output that was named cannot be spent.
    #[error("output {outpoint} is {found}, not available")]
    NotAvailable {
        /// The output.
        outpoint: OutPoint,
        /// What it is instead.
        found: &'static str,
    },
    /// The change key is the key that the money is to go to.
    #[error("the change key is the destination already")]
    ChangeToItself,
    /// The destination is not ours, and that was not allowed.
    #[error("{0} is no address of ours; a withdrawal must be allowed in so many words")]
    ForeignDestination(Address),
    /// The destination is a key that must never be paid.
    #[error("{0} belongs to a key that holds no money")]
    NotForPayments(Address),
    /// One transaction would pay more than it may.
    #[error(
        "the fee of {fee} satoshis exceeds the cap of {cap}; name fewer outputs, lower FEE_PER_KB or raise MAX_FEE_PER_TX_SATS"
    )]
    FeeCap {
        /// The fee.
        fee: u64,
        /// The cap.
        cap: u64,
    },
    /// The fees of the day are spent.
    #[error("{0}")]
    Capped(String),
    /// The plan does not add up; a defect of ours.
    #[error("the plan does not add up")]
    Unsound,
    /// The store does not work.
    #[error("the store did not take the operation")]
    Store(#[from] StoreError),
}

impl TreasuryError {
    /// Says whether there is simply nothing to do at the moment, which is no fault of the request.
    pub const fn is_idle(&self) -> bool {
        match self {
            Self::NoSplit(_) | Self::NoSweep(_) | Self::ChangeToItself | Self::Capped(_) => true,
            Self::NotAvailable { .. }
            | Self::ForeignDestination(_)
            | Self::FeeCap { .. }
            | Self::NotForPayments(_)
            | Self::Unsound
            | Self::Store(_) => false,
        }
    }
}
