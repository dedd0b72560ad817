//! Money: satoshis and fee rates, with checked arithmetic only.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount of satoshis, at most 21 million coins.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Satoshis(u64);

/// Arithmetic on money that has no valid result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// The sum exceeds all money that can exist.
    #[error("the amount exceeds 21 million coins")]
    TooLarge,
    /// More was taken than there was.
    #[error("{available} satoshis are fewer than {needed}")]
    Insufficient {
        /// What there was.
        available: u64,
        /// What was asked for.
        needed: u64,
    },
}

impl Satoshis {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// All money that can exist: 21 million coins of 100 million satoshis.
    pub const MAX: Self = Self(21_000_000 * 100_000_000);

    /// Wraps `value` satoshis, refusing more than can exist.
    pub fn new(value: u64) -> Result<Self, AmountError> {
        if value > Self::MAX.0 { Err(AmountError::TooLarge) } else { Ok(Self(value)) }
    }

    /// Wraps a literal that is known to be small; for constants.
    pub const fn from_const(value: u32) -> Self {
        Self(value as u64)
    }

    /// Returns the number of satoshis.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Adds, refusing a sum that cannot exist.
    pub fn checked_add(self, other: Self) -> Result<Self, AmountError> {
        self.0.checked_add(other.0).ok_or(AmountError::TooLarge).and_then(Self::new)
    }

    /// Subtracts, refusing to go below zero.
    pub fn checked_sub(self, other: Self) -> Result<Self, AmountError> {
        self.0
            .checked_sub(other.0)
            .map(Self)
            .ok_or(AmountError::Insufficient { available: self.0, needed: other.0 })
    }

    /// Sums `amounts`, refusing a total that cannot exist.
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, AmountError> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }
}

impl fmt::Display for Satoshis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// A fee rate in satoshis per 1,000 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeeRate(u64);

impl FeeRate {
    /// The highest rate this product will ever pay, in satoshis per kB: a provider's answer or a
    /// slip of an operator's finger must not empty the pool.
    pub const MAX_SAT_PER_KB: u64 = 1_000_000;

    /// Wraps a rate in satoshis per kB, refusing 0 and anything above [`Self::MAX_SAT_PER_KB`].
    pub fn from_sat_per_kb(rate: u64) -> Option<Self> {
        (1..=Self::MAX_SAT_PER_KB).contains(&rate).then_some(Self(rate))
    }

    /// Returns the rate in satoshis per kB.
    pub const fn sat_per_kb(self) -> u64 {
        self.0
    }

    /// Returns the fee for `size` bytes, rounded up: nodes round down, so this is safe by a satoshi.
    pub fn fee_for(self, size: usize) -> Satoshis {
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        let fee = size.saturating_mul(self.0).div_ceil(1000);
        Satoshis(fee.min(Satoshis::MAX.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_never_wraps() {
        assert_eq!(Satoshis::MAX.checked_add(Satoshis(1)), Err(AmountError::TooLarge));
        assert_eq!(
            Satoshis(1).checked_sub(Satoshis(2)),
            Err(AmountError::Insufficient { available: 1, needed: 2 })
        );
        assert_eq!(Satoshis::sum([Satoshis(1), Satoshis(2)]), Ok(Satoshis(3)));
    }

    #[test]
    fn fees_round_up_and_rates_are_bounded() {
        let rate = FeeRate::from_sat_per_kb(512).unwrap();
        assert_eq!(rate.fee_for(226), Satoshis(116));
        assert_eq!(rate.fee_for(0), Satoshis(0));
        assert_eq!(FeeRate::from_sat_per_kb(0), None);
        assert_eq!(FeeRate::from_sat_per_kb(u64::MAX), None);
    }
}
