//! One-time links with which the first account is made, or a password set, under their hashes.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::auth::account::AccountId;
use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{Digest, Timestamp};

/// A one-time link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupLink {
    /// SHA-256 of its token.
    pub digest: Digest,
    /// Whose password it sets; without one it makes the first account.
    pub account: Option<AccountId>,
    /// From when it is good for nothing.
    pub expires_at: Timestamp,
}

impl WriteTx<'_> {
    /// Stores a link, which takes the place of those for the same.
    pub fn put_setup_link(&mut self, new: &SetupLink) -> Result<(), StoreError> {
        self.remove_setup_links(new.account)?;
        self.is_dirty = true;
        self.tables.setup_links.insert(*new.digest.as_bytes(), encode(new).as_slice())?;
        Ok(())
    }

    /// Removes the links for an account, or for the first one.
    pub fn remove_setup_links(&mut self, account: Option<AccountId>) -> Result<(), StoreError> {
        let links = list_setup_links(self)?;
        self.drop_links(links.iter().filter(|link| link.account == account))
    }

    /// Removes links that are over, at most `limit`, and returns how many went.
    pub fn forget_setup_links(
        &mut self,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut over = list_setup_links(self)?;
        over.retain(|link| link.expires_at <= now);
        over.truncate(limit);
        self.drop_links(over.iter())?;
        Ok(over.len())
    }

    fn drop_links<'a>(
        &mut self,
        links: impl Iterator<Item = &'a SetupLink>,
    ) -> Result<(), StoreError> {
        for link in links {
            self.is_dirty = true;
            self.tables.setup_links.remove(*link.digest.as_bytes())?;
        }
        Ok(())
    }
}

/// Returns a link, good or over, by the hash of its token.
pub fn setup_link(tables: &impl Tables, digest: &Digest) -> Result<Option<SetupLink>, StoreError> {
    let bytes = tables.setup_links().get(*digest.as_bytes())?;
    bytes.map(|bytes| decode(bytes.value(), "setup link")).transpose()
}

/// Returns every link; there is one for each account at most.
pub fn list_setup_links(tables: &impl Tables) -> Result<Vec<SetupLink>, StoreError> {
    let rows = tables.setup_links().iter()?;
    rows.map(|row| decode(row?.1.value(), "setup link")).collect()
}
