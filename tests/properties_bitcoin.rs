//! Properties of the Bitcoin formats over random values: what is written reads back, nothing from
//! outside panics, and whatever is signed or hashed cannot be changed unseen.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use patchproof::bitcoin::{
    Address, Beef, BeefTransaction, BlockHeader, MerklePath, SIGHASH_ALL_FORKID, Script,
    SighashCache, Transaction, TscProof, TxIn, TxOut, combined_merkle_path, merkle_path_of,
    merkle_root, verify_transaction,
};
use patchproof::crypto::{PublicKey, SecretKey, Signature, sha256};
use patchproof::types::{BlockHash, Digest, Network, OutPoint, Satoshis, Txid};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

const HEIGHT: u32 = 813_706;

fn satoshis() -> impl Strategy<Value = Satoshis> {
    (0..Satoshis::MAX.get()).prop_map(|value| Satoshis::new(value).unwrap())
}

fn script() -> impl Strategy<Value = Script> {
    vec(any::<u8>(), 0..120).prop_map(Script::from_bytes)
}

prop_compose! {
    fn input()(
        txid in any::<[u8; 32]>(), vout: u32, unlocking_script in script(), sequence: u32,
    ) -> TxIn {
        let previous = OutPoint::new(Txid::from_bytes(txid), vout);
        TxIn { previous, unlocking_script, sequence }
    }
}

prop_compose! {
    fn output()(value in satoshis(), locking_script in script()) -> TxOut {
        TxOut { value, locking_script }
    }
}

prop_compose! {
    fn transaction()(
        version: u32, inputs in vec(input(), 1..6), outputs in vec(output(), 1..6), lock_time: u32,
    ) -> Transaction {
        Transaction { version, inputs, outputs, lock_time }
    }
}

fn txids(count: usize, seed: u64) -> Vec<Txid> {
    (0..count).map(|index| Txid::from_bytes(sha256(format!("{seed}/{index}").as_bytes()))).collect()
}

/// A key's output and a transaction that spends it, not yet signed.
fn payment(secret: &[u8; 32], shape: &Transaction) -> Option<(SecretKey, TxOut, Transaction)> {
    let key = SecretKey::from_bytes(secret).ok()?;
    let locking_script = Address::of_key(&key.public_key(), Network::Test).locking_script();
    let spent = TxOut { value: shape.outputs[0].value, locking_script };
    let mut transaction = shape.clone();
    transaction.inputs.truncate(1);
    Some((key, spent, transaction))
}

fn sign(key: &SecretKey, spent: &TxOut, transaction: &mut Transaction) {
    let sighash =
        SighashCache::new(transaction).sighash(0, &spent.locking_script, spent.value).unwrap();
    transaction.inputs[0].unlocking_script =
        Script::unlock_public_key_hash(&key.sign(&sighash), SIGHASH_ALL_FORKID, &key.public_key());
}

/// A mined parent among `count` transactions and signed unmined children in a row.
fn beef(shape: &Transaction, count: usize, index: &Index, children: usize) -> Beef {
    let (key, spent, _) = payment(&[7; 32], shape).unwrap();
    let mut parent = shape.clone();
    parent.outputs.truncate(1);
    parent.outputs[0] = spent.clone();
    let mut block = txids(count, 1);
    let place = index.index(count);
    block[place] = parent.txid();
    let path = merkle_path_of(&block, place, HEIGHT).unwrap();
    let mut line = vec![parent];
    for _ in 0..children {
        let previous = OutPoint::new(line[line.len() - 1].txid(), 0);
        let input = TxIn { previous, unlocking_script: Script::default(), sequence: 1 };
        let outputs = vec![spent.clone()];
        let mut child = Transaction { version: 1, inputs: vec![input], outputs, lock_time: 0 };
        sign(&key, &spent, &mut child);
        line.push(child);
    }
    let subject = line.pop().unwrap();
    let mined = (children == 0).then(|| path.clone());
    Beef::collect(subject, mined, |txid| {
        let place = line.iter().position(|known| known.txid() == *txid)?;
        Some((line[place].clone(), (place == 0).then(|| path.clone())))
    })
    .unwrap()
}

