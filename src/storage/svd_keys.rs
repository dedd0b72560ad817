//! The login keys of users; a key is changed or revoked by its owner, and never overwritten.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::auth::svd::UserId;
use crate::crypto::PublicKey;
use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::Timestamp;

/// A user's login key (PMC).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SvdKey {
    /// The user.
    pub user: UserId,
    /// The key.
    pub public_key: PublicKey,
    /// When it was revoked; such a user is as good as unknown, but the name stays taken.
    pub revoked_at: Option<Timestamp>,
    /// When the user was registered.
    pub registered_at: Timestamp,
    /// When the key was changed last.
    pub changed_at: Timestamp,
}

impl WriteTx<'_> {
    /// Stores a user's login key.
    pub fn put_svd_key(&mut self, key: &SvdKey) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.svd_keys.insert(key.user.to_bytes(), encode(key).as_slice())?;
        Ok(())
    }
}

/// Returns a user's login key, revoked or not.
pub fn svd_key(tables: &impl Tables, user: UserId) -> Result<Option<SvdKey>, StoreError> {
    let bytes = tables.svd_keys().get(user.to_bytes())?;
    bytes.map(|bytes| decode(bytes.value(), "login key")).transpose()
}
