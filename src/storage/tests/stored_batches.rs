//! The bytes of batches on disk; see `stored_format.rs` for what a failure here means.

use crate::storage::tests::stored_format::{NOW, assert_format, id};
use crate::storage::{StoredBatch, StoredTransaction, TransactionOrigin, TransactionState};
use crate::types::{Digest, Satoshis, Txid};

#[test]
fn format_of_a_batch() {
    let batch = StoredBatch {
        id: id(1),
        size: 257,
        root: Digest::from_bytes([0xab; 32]),
        requested_by: "brand".into(),
        created_at: NOW,
    };
    let end = "056272616e6480a0abfef962";
    assert_format(&batch, &["01", &"01".repeat(16), "8102", &"ab".repeat(32), end]);
}

#[test]
fn format_of_a_transaction_of_a_batch() {
    let transaction = StoredTransaction {
        txid: Txid::from_bytes([3; 32]),
        raw: vec![1, 2, 3],
        origin: TransactionOrigin::Batch(id(1)),
        state: TransactionState::Signed,
        fee: Satoshis::from_const(60),
        stored_at: NOW,
    };
    let begin = ["01", &"03".repeat(32), "03010203", "03", &"01".repeat(16)].concat();
    assert_format(&transaction, &[&begin, "003c80a0abfef962"]);
}