/// Gives `bytes` to every reader; only a panic is a failure.
fn read_as_everything(bytes: &[u8]) {
    drop(Transaction::parse(bytes));
    drop(Transaction::parse_extended(bytes));
    let _ = BlockHeader::parse(bytes);
    if let Ok(path) = MerklePath::parse(bytes) {
        assert_eq!(MerklePath::parse(&path.to_bytes()), Ok(path), "what is accepted reads back");
    }
    if let Ok(beef) = Beef::parse(bytes) {
        drop(beef.verify(|_, _| true));
        assert!(Beef::parse(&beef.to_v2_bytes()).is_ok(), "what is accepted reads back");
    }
    let script = Script::from_bytes(bytes.to_vec());
    drop(script.as_data());
    script.as_public_key_hash();
    run_as_script(&script);
    let _ = Signature::from_der(bytes);
    let _ = PublicKey::from_bytes(bytes);
    let text = String::from_utf8_lossy(bytes);
    let _ = Address::parse(&text, Network::Main);
    let _ = text.parse::<Txid>();
    drop(serde_json::from_slice::<MerklePath>(bytes));
}

fn run_as_script(script: &Script) {
    for (unlocking, locking) in
        [(script.clone(), Script::default()), (Script::default(), script.clone())]
    {
        let previous = OutPoint::new(Txid::from_bytes([1; 32]), 0);
        let input = TxIn { previous, unlocking_script: unlocking, sequence: 0 };
        let transaction =
            Transaction { version: 1, inputs: vec![input], outputs: vec![], lock_time: 0 };
        let spent = TxOut { value: Satoshis::ZERO, locking_script: locking };
        let _ = verify_transaction(&transaction, &[spent]);
    }
}

/// Changes, cuts or lengthens valid bytes.
fn mutated(
    mut bytes: Vec<u8>,
    changes: &[(Index, u8)],
    cut: Option<Index>,
    tail: &[u8],
) -> Vec<u8> {
    for (index, byte) in changes {
        let place = index.index(bytes.len());
        bytes[place] = *byte;
    }
    if let Some(index) = cut {
        bytes.truncate(index.index(bytes.len()));
    }
    bytes.extend_from_slice(tail);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn transactions_read_back(transaction in transaction()) {
        let bytes = transaction.to_bytes();
        let again = Transaction::parse(&bytes).unwrap();
        prop_assert_eq!(again.to_bytes(), bytes);
        prop_assert_eq!(again, transaction);
    }

    #[test]
    fn extended_transactions_read_back(transaction in transaction(), spent in vec(output(), 6)) {
        let spent = &spent[..transaction.inputs.len()];
        let bytes = transaction.to_extended_bytes(spent).unwrap();
        let (again, outputs) = Transaction::parse_extended(&bytes).unwrap();
        prop_assert_eq!(again, transaction);
        prop_assert_eq!(outputs, spent);
    }

    #[test]
    fn headers_and_addresses_read_back(bytes in vec(any::<u8>(), 80), hash in any::<[u8; 20]>()) {
        prop_assert_eq!(BlockHeader::parse(&bytes).unwrap().to_bytes().to_vec(), bytes);
        for network in [Network::Main, Network::Test] {
            let address = Address::of_hash(hash, network);
            prop_assert_eq!(Address::parse(&address.to_string(), network), Ok(address));
        }
    }

    #[test]
    fn beefs_of_all_forms_read_back_and_verify(
        shape in transaction(), count in 1usize..40, index: Index, children in 0usize..4,
    ) {
        let beef = beef(&shape, count, &index, children);
        prop_assert_eq!(beef.verify(|height, _| height == HEIGHT), Ok(()));
        let atomic = beef.to_atomic_bytes().unwrap();
        prop_assert_eq!(Beef::parse(&atomic), Ok(beef.clone()));
        let unnamed = Beef { subject: None, ..beef };
        prop_assert_eq!(Beef::parse(&unnamed.to_v1_bytes().unwrap()), Ok(unnamed.clone()));
        prop_assert_eq!(Beef::parse(&unnamed.to_v2_bytes()), Ok(unnamed.clone()));
        let mut named = unnamed;
        named.transactions[0] = BeefTransaction::TxidOnly(named.transactions[0].txid());
        prop_assert_eq!(Beef::parse(&named.to_v2_bytes()), Ok(named.clone()));
        prop_assert!(named.to_v1_bytes().is_err());
    }

    #[test]
    fn compound_paths_prove_all_their_transactions(
        count in 1usize..=300, chosen in vec(any::<Index>(), 1..8), seed: u64,
    ) {
        let block = txids(count, seed);
        let root = merkle_root(&block).unwrap();
        let places: BTreeSet<usize> = chosen.iter().map(|index| index.index(count)).collect();
        let places: Vec<usize> = places.into_iter().collect();
        let path = combined_merkle_path(&block, &places, HEIGHT).unwrap();
        prop_assert_eq!(MerklePath::parse(&path.to_bytes()), Ok(path.clone()));
        let path_of = |place| merkle_path_of(&block, place, HEIGHT).unwrap();
        let joined = places[1..].iter().fold(path_of(places[0]), |joined, place| {
            joined.combine(&path_of(*place)).unwrap()
        });
        prop_assert_eq!(&joined, &path);
        for place in places {
            prop_assert_eq!(path.compute_root(&block[place]), Ok(root));
            let proof = path.to_tsc(&block[place], BlockHash::from_bytes([0; 32])).unwrap();
            let lone = MerklePath::from_tsc(&proof, &block[place], HEIGHT);
            prop_assert_eq!(lone, Ok(path_of(place)));
        }
    }

    #[test]
    fn data_scripts_read_back(pushes in vec(vec(any::<u8>(), 0..600), 0..5)) {
        let pushes: Vec<&[u8]> = pushes.iter().map(Vec::as_slice).collect();
        let script = Script::data(&pushes);
        prop_assert_eq!(script.as_data(), Some(pushes));
    }

    #[test]
    fn every_signed_field_changes_the_signature_hash(
        transaction in transaction(), value in satoshis(), code in script(), pick: Index,
        bit in 0u32..32,
    ) {
        let index = pick.index(transaction.inputs.len());
        let hash = |transaction: &Transaction, index, code: &Script, value| {
            SighashCache::new(transaction).sighash(index, code, value).unwrap()
        };
        let before = hash(&transaction, index, &code, value);
        for other in changed_fields(&transaction, &pick, 1 << bit) {
            prop_assert_ne!(hash(&other, index, &code, value), before);
        }
        let longer = Script::from_bytes([code.as_bytes(), &[0]].concat());
        prop_assert_ne!(hash(&transaction, index, &longer, value), before);
        let more = Satoshis::new(value.get() ^ 1).unwrap();
        prop_assert_ne!(hash(&transaction, index, &code, more), before);
        let mut unsigned = transaction.clone();
        unsigned.inputs[index].unlocking_script = Script::from_bytes(vec![1, 2, 3]);
        prop_assert_eq!(hash(&unsigned, index, &code, value), before);
        let beyond = transaction.inputs.len();
        prop_assert_eq!(SighashCache::new(&transaction).sighash(beyond, &code, value), None);
    }
}

