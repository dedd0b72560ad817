//! That every bundle comes back as it was, that nothing else is read, and what a proof takes.

use proptest::prelude::*;

use super::*;
use crate::anchor::commitment::{Salt, commit};
use crate::anchor::log::LogHead;
use crate::anchor::merkle::{BlockTree, InclusionProof, TreeError, leaf_hash, prove_by_blocks};
use crate::anchor::payload::Payload;
use crate::bitcoin::{
    Beef, BeefTransaction, BlockHeader, HeaderFile, MerklePath, SIGHASH_ALL_FORKID, Script,
    SighashCache, Transaction, TscProof, TxIn, TxOut,
};
use crate::crypto::{SecretKey, sha256};
use crate::proof::fixture::{HEIGHT, custody, key};
use crate::proof::{BundledHeader, KnownChain, Outcome, Step, Trust, Verdict, verify};
use crate::types::{BlockHash, ChainProfile, Digest, OutPoint, Satoshis, Txid};

/// How deep the tree of a block of 4,096 transactions is.
const BLOCK_DEPTH: usize = 12;
const MILLION: u64 = 1_000_000;

#[track_caller]
fn assert_comes_back(bundle: &Bundle) {
    let text = bundle.to_compact_text().unwrap();
    assert_eq!(Bundle::from_compact_text(&text).unwrap(), *bundle);
    assert_eq!(Bundle::parse(&bundle.to_bytes().unwrap()).unwrap(), *bundle);
}

#[test]
fn every_kind_of_bundle_comes_back_as_it_was() {
    for (events, mined) in [(1, 1), (2, 1), (3, 3), (3, 1), (6, 4)] {
        assert_comes_back(&custody(events, mined));
    }
    let mut erased = custody(3, 3);
    erased.records[1].content = None;
    assert_comes_back(&erased);
    erased.records[0].content = None;
    erased.records[2].content = None;
    assert_comes_back(&erased);
    let mut unsigned = custody(1, 1);
    unsigned.records[0].content.as_mut().unwrap().issuer_signature = None;
    assert_comes_back(&unsigned);
    let mut loose = custody(1, 1);
    let BeefTransaction::Raw { transaction, .. } =
        loose.beef.take().unwrap().transactions.remove(0)
    else {
        unreachable!("the fixture has whole transactions")
    };
    loose.transactions.push(transaction);
    loose.headers.clear();
    assert_comes_back(&loose);
    loose.transactions.clear();
    loose.records[0].txid = None;
    assert_comes_back(&loose);
}

#[test]
fn what_proves_nothing_comes_back_too_and_is_refused_by_the_check() {
    let mut forged = custody(2, 2);
    forged.records[1].commitment = Digest::from_bytes([1; 32]);
    let text = forged.to_compact_text().unwrap();
    let read = Bundle::from_compact_text(&text).unwrap();
    assert_eq!(read, forged);
    assert_eq!(verify(&read, &Trust::default()).verdict, Verdict::Failed);
    // A record that is no record is kept as its text.
    let mut odd = custody(1, 1);
    odd.records[0].content.as_mut().unwrap().record = "{\"no\": 1 }".to_owned();
    let read = Bundle::from_compact_text(&odd.to_compact_text().unwrap()).unwrap();
    assert_eq!(read, odd);
    assert_eq!(verify(&read, &Trust::default()).verdict, Verdict::Failed);
}

#[test]
fn a_bundle_that_is_too_long_has_no_compact_form() {
    let mut long = custody(1, 1);
    long.records[0].content.as_mut().unwrap().record = "x".repeat(MAX_BYTES + 1);
    assert!(matches!(long.to_compact_text(), Err(CompactError::TooLarge)));
    let text = format!("{PREFIX}{}", base45::encode(&deflate(&vec![0; MAX_BYTES + 1])));
    assert!(text.len() < 500);
    assert!(matches!(Bundle::from_compact_text(&text), Err(CompactError::TooLarge)));
    let bomb = deflate(&vec![0; 100 * MAX_BYTES]);
    assert!(matches!(Bundle::from_compact_bytes(&bomb), Err(CompactError::TooLarge)));
    let endless = format!("{PREFIX}{}", "0".repeat(2 * MAX_BYTES + 2));
    assert!(matches!(Bundle::from_compact_text(&endless), Err(CompactError::TooLarge)));
}

