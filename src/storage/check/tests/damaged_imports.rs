//! Damage to imports.

use super::*;
use crate::storage::{ImportState, RowFault, RowOutcome, StoredImport, StoredImportRow};
use crate::types::ImportId;

const ID: ImportId = ImportId::from_bytes([0x1d; 16]);

fn sample() -> Sample {
    Sample::of(vec![(Way::Final, None), (Way::Mined, None)])
}

fn import() -> StoredImport {
    StoredImport {
        id: ID,
        name: None,
        bytes: 100,
        actor: "key".to_owned(),
        state: ImportState::Done,
        rows: 2,
        bad: 1,
        registered: 1,
        failed: 0,
        next: 2,
        created_at: NOW,
        started_at: Some(NOW),
        ended_at: Some(NOW),
        forgotten_at: NOW,
    }
}

fn registered(product: u8, record: RecordId) -> StoredImportRow {
    let outcome = RowOutcome::Registered(record);
    StoredImportRow { line: 2, tag: uid(product).as_str().to_owned(), outcome }
}

fn bad() -> StoredImportRow {
    let (fault, message) = (RowFault::Invalid, "m".to_owned());
    let outcome = RowOutcome::Bad { fault, message, texts: None };
    StoredImportRow { line: 3, tag: "x".to_owned(), outcome }
}

fn name(number: u32) -> Row<(String, u32)> {
    Row("import row", (hex::encode([0x1d; 16]), number))
}

#[test]
fn an_import_that_agrees_with_its_rows_is_clean() {
    let sample = sample();
    let id = sample.events[0].record.id;
    let found = sample.damaged(move |tx| {
        tx.put_import(&import())?;
        tx.put_import_row(ID, 0, &registered(1, id))?;
        tx.put_import_row(ID, 1, &bad())
    });
    assert_eq!(found, []);
}

#[test]
fn what_an_import_registered_is_there_once_and_under_its_tag() {
    let sample = sample();
    let id = sample.events[0].record.id;
    let found = sample.damaged(move |tx| {
        tx.put_import(&StoredImport { bad: 0, registered: 2, ..import() })?;
        tx.put_import_row(ID, 0, &registered(1, id))?;
        tx.put_import_row(ID, 1, &registered(2, id))
    });
    let expected = [
        violation("import", name(1), "shares its record with another"),
        violation("I2", name(1), "was registered and has no record"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn rows_that_are_missing_or_belong_to_nobody_show() {
    let found = sample().damaged(|tx| {
        tx.put_import(&StoredImport { bad: 2, registered: 0, ..import() })?;
        tx.put_import_row(ID, 1, &bad())?;
        tx.put_import_row(ImportId::from_bytes([2; 16]), 0, &bad())
    });
    let nobodys = Row("import row", (hex::encode([2; 16]), 0));
    let expected = [
        violation("import", nobodys, "belongs to no import"),
        violation("import", name(1), "does not follow the one before"),
        violation("import", Row("import", ID), "counts other rows than it has"),
    ];
    assert_eq!(found, expected);
}
