//! The login keys of users; a key is changed or revoked by its owner, and never overwritten.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::auth::svd::UserId;
use crate::crypto::PublicKey;
use crate::storage::codec::{decode, decode_beginning, encode};
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
        self.touched_credentials = true;
        self.tables.svd_keys.insert(key.user.to_bytes(), encode(key).as_slice())?;
        Ok(())
    }

    /// Removes a user's login key.
    pub fn remove_svd_key(&mut self, user: UserId) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.touched_credentials = true;
        self.tables.svd_keys.remove(user.to_bytes())?;
        Ok(())
    }
}

/// Returns a user's login key, revoked or not.
pub fn svd_key(tables: &impl Tables, user: UserId) -> Result<Option<SvdKey>, StoreError> {
    let bytes = tables.svd_keys().get(user.to_bytes())?;
    bytes.map(|bytes| decode(bytes.value(), "login key")).transpose()
}

/// A stored login key whose public key is only compared, which needs no curve.
#[derive(Deserialize)]
struct StoredText<'a> {
    #[serde(rename = "user")]
    _user: UserId,
    public_key: &'a str,
    revoked_at: Option<Timestamp>,
}

/// Says whether a user's login key is still this one, and not revoked.
pub fn is_present_key(
    tables: &impl Tables,
    user: UserId,
    public_key: &PublicKey,
) -> Result<bool, StoreError> {
    let Some(bytes) = tables.svd_keys().get(user.to_bytes())? else { return Ok(false) };
    let stored: StoredText<'_> = decode_beginning(bytes.value(), "login key")?;
    Ok(stored.revoked_at.is_none() && stored.public_key == public_key.to_string())
}

/// Returns a user's login key, or else `stranger`'s, and whether there is one. Both ways cost the same
/// work, so that the time taken does not tell who is registered.
pub fn svd_key_or(
    tables: &impl Tables,
    user: UserId,
    stranger: &SvdKey,
) -> Result<(SvdKey, bool), StoreError> {
    let pretended = encode(stranger);
    let bytes = tables.svd_keys().get(user.to_bytes())?;
    let is_there = bytes.is_some();
    let key = match &bytes {
        Some(bytes) => decode(bytes.value(), "login key"),
        None => decode(&pretended, "login key"),
    };
    Ok((key?, is_there))
}
