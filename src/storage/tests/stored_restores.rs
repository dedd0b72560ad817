//! The bytes on disk of what follows a restore; see `stored_format.rs` for what a failure here means.

use crate::storage::tests::stored_format::{NOW, assert_format, id, txid};
use crate::storage::{FoundCommitment, StoredFence, StoredFinding};
use crate::types::{Digest, OutPoint};

#[test]
fn format_of_a_fence() {
    let fence = StoredFence { restored_at: NOW, taken_at: NOW, resynced_at: None };
    assert_format(&fence, &["01", "80a0abfef962", "80a0abfef962", "00"]);
    let fence = StoredFence { resynced_at: Some(NOW), ..fence };
    assert_format(&fence, &["01", "80a0abfef962", "80a0abfef962", "01", "80a0abfef962"]);
}

#[test]
fn format_of_a_finding() {
    let commitment = Digest::from_bytes([5; 32]);
    let finding = StoredFinding {
        txid: txid(3),
        found_at: NOW,
        height: Some(800_000),
        spends: vec![OutPoint::new(txid(4), 1)],
        pays: Vec::new(),
        says: vec![FoundCommitment { kind: "register".into(), commitment, record: Some(id(1)) }],
        products: vec!["TAG-1".into()],
    };
    let (own, spent) = ("03".repeat(32), "04".repeat(32));
    let (commitment, record) = ("05".repeat(32), "01".repeat(16));
    assert_format(
        &finding,
        &[
            "01",
            &own,
            "80a0abfef962",
            "0180ea30",
            "01",
            &spent,
            "01",
            "00",
            "01",
            "087265676973746572",
            &commitment,
            "01",
            &record,
            "01",
            "055441472d31",
        ],
    );
}
