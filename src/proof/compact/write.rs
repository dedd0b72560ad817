//! From the bundle to the layout. The order in which values become known is that of
//! [`crate::proof::compact::read`]: keys; then, event by event, its commitment, its root and the
//! transactions up to its own; then the rest of the transactions; then the roots of the paths.

use std::collections::HashMap;

use crate::anchor::commitment::commit;
use crate::anchor::merkle::included_root;
use crate::bitcoin::{BeefTransaction, MerklePath, Transaction};
use crate::crypto::PublicKey;
use crate::patch::record::AuthenticationRecord;
use crate::proof::compact::layout::{Inclusion, LAYOUT, Path, Proof, Record};
use crate::proof::compact::read::path_of_one;
use crate::proof::compact::references::Known;
use crate::proof::compact::statement::{Subject, shorten};
use crate::proof::compact::{CompactError, MAX_BYTES};
use crate::proof::{Bundle, BundledRecord};
use crate::types::{BlockHash, Network, Txid};

/// The push of a public key at the end of an unlocking script.
const KEY_PUSH: u8 = 33;

/// Lays a bundle out.
pub(super) fn lay_out(bundle: &Bundle) -> Result<Proof, CompactError> {
    let transactions = transactions(bundle)?;
    let raw: Vec<Vec<u8>> = transactions.iter().map(|it| it.to_bytes()).collect();
    let size: usize = raw.iter().map(Vec::len).sum();
    if size > MAX_BYTES || bundle.records.len() > MAX_BYTES / 64 {
        return Err(CompactError::TooLarge);
    }
    let txids: Vec<Txid> = transactions.iter().map(|it| it.txid()).collect();
    let places: HashMap<Txid, usize> = txids.iter().copied().zip(0..).collect();
    let keys = keys(bundle, &transactions);
    let mut known = Known::new(&keys);
    let (mut records, mut pieces) = (Vec::new(), Vec::new());
    let mut tell = |known: &mut Known, end: usize| {
        while pieces.len() < end {
            let at = pieces.len();
            pieces.push(known.shorten(&raw[at]));
            known.add(txids[at].as_bytes());
        }
    };
    let subject = Subject { network: bundle.network, uid: &bundle.uid };
    for record in &bundle.records {
        let carrier = match record.txid {
            None => None,
            Some(txid) => Some(*places.get(&txid).ok_or(CompactError::Unfit)?),
        };
        records.push(lay_out_record(record, carrier, subject, &known)?);
        add_record(&mut known, record);
        tell(&mut known, carrier.map_or(0, |place| place + 1));
    }
    tell(&mut known, raw.len());
    let paths = bundle.beef.as_ref().map(|beef| beef.merkle_paths.as_slice()).unwrap_or_default();
    let paths: Vec<Path> =
        paths.iter().map(|path| lay_out_path(path, &places, &mut known)).collect();
    let loose = bundle.transactions.len() as u64;
    Ok(Proof {
        layout: LAYOUT,
        network: match bundle.network {
            Network::Main => 0,
            Network::Test => 1,
        },
        uid: bundle.uid.to_string(),
        keys: keys.concat(),
        records,
        transactions: pieces,
        loose: (loose > 0).then_some(loose),
        paths,
        headers: bundle.headers.iter().map(|it| known.shorten(&it.header.to_bytes())).collect(),
    })
}

/// Makes known what an event brings: its commitment, and what its transaction says of its tree: the
/// root, the root with the size, and the same with the push of the log's state.
pub(super) fn add_record(known: &mut Known, record: &BundledRecord) {
    known.add(record.commitment.as_bytes());
    if let Some(proof) = &record.inclusion
        && let Ok(root) = included_root(&record.commitment, proof)
    {
        let size = [&[8], &proof.tree_size.to_le_bytes()[..]].concat();
        known.add(root.as_bytes());
        known.add(&[root.as_bytes(), size.as_slice()].concat());
        known.add(&[root.as_bytes(), size.as_slice(), &[40]].concat());
    }
}

