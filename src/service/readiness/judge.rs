//! How much is enough: one judgement for `/ready`, for the console and for `patchproof doctor`.

use crate::storage::PoolTotals;
use crate::wallet::utxo::UtxoStatus;

const MIB: u64 = 1024 * 1024;
/// Bytes free on the disk below which nothing more can be promised: the store's file grows in steps
/// and is copied before a migration.
pub const LEAST_FREE: u64 = 200 * MIB;
/// Bytes free on the disk below which it fills up soon.
pub const AMPLE_FREE: u64 = 2 * 1024 * MIB;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// As it should be.
    Ok,
    /// Works, and will not for ever.
    Warn,
    /// Does not work.
    Fail,
}

impl Condition {
    /// Returns the word for answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    /// Returns how something is that failed so, if it did.
    pub(super) const fn of_failure(failure: Option<&String>) -> Self {
        if failure.is_some() { Self::Fail } else { Self::Ok }
    }
}

/// A judgement, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// How it is.
    pub condition: Condition,
    /// What was found, for operators: it has the amounts.
    pub text: String,
    /// What is the matter, for everybody.
    pub trouble: Option<&'static str>,
}

/// Judges what the pool can pay: `least` is the number of outputs that are wanted (MIN_UTXO_COUNT).
pub fn judge_pool(totals: &PoolTotals, least: u64) -> Judged {
    let sum = |status: UtxoStatus| {
        let of_status = totals.iter().filter(|((_, it), _)| *it == status);
        of_status.fold((0u64, 0u64), |(count, satoshis), (_, it)| {
            (count.saturating_add(it.count), satoshis.saturating_add(it.satoshis))
        })
    };
    let (count, satoshis) = sum(UtxoStatus::Available);
    let (waiting, coming) = sum(UtxoStatus::Unconfirmed);
    let found = format!("{count} outputs with {satoshis} satoshis are available");
    if count == 0 && waiting > 0 {
        let text = format!("{found}; {waiting} with {coming} wait for the network");
        Judged { condition: Condition::Warn, text, trouble: Some("all money waits for a block") }
    } else if count == 0 {
        let text = format!("{found}: nothing can be paid for");
        Judged { condition: Condition::Fail, text, trouble: Some("nothing can be paid for") }
    } else if count < least {
        let text = format!("{found}, fewer than MIN_UTXO_COUNT ({least})");
        let trouble = Some("fewer outputs than MIN_UTXO_COUNT");
        Judged { condition: Condition::Warn, text, trouble }
    } else {
        Judged { condition: Condition::Ok, text: found, trouble: None }
    }
}

/// Judges the room on the disk of the data folder, in bytes.
pub fn judge_disk(free: u64) -> Judged {
    let (condition, trouble) = match free {
        _ if free < LEAST_FREE => (Condition::Fail, Some("less than 200 MiB free")),
        _ if free < AMPLE_FREE => (Condition::Warn, Some("less than 2 GiB free")),
        _ => (Condition::Ok, None),
    };
    Judged { condition, text: format!("{} MiB free", free / MIB), trouble }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::UtxoTotal;

    fn pool(rows: &[(UtxoStatus, u64)]) -> Condition {
        let rows = rows.iter().map(|(status, count)| {
            (("funding".to_owned(), *status), UtxoTotal { count: *count, satoshis: count * 5_000 })
        });
        judge_pool(&rows.collect(), 10).condition
    }

    #[test]
    fn a_pool_is_as_good_as_what_it_can_pay_now() {
        assert_eq!(pool(&[]), Condition::Fail);
        assert_eq!(pool(&[(UtxoStatus::Spent, 90)]), Condition::Fail);
        assert_eq!(pool(&[(UtxoStatus::Unconfirmed, 1)]), Condition::Warn);
        assert_eq!(pool(&[(UtxoStatus::Available, 9)]), Condition::Warn);
        assert_eq!(pool(&[(UtxoStatus::Available, 10)]), Condition::Ok);
    }

    #[test]
    fn a_disk_is_full_before_it_is() {
        let condition = |free| judge_disk(free).condition;
        assert_eq!(condition(LEAST_FREE - 1), Condition::Fail);
        assert_eq!([condition(LEAST_FREE), condition(AMPLE_FREE - 1)], [Condition::Warn; 2]);
        assert_eq!(condition(AMPLE_FREE), Condition::Ok);
    }
}
