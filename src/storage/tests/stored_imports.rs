//! The bytes of imports on disk; see `stored_format.rs` for what a failure here means.

use crate::bitcoin::Address;
use crate::storage::tests::stored_format::{NOW, assert_format, id};
use crate::storage::{
    ImportFields, ImportState, RowFault, RowOutcome, StoredImport, StoredImportRow,
};
use crate::types::{ImportId, Network};

const AT: &str = "80a0abfef962";

#[test]
fn format_of_an_import() {
    let import = StoredImport {
        id: ImportId::from_bytes([0x1d; 16]),
        actor: "key".to_owned(),
        state: ImportState::Running,
        rows: 300,
        bad: 1,
        registered: 2,
        failed: 3,
        next: 6,
        created_at: NOW,
        started_at: Some(NOW),
        ended_at: None,
        forgotten_at: NOW,
    };
    let begin = ["01", &"1d".repeat(16), "036b6579", "02", "ac02", "01", "02", "03", "06"].concat();
    assert_format(&import, &[&begin, AT, "01", AT, "00", AT]);
}

#[test]
fn format_of_a_row_of_an_import() {
    let row = |outcome| StoredImportRow { line: 2, tag: "TAG-1".to_owned(), outcome };
    let begin = "0102055441472d31";
    let fields = ImportFields {
        name: Some("N".to_owned()),
        category: None,
        sku: None,
        serial_number: None,
        material: None,
        notes: Some("n".to_owned()),
        image: None,
        patch_location: None,
        owner: Address::of_hash([0xaa; 20], Network::Test),
    };
    let owner = ["01", &"aa".repeat(20)].concat();
    let good = [begin, "00", "01014e", "00000000", "01016e", "0000", &owner];
    assert_format(&row(RowOutcome::Good(Box::new(fields))), &good);
    let registered = [begin, "01", &"07".repeat(16)];
    assert_format(&row(RowOutcome::Registered(id(7))), &registered);
    let bad = RowOutcome::Bad { fault: RowFault::Taken, message: "m".to_owned() };
    assert_format(&row(bad), &[begin, "02", "03", "016d"]);
}
