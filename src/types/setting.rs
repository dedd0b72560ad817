//! The settings that operators change while the product runs: names, bounds, units, defaults.
//!
//! On the ground floor, because the environment gives the values they begin with, the rules of the
//! pool say which of them go together, and the store keeps them by name: all three must mean the
//! same bounds.

use std::fmt;
use std::str::FromStr;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SettingName {
    /// See [`SettingName::definition`].
    FeePerKb,
    /// See [`SettingName::definition`].
    MinUtxoCount,
    /// See [`SettingName::definition`].
    UtxoSplitSizeSats,
    /// See [`SettingName::definition`].
    MaxSplitOutputs,
    /// See [`SettingName::definition`].
    DustThresholdSats,
    /// See [`SettingName::definition`].
    DustSweepLimit,
    /// See [`SettingName::definition`].
    UtxoMinConfirmations,
}

/// What a setting may be and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingDefinition {
    /// Its name, that of the environment variable too.
    pub name: &'static str,
    /// The least allowed.
    pub least: u64,
    /// The most allowed.
    pub most: u64,
    /// What it is when nobody sets it.
    pub default: u64,
    /// What is counted.
    pub unit: &'static str,
    /// What it is for, in one sentence.
    pub description: &'static str,
}

/// In the order of [`SettingName::ALL`].
const DEFINITIONS: [SettingDefinition; SettingName::ALL.len()] = [
    SettingDefinition {
        name: "FEE_PER_KB",
        least: 100,
        most: 100_000,
        default: 512,
        unit: "satoshis per 1,000 bytes",
        description: "What transactions pay.",
    },
    SettingDefinition {
        name: "MIN_UTXO_COUNT",
        least: 0,
        most: 10_000,
        default: 10,
        unit: "outputs",
        description: "How many available outputs the pool keeps at least.",
    },
    SettingDefinition {
        name: "UTXO_SPLIT_SIZE_SATS",
        least: 1_000,
        most: 100_000_000,
        default: 5_000,
        unit: "satoshis",
        description: "The amount of each output that a split makes.",
    },
    SettingDefinition {
        name: "MAX_SPLIT_OUTPUTS",
        least: 2,
        most: 200,
        default: 40,
        unit: "outputs",
        description: "How many outputs one split makes at most.",
    },
    SettingDefinition {
        name: "DUST_THRESHOLD_SATS",
        least: 0,
        most: 1_000_000,
        default: 2_000,
        unit: "satoshis",
        description: "Outputs under this amount count as dust.",
    },
    SettingDefinition {
        name: "DUST_SWEEP_LIMIT",
        least: 0,
        most: 10_000,
        default: 20,
        unit: "outputs",
        description: "Dust is swept once there is more of it than this.",
    },
    SettingDefinition {
        name: "UTXO_MIN_CONFIRMATIONS",
        least: 0,
        most: 1_000,
        default: 0,
        unit: "confirmations",
        description: "How deep an output must be before it may be spent; 0 lets it be \
                      spent as soon as the network has its transaction.",
    },
];

/// Text that names no setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a setting")]
pub struct SettingNameParseError;

/// A value for every setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingValues([u64; SettingName::ALL.len()]);

impl SettingName {
    /// Every setting, in the order in which they are listed.
    pub const ALL: [Self; 7] = [
        Self::FeePerKb,
        Self::MinUtxoCount,
        Self::UtxoSplitSizeSats,
        Self::MaxSplitOutputs,
        Self::DustThresholdSats,
        Self::DustSweepLimit,
        Self::UtxoMinConfirmations,
    ];

    /// Returns what the setting may be.
    pub const fn definition(self) -> SettingDefinition {
        DEFINITIONS[self.place()]
    }

    /// Returns the name as operators write it.
    pub const fn as_str(self) -> &'static str {
        self.definition().name
    }

    const fn place(self) -> usize {
        match self {
            Self::FeePerKb => 0,
            Self::MinUtxoCount => 1,
            Self::UtxoSplitSizeSats => 2,
            Self::MaxSplitOutputs => 3,
            Self::DustThresholdSats => 4,
            Self::DustSweepLimit => 5,
            Self::UtxoMinConfirmations => 6,
        }
    }
}

impl fmt::Display for SettingName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for SettingName {
    type Err = SettingNameParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or(SettingNameParseError)
    }
}

impl SettingDefinition {
    /// Says whether a value is within the bounds.
    pub const fn allows(&self, value: u64) -> bool {
        self.least <= value && value <= self.most
    }
}

impl SettingValues {
    /// Returns the value of a setting.
    pub const fn get(&self, name: SettingName) -> u64 {
        self.0[name.place()]
    }

    /// Replaces one value; whether it is within bounds is for the caller to see to.
    #[must_use]
    pub const fn with(mut self, name: SettingName, value: u64) -> Self {
        self.0[name.place()] = value;
        self
    }
}

impl Default for SettingValues {
    fn default() -> Self {
        Self(SettingName::ALL.map(|name| name.definition().default))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_place_a_name_and_a_default_of_its_own() {
        for (place, name) in SettingName::ALL.into_iter().enumerate() {
            assert_eq!(name.place(), place);
            assert_eq!(name.as_str().parse(), Ok(name));
            let definition = name.definition();
            assert!(definition.allows(definition.default), "{name}");
            assert_eq!(SettingValues::default().get(name), definition.default);
            let changed = SettingValues::default().with(name, definition.most);
            let other = SettingName::ALL.into_iter().filter(|other| *other != name);
            assert_eq!(changed.get(name), definition.most);
            assert!(other.clone().all(|it| changed.get(it) == it.definition().default));
        }
        assert_eq!("fee_per_kb".parse::<SettingName>(), Err(SettingNameParseError));
    }

    #[test]
    fn operations_md_lists_every_setting_as_it_is() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATIONS.md");
        let page = std::fs::read_to_string(file).unwrap();
        for name in SettingName::ALL {
            let SettingDefinition { name, least, most, default, unit, .. } = name.definition();
            let line = format!("| `{name}` | {least} to {most} {unit} | {default} |");
            assert!(page.contains(&line), "docs/OPERATIONS.md lacks: {line}");
        }
    }

    #[test]
    fn every_fee_rate_within_bounds_is_a_fee_rate() {
        let SettingDefinition { least, most, .. } = SettingName::FeePerKb.definition();
        assert!(least >= 1 && most <= crate::types::FeeRate::MAX_SAT_PER_KB);
    }
}
