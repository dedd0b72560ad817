//! The bytes of maintenance operations on disk, by example; see `stored_format`.

use crate::storage::codec::{decode, encode};
use crate::storage::transactions::StoredTransaction;
use crate::storage::{TransactionOrigin, TransactionState, TreasuryOperation};
use crate::types::{FeeRate, OutPoint, RecordId, Satoshis, Timestamp, Txid};
use crate::wallet::operation::{OperationKind, PlannedOutput};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

#[test]
fn format_of_a_treasury_operation() {
    let operation = TreasuryOperation {
        id: RecordId::from_bytes([1; 16]),
        kind: OperationKind::Consolidate,
        inputs: vec![OutPoint::new(Txid::from_bytes([3; 32]), 1)],
        outputs: vec![PlannedOutput { value: Satoshis::from_const(5000), key_hash: [4; 20] }],
        fee_rate: FeeRate::from_sat_per_kb(512),
        requested_by: "brand".into(),
        created_at: NOW,
        txid: Some(Txid::from_bytes([5; 32])),
    };
    let expected = [
        "01010101010101010101010101010101010301030303030303030303030303030303030303030303",
        "03030303030303030303030101882704040404040404040404040404040404040404040180040562",
        "72616e6480a0abfef962010505050505050505050505050505050505050505050505050505050505",
        "050505",
    ]
    .concat();
    assert_eq!(hex::encode(encode(&operation)), expected);
    let read: TreasuryOperation = decode(&hex::decode(expected).unwrap(), "operation").unwrap();
    assert_eq!(read, operation);
}

#[test]
fn format_of_a_transaction_of_the_treasury() {
    let transaction = StoredTransaction {
        txid: Txid::from_bytes([3; 32]),
        raw: vec![1, 2, 3],
        origin: TransactionOrigin::Treasury(RecordId::from_bytes([1; 16])),
        state: TransactionState::Signed,
        fee: Satoshis::from_const(60),
        stored_at: NOW,
    };
    let expected = [
        "01030303030303030303030303030303030303030303030303030303030303030303010203020101",
        "0101010101010101010101010101003c80a0abfef962",
    ]
    .concat();
    assert_eq!(hex::encode(encode(&transaction)), expected);
}
