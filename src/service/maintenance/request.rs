//! What may be asked of maintenance.

use std::time::Duration;

use crate::bitcoin::Address;
use crate::types::{OutPoint, Satoshis};

/// Who asks where nobody does: the schedule, in the audit trail.
pub const SCHEDULER: &str = "scheduler";

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Whatever is needed: sync, sweep, split.
    Auto,
    /// Take in what the network lists.
    Sync,
    /// Gather dust.
    Sweep,
    /// Make outputs of the useful size.
    Split,
    /// Gather what the change key holds.
    SweepChange,
    /// Take back what jobs hold that have signed nothing.
    UnlockStale,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Auto, Self::Sync, Self::Sweep, Self::Split, Self::SweepChange, Self::UnlockStale];

    /// Returns the name used in requests and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Sync => "sync",
            Self::Sweep => "sweep",
            Self::Split => "split",
            Self::SweepChange => "sweep-change",
            Self::UnlockStale => "unlock-stale",
        }
    }

    /// Returns the steps that it takes.
    pub const fn steps(self) -> &'static [Self] {
        match self {
            Self::Auto => &[Self::Sync, Self::Sweep, Self::Split],
            Self::Sync => &[Self::Sync],
            Self::Sweep => &[Self::Sweep],
            Self::Split => &[Self::Split],
            Self::SweepChange => &[Self::SweepChange],
            Self::UnlockStale => &[Self::UnlockStale],
        }
    }
}

/// One run that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceRequest {
    /// What is to be done.
    pub action: Action,
    /// Whether it is only to be said what would be done.
    pub dry_run: bool,
    /// Whether splits are only planned, though the rest is done.
    pub splits_dry: bool,
    /// Outputs to spend; chosen if none are named.
    pub outpoints: Vec<OutPoint>,
    /// How many outputs a split makes.
    pub count: Option<u64>,
    /// What each is to be worth.
    pub size: Option<Satoshis>,
    /// The change address as the caller knows it.
    pub change_address: Option<Address>,
    /// The signer's name for the change key as the caller knows it.
    pub change_key_id: Option<String>,
    /// Where swept money is to go.
    pub destination: Option<Address>,
    /// Whether that may be an address that is not ours.
    pub allows_foreign: bool,
    /// How long a lease must have been idle to be stale.
    pub older_than: Duration,
    /// The most stale leases to take back.
    pub limit: usize,
    /// How long to wait for the network to take what is started.
    pub wait: Duration,
    /// Who asks; never a secret.
    pub actor: String,
}

impl MaintenanceRequest {
    /// Asks for an action with nothing else said.
    pub fn of(action: Action, actor: &str) -> Self {
        Self {
            action,
            dry_run: false,
            splits_dry: false,
            outpoints: Vec::new(),
            count: None,
            size: None,
            change_address: None,
            change_key_id: None,
            destination: None,
            allows_foreign: false,
            older_than: Duration::from_secs(60 * 60),
            limit: 500,
            wait: Duration::ZERO,
            actor: actor.to_owned(),
        }
    }
}
