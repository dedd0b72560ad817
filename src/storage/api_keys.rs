//! API keys that operators made, without their secrets, and when each was used last.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::auth::Scopes;
use crate::auth::api_key::ApiKeyId;
use crate::bitcoin::Address;
use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{Digest, Timestamp};

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredApiKey {
    /// Its name in lists and in the audit trail.
    pub id: ApiKeyId,
    /// What it is for, in its maker's words.
    pub name: String,
    /// SHA-256 of its secret.
    pub secret: Digest,
    /// SHA-256 of the secret before the last rotation, and until when that one is good.
    pub former: Option<(Digest, Timestamp)>,
    /// What it may do.
    pub scopes: Scopes,
    /// The shop whose products it may give out, for a point of sale.
    pub shop: Option<Address>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// From when it opens nothing any more.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Some API keys in the order of their identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyPage {
    /// The keys, each with when it was used last.
    pub keys: Vec<(StoredApiKey, Option<Timestamp>)>,
    /// The key to continue after, if there are more.
    pub next: Option<ApiKeyId>,
}

impl WriteTx<'_> {
    /// Stores an API key.
    pub fn put_api_key(&mut self, key: &StoredApiKey) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.touched_credentials = true;
        self.tables.api_keys.insert(key.id.to_bytes(), encode(key).as_slice())?;
        Ok(())
    }

    /// Notes when a key was used last.
    pub fn put_api_key_use(&mut self, id: ApiKeyId, at: Timestamp) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.api_key_uses.insert(id.to_bytes(), at.as_millis())?;
        Ok(())
    }
}

/// Returns an API key.
pub fn api_key(tables: &impl Tables, id: ApiKeyId) -> Result<Option<StoredApiKey>, StoreError> {
    let bytes = tables.api_keys().get(id.to_bytes())?;
    bytes.map(|bytes| decode(bytes.value(), "API key")).transpose()
}

/// Returns when a key was used last, as far as it was noted.
pub fn api_key_use(tables: &impl Tables, id: ApiKeyId) -> Result<Option<Timestamp>, StoreError> {
    let at = tables.api_key_uses().get(id.to_bytes())?;
    Ok(at.map(|at| Timestamp::from_millis(at.value())))
}

/// Returns keys in the order of their identifiers, at most `limit`, after `after`.
pub fn list_api_keys(
    tables: &impl Tables,
    after: Option<ApiKeyId>,
    limit: usize,
) -> Result<ApiKeyPage, StoreError> {
    let start = after
        .map_or(std::ops::Bound::Unbounded, |after| std::ops::Bound::Excluded(after.to_bytes()));
    let mut page = ApiKeyPage { keys: Vec::new(), next: None };
    for row in tables.api_keys().range::<[u8; 8]>((start, std::ops::Bound::Unbounded))? {
        if page.keys.len() == limit {
            page.next = page.keys.last().map(|(key, _)| key.id);
            break;
        }
        let key: StoredApiKey = decode(row?.1.value(), "API key")?;
        let used = api_key_use(tables, key.id)?;
        page.keys.push((key, used));
    }
    Ok(page)
}
