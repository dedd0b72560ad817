//! Content that only a product's present owner opens; stored encrypted.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::storage::codec::{decode, encode};
use crate::storage::records::bytes_field;
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::Timestamp;

/// Encrypted content of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredContent {
    /// Counts how often the content was replaced, from 1; part of its key.
    pub version: u32,
    /// The media type it was put with.
    pub content_type: String,
    /// Nonce, ciphertext and tag.
    #[serde(with = "bytes_field")]
    pub sealed: Vec<u8>,
    /// When it was put.
    pub put_at: Timestamp,
}

impl WriteTx<'_> {
    /// Stores the content of a product in place of an older one.
    pub fn put_content(&mut self, uid: &str, content: &StoredContent) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.contents.insert(uid, encode(content).as_slice())?;
        Ok(())
    }
}

/// Returns the content of a product.
pub fn content(tables: &impl Tables, uid: &str) -> Result<Option<StoredContent>, StoreError> {
    tables.contents().get(uid)?.map(|bytes| decode(bytes.value(), "content")).transpose()
}
