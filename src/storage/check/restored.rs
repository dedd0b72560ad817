//! What a resync after a restore has found.

use redb::ReadableTable;

use crate::storage::check::{CheckReport, Row, each_row};
use crate::storage::fence::{StoredFinding, fence, finding};
use crate::storage::patches::patch;
use crate::storage::{StoreError, Tables};
use crate::types::{RecordId, Txid};

/// Checks the fence, the findings, and that each disputed product is named by its finding.
pub(super) fn check_restored(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    if let Err(StoreError::Corrupt { .. }) = fence(tables) {
        report.add("row", "fence", "cannot be read");
    }
    each_row(tables.restore_findings(), "finding", report, |key, it: StoredFinding, report| {
        let is_own = key == it.txid.to_bytes();
        report.expect(is_own, "row", Row("finding", it.txid), "under another key");
        Ok(())
    })?;
    for row in tables.found_records().iter()? {
        let (id, txid) = row?;
        let (id, txid) = (RecordId::from_bytes(id.value()), Txid::from_bytes(txid.value()));
        let found = super::readable(finding(tables, txid))?;
        let is_named = found.is_some_and(|it| it.says.iter().any(|said| said.record == Some(id)));
        report.expect(is_named, "index", Row("found record", id), "of no finding");
    }
    for row in tables.disputed_patches().iter()? {
        let (uid, txid) = row?;
        let (uid, txid) = (uid.value(), Txid::from_bytes(txid.value()));
        let found = super::readable(finding(tables, txid))?;
        let is_named = found.is_some_and(|it| it.products.iter().any(|product| product == uid));
        report.expect(is_named, "index", Row("disputed product", uid), "of no finding");
        let is_there = super::readable(patch(tables, uid))?.is_some();
        report.expect(is_there, "index", Row("disputed product", uid), "that is not there");
    }
    Ok(())
}
