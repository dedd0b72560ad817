//! What rows of imports say of an owner who has himself erased.

use crate::bitcoin::Address;
use crate::service::imports::intake::bad;
use crate::service::imports::{RowFault, StoredImport, StoredImportRow};
use crate::storage::imports::{import, import_row};
use crate::storage::{RowOutcome, StoreError, WriteTx};
use crate::types::ImportId;

/// Empties a row that names an owner; one that waited is not registered any more. Returns whether it
/// still did.
pub fn erase_row(
    tx: &mut WriteTx<'_>,
    id: ImportId,
    number: u32,
    owner: &Address,
) -> Result<bool, StoreError> {
    let Some(row) = import_row(tx, id, number)?.filter(|row| row.outcome.names(owner)) else {
        return Ok(false);
    };
    if let (RowOutcome::Good(_), Some(old)) = (&row.outcome, import(tx, id)?) {
        tx.put_import(&StoredImport { bad: old.bad + 1, ..old })?;
    }
    let outcome = bad(RowFault::Erased, "its owner had himself erased".to_owned(), None);
    tx.put_import_row(id, number, &StoredImportRow { outcome, ..row })?;
    Ok(true)
}
