//! Which outputs pay for a transaction, and what comes back as change.
//!
//! Sources: the single-random-draw and effective-value ideas of Bitcoin wallets, cut down to what a
//! pool of near-equal outputs needs: one output if one suffices, the smallest that does; else
//! the largest first. Change that would cost more to spend than it is worth goes to the fee.

use crate::bitcoin::{P2PKH_INPUT_SIZE, P2PKH_OUTPUT_SIZE};
use crate::types::{AmountError, FeeRate, OutPoint, Satoshis};

/// The most inputs a selection adds.
pub const MAX_SELECTED: usize = 50;

/// An output that may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Which output.
    pub outpoint: OutPoint,
    /// Its amount.
    pub value: Satoshis,
    /// Unmined transactions of ours it descends from in a row.
    pub chain_depth: u32,
}

/// What the transaction has without the pool's inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// What its outputs carry.
    pub output_total: Satoshis,
    /// What its fixed inputs bring.
    pub input_total: Satoshis,
    /// Its size in bytes with fixed inputs and outputs, without the pool's inputs and change.
    pub base_size: usize,
    /// The fee rate.
    pub fee_rate: FeeRate,
}

/// The outputs to spend and what becomes of the money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The outputs to spend, in this order.
    pub chosen: Vec<Candidate>,
    /// The change to make, if it is worth making.
    pub change: Option<Satoshis>,
    /// What the network gets.
    pub fee: Satoshis,
}

/// Why there is no selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// The candidates together do not pay.
    #[error("{needed} satoshis are needed, the pool has {available}")]
    Insufficient {
        /// What one more input would have to cover.
        needed: u64,
        /// What all candidates bring.
        available: u64,
    },
    /// Too many small outputs would be needed.
    #[error("more than {MAX_SELECTED} outputs would be needed; the pool's outputs are too small")]
    TooFragmented,
    /// The sums make no sense.
    #[error("the amounts cannot be added up")]
    Amount(#[from] AmountError),
}

/// Returns the least change worth making: what it costs to make and later spend it, and one more.
pub fn least_change(fee_rate: FeeRate) -> Satoshis {
    fee_rate.fee_for(P2PKH_INPUT_SIZE + P2PKH_OUTPUT_SIZE)
}

/// Returns what the pool must bring if it brings it in `inputs` outputs without change.
pub fn needed_with(target: &Target, inputs: usize) -> Result<Satoshis, AmountError> {
    let fee = target.fee_rate.fee_for(target.base_size + inputs * P2PKH_INPUT_SIZE);
    let gross = target.output_total.checked_add(fee)?;
    Ok(gross.checked_sub(target.input_total).unwrap_or(Satoshis::ZERO))
}

/// Chooses among `candidates`, in any order.
pub fn select_coins(
    candidates: &[Candidate],
    target: &Target,
) -> Result<Selection, SelectionError> {
    let single_need = needed_with(target, 1)?;
    let single = candidates
        .iter()
        .filter(|candidate| candidate.value >= single_need)
        .min_by_key(|candidate| (candidate.chain_depth, candidate.value, candidate.outpoint));
    let chosen = match single {
        Some(candidate) => vec![*candidate],
        None => accumulate(candidates, target)?,
    };
    settle(chosen, target)
}

fn accumulate(candidates: &[Candidate], target: &Target) -> Result<Vec<Candidate>, SelectionError> {
    let mut by_value = candidates.to_vec();
    by_value.sort_by_key(|c| (std::cmp::Reverse(c.value), c.chain_depth, c.outpoint));
    let mut chosen = Vec::new();
    let mut total = Satoshis::ZERO;
    for candidate in by_value {
        if chosen.len() == MAX_SELECTED {
            return Err(SelectionError::TooFragmented);
        }
        total = total.checked_add(candidate.value)?;
        chosen.push(candidate);
        if total >= needed_with(target, chosen.len())? {
            return Ok(chosen);
        }
    }
    let needed = needed_with(target, chosen.len().max(1))?.get();
    Err(SelectionError::Insufficient { needed, available: total.get() })
}

