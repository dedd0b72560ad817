//! Settings that operators change while the product runs.
//!
//! [`RuntimeSettings`] is the handle that everything reads its numbers from, each time it uses
//! them; [`SettingsService`] changes them: all or nothing, in one storage transaction with its
//! audit lines, in force in this process before the change is answered.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::config::InitialSettings;
use crate::crypto::sha256;
use crate::storage::settings::settings;
use crate::storage::{Store, StoreError, StoredSetting, Tables, WriteTx};
use crate::types::{Digest, FeeRate, SettingDefinition, SettingName, SettingValues, Timestamp};
use crate::wallet::policy::PoolPolicy;
use crate::wallet::settings::{conflicts, fee_rate};

/// Where a value in force comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingOrigin {
    /// Nobody set it.
    Default,
    /// The environment gives it.
    Environment,
    /// The network asks for it; the fee rate only.
    Network,
    /// An operator set it.
    Setting(StoredSetting),
}

/// A setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// Which.
    pub name: SettingName,
    /// Its value.
    pub value: u64,
    /// Where that comes from.
    pub origin: SettingOrigin,
    /// What it would be if no operator had set it.
    pub initial: u64,
    /// What it may be.
    pub bounds: SettingDefinition,
}

/// All settings in force at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveSettings {
    /// Each of them, in the order of [`SettingName::ALL`].
    pub all: Vec<EffectiveSetting>,
    /// Identifies what is stored and what the environment gives; a change needs a new one.
    pub version: Digest,
    values: SettingValues,
}

/// A change that was not made.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Values that are not acceptable, each with what it must be.
    #[error("{} settings are not acceptable", .0.len())]
    Invalid(Vec<(SettingName, String)>),
    /// Somebody else has changed a setting since the caller looked.
    #[error("the settings have changed meanwhile")]
    Stale,
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// New values by name; none takes back what an operator set.
pub type SettingChanges = Vec<(SettingName, Option<u64>)>;

/// The settings in force; clones share everything, and reading costs next to nothing.
#[derive(Debug, Clone)]
pub struct RuntimeSettings(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    initial: InitialSettings,
    current: RwLock<Arc<EffectiveSettings>>,
    /// What the network asks for, where that is known. Held while anything new is put in force, so
    /// that what the store held last is what counts last.
    network_fee_rate: Mutex<Option<FeeRate>>,
}

impl RuntimeSettings {
    /// Begins with what the environment gives; [`RuntimeSettings::load`] adds what is stored.
    pub fn new(initial: InitialSettings) -> Self {
        let current = RwLock::new(Arc::new(effective(&initial, &[], None)));
        Self(Arc::new(Shared { initial, current, network_fee_rate: Mutex::default() }))
    }

    /// Returns all settings in force; take it once for each use, never keep it.
    pub fn current(&self) -> Arc<EffectiveSettings> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts in force what is stored.
    pub fn load(&self, store: &Store) -> Result<(), StoreError> {
        let network = self.0.network_fee_rate.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = store.read(settings)?;
        self.put_in_force(&stored, *network);
        Ok(())
    }

    /// Takes note of the fee rate that the network asks for; it counts until an operator sets one.
    pub fn set_network_fee_rate(&self, rate: Option<FeeRate>) {
        let mut network = self.0.network_fee_rate.lock().unwrap_or_else(PoisonError::into_inner);
        *network = rate;
        let stored: Vec<(SettingName, StoredSetting)> =
            self.current().all.iter().filter_map(EffectiveSetting::stored).collect();
        self.put_in_force(&stored, rate);
    }

    fn put_in_force(&self, stored: &[(SettingName, StoredSetting)], network: Option<FeeRate>) {
        let next = effective(&self.0.initial, stored, network);
        if next.values != self.current().values {
            conflicts(&next.values).iter().for_each(|conflict| tracing::warn!("{conflict}"));
        }
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }
}

impl EffectiveSetting {
    fn stored(&self) -> Option<(SettingName, StoredSetting)> {
        match &self.origin {
            SettingOrigin::Setting(stored) => Some((self.name, stored.clone())),
            SettingOrigin::Default | SettingOrigin::Environment | SettingOrigin::Network => None,
        }
    }
}

impl EffectiveSettings {
    /// Returns what transactions pay.
    pub fn fee_rate(&self) -> FeeRate {
        fee_rate(&self.values)
    }

    /// Returns the confirmations before an output may be spent; 0 lets it be spent at once.
    pub fn min_confirmations(&self) -> u32 {
        let confirmations = self.values.get(SettingName::UtxoMinConfirmations);
        u32::try_from(confirmations).unwrap_or(u32::MAX)
    }

    /// Returns what looking after the pool goes by: `base` with what is in force here.
    pub fn pool(&self, base: PoolPolicy) -> PoolPolicy {
        base.with(&self.values)
    }

    /// Returns the value of one setting.
    pub const fn value(&self, name: SettingName) -> u64 {
        self.values.get(name)
    }
}

