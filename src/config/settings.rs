//! What the run-time settings begin with: the environment's values, or the defaults.
//!
//! Their bounds and defaults are those of [`SettingName`], which the settings in the store share.

use crate::config::problem::Origin;
use crate::config::reader::Reader;
use crate::config::variable::{Kind, Variable};
use crate::types::{FeeRate, SettingDefinition, SettingName, SettingValues};

const fn setting(name: SettingName, default: &'static str, text: &'static str) -> Variable {
    let definition = name.definition();
    let kind = Kind::Integer { least: definition.least, most: definition.most };
    Variable::new(definition.name, kind, default, text).or(default).hot()
}

pub(super) const FEE_PER_KB: Variable =
    setting(SettingName::FeePerKb, "512", "What transactions pay, in satoshis per 1,000 bytes.");

pub(super) const MIN_UTXO_COUNT: Variable =
    setting(SettingName::MinUtxoCount, "10", "How many available outputs the pool keeps at least.")
        .alias(&["UTXO_MIN_POOL"]);

pub(super) const UTXO_SPLIT_SIZE_SATS: Variable = setting(
    SettingName::UtxoSplitSizeSats,
    "5000",
    "The amount of each output that a split makes, in satoshis.",
);

pub(super) const MAX_SPLIT_OUTPUTS: Variable =
    setting(SettingName::MaxSplitOutputs, "40", "How many outputs one split makes at most.");

pub(super) const DUST_THRESHOLD_SATS: Variable = setting(
    SettingName::DustThresholdSats,
    "2000",
    "Outputs under this amount, in satoshis, count as dust.",
);

pub(super) const DUST_SWEEP_LIMIT: Variable = setting(
    SettingName::DustSweepLimit,
    "20",
    "Dust is swept once there are more such outputs than this.",
);

pub(super) const UTXO_MIN_CONFIRMATIONS: Variable = setting(
    SettingName::UtxoMinConfirmations,
    "0",
    "Confirmations before an output may be spent; 0 lets it be spent as soon as the network has \
     its transaction.",
);

const VARIABLES: [(SettingName, &Variable); SettingName::ALL.len()] = [
    (SettingName::FeePerKb, &FEE_PER_KB),
    (SettingName::MinUtxoCount, &MIN_UTXO_COUNT),
    (SettingName::UtxoSplitSizeSats, &UTXO_SPLIT_SIZE_SATS),
    (SettingName::MaxSplitOutputs, &MAX_SPLIT_OUTPUTS),
    (SettingName::DustThresholdSats, &DUST_THRESHOLD_SATS),
    (SettingName::DustSweepLimit, &DUST_SWEEP_LIMIT),
    (SettingName::UtxoMinConfirmations, &UTXO_MIN_CONFIRMATIONS),
];

/// What the run-time settings begin with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InitialSettings {
    /// A value for each.
    pub values: SettingValues,
    /// Those that the environment gives; the others are defaults.
    pub given: Vec<SettingName>,
    /// The most that FEE_PER_KB may be set to, where that is less than its own bound.
    pub most_fee_per_kb: Option<u64>,
}

impl InitialSettings {
    /// Returns what a setting may be here.
    pub fn bounds(&self, name: SettingName) -> SettingDefinition {
        let bounds = name.definition();
        match self.most_fee_per_kb {
            Some(most) if name == SettingName::FeePerKb => {
                SettingDefinition { most: most.clamp(bounds.least, bounds.most), ..bounds }
            }
            Some(_) | None => bounds,
        }
    }
}

impl InitialSettings {
    /// Lets operators set FEE_PER_KB to this rate at most.
    pub(super) fn capped(self, highest: FeeRate) -> Self {
        Self { most_fee_per_kb: Some(highest.sat_per_kb()), ..self }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut initial = Self::default();
        for (name, variable) in VARIABLES {
            let Some(value) = reader.integer(variable) else { continue };
            initial.values = initial.values.with(name, value);
            if reader.origin_of(variable).is_some_and(|origin| *origin != Origin::Default) {
                initial.given.push(name);
            }
        }
        initial
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_settings_agree() {
        for ((name, variable), expected) in VARIABLES.into_iter().zip(SettingName::ALL) {
            assert_eq!((name, variable.name), (expected, expected.as_str()));
            let default = name.definition().default.to_string();
            assert_eq!(variable.default, Some(default.as_str()), "{name}");
        }
    }
}
