//! Maintenance operations of the pool as they were planned. Each has a job of the same identifier.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{FeeRate, OutPoint, RecordId, Timestamp, Txid};
use crate::wallet::operation::{OperationKind, PlannedOutput};

/// A maintenance operation. Only its transaction is added later, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreasuryOperation {
    /// The operation, and its job.
    pub id: RecordId,
    /// What it is for.
    pub kind: OperationKind,
    /// What it spends, in this order.
    pub inputs: Vec<OutPoint>,
    /// What it makes, in this order; the rest is the fee.
    pub outputs: Vec<PlannedOutput>,
    /// The rate that the fee follows; none where nothing is paid.
    pub fee_rate: Option<FeeRate>,
    /// The credential that asked for it, or the scheduler; never a secret.
    pub requested_by: String,
    /// When it was planned.
    pub created_at: Timestamp,
    /// Its transaction, once signed; kept when that dies, unless another operation has the same.
    pub txid: Option<Txid>,
}

impl WriteTx<'_> {
    /// Stores an operation.
    pub fn put_treasury_operation(
        &mut self,
        operation: &TreasuryOperation,
    ) -> Result<(), StoreError> {
        self.is_dirty = true;
        let bytes = encode(operation);
        self.tables.treasury_operations.insert(operation.id.to_bytes(), bytes.as_slice())?;
        Ok(())
    }
}

/// Returns an operation.
pub fn treasury_operation(
    tables: &impl Tables,
    id: RecordId,
) -> Result<Option<TreasuryOperation>, StoreError> {
    tables
        .treasury_operations()
        .get(id.to_bytes())?
        .map(|bytes| decode(bytes.value(), "treasury operation"))
        .transpose()
}

/// Returns an operation that must exist.
pub fn expect_treasury_operation(
    tables: &impl Tables,
    id: RecordId,
) -> Result<TreasuryOperation, StoreError> {
    treasury_operation(tables, id)?.ok_or(StoreError::Missing { entity: "treasury operation" })
}
