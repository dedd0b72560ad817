//! Claims at points of sale: each led to one transfer at most, and to its own.

use std::collections::HashSet;

use redb::ReadableTable;

use crate::storage::check::{CheckReport, Row, each_row, readable};
use crate::storage::claims::{Claim, ClaimState, claim};
use crate::storage::{StoreError, Tables, records};

/// Checks claims against their index and the transfers they led to.
pub(super) fn check_claims(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let mut transfers = HashSet::new();
    each_row(tables.claims(), "claim", report, |id, it: Claim, report| {
        let subject = Row("claim", hex::encode(id));
        report.expect(id == it.id, "row", &subject, "under another key");
        let indexed = tables.claims_by_end().get((it.forgotten_at.as_millis(), id))?.is_some();
        report.expect(indexed, "I9", &subject, "would never be forgotten");
        let ClaimState::Approved { record, .. } = it.state else { return Ok(()) };
        report.expect(transfers.insert(record), "I9", &subject, "shares its transfer with another");
        let made = readable(records::record(tables, record))?;
        let is_there = made.is_some_and(|made| made.uid == it.uid);
        report.expect(is_there, "I2", &subject, "was approved and has no transfer");
        Ok(())
    })?;
    for row in tables.claims_by_end().iter()? {
        let (at, id) = row?.0.value();
        let stored = readable(claim(tables, id))?;
        let holds = stored.is_some_and(|it| it.forgotten_at.as_millis() == at);
        report.expect(holds, "I9", Row("claim", hex::encode(id)), "ends without being there");
    }
    check_shops(tables, report)
}

/// Checks the two lists of claims against each other and against the claims.
fn check_shops(tables: &impl Tables, report: &mut CheckReport) -> Result<(), StoreError> {
    for row in tables.claims_by_filing().iter()? {
        let (key, shop) = row?;
        let ((at, id), shop) = (key.value(), shop.value());
        let subject = Row("claim", hex::encode(id));
        let stored = readable(claim(tables, id))?;
        let holds = stored.is_some_and(|it| it.filed_at.as_millis() == at);
        report.expect(holds, "I9", &subject, "is listed without being there");
        let is_shops = tables.claims_by_shop().get((shop, at, id))?.is_some();
        report.expect(is_shops, "I9", &subject, "is not listed for its shop");
    }
    for row in tables.claims_by_shop().iter()? {
        let (shop, at, id) = row?.0.value();
        let listed = tables.claims_by_filing().get((at, id))?.map(|listed| listed.value());
        let subject = Row("claim", hex::encode(id));
        report.expect(listed == Some(shop), "I9", subject, "is listed for a shop that is not its");
    }
    Ok(())
}
