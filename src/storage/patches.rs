//! Products: who owns them and which event is their newest.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::bitcoin::Address;
use crate::patch::tag::UidTag;
use crate::storage::batches::{job_of_batch, place_in_batch};
use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{RecordId, Timestamp, Txid};

/// A product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// The tag's name.
    pub uid: UidTag,
    /// The present owner: of the newest event that the network has taken, or, before that, of the
    /// registration.
    pub owner: Address,
    /// The newest event that the network has taken, or the registration.
    pub head: RecordId,
    /// An accepted transfer that the network has not taken yet; there is at most one.
    pub pending: Option<RecordId>,
    /// The transaction of the head, once the network has taken it.
    pub current_txid: Option<Txid>,
    /// How many events there are, pending included.
    pub events: u32,
    /// When the registration was accepted.
    pub created_at: Timestamp,
    /// When this row changed last.
    pub updated_at: Timestamp,
}

/// Some products in the order of their tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchPage {
    /// The products.
    pub patches: Vec<Patch>,
    /// The tag to continue after, if there are more.
    pub next: Option<UidTag>,
}

impl WriteTx<'_> {
    /// Stores a product and its indexes. The transaction of a batch is not written down with each
    /// product.
    pub fn put_patch(&mut self, patch: &Patch) -> Result<(), StoreError> {
        self.touch_patch(patch.uid.as_str());
        let uid = patch.uid.as_str();
        let plain;
        let patch = if patch.current_txid.is_some() && place_in_batch(self, patch.head)?.is_some() {
            plain = Patch { current_txid: None, ..patch.clone() };
            &plain
        } else {
            patch
        };
        let before: Option<Patch> = self
            .tables
            .patches
            .insert(uid, encode(patch).as_slice())?
            .map(|bytes| decode(bytes.value(), "patch"))
            .transpose()?;
        let old_owner = before.map(|before| *before.owner.hash160());
        let new_owner = *patch.owner.hash160();
        if old_owner != Some(new_owner) {
            if let Some(old_owner) = old_owner {
                self.tables.patches_by_owner.remove((old_owner, uid))?;
            }
            self.tables.patches_by_owner.insert((new_owner, uid), ())?;
        }
        Ok(())
    }
}

/// Returns a product. The transaction of one whose newest event is in a batch is the batch's.
pub fn patch(tables: &impl Tables, uid: &str) -> Result<Option<Patch>, StoreError> {
    let Some(bytes) = tables.patches().get(uid)? else { return Ok(None) };
    with_batch(tables, decode(bytes.value(), "patch")?).map(Some)
}

/// Adds what the batch of a product's newest event says, if it is in one.
fn with_batch(tables: &impl Tables, found: Patch) -> Result<Patch, StoreError> {
    if found.current_txid.is_some() {
        return Ok(found);
    }
    // The network took it once, and it is not known to be dead since.
    let Some(job) = job_of_batch(tables, found.head)?.filter(|job| job.was_seen) else {
        return Ok(found);
    };
    let updated_at = found.updated_at.max(job.stage_since);
    Ok(Patch { current_txid: job.txid(), updated_at, ..found })
}

/// Returns the tags of an owner's products in their order, at most `limit`.
pub fn patches_of_owner(
    tables: &impl Tables,
    owner: &[u8; 20],
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let mut tags = Vec::new();
    let start = (*owner, after.unwrap_or_default());
    for row in tables.patches_by_owner().range(start..)? {
        let (key, _) = row?;
        let (hash, uid) = key.value();
        if hash != *owner || tags.len() == limit {
            break;
        }
        if after != Some(uid) {
            tags.push(uid.to_owned());
        }
    }
    Ok(tags)
}

/// Says whether a tag is taken.
pub fn has_patch(tables: &impl Tables, uid: &str) -> Result<bool, StoreError> {
    Ok(tables.patches().get(uid)?.is_some())
}

/// Lists products that `wanted` accepts, in the order of their tags, after `after`.
///
/// Looks at no more than `most_scanned` rows, so that a filter that matches little cannot hold the
/// caller for long; the page then ends early with a `next`.
pub fn list_patches(
    tables: &impl Tables,
    after: Option<&str>,
    limit: usize,
    most_scanned: usize,
    mut wanted: impl FnMut(&Patch) -> Result<bool, StoreError>,
) -> Result<PatchPage, StoreError> {
    let start = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
    let mut page = PatchPage { patches: Vec::new(), next: None };
    let mut last = None;
    let rows = tables.patches().range::<&str>((start, std::ops::Bound::Unbounded))?;
    for (scanned, row) in rows.enumerate() {
        if page.patches.len() == limit || scanned == most_scanned {
            page.next = last;
            break;
        }
        let (_, bytes) = row?;
        let found = with_batch(tables, decode(bytes.value(), "patch")?)?;
        last = Some(found.uid.clone());
        if wanted(&found)? {
            page.patches.push(found);
        }
    }
    Ok(page)
}
