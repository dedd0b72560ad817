//! The bytes of batches on disk; see `stored_format.rs` for what a failure here means.

use crate::anchor::log::LogHead;
use crate::crypto::SecretKey;
use crate::storage::batches::decode_batch;
use crate::storage::codec::encode_second;
use crate::storage::tests::stored_format::{NOW, assert_format, id};
use crate::storage::{
    LogCheckpoint, StoredBatch, StoredTransaction, TransactionOrigin, TransactionState,
};
use crate::types::{Digest, Satoshis, Txid};

#[test]
fn format_of_a_batch() {
    let batch = StoredBatch {
        id: id(1),
        size: 257,
        root: Digest::from_bytes([0xab; 32]),
        requested_by: "brand".into(),
        created_at: NOW,
        log: Some(LogHead { size: 300, root: Digest::from_bytes([0xcd; 32]) }),
    };
    let begin = format!("{}8102{}056272616e6480a0abfef962", "01".repeat(16), "ab".repeat(32));
    let second = format!("02{begin}01ac02{}", "cd".repeat(32));
    assert_eq!(hex::encode(encode_second(&batch)), second);
    assert_eq!(decode_batch(&hex::decode(second).unwrap()).unwrap(), batch);
    // As it was before there was a log.
    let first = hex::decode(format!("01{begin}")).unwrap();
    assert_eq!(decode_batch(&first).unwrap(), StoredBatch { log: None, ..batch });
    for other in [format!("02{begin}"), format!("01{begin}00"), format!("03{begin}00")] {
        assert!(decode_batch(&hex::decode(other).unwrap()).is_err());
    }
}

#[test]
fn format_of_a_checkpoint_of_the_log() {
    let key = SecretKey::from_bytes(&[7; 32]).unwrap();
    let signature = key.sign(&Digest::from_bytes([9; 32]));
    let der = signature.to_der();
    let checkpoint = LogCheckpoint {
        head: LogHead { size: 300, root: Digest::from_bytes([0xcd; 32]) },
        signature: (&signature).into(),
        signed_at: NOW,
    };
    let head = format!("ac02{}", "cd".repeat(32));
    let signature = format!("{:02x}{}", der.len(), hex::encode(&der));
    assert_format(&checkpoint, &["01", &head, &signature, "80a0abfef962"]);
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
