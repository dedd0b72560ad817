//! The bytes on disk, by example. When a test here fails, stores in the field can no longer be read:
//! give the changed struct a new format version and a conversion from this one, never new bytes here.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::anchor::commitment::Salt;
use crate::bitcoin::{Address, BlockHeader, Work};
use crate::crypto::SecretKey;
use crate::patch::record::Purpose;
use crate::patch::tag::UidTag;
use crate::storage::codec::{decode, encode};
use crate::storage::{
    AuditEntry, Challenge, IdempotencyRow, IdempotencyState, Patch, StoreError, StoredAnswer,
    StoredContent, StoredHeader, StoredRecord, StoredTransaction, TransactionOrigin,
    TransactionState,
};
use crate::types::{
    BlockHash, ChainProfile, Digest, Network, OutPoint, RecordId, Satoshis, Timestamp, Txid,
};
use crate::wallet::utxo::{OutputPurpose, Utxo, UtxoState};

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Checks both ways: these bytes are written, and these bytes are read.
#[track_caller]
pub(super) fn assert_format<T>(entity: &T, parts: &[&str])
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let expected = parts.concat();
    assert_eq!(hex::encode(encode(entity)), expected);
    let read: T = decode(&hex::decode(expected).unwrap(), "entity").unwrap();
    assert_eq!(read, *entity);
}

pub(super) fn id(byte: u8) -> RecordId {
    RecordId::from_bytes([byte; 16])
}

pub(super) fn txid(byte: u8) -> Txid {
    Txid::from_bytes([byte; 32])
}

fn tag() -> UidTag {
    UidTag::parse("TAG-1").unwrap()
}

#[test]
fn format_of_a_patch() {
    let owner = Address::of_hash([0xaa; 20], Network::Test);
    let patch = Patch {
        uid: tag(),
        owner,
        head: id(1),
        pending: Some(id(2)),
        current_txid: Some(txid(3)),
        events: 300,
        created_at: NOW,
        updated_at: NOW,
    };
    assert_format(
        &patch,
        &[
            "01055441472d3101aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa010101010101010101010101",
            "01010101010202020202020202020202020202020201030303030303030303030303030303030303",
            "0303030303030303030303030303ac0280a0abfef96280a0abfef962",
        ],
    );
}

#[test]
fn format_of_a_record() {
    let key = SecretKey::from_bytes(&[7; 32]).unwrap();
    let record = StoredRecord {
        id: id(1),
        uid: tag(),
        purpose: Purpose::TransferOwnership,
        position: 1,
        canonical: b"{}".to_vec(),
        salt: Salt::from_bytes([4; 16]),
        commitment: Digest::from_bytes([5; 32]),
        previous: Some(id(2)),
        issuer_signature: Some((&key.sign(&Digest::from_bytes([6; 32]))).into()),
        txid: Some(txid(3)),
        seal: Some(OutPoint::new(txid(3), 1)),
        accepted_at: NOW,
    };
    assert_format(
        &record,
        &[
            "0101010101010101010101010101010101055441472d310101027b7d040404040404040404040404",
            "04040404050505050505050505050505050505050505050505050505050505050505050501020202",
            "0202020202020202020202020201473045022100ae53b78baf89b27482743c4e2c3b83b67028ad1e",
            "38c3de11c52bad3dc14aa9480220437fc8e2ae3d619e93cbe5cae3e8fbd503f7512e0be7ea16efef",
            "64a041be37ed01030303030303030303030303030303030303030303030303030303030303030301",
            "03030303030303030303030303030303030303030303030303030303030303030180a0abfef962",
        ],
    );
}

#[test]
fn format_of_a_transaction() {
    let transaction = |origin, state| StoredTransaction {
        txid: txid(3),
        raw: vec![1, 2, 3],
        origin,
        state,
        fee: Satoshis::from_const(60),
        stored_at: NOW,
    };
    let ours = TransactionOrigin::Record(id(1));
    let block = BlockHash::from_bytes([8; 32]);
    assert_format(
        &transaction(ours, TransactionState::Signed),
        &[
            "01030303030303030303030303030303030303030303030303030303030303030303010203000101",
            "0101010101010101010101010101003c80a0abfef962",
        ],
    );
    assert_format(
        &transaction(ours, TransactionState::Seen),
        &[
            "01030303030303030303030303030303030303030303030303030303030303030303010203000101",
            "0101010101010101010101010101013c80a0abfef962",
        ],
    );
    assert_format(
        &transaction(ours, TransactionState::Mined { block, height: 800_000 }),
        &[
            "01030303030303030303030303030303030303030303030303030303030303030303010203000101",
            "01010101010101010101010101010208080808080808080808080808080808080808080808080808",
            "0808080808080880ea303c80a0abfef962",
        ],
    );
    assert_format(
        &transaction(ours, TransactionState::Dead { by: Some(txid(9)) }),
        &[
            "01030303030303030303030303030303030303030303030303030303030303030303010203000101",
            "01010101010101010101010101010301090909090909090909090909090909090909090909090909",
            "09090909090909093c80a0abfef962",
        ],
    );
    assert_format(
        &transaction(TransactionOrigin::External, TransactionState::Seen),
        &[
            "0103030303030303030303030303030303030303030303030303030303030303030301020301013c",
            "80a0abfef962",
        ],
    );
}

