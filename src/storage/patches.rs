//! Products: who owns them and which event is their newest.

use std::ops::Bound;

use redb::{ReadableTable, ReadableTableMetadata};
use serde::{Deserialize, Serialize};

use crate::bitcoin::Address;
use crate::patch::record::Purpose;
use crate::patch::tag::UidTag;
use crate::storage::batches::{job_of_batch, place_in_batch};
use crate::storage::codec::{decode, decode_beginning, encode};
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

/// In which order products are walked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchOrder {
    /// By tag, byte by byte.
    Tag,
    /// By the time of registration: the order of the registrations' records, whose identifiers begin
    /// with it. No index of its own is written for it.
    Created,
}

/// A walk through products.
#[derive(Debug, Clone, Copy)]
pub struct PatchWalk<'a> {
    /// The order.
    pub order: PatchOrder,
    /// Whether the last come first.
    pub is_descending: bool,
    /// Only products of this key hash.
    pub owner: Option<[u8; 20]>,
    /// The place to go on after, from [`PatchPage::next`]; one that cannot be read is the beginning.
    pub after: Option<&'a [u8]>,
}

/// Some products in the order of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchPage {
    /// The products.
    pub patches: Vec<Patch>,
    /// How many rows were looked at for them.
    pub scanned: usize,
    /// The place to continue after, if there are more rows.
    pub next: Option<Vec<u8>>,
}

/// A row of a walk: its place, and the product if it is one's row.
type Step = Result<(Vec<u8>, Option<Patch>), StoreError>;

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

/// Returns how many products there are.
pub fn patch_count(tables: &impl Tables) -> Result<u64, StoreError> {
    Ok(tables.patches().len()?)
}

/// Lists products that `wanted` accepts, at most `limit`, in the order of a walk.
///
/// Looks at no more than `most_scanned` rows, so that a filter that matches little cannot hold the
/// caller for long; the page then ends early with a `next`.
pub fn list_patches(
    tables: &impl Tables,
    walk: PatchWalk<'_>,
    limit: usize,
    most_scanned: usize,
    mut wanted: impl FnMut(&Patch) -> Result<bool, StoreError>,
) -> Result<PatchPage, StoreError> {
    let mut page = PatchPage { patches: Vec::new(), scanned: 0, next: None };
    let mut last = None;
    for row in steps(tables, walk)? {
        if page.patches.len() == limit || page.scanned == most_scanned {
            page.next = last;
            break;
        }
        let (place, found) = row?;
        page.scanned += 1;
        last = Some(place);
        if let Some(found) = found
            && walk.owner.is_none_or(|owner| found.owner.hash160() == &owner)
            && wanted(&found)?
        {
            page.patches.push(found);
        }
    }
    Ok(page)
}

fn steps<'a>(
    tables: &'a impl Tables,
    walk: PatchWalk<'_>,
) -> Result<Box<dyn Iterator<Item = Step> + 'a>, StoreError> {
    let tag = walk.after.and_then(|place| std::str::from_utf8(place).ok());
    match (walk.order, walk.owner) {
        (PatchOrder::Tag, Some(owner)) => steps_of_owner(tables, owner, tag, walk.is_descending),
        (PatchOrder::Tag, None) => steps_by_tag(tables, tag, walk.is_descending),
        (PatchOrder::Created, _) => {
            let id = walk.after.and_then(|place| <[u8; 16]>::try_from(place).ok());
            steps_by_time(tables, id, walk.is_descending)
        }
    }
}

/// Returns the bounds of what comes after a place.
fn rest<K>(after: Option<K>, is_descending: bool) -> (Bound<K>, Bound<K>) {
    let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
    if is_descending { (Bound::Unbounded, begin) } else { (begin, Bound::Unbounded) }
}

/// Turns rows around if the last are to come first.
fn directed<'a, T>(
    rows: impl DoubleEndedIterator<Item = T> + 'a,
    is_descending: bool,
) -> Box<dyn Iterator<Item = T> + 'a> {
    if is_descending { Box::new(rows.rev()) } else { Box::new(rows) }
}

fn steps_by_tag<'a>(
    tables: &'a impl Tables,
    after: Option<&str>,
    is_descending: bool,
) -> Result<Box<dyn Iterator<Item = Step> + 'a>, StoreError> {
    let rows = tables.patches().range::<&str>(rest(after, is_descending))?;
    Ok(Box::new(directed(rows, is_descending).map(|row| {
        let (tag, bytes) = row?;
        let found = with_batch(tables, decode(bytes.value(), "patch")?)?;
        Ok((tag.value().as_bytes().to_vec(), Some(found)))
    })))
}

fn steps_of_owner<'a>(
    tables: &'a impl Tables,
    owner: [u8; 20],
    after: Option<&str>,
    is_descending: bool,
) -> Result<Box<dyn Iterator<Item = Step> + 'a>, StoreError> {
    let mut bounds = (Bound::Included((owner, "")), Bound::Unbounded);
    let mut next_owner = owner;
    // The rows of an owner end where those of the next possible one begin.
    for byte in next_owner.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            bounds.1 = Bound::Excluded((next_owner, ""));
            break;
        }
    }
    match after {
        Some(tag) if is_descending => bounds.1 = Bound::Excluded((owner, tag)),
        Some(tag) => bounds.0 = Bound::Excluded((owner, tag)),
        None => {}
    }
    let rows = tables.patches_by_owner().range(bounds)?;
    Ok(Box::new(directed(rows, is_descending).map(|row| {
        let (key, _) = row?;
        let (_, tag) = key.value();
        Ok((tag.as_bytes().to_vec(), patch(tables, tag)?))
    })))
}

fn steps_by_time<'a>(
    tables: &'a impl Tables,
    after: Option<[u8; 16]>,
    is_descending: bool,
) -> Result<Box<dyn Iterator<Item = Step> + 'a>, StoreError> {
    let rows = tables.records().range::<[u8; 16]>(rest(after, is_descending))?;
    Ok(Box::new(directed(rows, is_descending).map(|row| {
        let (id, bytes) = row?;
        let (_, tag, purpose): (RecordId, UidTag, Purpose) =
            decode_beginning(bytes.value(), "record")?;
        let found = match purpose {
            Purpose::RegisterPatch => patch(tables, tag.as_str())?,
            Purpose::TransferOwnership => None,
        };
        Ok((id.value().to_vec(), found))
    })))
}
