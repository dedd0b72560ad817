//! How the pool of outputs is kept, and what may be spent in fees.

use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::variable::{Kind, Variable};
use crate::types::Satoshis;

const MOST_SATOSHIS: u64 = 100_000_000;

pub(super) const UTXO_FEE_BUFFER: Variable = Variable::new(
    "UTXO_FEE_BUFFER",
    Kind::Integer { least: 0, most: MOST_SATOSHIS },
    "2000",
    "What a split leaves as change at least, in satoshis.",
)
.or("2000");

pub(super) const SPLIT_COOLDOWN_MS: Variable = Variable::new(
    "SPLIT_COOLDOWN_MS",
    Kind::Integer { least: 0, most: 86_400_000 },
    "10000",
    "The least time between two splits that the scheduler starts, in milliseconds.",
)
.or("10000");

pub(super) const SPLIT_DRY_RUN: Variable = Variable::new(
    "SPLIT_DRY_RUN",
    Kind::Switch,
    "1",
    "Lets the scheduler only say what it would split.",
)
.or("0");

pub(super) const FREE_CONSOLIDATION: Variable = Variable::new(
    "FREE_CONSOLIDATION",
    Kind::Switch,
    "1",
    "Lets a sweep of 20 or more inputs with 6 confirmations pay no fee, which miners may take or \
     leave.",
)
.or("0");

pub(super) const MAX_FEE_PER_TX_SATS: Variable = Variable::new(
    "MAX_FEE_PER_TX_SATS",
    Kind::Integer { least: 100, most: 10_000_000 },
    "100000",
    "The most that one transaction may pay in fees, in satoshis.",
)
.or("100000");

pub(super) const MAX_FEE_PER_DAY_SATS: Variable = Variable::new(
    "MAX_FEE_PER_DAY_SATS",
    Kind::Integer { least: 0, most: 2_000_000_000 },
    "2000000",
    "The most that all transactions signed on one day (UTC) may pay in fees, in satoshis; beyond it \
     nothing new is signed until the next day. 0 is no limit.",
)
.or("2000000");

pub(super) const UTXO_MAINTAIN_INTERVAL_SECS: Variable = Variable::new(
    "UTXO_MAINTAIN_INTERVAL_SECS",
    Kind::Integer { least: 0, most: 86_400 },
    "600",
    "How often the pool is looked after: sync, sweep, split, as needed. 0 never does so by itself.",
)
.or("600");

pub(super) const AUTO_MAINTAIN_ON_HEALTH: Variable = Variable::new(
    "AUTO_MAINTAIN_ON_HEALTH",
    Kind::Switch,
    "1",
    "Looks after the pool at once when utxo-health finds too few outputs or too much dust.",
)
.or("0");

/// How the pool is kept, beside what operators may change at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSettings {
    /// What a split leaves as change.
    pub fee_buffer: Satoshis,
    /// The least time between two splits of the scheduler.
    pub split_cooldown: Duration,
    /// Whether the scheduler splits dry.
    pub splits_dry: bool,
    /// Whether consolidation may be free.
    pub free_consolidation: bool,
    /// The most that one transaction pays.
    pub max_fee_per_transaction: Satoshis,
    /// The most that a day's transactions pay; none for no limit.
    pub max_fee_per_day: Option<Satoshis>,
    /// How often the scheduler runs; none where it does not.
    pub maintain_interval: Option<Duration>,
    /// Whether looking at the pool's health may start maintenance.
    pub maintains_on_health: bool,
}

impl PoolSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            fee_buffer: satoshis(reader, &UTXO_FEE_BUFFER),
            split_cooldown: reader.milliseconds(&SPLIT_COOLDOWN_MS),
            splits_dry: reader.switch(&SPLIT_DRY_RUN),
            free_consolidation: reader.switch(&FREE_CONSOLIDATION),
            max_fee_per_transaction: satoshis(reader, &MAX_FEE_PER_TX_SATS),
            max_fee_per_day: Some(satoshis(reader, &MAX_FEE_PER_DAY_SATS))
                .filter(|cap| *cap > Satoshis::ZERO),
            maintain_interval: Some(reader.number(&UTXO_MAINTAIN_INTERVAL_SECS))
                .filter(|secs| *secs > 0)
                .map(Duration::from_secs),
            maintains_on_health: reader.switch(&AUTO_MAINTAIN_ON_HEALTH),
        }
    }
}

fn satoshis(reader: &mut Reader<'_>, variable: &'static Variable) -> Satoshis {
    // The bounds of every amount here lie far below all money.
    reader.integer(variable).and_then(|value| Satoshis::new(value).ok()).unwrap_or_default()
}
