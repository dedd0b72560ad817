//! A custody of three events on a small chain with real signatures and work, for the tests here.

use crate::anchor::canonical::to_canonical_bytes;
use crate::anchor::commitment::{Salt, commit};
use crate::anchor::payload::Payload;
use crate::bitcoin::{
    Address, Beef, BlockHeader, MerklePath, SIGHASH_ALL_FORKID, Script, SighashCache, Transaction,
    TxIn, TxOut, merkle_path_of, merkle_root,
};
use crate::crypto::{SecretKey, sha256};
use crate::patch::message::{message_digest, transfer_message};
use crate::patch::record::{
    AuthenticationRecord, Metadata, PreviousEvent, Product, Purpose, RecordFacts,
};
use crate::patch::tag::UidTag;
use crate::proof::{Bundle, BundledHeader, BundledRecord, Content};
use crate::types::{BlockHash, ChainProfile, Digest, Network, OutPoint, Satoshis, Timestamp, Txid};

/// The tag.
pub(crate) const UID: &str = "TAG-1";
/// The height of the first block.
pub(crate) const HEIGHT: u32 = 812;
/// The miner's clock at the first block.
pub(crate) const TIME: u32 = 1_790_000_000;

/// Returns a key by its number: 1 is the issuer's, 2 that of money and seals, 10 and on owners'.
pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32]).unwrap()
}

fn address(number: u8) -> String {
    Address::of_key(&key(number).public_key(), Network::Test).to_string()
}

/// Returns a custody of `events` events, the first `mined` of them in a block each.
pub(crate) fn custody(events: u8, mined: u8) -> Bundle {
    let mut records: Vec<BundledRecord> = Vec::new();
    let mut proved: Vec<(Transaction, Option<MerklePath>)> = Vec::new();
    let mut headers: Vec<BundledHeader> = Vec::new();
    for index in 0..events {
        let previous = records.last().map(|before| (before.txid.unwrap(), before.commitment));
        let content = content(index, previous);
        let commitment = commit(&content.salt, content.record.as_bytes());
        let transaction = carrier(commitment, proved.last().map(|(before, _)| before));
        let txid = transaction.txid();
        let path = (index < mined).then(|| {
            let (header, path) = block(u32::from(index), txid, headers.last());
            headers.push(header);
            path
        });
        proved.push((transaction, path));
        let content = Some(content);
        records.push(BundledRecord { content, commitment, txid: Some(txid), inclusion: None });
    }
    Bundle {
        network: Network::Test,
        uid: UidTag::parse(UID).unwrap(),
        records,
        beef: Some(Beef::collect_all(proved, |_| None).unwrap()),
        transactions: Vec::new(),
        headers,
    }
}

fn content(index: u8, previous: Option<(Txid, Digest)>) -> Content {
    let product = Product {
        uid_tag_id: UidTag::parse(UID).unwrap(),
        name: Some("Trikot №7 \"home\"".to_owned()),
        category: None,
        sku: None,
        serial_number: None,
        material: None,
    };
    let metadata = Metadata { notes: Some("two\nlines".to_owned()), ..Metadata::default() };
    let owner = address(10 + index);
    let record = AuthenticationRecord::new(RecordFacts {
        purpose: match previous {
            None => Purpose::RegisterPatch,
            Some(_) => Purpose::TransferOwnership,
        },
        network: Network::Test,
        product: &product,
        metadata: &metadata,
        owner: owner.clone(),
        issuer: key(1).public_key(),
        issued_at: Timestamp::from_secs(i64::from(TIME) - 60 + 600 * i64::from(index)),
        previous: previous.map(|(txid, commitment)| PreviousEvent {
            txid,
            commitment,
            owner_public_key: key(9 + index).public_key(),
            owner_signature: key(9 + index)
                .sign(&message_digest(&transfer_message(UID, txid, &owner))),
        }),
    });
    let canonical = to_canonical_bytes(&record).unwrap();
    let signature = key(1).sign(&Digest::from_bytes(sha256(&canonical)));
    Content {
        record: String::from_utf8(canonical).unwrap(),
        salt: Salt::from_bytes([index + 1; 16]),
        issuer_signature: Some(signature),
    }
}

/// Makes the transaction of a commitment; it spends seal and change of the one before.
fn carrier(commitment: Digest, before: Option<&Transaction>) -> Transaction {
    let own = Script::pay_to_public_key_hash(&key(2).public_key().hash160());
    let payload = match before {
        None => Payload::Register(commitment),
        Some(_) => Payload::Transfer(commitment),
    };
    let spent: Vec<OutPoint> = match before {
        None => vec![OutPoint::new(Txid::from_bytes([7; 32]), 0)],
        Some(before) => vec![OutPoint::new(before.txid(), 1), OutPoint::new(before.txid(), 2)],
    };
    let change =
        before.map_or(10_000, |before| u32::try_from(before.outputs[2].value.get()).unwrap() - 100);
    let output =
        |value, locking_script| TxOut { value: Satoshis::from_const(value), locking_script };
    let input = |previous: &OutPoint| TxIn {
        previous: *previous,
        unlocking_script: Script::from_bytes(vec![0x51]),
        sequence: u32::MAX,
    };
    let mut transaction = Transaction {
        version: 1,
        inputs: spent.iter().map(input).collect(),
        outputs: vec![
            output(0, payload.to_script(None)),
            output(1, own.clone()),
            output(change, own),
        ],
        lock_time: 0,
    };
    if let Some(before) = before {
        sign(&mut transaction, before);
    }
    transaction
}

fn sign(transaction: &mut Transaction, before: &Transaction) {
    let cache = SighashCache::new(transaction);
    let scripts: Vec<Script> = (0..2)
        .map(|index| {
            let spent = &before.outputs[index + 1];
            let sighash = cache.sighash(index, &spent.locking_script, spent.value).unwrap();
            let signature = key(2).sign(&sighash);
            Script::unlock_public_key_hash(&signature, SIGHASH_ALL_FORKID, &key(2).public_key())
        })
        .collect();
    for (input, script) in transaction.inputs.iter_mut().zip(scripts) {
        input.unlocking_script = script;
    }
}

/// Mines a transaction among four others.
fn block(index: u32, txid: Txid, before: Option<&BundledHeader>) -> (BundledHeader, MerklePath) {
    let mut txids: Vec<Txid> = (50..54).map(|seed| Txid::from_bytes([seed; 32])).collect();
    txids.insert(2, txid);
    let height = HEIGHT + index;
    let header = (0..u32::MAX)
        .map(|nonce| BlockHeader {
            version: 1,
            previous: before.map_or(BlockHash::from_bytes([9; 32]), BundledHeader::hash),
            merkle_root: merkle_root(&txids).unwrap(),
            time: TIME + 600 * index,
            bits: ChainProfile::Simulated.easiest_bits(),
            nonce,
        })
        .find(|header| header.check_work(ChainProfile::Simulated).is_ok())
        .unwrap();
    let path = merkle_path_of(&txids, 2, height).unwrap();
    (BundledHeader { height, header }, path)
}
