//! Transactions: the exact bytes that were signed and sent, and the Merkle paths that prove them.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::bitcoin::{MerklePath, Transaction};
use crate::storage::codec::{decode, encode};
use crate::storage::records::bytes_field;
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{BlockHash, RecordId, Satoshis, Timestamp, Txid};

/// Where a transaction comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransactionOrigin {
    /// Signed by us for this record.
    Record(RecordId),
    /// From outside; it pays us.
    External,
    /// Signed by us for this operation of the treasury.
    Treasury(RecordId),
    /// Signed by us for this batch of records.
    Batch(RecordId),
}

/// What is known of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransactionState {
    /// Signed and stored; whether the network has it is not known.
    Signed,
    /// The network has taken it.
    Seen,
    /// In this block of our best chain.
    Mined {
        /// The block.
        block: BlockHash,
        /// Its height.
        height: u32,
    },
    /// Proved never to be mined; kept as history.
    Dead {
        /// What killed it, if known.
        by: Option<Txid>,
    },
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredTransaction {
    /// Its identifier, computed by us.
    pub txid: Txid,
    /// The bytes as signed and sent.
    #[serde(with = "bytes_field")]
    pub raw: Vec<u8>,
    /// Where it comes from.
    pub origin: TransactionOrigin,
    /// What is known of it.
    pub state: TransactionState,
    /// What it pays the network; zero where inputs from outside are not known.
    pub fee: Satoshis,
    /// When it was stored.
    pub stored_at: Timestamp,
}

impl StoredTransaction {
    /// Reads the bytes.
    pub fn parse(&self) -> Result<Transaction, StoreError> {
        Transaction::parse(&self.raw).map_err(|_| StoreError::Corrupt { entity: "transaction" })
    }
}

impl WriteTx<'_> {
    /// Stores a transaction, and counts its fee among those of its day.
    pub fn put_transaction(&mut self, transaction: &StoredTransaction) -> Result<(), StoreError> {
        self.is_dirty = true;
        let before = self
            .tables
            .transactions
            .insert(transaction.txid.to_bytes(), encode(transaction).as_slice())?
            .map(|bytes| decode::<StoredTransaction>(bytes.value(), "transaction"))
            .transpose()?;
        self.count_fee(before.as_ref(), transaction)
    }

    /// Stores the Merkle path of a transaction in place of an older one.
    pub fn put_proof(&mut self, txid: Txid, path: &MerklePath) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.proofs.insert(txid.to_bytes(), path.to_bytes().as_slice())?;
        Ok(())
    }
}

/// Returns a transaction.
pub fn transaction(
    tables: &impl Tables,
    txid: Txid,
) -> Result<Option<StoredTransaction>, StoreError> {
    tables
        .transactions()
        .get(txid.to_bytes())?
        .map(|bytes| decode(bytes.value(), "transaction"))
        .transpose()
}

/// Returns a transaction that must exist.
pub fn expect_transaction(
    tables: &impl Tables,
    txid: Txid,
) -> Result<StoredTransaction, StoreError> {
    transaction(tables, txid)?.ok_or(StoreError::Missing { entity: "transaction" })
}

/// Returns the Merkle path of a transaction, if it is proved.
pub fn proof(tables: &impl Tables, txid: Txid) -> Result<Option<MerklePath>, StoreError> {
    tables
        .proofs()
        .get(txid.to_bytes())?
        .map(|bytes| {
            MerklePath::parse(bytes.value())
                .map_err(|_| StoreError::Corrupt { entity: "Merkle path" })
        })
        .transpose()
}
