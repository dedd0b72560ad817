//! Named accounts, without their passwords.

use redb::{ReadableTable, ReadableTableMetadata};
use serde::{Deserialize, Serialize};

use crate::auth::account::{AccountId, AccountName, PasswordHash, Role};
use crate::auth::svd::UserId;
use crate::bitcoin::Address;
use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::Timestamp;

/// A login key that opens an account: the user, and when the user's key was registered. A key that
/// somebody registers for the same user later opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedKey {
    /// The user that it belongs to.
    pub user: UserId,
    /// When it was registered.
    pub registered_at: Timestamp,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAccount {
    /// Its identifier, which audit lines name.
    pub id: AccountId,
    /// The name its holder logs in with.
    pub name: AccountName,
    /// What it may do.
    pub role: Role,
    /// The shop of a cashier.
    pub shop: Option<Address>,
    /// What is kept of the password; nothing until its holder has set one.
    pub password: Option<PasswordHash>,
    /// The login key (SVD) that opens it too.
    pub login_key: Option<LinkedKey>,
    /// From when it opens nothing, if it is disabled.
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When somebody logged in with it last.
    pub logged_in_at: Option<Timestamp>,
}

impl StoredAccount {
    /// Says whether its holder can log in, as far as the account goes.
    pub const fn can_log_in(&self) -> bool {
        self.disabled_at.is_none() && (self.password.is_some() || self.login_key.is_some())
    }
}

impl WriteTx<'_> {
    /// Stores an account in place of what was stored of it. The name must be free, or its own.
    pub fn put_account(&mut self, new: &StoredAccount) -> Result<(), StoreError> {
        self.is_dirty = true;
        if let Some(old) = account(self, new.id)? {
            self.tables.accounts_by_name.remove(old.name.folded().as_str())?;
        }
        let id = new.id.to_bytes();
        self.tables.accounts.insert(id, encode(new).as_slice())?;
        self.tables.accounts_by_name.insert(new.name.folded().as_str(), id)?;
        Ok(())
    }

    /// Removes an account.
    pub fn remove_account(&mut self, old: &StoredAccount) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.accounts_by_name.remove(old.name.folded().as_str())?;
        self.tables.accounts.remove(old.id.to_bytes())?;
        Ok(())
    }
}

/// Returns an account.
pub fn account(tables: &impl Tables, id: AccountId) -> Result<Option<StoredAccount>, StoreError> {
    let bytes = tables.accounts().get(id.to_bytes())?;
    bytes.map(|bytes| decode(bytes.value(), "account")).transpose()
}

/// Returns the account of a name, in whatever case the name is written.
pub fn account_named(
    tables: &impl Tables,
    name: &AccountName,
) -> Result<Option<StoredAccount>, StoreError> {
    let id = tables.accounts_by_name().get(name.folded().as_str())?;
    let id = id.map(|id| AccountId::from_bytes(id.value()));
    id.map_or(Ok(None), |id| account(tables, id))
}

/// Returns every account, in the order of their names.
pub fn list_accounts(tables: &impl Tables) -> Result<Vec<StoredAccount>, StoreError> {
    let mut accounts = Vec::new();
    for row in tables.accounts_by_name().iter()? {
        accounts.extend(account(tables, AccountId::from_bytes(row?.1.value()))?);
    }
    Ok(accounts)
}

/// Returns how many accounts there are.
pub fn account_count(tables: &impl Tables) -> Result<u64, StoreError> {
    Ok(tables.accounts().len()?)
}