#[test]
fn envelope_and_spelling_are_strict() {
    let bundle = custody(1, 1);
    let (cbor, folded) = (to_cbor(&bundle).unwrap(), bundle.to_compact_bytes().unwrap());
    let text = bundle.to_compact_text().unwrap();
    for wrong in [&text[4..], &text.to_lowercase(), &format!(" {text}"), "PP1:", ""] {
        assert!(Bundle::from_compact_text(wrong).is_err(), "{wrong}");
    }
    let longer = [&folded[..], &[0]].concat();
    assert!(matches!(Bundle::from_compact_bytes(&longer), Err(CompactError::Deflate)));
    for end in 0..folded.len() {
        assert!(Bundle::from_compact_bytes(&folded[..end]).is_err(), "{end}");
    }
    assert!(matches!(from_cbor(&[&cbor[..], &[0]].concat()), Err(CompactError::Spelling)));
    // A number in more bytes than it needs, a part that is empty and could be left out, and one that
    // the layout does not have.
    assert_eq!(cbor[..2], [0x88, 0x01]);
    let wide = [&cbor[..1], &[0x18, 0x01], &cbor[2..]].concat();
    assert!(matches!(from_cbor(&wide), Err(CompactError::Spelling)));
    let empty = [&[0x89][..], &cbor[1..], &[0xf6]].concat();
    assert!(matches!(from_cbor(&empty), Err(CompactError::Spelling)));
    let more = [&[0x8a][..], &cbor[1..], &[0xf6, 0x00]].concat();
    assert!(matches!(from_cbor(&more), Err(CompactError::Spelling)));
    let later = [&cbor[..1], &[0x02], &cbor[2..]].concat();
    assert!(matches!(from_cbor(&later), Err(CompactError::Layout(2))));
}

#[test]
fn no_byte_of_the_cbor_can_be_changed() {
    let bundle = custody(2, 2);
    // On this chain work costs nothing, so that a changed transaction may meet a header that fits it by
    // chance; the chain that the user knows has another.
    let headers = bundle.headers.iter().map(|block| block.header).collect();
    let headers = Some(HeaderFile { first_height: HEIGHT, headers });
    let trust =
        Trust { chain: KnownChain { headers, checkpoints: Vec::new() }, ..Trust::default() };
    assert_eq!(verify(&bundle, &trust).verdict, Verdict::Proved);
    let cbor = to_cbor(&bundle).unwrap();
    for at in 0..cbor.len() {
        for bit in [0, 3, 7] {
            let mut changed = cbor.clone();
            changed[at] ^= 1 << bit;
            let report = from_cbor(&changed).map(|bundle| verify(&bundle, &trust));
            let is_refused = match report {
                Err(_) => true,
                Ok(report) => {
                    let is_within = |step: &&Step| step.name == "heaviest-chain";
                    report.verdict != Verdict::Proved
                        || report.steps.iter().filter(is_within).any(|it| it.outcome != Outcome::Ok)
                }
            };
            assert!(is_refused, "byte {at} bit {bit}");
        }
    }
}

proptest! {
    #[test]
    fn nothing_that_is_read_panics_or_has_two_spellings(bytes: Vec<u8>, text in "PP1:[0-9A-Z $%*+./:-]{0,80}") {
        prop_assert!(Bundle::from_compact_bytes(&bytes).is_err());
        prop_assert!(from_cbor(&bytes).is_err());
        prop_assert!(Bundle::from_compact_text(&text).is_err());
    }

    #[test]
    fn damage_never_panics(at in any::<prop::sample::Index>(), with: Vec<u8>, cut in 0..9usize) {
        let mut cbor = to_cbor(&custody(2, 1)).unwrap();
        let at = at.index(cbor.len());
        let end = cbor.len().min(at + cut);
        cbor.splice(at..end, with);
        if let Ok(bundle) = from_cbor(&cbor) {
            prop_assert_eq!(to_cbor(&bundle).unwrap(), cbor);
        }
    }
}

/// Returns the bundle of a product as a public network would carry it: signed money, a block of 4,096
/// transactions, and, where `batch` is given, a tree of that many records.
fn realistic(batch: Option<u64>) -> Bundle {
    let mut bundle = custody(1, 1);
    let content = bundle.records[0].content.as_mut().unwrap();
    content.record =
        content.record.replace(",\"metadata\":{\"notes\":\"two\\nlines\"}", ",\"metadata\":{}");
    let digest = Digest::from_bytes(sha256(content.record.as_bytes()));
    content.issuer_signature = Some(key(1).sign(&digest));
    content.salt = Salt::from_bytes(sha256(b"salt")[..16].try_into().unwrap());
    let commitment = commit(&content.salt, content.record.as_bytes());
    bundle.records[0].commitment = commitment;
    let payload = match batch {
        None => Payload::Register(commitment),
        Some(size) => {
            let (proof, root) = in_a_tree(commitment, size);
            bundle.records[0].inclusion = Some(proof);
            Payload::Batch { root, tree_size: size, log: Some(log_head(size)) }
        }
    };
    let transaction = carrier(payload, batch.is_none());
    let txid = transaction.txid();
    let nodes = (0..BLOCK_DEPTH)
        .map(|level| Txid::from_bytes(sha256(format!("node {level}").as_bytes())).to_string());
    let target = BlockHash::from_bytes([0; 32]);
    let proof =
        TscProof { index: 2_345, tx_or_id: txid.to_string(), target, nodes: nodes.collect() };
    let path = MerklePath::from_tsc(&proof, &txid, 912_345).unwrap();
    let header = mined(path.root());
    bundle.records[0].txid = Some(txid);
    bundle.beef = Some(Beef::collect(transaction, Some(path), |_| None).unwrap());
    bundle.beef.as_mut().unwrap().subject = None;
    bundle.headers = vec![BundledHeader { height: 912_345, header }];
    bundle
}

