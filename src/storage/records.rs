//! Custody events as they were signed.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::anchor::commitment::Salt;
use crate::crypto::Signature;
use crate::patch::record::Purpose;
use crate::patch::tag::UidTag;
use crate::storage::batches::{place_in_batch, txid_of_batch};
use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{Digest, OutPoint, RecordId, Timestamp, Txid};

/// A custody event. `canonical`, `salt` and `commitment` never change, until the content is erased at
/// the wish of the owner it names (see [`crate::storage::erasures`]); the issuer's signature and
/// the transaction are added once each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRecord {
    /// The event.
    pub id: RecordId,
    /// The product's tag.
    pub uid: UidTag,
    /// The kind of event.
    pub purpose: Purpose,
    /// Its place among all events of the product, those that failed included, from 0.
    pub position: u32,
    /// The canonical bytes that the issuer signs and the commitment covers.
    #[serde(with = "bytes_field")]
    pub canonical: Vec<u8>,
    /// The random bytes of the commitment.
    pub salt: Salt,
    /// SHA-256(salt ‖ canonical).
    pub commitment: Digest,
    /// The event before, for a transfer.
    pub previous: Option<RecordId>,
    /// The issuer's signature over SHA-256(canonical), DER, once made.
    pub issuer_signature: Option<StoredSignature>,
    /// The signed transaction that carries the commitment.
    pub txid: Option<Txid>,
    /// The output that holds the product's custody after this event.
    pub seal: Option<OutPoint>,
    /// When the event was accepted.
    pub accepted_at: Timestamp,
}

impl StoredRecord {
    /// Says whether the content was erased: salt, bytes and signature are gone.
    pub fn is_erased(&self) -> bool {
        self.canonical.is_empty()
    }
}

/// A signature as stored: its DER bytes, checked again when read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSignature(#[serde(with = "bytes_field")] Vec<u8>);

impl From<&Signature> for StoredSignature {
    fn from(signature: &Signature) -> Self {
        Self(signature.to_der())
    }
}

impl StoredSignature {
    /// Returns the signature, or nothing if the stored bytes are none.
    pub fn signature(&self) -> Option<Signature> {
        Signature::from_der(&self.0).ok()
    }
}

/// Writes byte vectors as one run of bytes.
pub(super) mod bytes_field {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::storage) fn serialize<S: Serializer>(
        bytes: &[u8],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(in crate::storage) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        bytes::Bytes::deserialize(deserializer).map(Into::into)
    }
}

impl WriteTx<'_> {
    /// Stores an event and its indexes, and a new one's leaf in the log. A batch's transaction is not written down with each member.
    pub fn put_record(&mut self, record: &StoredRecord) -> Result<(), StoreError> {
        self.touch_patch(record.uid.as_str());
        let id = record.id.to_bytes();
        let plain;
        let record = if record.txid.is_some() && place_in_batch(self, record.id)?.is_some() {
            plain = StoredRecord { txid: None, ..record.clone() };
            &plain
        } else {
            record
        };
        let before = self
            .tables
            .records
            .insert(id, encode(record).as_slice())?
            .map(|bytes| decode::<StoredRecord>(bytes.value(), "record"))
            .transpose()?;
        if before.is_none() {
            self.append_leaf_of(record)?;
        }
        let replaced = before.and_then(|before| before.txid).filter(|it| Some(*it) != record.txid);
        if let Some(txid) = replaced {
            // A dead transaction carries the event no more.
            self.tables.records_by_txid.remove(txid.to_bytes())?;
        }
        self.tables.records_by_patch.insert((record.uid.as_str(), record.position), id)?;
        if let Some(txid) = record.txid {
            self.tables.records_by_txid.insert(txid.to_bytes(), id)?;
        }
        Ok(())
    }
}

impl WriteTx<'_> {
    /// Stores an event without its transaction, which is proved dead.
    pub fn forget_transaction(&mut self, record: &StoredRecord) -> Result<(), StoreError> {
        if let Some(txid) = record.txid {
            self.tables.records_by_txid.remove(txid.to_bytes())?;
        }
        self.put_record(&StoredRecord { txid: None, seal: None, ..record.clone() })
    }
}

/// Returns an event. The transaction of one that is in a batch is the batch's.
pub fn record(tables: &impl Tables, id: RecordId) -> Result<Option<StoredRecord>, StoreError> {
    let Some(bytes) = tables.records().get(id.to_bytes())? else { return Ok(None) };
    let mut found: StoredRecord = decode(bytes.value(), "record")?;
    if found.txid.is_none() {
        found.txid = txid_of_batch(tables, id)?;
    }
    Ok(Some(found))
}

/// Returns an event that must exist.
pub fn expect_record(tables: &impl Tables, id: RecordId) -> Result<StoredRecord, StoreError> {
    record(tables, id)?.ok_or(StoreError::Missing { entity: "record" })
}

/// Returns the event that a transaction carries.
pub fn record_by_txid(tables: &impl Tables, txid: Txid) -> Result<Option<RecordId>, StoreError> {
    let id = tables.records_by_txid().get(txid.to_bytes())?;
    Ok(id.map(|id| RecordId::from_bytes(id.value())))
}

/// Returns a product's events, oldest first.
pub fn records_of(tables: &impl Tables, uid: &str) -> Result<Vec<StoredRecord>, StoreError> {
    tables
        .records_by_patch()
        .range((uid, 0)..=(uid, u32::MAX))?
        .map(|row| {
            let (_, id) = row?;
            expect_record(tables, RecordId::from_bytes(id.value()))
        })
        .collect()
}
