//! The bytes of imports on disk; see `stored_format.rs` for what a failure here means.

use crate::bitcoin::Address;
use crate::storage::codec::encode_second;
use crate::storage::imports::{decode_import, decode_import_row};
use crate::storage::tests::stored_format::{NOW, id};
use crate::storage::{
    ImportFields, ImportState, RowFault, RowOutcome, StoredImport, StoredImportRow,
};
use crate::types::{ImportId, Network};

const AT: &str = "80a0abfef962";

fn bytes(parts: &[&str]) -> Vec<u8> {
    hex::decode(parts.concat()).unwrap()
}

#[test]
fn format_of_an_import() {
    let import = StoredImport {
        id: ImportId::from_bytes([0x1d; 16]),
        name: Some("a.csv".to_owned()),
        bytes: 300,
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
    let id = "1d".repeat(16);
    let rest = ["036b6579", "02", "ac02", "01", "02", "03", "06", AT, "01", AT, "00", AT].concat();
    let second = bytes(&["02", &id, "0105612e637376", "ac02", &rest]);
    assert_eq!(encode_second(&import), second);
    assert_eq!(decode_import(&second).unwrap(), import);
    // As it was before files had names and sizes.
    let first = decode_import(&bytes(&["01", &id, &rest])).unwrap();
    assert_eq!(first, StoredImport { name: None, bytes: 0, ..import });
    assert!(decode_import(&bytes(&["02", &id, &rest])).is_err());
}

#[test]
fn format_of_a_row_of_an_import() {
    let row = |outcome| StoredImportRow { line: 2, tag: "TAG-1".to_owned(), outcome };
    let begin = "02055441472d31";
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
    let good = ["00", "01014e", "00000000", "01016e", "0000", &owner].concat();
    let registered = ["01", &"07".repeat(16)].concat();
    for (outcome, rest) in
        [(RowOutcome::Good(Box::new(fields)), good), (RowOutcome::Registered(id(7)), registered)]
    {
        let row = row(outcome);
        let second = bytes(&["02", begin, &rest]);
        assert_eq!(encode_second(&row), second);
        assert_eq!(decode_import_row(&second).unwrap(), row);
        assert_eq!(decode_import_row(&bytes(&["01", begin, &rest])).unwrap(), row);
    }
}

#[test]
fn format_of_a_bad_row_of_an_import() {
    let row = |texts| {
        let outcome = RowOutcome::Bad { fault: RowFault::Taken, message: "m".to_owned(), texts };
        StoredImportRow { line: 2, tag: "TAG-1".to_owned(), outcome }
    };
    let begin = "02055441472d31020301".to_owned() + "6d";
    let mut texts = std::array::from_fn(|_| None);
    texts[9] = Some("o".to_owned());
    let said = row(Some(Box::new(texts)));
    let second = bytes(&["02", &begin, "01", &"00".repeat(9), "01016f"]);
    assert_eq!(encode_second(&said), second);
    assert_eq!(decode_import_row(&second).unwrap(), said);
    // As it was before what bad rows said was kept.
    assert_eq!(decode_import_row(&bytes(&["01", &begin])).unwrap(), row(None));
    assert_eq!(RowFault::Erased as u8, 4, "new faults come after the old ones");
}
