//! What operators decide about the pool, as one value that may change from one moment to the next.

use std::fmt;
use std::sync::Arc;

use crate::types::{FeeRate, Satoshis, SettingName, SettingValues};
use crate::wallet::coin_selection::least_change;
use crate::wallet::settings::fee_rate;

/// How many times the wished number of outputs the pool may hold before nothing is split any more.
const CEILING_FACTOR: u64 = 8;
/// Bytes of an anchoring transaction with one input, a data output, a seal and change, rounded up;
/// WIRE.md 2.6 reckons 251 without the seal.
const ANCHOR_SIZE: usize = 300;

/// The knobs of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolPolicy {
    /// What transactions pay.
    pub fee_rate: FeeRate,
    /// The least number of useful outputs that should be available.
    pub min_utxo_count: u64,
    /// What a split output is worth.
    pub split_size: Satoshis,
    /// The most outputs that one split makes.
    pub max_split_outputs: u64,
    /// What a split leaves as change at least.
    pub fee_buffer: Satoshis,
    /// Outputs below this are dust.
    pub dust_threshold: Satoshis,
    /// Dust is swept once there are more such outputs than this.
    pub dust_sweep_limit: u64,
    /// Confirmations before an output may be spent.
    pub min_confirmations: u32,
    /// Unmined transactions in a row beyond which an output waits for a block.
    pub max_chain_depth: u32,
    /// Whether a sweep that miners may take for nothing pays nothing.
    pub free_consolidation: bool,
}

impl PoolPolicy {
    /// Returns the policy of an installation that has set nothing but these two.
    pub fn of(fee_rate: FeeRate, max_chain_depth: u32) -> Self {
        Self {
            fee_rate,
            min_utxo_count: 10,
            split_size: Satoshis::from_const(5_000),
            max_split_outputs: 40,
            fee_buffer: Satoshis::from_const(2_000),
            dust_threshold: Satoshis::from_const(2_000),
            dust_sweep_limit: 20,
            min_confirmations: 0,
            max_chain_depth,
            free_consolidation: false,
        }
    }

    /// Returns the policy with the run-time settings put in force.
    #[must_use]
    pub fn with(self, values: &SettingValues) -> Self {
        let amount = |name| Satoshis::new(values.get(name)).unwrap_or(Satoshis::MAX);
        let confirmations = values.get(SettingName::UtxoMinConfirmations);
        Self {
            fee_rate: fee_rate(values),
            min_utxo_count: values.get(SettingName::MinUtxoCount),
            split_size: amount(SettingName::UtxoSplitSizeSats),
            max_split_outputs: values.get(SettingName::MaxSplitOutputs),
            dust_threshold: amount(SettingName::DustThresholdSats),
            dust_sweep_limit: values.get(SettingName::DustSweepLimit),
            min_confirmations: u32::try_from(confirmations).unwrap_or(u32::MAX),
            ..self
        }
    }

    /// Returns what one anchoring transaction costs, about, seal included.
    pub fn anchor_cost(&self) -> Satoshis {
        let fee = self.fee_rate.fee_for(ANCHOR_SIZE);
        fee.checked_add(Satoshis::from_const(1)).unwrap_or(fee)
    }

    /// Returns the least amount of an output that is worth keeping as it is: it pays for a
    /// transaction alone and is not dust.
    pub fn least_useful(&self) -> Satoshis {
        self.anchor_cost().max(self.dust_threshold)
    }

    /// Returns what a split output is to be worth: as said, and never too little to be of use and
    /// give change.
    pub fn useful_size(&self) -> Satoshis {
        let change = least_change(self.fee_rate);
        let least = self.anchor_cost().checked_add(change).unwrap_or(Satoshis::MAX);
        self.split_size.max(least).max(self.dust_threshold)
    }

    /// Returns the number of outputs from which nothing is split by itself any more.
    pub const fn ceiling(&self) -> u64 {
        self.min_utxo_count.saturating_mul(CEILING_FACTOR)
    }
}

/// Where the policy of the moment comes from; cheap to clone and to ask.
#[derive(Clone)]
pub struct PoolPolicySource(Arc<dyn Fn() -> PoolPolicy + Send + Sync>);

impl PoolPolicySource {
    /// Asks `current` each time.
    pub fn new(current: impl Fn() -> PoolPolicy + Send + Sync + 'static) -> Self {
        Self(Arc::new(current))
    }

    /// Gives the same policy each time.
    pub fn fixed(policy: PoolPolicy) -> Self {
        Self::new(move || policy)
    }

    /// Returns the policy of this moment.
    pub fn current(&self) -> PoolPolicy {
        (self.0)()
    }
}

impl fmt::Debug for PoolPolicySource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("PoolPolicySource").field(&self.current()).finish()
    }
}
