//! Imports: their counts are those of their rows, and what they say they registered is there.

use std::collections::{HashMap, HashSet};

use redb::ReadableTable;

use crate::storage::check::{CheckReport, Row, readable};
use crate::storage::imports::{
    ImportState, RowOutcome, StoredImport, decode_import, decode_import_row,
};
use crate::storage::{StoreError, Tables, records};

/// Rows of an import as counted.
#[derive(Default)]
struct Counts {
    rows: u32,
    bad: u32,
    registered: u32,
    /// Good rows before the first one that was not tried.
    overlooked: u32,
}

/// Checks imports against their rows, and rows against the records they led to.
pub(super) fn check_imports(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let mut imports: HashMap<[u8; 16], StoredImport> = HashMap::new();
    for row in tables.imports().iter()? {
        let (key, bytes) = row?;
        let id = key.value();
        let Ok(it) = decode_import(bytes.value()) else {
            report.add("row", Row("import", hex::encode(id)), "cannot be read");
            continue;
        };
        report.expect(id == it.id.to_bytes(), "row", Row("import", it.id), "under another key");
        imports.insert(id, it);
    }
    let mut counts: HashMap<[u8; 16], Counts> = HashMap::new();
    let mut made = HashSet::new();
    for row in tables.import_rows().iter()? {
        let (key, bytes) = row?;
        let (id, number) = key.value();
        let subject = Row("import row", (hex::encode(id), number));
        let Ok(row) = decode_import_row(bytes.value()) else {
            report.add("row", subject, "cannot be read");
            continue;
        };
        let Some(import) = imports.get(&id) else {
            report.add("import", subject, "belongs to no import");
            continue;
        };
        let counts = counts.entry(id).or_default();
        let is_next = number == counts.rows || import.state == ImportState::Forgetting;
        report.expect(is_next, "import", &subject, "does not follow the one before");
        counts.rows += 1;
        match row.outcome {
            RowOutcome::Good(_) => counts.overlooked += u32::from(number < import.next),
            RowOutcome::Bad { .. } => counts.bad += 1,
            RowOutcome::Registered(record) => {
                counts.registered += 1;
                let is_new = made.insert(record);
                report.expect(is_new, "import", &subject, "shares its record with another");
                let found = readable(records::record(tables, record))?;
                let is_there = found.is_some_and(|it| it.uid.as_str() == row.tag);
                report.expect(is_there, "I2", &subject, "was registered and has no record");
            }
        }
    }
    for (id, import) in imports.iter().filter(|(_, it)| it.state != ImportState::Forgetting) {
        let found = counts.remove(id).unwrap_or_default();
        let subject = Row("import", import.id);
        let agrees = found.rows == import.rows
            && found.registered == import.registered
            && found.bad == import.bad + import.failed;
        report.expect(agrees, "import", &subject, "counts other rows than it has");
        report.expect(found.overlooked == 0, "import", &subject, "went past a row that waits");
    }
    Ok(())
}