/// Spends exactly `pool`, which was chosen before.
pub fn spend_all(pool: &[Candidate], target: &Target) -> Result<Selection, SelectionError> {
    let needed = needed_with(target, pool.len())?;
    let available = Satoshis::sum(pool.iter().map(|candidate| candidate.value))?;
    if available < needed {
        return Err(SelectionError::Insufficient {
            needed: needed.get(),
            available: available.get(),
        });
    }
    settle(pool.to_vec(), target)
}

fn settle(chosen: Vec<Candidate>, target: &Target) -> Result<Selection, SelectionError> {
    let brought = Satoshis::sum(chosen.iter().map(|candidate| candidate.value))?
        .checked_add(target.input_total)?;
    let left = brought.checked_sub(target.output_total)?;
    let size = target.base_size + chosen.len() * P2PKH_INPUT_SIZE;
    let fee_with_change = target.fee_rate.fee_for(size + P2PKH_OUTPUT_SIZE);
    let change = left
        .checked_sub(fee_with_change)
        .ok()
        .filter(|change| *change >= least_change(target.fee_rate));
    let fee = left.checked_sub(change.unwrap_or(Satoshis::ZERO))?;
    Ok(Selection { chosen, change, fee })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::Txid;

    fn candidate(n: u32, value: u64, chain_depth: u32) -> Candidate {
        Candidate {
            outpoint: OutPoint::new(Txid::from_bytes([1; 32]), n),
            value: Satoshis::new(value).unwrap(),
            chain_depth,
        }
    }

    fn target(output_total: u64) -> Target {
        Target {
            output_total: Satoshis::new(output_total).unwrap(),
            input_total: Satoshis::ZERO,
            base_size: 101,
            fee_rate: FeeRate::from_sat_per_kb(512).unwrap(),
        }
    }

    #[test]
    fn one_mined_output_that_suffices_is_better_than_a_closer_fit_in_a_long_chain() {
        let pool = [candidate(0, 100, 0), candidate(1, 5000, 0), candidate(2, 600, 3)];
        let selection = select_coins(&pool, &target(1)).unwrap();
        assert_eq!(selection.chosen, [pool[1]]);
        assert_eq!(selection.fee.get() + selection.change.unwrap().get(), 4999);
    }

    #[test]
    fn too_little_is_said_with_the_numbers() {
        let pool = [candidate(0, 50, 0), candidate(1, 60, 0)];
        assert_eq!(
            select_coins(&pool, &target(1)),
            Err(SelectionError::Insufficient { needed: 205, available: 110 })
        );
        assert!(matches!(
            select_coins(&[], &target(1)),
            Err(SelectionError::Insufficient { available: 0, .. })
        ));
    }

    proptest! {
        /// Money in equals money out plus fee; the fee is at least the rate's and at most what
        /// dropping one uneconomic change output adds; nothing is chosen twice.
        #[test]
        fn sums_always_balance(
            values in prop::collection::vec(1u64..20_000, 1..60),
            wanted in 0u64..60_000,
            rate in 1u64..2_000,
        ) {
            let pool: Vec<Candidate> =
                (0u32..).zip(&values).map(|(n, value)| candidate(n, *value, n % 4)).collect();
            let target = Target {
                fee_rate: FeeRate::from_sat_per_kb(rate).unwrap(),
                ..target(wanted)
            };
            let Ok(selection) = select_coins(&pool, &target) else { return Ok(()) };
            let brought: u64 = selection.chosen.iter().map(|c| c.value.get()).sum();
            let change = selection.change.map_or(0, Satoshis::get);
            prop_assert_eq!(brought, wanted + change + selection.fee.get());
            let size = 101 + selection.chosen.len() * P2PKH_INPUT_SIZE;
            let with_change = size + usize::from(selection.change.is_some()) * P2PKH_OUTPUT_SIZE;
            prop_assert!(selection.fee >= target.fee_rate.fee_for(with_change));
            if let Some(change) = selection.change {
                prop_assert!(change >= least_change(target.fee_rate));
                prop_assert_eq!(selection.fee, target.fee_rate.fee_for(with_change));
            }
            let mut points: Vec<_> = selection.chosen.iter().map(|c| c.outpoint).collect();
            points.sort();
            points.dedup();
            prop_assert_eq!(points.len(), selection.chosen.len());
        }
    }
}
