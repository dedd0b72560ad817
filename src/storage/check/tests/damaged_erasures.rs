//! Damage to what was erased, and to what finds records by their owners.

use super::*;
use crate::storage::ErasedRecord;

const OWNER: [u8; 20] = [7; 20];

fn sample() -> Sample {
    Sample::of(vec![(Way::Final, Some(Way::Final))])
}

#[test]
fn a_record_without_its_bytes_that_was_not_erased_shows() {
    let sample = sample();
    let record = sample.events[0].record.clone();
    let (id, mut bare) = (record.id, record);
    bare.canonical.clear();
    let found = sample.damaged(move |tx| tx.put_record(&bare));
    let expected = [
        violation("I7", id, "its bytes are missing and were not erased"),
        violation("I7", id, "was erased and keeps its salt or signature"),
        violation("index", Row("record by party", id), "names another owner"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_erasure_without_anything_erased_shows() {
    let sample = sample();
    let record = sample.events[1].record.clone();
    let id = record.id;
    let found = sample.damaged(move |tx| {
        let before = record.clone();
        let erased =
            ErasedRecord { erased_at: NOW, facts: Vec::new(), owner_mark: [0; 32], seal: [0; 32] };
        tx.erase_record(&record, &OWNER, &erased)?;
        tx.put_record(&before)?;
        tx.put_erasure_due(&before, NOW)?;
        tx.tables.erasures_due.insert([9; 16], 0)?;
        tx.tables.records_by_party.insert((OWNER, id.to_bytes()), ())?;
        Ok(())
    });
    let nobody = RecordId::from_bytes([9; 16]);
    let expected = [
        violation("I7", Row("erased record", id), "is there or never was"),
        violation("I7", Row("erasure due", nobody), "has nothing to erase"),
        violation("index", Row("record by party", id), "names another owner"),
    ];
    assert_eq!(found, expected);
}