/// The state of the log that a batch of so many records commits to as well.
fn log_head(size: u64) -> LogHead {
    LogHead { size: 2 * size, root: Digest::from_bytes(sha256(b"the log")) }
}

fn in_a_tree(commitment: Digest, size: u64) -> (InclusionProof, Digest) {
    let place = size / 3;
    let leaf =
        |n: u64| if n == place { commitment } else { Digest::from_bytes(sha256(&n.to_le_bytes())) };
    let (mut tree, mut kept) = (BlockTree::default(), Vec::new());
    for n in 0..size {
        tree.push(&leaf(n), &mut |root| kept.push(root)).unwrap();
    }
    let root = tree.finish(&mut |root| kept.push(root)).unwrap();
    let proof = prove_by_blocks::<TreeError>(place, size, |height, places| {
        Ok(places
            .map(|at| match height {
                0 => leaf_hash(&leaf(at)),
                _ => {
                    let it = kept.iter().find(|it| it.height == height && it.place == at);
                    it.unwrap().hash.to_bytes()
                }
            })
            .collect())
    });
    (proof.unwrap(), root)
}

/// Spends signed money, as the product's own transactions do.
fn carrier(payload: Payload, has_seal: bool) -> Transaction {
    let own = Script::pay_to_public_key_hash(&key(2).public_key().hash160());
    let output =
        |value, locking_script| TxOut { value: Satoshis::from_const(value), locking_script };
    let mut outputs = vec![output(0, payload.to_script(None))];
    outputs.extend(has_seal.then(|| output(1, own.clone())));
    outputs.push(output(99_974, own.clone()));
    let previous = OutPoint::new(Txid::from_bytes(sha256(b"money")), 5);
    let input =
        TxIn { previous, unlocking_script: Script::from_bytes(Vec::new()), sequence: u32::MAX };
    let mut transaction = Transaction { version: 1, inputs: vec![input], outputs, lock_time: 0 };
    let cache = SighashCache::new(&transaction);
    let sighash = cache.sighash(0, &own, Satoshis::from_const(100_000)).unwrap();
    let money: SecretKey = key(2);
    transaction.inputs[0].unlocking_script = Script::unlock_public_key_hash(
        &money.sign(&sighash),
        SIGHASH_ALL_FORKID,
        &money.public_key(),
    );
    transaction
}

fn mined(merkle_root: Digest) -> BlockHeader {
    (0..u32::MAX)
        .map(|nonce| BlockHeader {
            version: 0x2000_0000,
            previous: BlockHash::from_bytes(sha256(b"previous")),
            merkle_root,
            time: 1_790_000_000,
            bits: ChainProfile::Simulated.easiest_bits(),
            nonce,
        })
        .find(|header| header.check_work(ChainProfile::Simulated).is_ok())
        .unwrap()
}

/// Sizes in bytes: JSON, CBOR, folded, characters of the text.
fn sizes(bundle: &Bundle) -> [usize; 4] {
    assert_comes_back(bundle);
    assert_eq!(verify(bundle, &Trust::default()).verdict, Verdict::Proved);
    [
        bundle.to_bytes().unwrap().len(),
        to_cbor(bundle).unwrap().len(),
        bundle.to_compact_bytes().unwrap().len(),
        bundle.to_compact_text().unwrap().len(),
    ]
}

#[test]
fn a_proof_of_one_product_and_of_one_in_a_million_is_as_short_as_is_promised() {
    let one = sizes(&realistic(None));
    let of_a_million = realistic(Some(MILLION));
    let million = sizes(&of_a_million);
    let json = CompactJson::new(&of_a_million).and_then(|json| json.to_bytes()).unwrap().len();
    println!("one product {one:?}, one of a million {million:?}");
    assert!(one[2] <= 1_000 && million[2] <= 1_500, "{one:?} {million:?}");
    assert!(json <= 2_500, "{json}");
}
