//! Defects that this design is meant to exclude, planted one at a time to see that the tests find
//! them. Compiled with the feature `planted-bugs` only, which no release has.

use std::sync::atomic::{AtomicU8, Ordering};

/// A defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Defect {
    /// An unknown outcome frees the inputs of what was sent.
    ReleaseAfterDoubt = 1,
    /// After an unknown outcome another transaction is signed.
    SignAgainAfterDoubt,
    /// "Already known" is taken for a failure, and one failure for the last word.
    KnownIsFailure,
    /// A list of unspent outputs frees those that are held or spent.
    SyncReopens,
    /// Transactions are signed as on other chains.
    WrongSighashByte,
    /// A Merkle path is not compared with the block's header.
    TrustMerklePath,
    /// Records are not told that their block has left the best chain.
    IgnoreReorganisations,
    /// A transfer is accepted without comparing the state that it starts from.
    TransferWithoutCompare,
    /// Change does not come back into the pool.
    LoseChange,
    /// A competing transaction is taken for final because somebody names it.
    TrustConflicts,
    /// What a request with a key created is not written down.
    ForgetIdempotency,
    /// Custody moves on as soon as a transfer is signed.
    CustodyBeforeNetwork,
    /// An old transaction's inputs are freed by the clock.
    ReapByClock,
    /// Verdicts are believed without looking whether the network has the transaction.
    BelieveVerdicts,
    /// Any final transaction that is named as a spender is one.
    AnySpenderKills,
    /// Records go back by themselves however deep a reorganisation was.
    FollowAnyDepth,
    /// A batch is formed in one storage transaction, and its records wait no longer in the next.
    BatchInTwoSteps,
    /// The proof of a record in a batch is its neighbour's.
    ProofFromWrongPlace,
    /// After an unknown outcome a batch gets another transaction.
    BatchSignedAgain,
    /// Of an owner's products in a batch the first is handed on, whichever was signed for.
    AnyProductOfBatch,
    /// Records that wait for a batch get transactions of their own when registrations go directly.
    RouteFollowsMode,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::ReleaseAfterDoubt,
        Self::SignAgainAfterDoubt,
        Self::KnownIsFailure,
        Self::SyncReopens,
        Self::WrongSighashByte,
        Self::TrustMerklePath,
        Self::IgnoreReorganisations,
        Self::TransferWithoutCompare,
        Self::LoseChange,
        Self::TrustConflicts,
        Self::ForgetIdempotency,
        Self::CustodyBeforeNetwork,
        Self::ReapByClock,
        Self::BelieveVerdicts,
        Self::AnySpenderKills,
        Self::FollowAnyDepth,
        Self::BatchInTwoSteps,
        Self::ProofFromWrongPlace,
        Self::BatchSignedAgain,
        Self::AnyProductOfBatch,
        Self::RouteFollowsMode,
    ];

    /// Says whether this defect is planted.
    pub fn is_planted(self) -> bool {
        PLANTED.load(Ordering::SeqCst) == self as u8
    }
}

/// The store's own thread must see it too, so it belongs to the process.
static PLANTED: AtomicU8 = AtomicU8::new(0);

/// Plants a defect in this process, or removes the one that is planted.
pub fn plant(defect: Option<Defect>) {
    PLANTED.store(defect.map_or(0, |defect| defect as u8), Ordering::SeqCst);
}
