//! Login keys that accounts keep in browsers: whose they are and what they are called. The public keys
//! themselves are rows of `svd-keys-1`.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::auth::account::AccountId;
use crate::auth::svd::UserId;
use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::Timestamp;

/// A login key that a browser keeps for an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrowserKey {
    /// The user that its public key is registered for, which is made up for it.
    pub user: UserId,
    /// The account that it opens.
    pub account: AccountId,
    /// What its holder calls the browser, 1 to 64 characters.
    pub label: String,
    /// When it was registered. A key that is registered for the same user later opens nothing.
    pub registered_at: Timestamp,
    /// When somebody logged in with it last.
    pub used_at: Option<Timestamp>,
}

impl WriteTx<'_> {
    /// Stores a browser's key in place of what was stored of it; its account never changes.
    pub fn put_browser_key(&mut self, key: &BrowserKey) -> Result<(), StoreError> {
        self.is_dirty = true;
        let user = key.user.to_bytes();
        self.tables.browser_keys.insert(user, encode(key).as_slice())?;
        self.tables.browser_keys_by_account.insert((key.account.to_bytes(), user), ())?;
        Ok(())
    }

    /// Removes a browser's key.
    pub fn remove_browser_key(&mut self, old: &BrowserKey) -> Result<(), StoreError> {
        self.is_dirty = true;
        let user = old.user.to_bytes();
        self.tables.browser_keys.remove(user)?;
        self.tables.browser_keys_by_account.remove((old.account.to_bytes(), user))?;
        Ok(())
    }
}

/// Returns the browser's key of a user.
pub fn browser_key(tables: &impl Tables, user: UserId) -> Result<Option<BrowserKey>, StoreError> {
    let bytes = tables.browser_keys().get(user.to_bytes())?;
    bytes.map(|bytes| decode(bytes.value(), "browser key")).transpose()
}

/// Returns the browser keys of an account, in no order that means anything.
pub fn browser_keys_of(
    tables: &impl Tables,
    account: AccountId,
) -> Result<Vec<BrowserKey>, StoreError> {
    let (id, mut keys) = (account.to_bytes(), Vec::new());
    for row in tables.browser_keys_by_account().range((id, [0u8; 12])..=(id, [0xff; 12]))? {
        let (_, user) = row?.0.value();
        keys.extend(browser_key(tables, UserId::from_bytes(user))?);
    }
    Ok(keys)
}
