//! How long the pool lasts at the present rate: honest arithmetic, and nothing where it would be a
//! guess. Pure.

use crate::types::Satoshis;

/// Days over which the rate is taken, today included.
pub const RATE_DAYS: i64 = 7;

/// Why nobody can say how long the pool lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRunway {
    /// The first transaction was signed today: one day is no rate.
    TooYoung,
    /// Nothing was spent in the last days.
    NothingSpent,
}

impl NoRunway {
    /// Says it in a sentence.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooYoung => "less than a day of spending is known",
            Self::NothingSpent => "nothing was spent in the last seven days",
        }
    }
}

/// Returns the whole days that `value` lasts, when `spent` satoshis were let go in the days from
/// `first_day` or the last seven, whichever is shorter, up to and without `today`.
pub fn days_left(
    value: Satoshis,
    spent: u64,
    first_day: Option<i64>,
    today: i64,
) -> Result<u64, NoRunway> {
    let first = first_day.ok_or(NoRunway::TooYoung)?;
    let days = today.saturating_sub(first).clamp(0, RATE_DAYS);
    let days = u64::try_from(days).unwrap_or(0);
    if days == 0 {
        return Err(NoRunway::TooYoung);
    }
    if spent == 0 {
        return Err(NoRunway::NothingSpent);
    }
    Ok(value.get().saturating_mul(days) / spent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_of_equal_days_lasts_as_long_as_the_money() {
        let value = Satoshis::from_const(7_000);
        assert_eq!(days_left(value, 700, Some(0), 100), Ok(70));
        assert_eq!(days_left(value, 200, Some(98), 100), Ok(70), "two days of a hundred each");
        assert_eq!(days_left(value, 7_000 * 8, Some(0), 100), Ok(0));
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        let value = Satoshis::from_const(7_000);
        assert_eq!(days_left(value, 10, None, 100), Err(NoRunway::TooYoung));
        assert_eq!(days_left(value, 10, Some(100), 100), Err(NoRunway::TooYoung));
        assert_eq!(days_left(value, 0, Some(50), 100), Err(NoRunway::NothingSpent));
        assert_eq!(days_left(value, 10, Some(200), 100), Err(NoRunway::TooYoung), "clock set back");
    }
}