/// Reads the settings in force beside a running server, or without one.
pub fn effective_in(
    tables: &impl Tables,
    initial: &InitialSettings,
) -> Result<EffectiveSettings, StoreError> {
    Ok(effective(initial, &settings(tables)?, None))
}

fn effective(
    initial: &InitialSettings,
    stored: &[(SettingName, StoredSetting)],
    network_fee_rate: Option<FeeRate>,
) -> EffectiveSettings {
    let mut values = SettingValues::default();
    let mut identity = Vec::new();
    let mut all = Vec::with_capacity(SettingName::ALL.len());
    for name in SettingName::ALL {
        let set = stored.iter().find(|(other, _)| *other == name).map(|(_, setting)| setting);
        let network = network_fee_rate.filter(|_| name == SettingName::FeePerKb);
        let given = initial.values.get(name);
        let (value, origin) = match (set, network) {
            (Some(set), _) => (set.value, SettingOrigin::Setting(set.clone())),
            (None, Some(rate)) => (rate.sat_per_kb(), SettingOrigin::Network),
            (None, None) if initial.given.contains(&name) => (given, SettingOrigin::Environment),
            (None, None) => (given, SettingOrigin::Default),
        };
        values = values.with(name, value);
        let set = set.map(|set| (set.value, set.set_at.as_millis()));
        identity.push(format!("{name} {given} {set:?}"));
        all.push(EffectiveSetting {
            name,
            value,
            origin,
            initial: given,
            bounds: initial.bounds(name),
        });
    }
    let version = Digest::from_bytes(sha256(identity.join("\n").as_bytes()));
    EffectiveSettings { all, version, values }
}

/// Changes settings.
#[derive(Clone)]
pub struct SettingsService {
    /// The store.
    pub store: Store,
    /// What is in force.
    pub runtime: RuntimeSettings,
}

impl SettingsService {
    /// Changes settings if all of `changes` are acceptable and `is_expected` approves of the
    /// version that they are made to, and returns what is in force then.
    pub async fn change(
        &self,
        changes: SettingChanges,
        is_expected: impl Fn(&Digest) -> bool + Send + 'static,
        actor: String,
        now: Timestamp,
    ) -> Result<Arc<EffectiveSettings>, SettingsError> {
        let initial = self.runtime.0.initial.clone();
        refuse_out_of_bounds(&initial, &changes)?;
        self.store
            .write(move |tx| {
                let before = effective_in(tx, &initial)?;
                if !is_expected(&before.version) {
                    return Err(SettingsError::Stale);
                }
                refuse_conflicts(&before, &changes)?;
                make_changes(tx, &before, &changes, &actor, now).map_err(SettingsError::from)
            })
            .await?;
        self.runtime.load(&self.store)?;
        Ok(self.runtime.current())
    }
}

fn refuse_out_of_bounds(
    initial: &InitialSettings,
    changes: &SettingChanges,
) -> Result<(), SettingsError> {
    let mut refused = Vec::new();
    for (name, value) in changes {
        let bounds = initial.bounds(*name);
        if value.is_some_and(|value| !bounds.allows(value)) {
            refused.push((*name, format!("must be {} to {}", bounds.least, bounds.most)));
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(SettingsError::Invalid(refused)) }
}

/// Refuses values that do not go together; what does not go together already, because the
/// environment says so, must not keep other settings from being changed.
fn refuse_conflicts(
    before: &EffectiveSettings,
    changes: &SettingChanges,
) -> Result<(), SettingsError> {
    let mut values = before.values;
    for (name, value) in changes {
        let unset = before.all.iter().find(|it| it.name == *name).map(|it| it.initial);
        values = values.with(*name, value.or(unset).unwrap_or_default());
    }
    let mut refused = Vec::new();
    for conflict in conflicts(&values) {
        let changed = changes.iter().find(|(name, _)| conflict.between().contains(name));
        refused.extend(changed.map(|(name, _)| (*name, conflict.to_string())));
    }
    if refused.is_empty() { Ok(()) } else { Err(SettingsError::Invalid(refused)) }
}

fn make_changes(
    tx: &mut WriteTx<'_>,
    before: &EffectiveSettings,
    changes: &SettingChanges,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    for (name, value) in changes {
        let Some(old) = before.all.iter().find(|it| it.name == *name) else { continue };
        let is_set = old.stored().is_some();
        match value {
            Some(value) if is_set && old.value == *value => {}
            Some(value) => {
                let (value, set_by) = (*value, actor.to_owned());
                tx.put_setting(*name, &StoredSetting { value, set_at: now, set_by })?;
                let subject = format!("{name}={value}, was {}", old.value);
                tx.append_audit(now, actor, "setting.set", &subject)?;
            }
            None if is_set => {
                tx.remove_setting(*name)?;
                let subject = format!("{name}={}, was {}", old.initial, old.value);
                tx.append_audit(now, actor, "setting.reset", &subject)?;
            }
            None => {}
        }
    }
    Ok(())
}
