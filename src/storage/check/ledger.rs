//! Where all money is, as an equation that holds at every moment.

use serde::Serialize;

/// What came in, and what became of it, in satoshis.
///
/// It follows the transactions and not the states of outputs, and so holds while jobs are under
/// way: an output counts as consumed from the moment a live transaction of ours that spends it is
/// stored, and what that transaction makes counts from the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Ledger {
    /// Outputs that came from outside.
    pub received: u64,
    /// Outputs, seals among them, that no live transaction of ours spends.
    pub unspent: u64,
    /// What our live transactions pay the network.
    pub fees: u64,
    /// What our live transactions pay to others.
    pub paid_out: u64,
    /// Outputs that a transaction of somebody else spent.
    pub spent_elsewhere: u64,
}

impl Ledger {
    /// Says whether everything that came in is somewhere.
    pub(super) fn balances(&self) -> bool {
        let known = [self.unspent, self.fees, self.paid_out, self.spent_elsewhere];
        let sum = known.into_iter().map(u128::from).sum::<u128>();
        sum == u128::from(self.received)
    }
}
