//! Which run-time settings go together: the rules between them, and the fee as a rate.
//!
//! A single value's bounds are in [`SettingName::definition`]; here is what no single bound can say.

use crate::types::{FeeRate, SettingName, SettingValues};

/// Bytes of a transaction that registers a product with a seal and change, rounded up.
const TYPICAL_TRANSACTION_BYTES: usize = 400;

/// Two settings that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingConflict {
    /// A split would make dust, which the next sweep would undo.
    #[error(
        "DUST_THRESHOLD_SATS ({dust_threshold}) must be less than UTXO_SPLIT_SIZE_SATS \
         ({split_size}): a sweep would undo every split"
    )]
    SplitMakesDust {
        /// DUST_THRESHOLD_SATS.
        dust_threshold: u64,
        /// UTXO_SPLIT_SIZE_SATS.
        split_size: u64,
    },
    /// An output of a split could not pay for a registration.
    #[error(
        "UTXO_SPLIT_SIZE_SATS ({split_size}) must be at least {needed}, what one registration \
         costs at FEE_PER_KB ({fee_per_kb})"
    )]
    SplitPaysNothing {
        /// UTXO_SPLIT_SIZE_SATS.
        split_size: u64,
        /// What one registration costs.
        needed: u64,
        /// FEE_PER_KB.
        fee_per_kb: u64,
    },
}

impl SettingConflict {
    /// Returns the two settings, either of which may be changed to mend it.
    pub const fn between(&self) -> [SettingName; 2] {
        match self {
            Self::SplitMakesDust { .. } => {
                [SettingName::DustThresholdSats, SettingName::UtxoSplitSizeSats]
            }
            Self::SplitPaysNothing { .. } => {
                [SettingName::UtxoSplitSizeSats, SettingName::FeePerKb]
            }
        }
    }
}

/// Returns FEE_PER_KB as a rate; a number that is none counts as the highest rate allowed, because
/// too low a fee strands what it should carry.
pub fn fee_rate(values: &SettingValues) -> FeeRate {
    let highest = FeeRate::from_sat_per_kb(FeeRate::MAX_SAT_PER_KB);
    FeeRate::from_sat_per_kb(values.get(SettingName::FeePerKb))
        .or(highest)
        .expect("the highest rate is a rate")
}

/// Returns all that does not go together.
pub fn conflicts(values: &SettingValues) -> Vec<SettingConflict> {
    let split_size = values.get(SettingName::UtxoSplitSizeSats);
    let dust_threshold = values.get(SettingName::DustThresholdSats);
    let needed = fee_rate(values).fee_for(TYPICAL_TRANSACTION_BYTES).get();
    let mut found = Vec::new();
    if dust_threshold >= split_size {
        found.push(SettingConflict::SplitMakesDust { dust_threshold, split_size });
    }
    if split_size < needed {
        let fee_per_kb = values.get(SettingName::FeePerKb);
        found.push(SettingConflict::SplitPaysNothing { split_size, needed, fee_per_kb });
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wallet::policy::PoolPolicy;

    fn any_values() -> impl Strategy<Value = SettingValues> {
        let all = SettingName::ALL.map(|name| {
            let bounds = name.definition();
            bounds.least..=bounds.most
        });
        all.prop_map(|numbers| {
            let named = SettingName::ALL.into_iter().zip(numbers);
            named.fold(SettingValues::default(), |values, (name, it)| values.with(name, it))
        })
    }

    #[test]
    fn the_defaults_go_together_and_bad_pairs_are_named() {
        let defaults = SettingValues::default();
        assert_eq!(conflicts(&defaults), []);
        let dusty = defaults.with(SettingName::DustThresholdSats, 5_000);
        let expected = SettingConflict::SplitMakesDust { dust_threshold: 5_000, split_size: 5_000 };
        assert_eq!(conflicts(&dusty), [expected]);
        let dear = defaults.with(SettingName::FeePerKb, 12_501);
        assert_eq!(conflicts(&dear).len(), 1);
        assert!(conflicts(&dear)[0].between().contains(&SettingName::FeePerKb));
        assert_eq!(conflicts(&defaults.with(SettingName::FeePerKb, 12_500)), []);
    }

    proptest! {
        #[test]
        fn values_without_conflict_make_outputs_that_pay_and_are_no_dust(values in any_values()) {
            let pool = PoolPolicy::of(fee_rate(&values), 25).with(&values);
            let pays = pool.split_size >= fee_rate(&values).fee_for(TYPICAL_TRANSACTION_BYTES);
            let stays = pool.split_size > pool.dust_threshold;
            prop_assert_eq!(conflicts(&values).is_empty(), pays && stays);
        }
    }
}