#[test]
fn format_of_an_output() {
    let utxo = |purpose, state| Utxo {
        outpoint: OutPoint::new(txid(3), 1),
        value: Satoshis::from_const(5000),
        key_identifier: "funding".into(),
        key_hash: [0xaa; 20],
        purpose,
        state,
        height: Some(800_000),
        chain_depth: 2,
    };
    assert_format(
        &utxo(OutputPurpose::Pool, UtxoState::Unconfirmed),
        &[
            "0103030303030303030303030303030303030303030303030303030303030303030188270766756e",
            "64696e67aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa00000180ea3002",
        ],
    );
    assert_format(
        &utxo(OutputPurpose::Seal, UtxoState::Available),
        &[
            "0103030303030303030303030303030303030303030303030303030303030303030188270766756e",
            "64696e67aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01010180ea3002",
        ],
    );
    assert_format(
        &utxo(OutputPurpose::Pool, UtxoState::Locked { by: id(1) }),
        &[
            "0103030303030303030303030303030303030303030303030303030303030303030188270766756e",
            "64696e67aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa00020101010101010101010101010101",
            "01010180ea3002",
        ],
    );
    assert_format(
        &utxo(OutputPurpose::Pool, UtxoState::Spent { by: txid(9) }),
        &[
            "0103030303030303030303030303030303030303030303030303030303030303030188270766756e",
            "64696e67aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa00030909090909090909090909090909",
            "0909090909090909090909090909090909090180ea3002",
        ],
    );
}

#[test]
fn format_of_a_header() {
    let header = BlockHeader {
        version: 1,
        previous: BlockHash::from_bytes([0; 32]),
        merkle_root: Digest::from_bytes([5; 32]),
        time: 1_700_000_000,
        bits: ChainProfile::Simulated.easiest_bits(),
        nonce: 1,
    };
    let work = header.check_work(ChainProfile::Simulated).unwrap();
    let chain_work = Work::default().plus(work);
    assert_format(
        &StoredHeader { header, height: 800_000, chain_work },
        &[
            "01010000000000000000000000000000000000000000000000000000000000000000050505050505",
            "050505050505050505050505050505050505050505050505050580e2cfaa06ffffff83020180ea30",
            "02",
        ],
    );
}

#[test]
fn format_of_a_stored_answer() {
    let row = |state| IdempotencyRow {
        fingerprint: Digest::from_bytes([5; 32]),
        record: id(1),
        state,
        expires_at: NOW,
    };
    let location = Some("/v1/records/1".into());
    let answer = StoredAnswer { status: 201, location, body: b"{}".to_vec() };
    assert_format(
        &row(IdempotencyState::InFlight { process: NOW }),
        &[
            "01050505050505050505050505050505050505050505050505050505050505050501010101010101",
            "0101010101010101010080a0abfef96280a0abfef962",
        ],
    );
    assert_format(
        &row(IdempotencyState::Answered(answer.clone())),
        &[
            "01050505050505050505050505050505050505050505050505050505050505050501010101010101",
            "01010101010101010101c901010d2f76312f7265636f7264732f31027b7d80a0abfef962",
        ],
    );
    assert_format(
        &row(IdempotencyState::Sealed(answer)),
        &[
            "01050505050505050505050505050505050505050505050505050505050505050501010101010101",
            "01010101010101010102c901010d2f76312f7265636f7264732f31027b7d80a0abfef962",
        ],
    );
}

#[test]
fn format_of_a_challenge() {
    assert_format(
        &Challenge { nonce: [2; 16], uid: tag(), expires_at: NOW },
        &["0102020202020202020202020202020202055441472d3180a0abfef962"],
    );
}

#[test]
fn format_of_content() {
    let content = StoredContent {
        version: 2,
        content_type: "text/plain".into(),
        sealed: vec![1, 2, 3],
        put_at: NOW,
    };
    assert_format(&content, &["01020a746578742f706c61696e0301020380a0abfef962"]);
}

#[test]
fn format_of_an_audit_line() {
    let line = AuditEntry {
        at: NOW,
        actor: "brand".into(),
        action: "patch.register".into(),
        subject: "TAG-1".into(),
        previous: Digest::from_bytes([0; 32]),
    };
    assert_format(
        &line,
        &[
            "0180a0abfef962056272616e640e70617463682e7265676973746572055441472d31000000000000",
            "0000000000000000000000000000000000000000000000000000",
        ],
    );
}

#[test]
fn bytes_of_another_version_or_length_are_refused() {
    let good = encode(&Challenge { nonce: [2; 16], uid: tag(), expires_at: NOW });
    assert!(decode::<Challenge>(&good, "challenge").is_ok());
    let newer = [&[2], &good[1..]].concat();
    let longer = [&good[..], &[0]].concat();
    for bad in [&newer[..], &longer, &good[..good.len() - 1], &[]] {
        let read = decode::<Challenge>(bad, "challenge");
        assert!(matches!(read, Err(StoreError::Corrupt { entity: "challenge" })));
    }
}
