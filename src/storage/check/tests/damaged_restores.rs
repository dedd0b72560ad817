//! Damage to what a resync after a restore has found.

use super::*;
use crate::storage::{FoundCommitment, StoredFinding};
use crate::types::Txid;

#[test]
fn a_finding_agrees_with_its_indexes_or_shows() {
    let sample = Sample::of(vec![(Way::Final, None)]);
    let id = sample.events[0].record.id;
    let txid = Txid::from_bytes([9; 32]);
    let commitment = Digest::from_bytes([5; 32]);
    let finding = StoredFinding {
        txid,
        found_at: NOW,
        height: None,
        spends: Vec::new(),
        pays: Vec::new(),
        says: vec![FoundCommitment { kind: "register".into(), commitment, record: Some(id) }],
        products: vec![uid(1).as_str().to_owned()],
    };
    let good = finding.clone();
    assert_eq!(sample.damaged(move |tx| tx.put_finding(&good)), []);
    let found = sample.damaged(move |tx| {
        let (says, products) = (Vec::new(), Vec::new());
        tx.put_finding(&StoredFinding { says, products, ..finding.clone() })?;
        tx.tables.restore_findings.insert([1; 32], [7].as_slice())?;
        tx.tables.disputed_patches.insert("TAG-404", txid.to_bytes())?;
        tx.tables.meta.insert("fence", [7].as_slice())?;
        Ok(())
    });
    let expected = [
        violation("row", "fence", "cannot be read"),
        violation("row", Row("finding", [1u8; 32]), "cannot be read"),
        violation("index", Row("found record", id), "of no finding"),
        violation("index", Row("disputed product", uid(1).as_str()), "of no finding"),
        violation("index", Row("disputed product", "TAG-404"), "of no finding"),
        violation("index", Row("disputed product", "TAG-404"), "that is not there"),
    ];
    let sorted = |mut all: Vec<Violation>| {
        all.sort();
        all
    };
    assert_eq!(sorted(found), sorted(expected.to_vec()));
}
