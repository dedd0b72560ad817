//! What was let go in fees, day by day: the sum over all transactions that were signed on a day, dead
//! ones included, because a day's cap must hold whatever becomes of them.

use redb::ReadableTable;

use crate::storage::{StoreError, StoredTransaction, Tables, TransactionOrigin, WriteTx};
use crate::types::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// The fees of one day in satoshis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DayFees {
    /// Of transactions for records.
    pub records: u64,
    /// Of maintenance transactions.
    pub treasury: u64,
}

impl DayFees {
    /// Returns both together.
    pub const fn total(self) -> u64 {
        self.records.saturating_add(self.treasury)
    }
}

/// Returns the number of a moment's day since 1970 (UTC).
pub fn day_of(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(DAY_MS)
}

/// Returns what a transaction adds to the fees of its day; nothing if it is not ours.
pub(super) fn share_of(transaction: &StoredTransaction) -> Option<(i64, DayFees)> {
    let fee = transaction.fee.get();
    let share = match transaction.origin {
        TransactionOrigin::Record(_) | TransactionOrigin::Batch(_) => {
            DayFees { records: fee, treasury: 0 }
        }
        TransactionOrigin::Treasury(_) => DayFees { records: 0, treasury: fee },
        TransactionOrigin::External => return None,
    };
    Some((day_of(transaction.stored_at), share))
}

impl WriteTx<'_> {
    /// Keeps the sums true when a transaction takes the place of another, or of none.
    pub(super) fn count_fee(
        &mut self,
        before: Option<&StoredTransaction>,
        after: &StoredTransaction,
    ) -> Result<(), StoreError> {
        let (old, new) = (before.and_then(share_of), share_of(after));
        if old == new {
            return Ok(());
        }
        if let Some((day, share)) = old {
            self.adjust_day(day, |sum| DayFees {
                records: sum.records.saturating_sub(share.records),
                treasury: sum.treasury.saturating_sub(share.treasury),
            })?;
        }
        let Some((day, share)) = new else { return Ok(()) };
        self.adjust_day(day, |sum| DayFees {
            records: sum.records.saturating_add(share.records),
            treasury: sum.treasury.saturating_add(share.treasury),
        })
    }

    fn adjust_day(
        &mut self,
        day: i64,
        change: impl FnOnce(DayFees) -> DayFees,
    ) -> Result<(), StoreError> {
        let before = fees_on(self, day)?;
        let after = change(before);
        self.tables.fees_by_day.insert(day, (after.records, after.treasury))?;
        Ok(())
    }
}

/// Returns the fees of one day.
pub fn fees_on(tables: &impl Tables, day: i64) -> Result<DayFees, StoreError> {
    let sum = tables.fees_by_day().get(day)?;
    Ok(sum.map_or_else(DayFees::default, |sum| {
        let (records, treasury) = sum.value();
        DayFees { records, treasury }
    }))
}

/// Returns the first day on which anything was signed, if ever.
pub fn first_day(tables: &impl Tables) -> Result<Option<i64>, StoreError> {
    Ok(tables.fees_by_day().first()?.map(|(day, _)| day.value()))
}