fn transactions(bundle: &Bundle) -> Result<Vec<&Transaction>, CompactError> {
    let mut all = Vec::new();
    for entry in bundle.beef.iter().flat_map(|beef| &beef.transactions) {
        match entry {
            BeefTransaction::Raw { transaction, .. } => all.push(transaction),
            BeefTransaction::TxidOnly(_) => return Err(CompactError::Unfit),
        }
    }
    all.extend(&bundle.transactions);
    Ok(all)
}

/// Lists the public keys of records and unlocking scripts.
fn keys(bundle: &Bundle, transactions: &[&Transaction]) -> Vec<[u8; 33]> {
    let mut keys: Vec<[u8; 33]> = Vec::new();
    let mut add = |key: PublicKey| {
        if !keys.contains(&key.to_bytes()) {
            keys.push(key.to_bytes());
        }
    };
    for content in bundle.records.iter().filter_map(|record| record.content.as_ref()) {
        if let Ok(record) = serde_json::from_str::<AuthenticationRecord>(&content.record) {
            add(record.auth.issuer);
            record.auth.prev_owner_public_key.into_iter().for_each(&mut add);
        }
    }
    for input in transactions.iter().flat_map(|transaction| &transaction.inputs) {
        if let Some(([.., KEY_PUSH], key)) =
            input.unlocking_script.as_bytes().split_last_chunk::<33>()
            && let Ok(key) = PublicKey::from_bytes(key)
        {
            add(key);
        }
    }
    keys
}

fn lay_out_record(
    record: &BundledRecord,
    carrier: Option<usize>,
    subject: Subject<'_>,
    known: &Known,
) -> Result<Record, CompactError> {
    let content = record.content.as_ref();
    let statement = content.and_then(|content| shorten(&content.record, subject, known));
    let follows = content.is_some_and(|content| {
        commit(&content.salt, content.record.as_bytes()) == record.commitment
    });
    let text = content.filter(|_| statement.is_none()).map(|content| content.record.clone());
    if text.as_ref().is_some_and(|text| text.len() > MAX_BYTES) {
        return Err(CompactError::TooLarge);
    }
    Ok(Record {
        carrier: carrier.map(|place| place as u64),
        commitment: (!follows).then(|| record.commitment.to_bytes()),
        salt: content.map(|content| *content.salt.as_bytes()),
        issuer_signature: content
            .and_then(|content| content.issuer_signature)
            .map(|signature| signature.to_compact()),
        statement,
        text,
        inclusion: record.inclusion.as_ref().map(|proof| Inclusion {
            leaf_index: proof.leaf_index,
            tree_size: proof.tree_size,
            path: proof.path.iter().flat_map(|hash| hash.to_bytes()).collect(),
        }),
    })
}

fn lay_out_path(path: &MerklePath, places: &HashMap<Txid, usize>, known: &mut Known) -> Path {
    let laid_out = match path.txids().as_slice() {
        [txid] => places.get(txid).and_then(|place| one(path, txid, *place)),
        _ => None,
    };
    let laid_out = laid_out.unwrap_or_else(|| Path::Bump { bump: known.shorten(&path.to_bytes()) });
    known.add(path.root().as_bytes());
    laid_out
}

/// Lays out a path of one transaction, if that gives it again.
fn one(path: &MerklePath, txid: &Txid, place: usize) -> Option<Path> {
    let index = path.offset_of(txid)?;
    let proof = path.to_tsc(txid, BlockHash::from_bytes([0; 32])).ok()?;
    let nodes: Vec<[u8; 32]> = proof
        .nodes
        .iter()
        .map(|node| node.parse::<Txid>().map(Txid::to_bytes))
        .collect::<Result<_, _>>()
        .ok()?;
    let height = path.block_height();
    let nodes = nodes.concat();
    let again = path_of_one(height, txid, index, &nodes).ok()?;
    (again == *path).then_some(Path::One { height, transaction: place as u64, index, nodes })
}
