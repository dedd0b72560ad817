//! Settings that an operator changed while the product runs, by name.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::storage::codec::{decode, encode};
use crate::storage::{StoreChange, StoreError, Tables, WriteTx};
use crate::types::{SettingName, Timestamp};

/// A setting as an operator left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSetting {
    /// Its value, in the setting's unit.
    pub value: u64,
    /// When it was set.
    pub set_at: Timestamp,
    /// The credential that set it; never a secret.
    pub set_by: String,
}

impl WriteTx<'_> {
    /// Stores a setting in place of an older value.
    pub fn put_setting(
        &mut self,
        name: SettingName,
        setting: &StoredSetting,
    ) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.settings.insert(name.as_str(), encode(setting).as_slice())?;
        self.changes.push(StoreChange::Settings);
        Ok(())
    }

    /// Removes a setting, so that what it was without being set is in force again.
    pub fn remove_setting(&mut self, name: SettingName) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.settings.remove(name.as_str())?;
        self.changes.push(StoreChange::Settings);
        Ok(())
    }
}

/// Returns every setting that is stored and has a meaning to this version.
pub fn settings(tables: &impl Tables) -> Result<Vec<(SettingName, StoredSetting)>, StoreError> {
    let mut found = Vec::new();
    for row in tables.settings().iter()? {
        let (name, bytes) = row?;
        if let Ok(name) = name.value().parse() {
            found.push((name, decode(bytes.value(), "setting")?));
        }
    }
    Ok(found)
}
