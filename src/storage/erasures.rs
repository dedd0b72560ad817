//! What was erased at the wish of the person it named, what is still to be, and who had herself erased.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::anchor::commitment::Salt;
use crate::storage::codec::{decode, encode};
use crate::storage::patches::patch;
use crate::storage::records::bytes_field;
use crate::storage::{StoreError, StoredRecord, Tables, WriteTx};
use crate::types::{RecordId, Timestamp};

/// What stays of a record whose content was erased; see [`crate::patch::erasure`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedRecord {
    /// When.
    pub erased_at: Timestamp,
    /// What the product is, as JSON.
    #[serde(with = "bytes_field")]
    pub facts: Vec<u8>,
    /// Whose it was, unreadably.
    pub owner_mark: [u8; 32],
    /// The server's seal on all that.
    pub seal: [u8; 32],
}

/// A person who had herself erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErasedPerson {
    /// The epoch of her tokens: earlier ones are worth nothing.
    pub epoch: u64,
    /// When.
    pub erased_at: Timestamp,
}

impl WriteTx<'_> {
    /// Notes that a transfer takes a product from one owner's record to another's, so that both are
    /// found by the key hashes of those they name.
    pub fn put_parties(&mut self, parties: [(&[u8; 20], RecordId); 2]) -> Result<(), StoreError> {
        self.is_dirty = true;
        for (hash, record) in parties {
            // Whoever had himself erased is found by nothing any more.
            if is_erased(self, record)? {
                continue;
            }
            self.tables.records_by_party.insert((*hash, record.to_bytes()), ())?;
        }
        Ok(())
    }

    /// Erases salt, bytes and signature of a record that names `owner` as the product's owner.
    pub fn erase_record(
        &mut self,
        record: &StoredRecord,
        owner: &[u8; 20],
        erased: &ErasedRecord,
    ) -> Result<(), StoreError> {
        let id = record.id.to_bytes();
        self.put_record(&StoredRecord {
            canonical: Vec::new(),
            salt: Salt::from_bytes([0; 16]),
            issuer_signature: None,
            ..record.clone()
        })?;
        self.tables.erased_records.insert(id, encode(erased).as_slice())?;
        self.tables.erasures_due.remove(id)?;
        self.tables.records_by_party.remove((*owner, id))?;
        Ok(())
    }

    /// Notes that a record is to be erased as soon as nothing can need it any more.
    pub fn put_erasure_due(
        &mut self,
        record: &StoredRecord,
        asked_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.touch_patch(record.uid.as_str());
        self.tables.erasures_due.insert(record.id.to_bytes(), asked_at.as_millis())?;
        Ok(())
    }

    /// Notes that a person had herself erased.
    pub fn put_erased_person(
        &mut self,
        pseudonym: &str,
        erased: ErasedPerson,
    ) -> Result<(), StoreError> {
        self.is_dirty = true;
        let row = (erased.epoch, erased.erased_at.as_millis());
        self.tables.erased_persons.insert(pseudonym, row)?;
        Ok(())
    }
}

/// Returns what stayed of a record, if its content was erased.
pub fn erased_record(
    tables: &impl Tables,
    id: RecordId,
) -> Result<Option<ErasedRecord>, StoreError> {
    let bytes = tables.erased_records().get(id.to_bytes())?;
    bytes.map(|bytes| decode(bytes.value(), "erased record")).transpose()
}

/// Says whether a record's content was erased.
pub fn is_erased(tables: &impl Tables, id: RecordId) -> Result<bool, StoreError> {
    Ok(tables.erased_records().get(id.to_bytes())?.is_some())
}

/// Returns a person who had herself erased.
pub fn erased_person(
    tables: &impl Tables,
    pseudonym: &str,
) -> Result<Option<ErasedPerson>, StoreError> {
    let row = tables.erased_persons().get(pseudonym)?.map(|row| row.value());
    Ok(row.map(|(epoch, at)| ErasedPerson { epoch, erased_at: Timestamp::from_millis(at) }))
}

/// Says whether a record is to be erased.
pub fn is_erasure_due(tables: &impl Tables, id: RecordId) -> Result<bool, StoreError> {
    Ok(tables.erasures_due().get(id.to_bytes())?.is_some())
}

/// Returns records that are to be erased, at most `limit`, after `after`.
pub fn erasures_due(
    tables: &impl Tables,
    after: Option<RecordId>,
    limit: usize,
) -> Result<Vec<RecordId>, StoreError> {
    let start =
        after.map_or(std::ops::Bound::Unbounded, |id| std::ops::Bound::Excluded(id.to_bytes()));
    let rows = tables.erasures_due().range((start, std::ops::Bound::Unbounded))?;
    rows.take(limit).map(|row| Ok(RecordId::from_bytes(row?.0.value()))).collect()
}

/// Returns the records that name a key hash as the product's owner, erased ones left out.
pub fn records_naming(tables: &impl Tables, owner: &[u8; 20]) -> Result<Vec<RecordId>, StoreError> {
    let mut found = std::collections::BTreeSet::new();
    for row in tables.records_by_party().range((*owner, [0; 16])..=(*owner, [0xff; 16]))? {
        found.insert(RecordId::from_bytes(row?.0.value().1));
    }
    // Whoever was named first and still owns the product stands in no transfer.
    for uid in tags_of(tables, owner)? {
        let head = patch(tables, &uid)?.ok_or(StoreError::Missing { entity: "patch" })?.head;
        if erased_record(tables, head)?.is_none() {
            found.insert(head);
        }
    }
    Ok(found.into_iter().collect())
}

/// Returns the tags of the products that a key hash owns at present.
pub fn tags_of(tables: &impl Tables, owner: &[u8; 20]) -> Result<Vec<String>, StoreError> {
    let rows = tables.patches_by_owner().range((*owner, "")..)?;
    let mut tags = Vec::new();
    for row in rows {
        let (key, _) = row?;
        let (hash, uid) = key.value();
        if hash != *owner {
            break;
        }
        tags.push(uid.to_owned());
    }
    Ok(tags)
}