/// Returns a copy of `transaction` for each field that a signature covers, with that one changed.
fn changed_fields(transaction: &Transaction, pick: &Index, bit: u32) -> Vec<Transaction> {
    let input = pick.index(transaction.inputs.len());
    let output = pick.index(transaction.outputs.len());
    let flipped = |bytes: &[u8; 32]| {
        let mut bytes = *bytes;
        bytes[pick.index(32)] ^= 1;
        Txid::from_bytes(bytes)
    };
    let changes: [&dyn Fn(&mut Transaction); 9] = [
        &|t| t.version ^= bit,
        &|t| t.lock_time ^= bit,
        &|t| t.inputs[input].sequence ^= bit,
        &|t| t.inputs[input].previous.vout ^= bit,
        &|t| t.inputs[input].previous.txid = flipped(t.inputs[input].previous.txid.as_bytes()),
        &|t| t.inputs.push(t.inputs[0].clone()),
        &|t| t.outputs[output].value = Satoshis::new(t.outputs[output].value.get() ^ 1).unwrap(),
        &|t| {
            let longer = [t.outputs[output].locking_script.as_bytes(), &[0]].concat();
            t.outputs[output].locking_script = Script::from_bytes(longer);
        },
        &|t| drop(t.outputs.pop()),
    ];
    let apply = |change: &&dyn Fn(&mut Transaction)| {
        let mut copy = transaction.clone();
        change(&mut copy);
        copy
    };
    changes.iter().map(apply).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        read_as_everything(&bytes);
        for version in [&[1, 0, 0xbe, 0xef][..], &[2, 0, 0xbe, 0xef], &[1; 4]] {
            read_as_everything(&[version, &bytes].concat());
        }
    }

    #[test]
    fn random_texts_never_panic(text: String) {
        read_as_everything(text.as_bytes());
        let proof = TscProof {
            index: u64::MAX, tx_or_id: text.clone(), target: BlockHash::from_bytes([0; 32]),
            nodes: vec![text],
        };
        drop(MerklePath::from_tsc(&proof, &Txid::from_bytes([0; 32]), 0));
    }

    #[test]
    fn mutated_bytes_never_panic(
        shape in transaction(), count in 1usize..20, place: Index,
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
        cut in proptest::option::weighted(0.2, any::<Index>()),
        tail in vec(any::<u8>(), 0..3),
    ) {
        let beef = beef(&shape, count, &place, 1);
        let spent = vec![shape.outputs[0].clone(); shape.inputs.len()];
        let key = SecretKey::from_bytes(&[9; 32]).unwrap();
        for bytes in [
            beef.to_v1_bytes().unwrap(),
            beef.to_v2_bytes(),
            beef.to_atomic_bytes().unwrap(),
            beef.merkle_paths[0].to_bytes(),
            serde_json::to_vec(&beef.merkle_paths[0]).unwrap(),
            shape.to_bytes(),
            shape.to_extended_bytes(&spent).unwrap(),
            Script::data(&[b"PatchProof", &[1, 2], &[3; 300]]).as_bytes().to_vec(),
            Address::of_key(&key.public_key(), Network::Main).to_string().into_bytes(),
            key.sign(&Digest::from_bytes([4; 32])).to_der(),
            key.public_key().to_bytes().to_vec(),
        ] {
            read_as_everything(&mutated(bytes, &changes, cut, &tail));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_place_of_a_block_has_a_path_that_reads_back(count in 1usize..=300, seed: u64) {
        let block = txids(count, seed);
        let root = merkle_root(&block).unwrap();
        for (index, txid) in block.iter().enumerate().step_by(1 + count / 40) {
            let path = merkle_path_of(&block, index, HEIGHT).unwrap();
            let again = MerklePath::parse(&path.to_bytes()).unwrap();
            prop_assert_eq!(again.compute_root(txid), Ok(root));
            prop_assert_eq!(again.offset_of(txid), Some(index as u64));
            prop_assert_eq!(again, path);
        }
    }

    #[test]
    fn a_signature_holds_until_a_signed_byte_changes(
        shape in transaction(), secret in any::<[u8; 32]>(),
    ) {
        let Some((key, spent, mut transaction)) = payment(&secret, &shape) else { return Ok(()) };
        sign(&key, &spent, &mut transaction);
        prop_assert_eq!(verify_transaction(&transaction, std::slice::from_ref(&spent)), Ok(()));
        let bytes = transaction.to_bytes();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << (place % 8);
            // A change that leaves a transaction at all leaves one that may not spend: scripts push
            // strictly, so not even the signature's own bytes can change.
            if let Ok(other) = Transaction::parse(&changed) {
                let spent = vec![spent.clone(); other.inputs.len()];
                prop_assert!(verify_transaction(&other, &spent).is_err(), "byte {}", place);
            }
        }
        let poorer = TxOut { value: Satoshis::new(spent.value.get() ^ 1).unwrap(), ..spent };
        prop_assert!(verify_transaction(&transaction, &[poorer]).is_err());
    }
}

#[test]
fn every_path_of_small_blocks_verifies_and_any_flipped_bit_fails() {
    for count in 1..=64usize {
        let block = txids(count, 0);
        let root = merkle_root(&block).unwrap();
        for (index, txid) in block.iter().enumerate() {
            let path = merkle_path_of(&block, index, HEIGHT).unwrap();
            assert_eq!(path.compute_root(txid), Ok(root), "{index} of {count}");
            let bytes = path.to_bytes();
            // All bits of small and of some larger blocks, elsewhere every ninth bit.
            let is_thorough = count <= 8 || (index == count - 1 && count % 9 == 1);
            let step = if is_thorough { 1 } else { 9 };
            for bit in (index % step..bytes.len() * 8).step_by(step) {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let says_the_same = MerklePath::parse(&changed).is_ok_and(|other| {
                    other.block_height() == HEIGHT
                        && other.txids() == [*txid]
                        && other.compute_root(txid) == Ok(root)
                });
                assert!(!says_the_same, "bit {bit} of path {index} of {count}");
            }
        }
    }
}
