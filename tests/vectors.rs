//! Vectors of other implementations: what they call good passes, what they call bad is refused.
//!
//! Every file under `tests/vectors` names its origin.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use patchproof::bitcoin::{
    Address, Beef, BeefTransaction, BlockHeader, MerklePath, MerklePathError, SIGHASH_ALL_FORKID,
    Script, SighashCache, Transaction, TscProof, combined_merkle_path, merkle_path_of, merkle_root,
    verify_transaction,
};
use patchproof::crypto::{PublicKey, SecretKey, Signature, SignatureError, sha256};
use patchproof::types::{ChainProfile, Digest, FeeRate, Network, Satoshis, Txid};
use serde_json::Value;

fn load(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[track_caller]
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {value}"))
}

#[track_caller]
fn bytes(value: &Value, key: &str) -> Vec<u8> {
    hex::decode(text(value, key)).unwrap()
}

#[track_caller]
fn number(value: &Value, key: &str) -> u32 {
    u32::try_from(value[key].as_u64().unwrap()).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn txids(value: &Value) -> Vec<Txid> {
    list(value).iter().map(|txid| txid.as_str().unwrap().parse().unwrap()).collect()
}

/// Reads a root that is printed reversed, as explorers print it.
#[track_caller]
fn root(value: &Value, key: &str) -> Digest {
    Digest::from_bytes(text(value, key).parse::<Txid>().unwrap().to_bytes())
}

#[test]
fn good_paths_prove_their_transactions_and_write_back() {
    for vector in list(&load("anchoring/bump.json")["vectors"]) {
        let name = text(vector, "name");
        let path = MerklePath::parse(&bytes(vector, "bump")).expect(name);
        assert_eq!(path.block_height(), number(vector, "height"), "{name}");
        for txid in txids(&vector["txids"]) {
            assert_eq!(path.compute_root(&txid), Ok(root(vector, "root")), "{name} {txid}");
        }
        assert_eq!(hex::encode(path.to_bytes()), text(vector, "bump"), "{name}");
        let json = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<MerklePath>(&json).unwrap(), path, "{name}");
    }
}

#[test]
fn bad_paths_are_refused_for_the_stated_reason() {
    for vector in list(&load("anchoring/bump_invalid.json")["vectors"]) {
        let reason = text(vector, "error");
        let mut bump = bytes(vector, "bump");
        let mut refusal = MerklePath::parse(&bump).expect_err(reason);
        if matches!(refusal, MerklePathError::Codec(_)) {
            // One vector announces a level more than it has; the stated reason lies behind that.
            bump[5] -= 1;
            refusal = MerklePath::parse(&bump).expect_err(reason);
        }
        let agrees = match reason.split(':').next().unwrap() {
            "Invalid offset" => matches!(refusal, MerklePathError::StrayOffset(_)),
            "Duplicate offset" => matches!(refusal, MerklePathError::RepeatedOffset(_)),
            "Mismatched roots" => matches!(refusal, MerklePathError::Mismatch(_)),
            _ => matches!(refusal, MerklePathError::MissingHash(_)),
        };
        assert!(agrees, "{reason}: {refusal:?}");
    }
}

#[test]
fn a_mainnet_block_has_its_root_and_its_published_compound_path() {
    let block = load("anchoring/block125632.json");
    let (txids, height) = (txids(&block["txids"]), number(&block, "height"));
    assert_eq!(merkle_root(&txids), Ok(root(&block, "root")));
    for (index, txid) in txids.iter().enumerate() {
        let path = merkle_path_of(&txids, index, height).unwrap();
        assert_eq!(path.compute_root(txid), Ok(root(&block, "root")));
    }
    let paths = load("anchoring/bump.json");
    let combined = list(&paths["vectors"])
        .iter()
        .find(|vector| vector["name"] == "block125632-combined-3")
        .unwrap();
    let cut = combined_merkle_path(&txids, &[2, 5, 8], height).unwrap();
    assert_eq!(hex::encode(cut.to_bytes()), text(combined, "bump"));
    let path = |index| merkle_path_of(&txids, index, height).unwrap();
    let joined = path(8).combine(&path(2)).unwrap().combine(&path(5)).unwrap();
    assert_eq!(joined, cut);
}

#[test]
fn parents_of_nodes_are_those_of_bitcoin() {
    for vector in list(&load("anchoring/merkle_odd_node.json")["vectors"]) {
        let leaf = |key| Txid::from_bytes(bytes(vector, key).try_into().unwrap());
        let (left, right) = (leaf("left_hex"), leaf("right_hex"));
        let sibling = if left == right {
            serde_json::json!({"offset": 1, "duplicate": true})
        } else {
            serde_json::json!({"offset": 1, "hash": right})
        };
        let path: MerklePath = serde_json::from_value(serde_json::json!({
            "blockHeight": 1, "path": [[{"offset": 0, "hash": left}, sibling]],
        }))
        .unwrap();
        assert_eq!(path.root().to_string(), text(vector, "parent_hex"));
    }
    let txids: Vec<Txid> = (1..=5u8)
        .map(|last| {
            let mut leaf = [0u8; 32];
            leaf[31] = last;
            Txid::from_bytes(leaf)
        })
        .collect();
    let vectors = load("anchoring/merkle_odd_node.json");
    let last = list(&vectors["vectors"]).last().unwrap();
    assert_eq!(merkle_root(&txids).unwrap().to_string(), text(last, "parent_hex"));
}

#[test]
fn our_fees_are_never_below_the_nodes_fees() {
    for vector in list(&load("anchoring/fee.json")["vectors"]) {
        let rate = FeeRate::from_sat_per_kb(vector["sat_per_kb"].as_u64().unwrap()).unwrap();
        let size = usize::try_from(number(vector, "size_bytes")).unwrap();
        let asked = vector["fee"].as_u64().unwrap();
        let ours = rate.fee_for(size).get();
        assert!((asked..=asked + 1).contains(&ours), "{size} bytes: {ours} for {asked}");
    }
}

#[test]
fn signature_hashes_are_those_of_the_network() {
    for vector in list(&load("anchoring/sighash_0x41.json")["vectors"]) {
        let name = text(vector, "name");
        assert_eq!(text(vector, "type"), format!("{SIGHASH_ALL_FORKID:#04x}"));
        let transaction = Transaction::parse(&bytes(vector, "unsigned_tx")).unwrap();
        let cache = SighashCache::new(&transaction);
        let index = usize::try_from(number(vector, "input_index")).unwrap();
        let value = Satoshis::new(vector["satoshis"].as_u64().unwrap()).unwrap();
        let code = Script::from_bytes(bytes(vector, "script_code"));
        let preimage = cache.preimage(index, &code, value).unwrap();
        assert_eq!(hex::encode(preimage), text(vector, "preimage"), "{name}");
        let sighash = cache.sighash(index, &code, value).unwrap();
        assert_eq!(sighash.to_string(), text(vector, "sighash"), "{name}");
    }
}

#[test]
fn the_worked_example_of_brc_62_verifies() {
    let vector = load("anchoring/beef_brc62.json");
    let beef = Beef::parse(&bytes(&vector, "beef")).unwrap();
    assert_eq!(hex::encode(beef.to_v1_bytes().unwrap()), text(&vector, "beef"));
    let known = (number(&vector, "height"), root(&vector, "bump_root"));
    assert_eq!(beef.verify(|height, root| (height, *root) == known), Ok(()));
    assert!(beef.verify(|height, root| (height + 1, *root) == known).is_err());
}

#[test]
fn data_payments_of_another_wallet_read_write_and_verify() {
    for name in ["simple", "no-opfalse"] {
        let vector = load(&format!("anchoring/opreturn_{name}.json"));
        let raw = bytes(&vector, "raw_hex");
        let transaction = Transaction::parse(&raw).unwrap();
        assert_eq!(transaction.to_bytes(), raw);
        assert_eq!(transaction.txid().to_string(), text(&vector, "tx_id"));
        check_scripts(&vector, &transaction);

        let extended = bytes(&vector, "ef_hex");
        let (same, spent) = Transaction::parse_extended(&extended).unwrap();
        assert_eq!(same, transaction);
        assert_eq!(same.to_extended_bytes(&spent), Some(extended));
        assert_eq!(verify_transaction(&transaction, &spent), Ok(()));

        let v1 = Beef::parse(&bytes(&vector, "beef_hex")).unwrap();
        assert_eq!(v1.to_v1_bytes().unwrap(), bytes(&vector, "beef_hex"));
        assert_eq!(v1.to_v2_bytes(), bytes(&vector, "beef_v2_hex"));
        assert_eq!(Beef::parse(&bytes(&vector, "beef_v2_hex")), Ok(v1.clone()));
        let atomic = Beef::parse(&bytes(&vector, "atomic_beef_hex")).unwrap();
        assert_eq!(atomic.subject, Some(transaction.txid()));
        assert_eq!(atomic.to_atomic_bytes().unwrap(), bytes(&vector, "atomic_beef_hex"));
        assert_eq!(atomic.transactions, v1.transactions);
        let parent = v1.transactions[0].txid();
        let known = (1000, Digest::from_bytes(parent.to_bytes()));
        assert_eq!(atomic.verify(|height, root| (height, *root) == known), Ok(()));

        let parts: Vec<(Transaction, Option<usize>)> =
            v1.transactions.iter().filter_map(raw_parts).collect();
        let collected = Beef::collect(transaction, None, |wanted| {
            let (parent, index) = parts.iter().find(|(parent, _)| parent.txid() == *wanted)?;
            Some((parent.clone(), index.map(|index| v1.merkle_paths[index].clone())))
        });
        assert_eq!(collected, Ok(atomic));
    }
}

fn raw_parts(entry: &BeefTransaction) -> Option<(Transaction, Option<usize>)> {
    match entry {
        BeefTransaction::Raw { transaction, merkle_path_index } => {
            Some((transaction.clone(), *merkle_path_index))
        }
        BeefTransaction::TxidOnly(_) => None,
    }
}

fn check_scripts(vector: &Value, transaction: &Transaction) {
    let scripts: Vec<String> = transaction
        .outputs
        .iter()
        .map(|output| hex::encode(output.locking_script.as_bytes()))
        .collect();
    assert_eq!(serde_json::json!(scripts), vector["locking_scripts"]);
    let recipient = Address::parse(text(vector, "recipient_address"), Network::Main).unwrap();
    assert_eq!(transaction.outputs[0].locking_script, recipient.locking_script());
    let secret = bytes(vector, "sender_privkey_test_only").try_into().unwrap();
    let sender = SecretKey::from_bytes(&secret).unwrap().public_key();
    assert_eq!(Address::of_key(&sender, Network::Main).to_string(), text(vector, "sender_address"));
    let data = &transaction.outputs[1].locking_script;
    // Without OP_FALSE in front somebody might spend the output: not a data script to us.
    let expected = (!scripts[1].starts_with("6a")).then(|| vec![&b"hello world"[..]]);
    assert_eq!(data.as_data(), expected);
}

#[test]
fn an_answer_of_the_test_network_ends_in_a_header_with_work() {
    let vector = load("anchoring/tsc_testnet.json");
    let transaction = Transaction::parse(&bytes(&vector, "raw_tx")).unwrap();
    let (txid, height) = (transaction.txid(), number(&vector, "height"));
    let proof: TscProof = serde_json::from_value(vector["woc_tsc_body"][0].clone()).unwrap();
    let path = MerklePath::from_tsc(&proof, &txid, height).unwrap();
    assert_eq!(serde_json::to_value(&path).unwrap(), vector["brc74_json"]);
    assert_eq!(path.to_tsc(&txid, proof.target).unwrap(), proof);

    let fields = &vector["header"];
    let header = BlockHeader {
        version: number(fields, "version"),
        previous: text(fields, "previousHash").parse().unwrap(),
        merkle_root: root(fields, "merkleRoot"),
        time: number(fields, "time"),
        bits: number(fields, "bits"),
        nonce: number(fields, "nonce"),
    };
    assert_eq!(header.hash().to_string(), text(fields, "hash"));
    assert_eq!(header.hash(), proof.target);
    assert!(header.check_work(ChainProfile::Public).is_ok());
    assert_eq!(path.compute_root_of(&transaction), Ok(header.merkle_root));
    assert!(BlockHeader { nonce: 0, ..header }.check_work(ChainProfile::Public).is_err());
    assert_eq!(BlockHeader::parse(&header.to_bytes()), Ok(header));
}

#[test]
fn owner_signatures_of_another_wallet_verify() {
    for vector in list(&load("svd-owner.json")["owner"]) {
        let key: PublicKey = text(vector, "ownerPubKey").parse().unwrap();
        let secret = bytes(vector, "ownerPrivHex").try_into().unwrap();
        assert_eq!(SecretKey::from_bytes(&secret).unwrap().public_key(), key);
        for (network, field) in
            [(Network::Main, "ownerAddress"), (Network::Test, "ownerTestnetAddress")]
        {
            let address = Address::parse(text(vector, field), network).unwrap();
            assert!(address.belongs_to(&key));
            assert_eq!(Address::of_key(&key, network).to_string(), text(vector, field));
        }
        let message = text(vector, "canonicalUtf8");
        assert_eq!(serde_json::from_str::<Value>(message).unwrap(), vector["message"]);
        let digest = Digest::from_bytes(sha256(message.as_bytes()));
        assert_eq!(digest.to_string(), text(vector, "sha256"));
        let signature: Signature = text(vector, "signatureHex").parse().unwrap();
        assert_eq!(key.verify(&digest, &signature), Ok(()));
        let other = Digest::from_bytes(sha256(format!("{message} ").as_bytes()));
        assert_eq!(key.verify(&other, &signature), Err(SignatureError::Mismatch));
        let twin = high_s_twin(&bytes(vector, "signatureHex"));
        assert_eq!(Signature::from_der(&twin), Err(SignatureError::HighS));
    }
}

#[test]
fn published_high_s_twins_are_refused() {
    for vector in list(&load("svd-owner.json")["svd"]) {
        let signature = bytes(vector, "signatureHex");
        assert!(Signature::from_der(&signature).is_ok());
        let twin = bytes(vector, "highSSignatureHex");
        assert_eq!(Signature::from_der(&twin), Err(SignatureError::HighS));
        assert_eq!(high_s_twin(&signature), twin);
    }
}

/// Replaces S by the curve's order less S in a DER signature with a low S.
fn high_s_twin(der: &[u8]) -> Vec<u8> {
    let order = hex::decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    let r_end = 4 + usize::from(der[3]);
    let low = &der[r_end + 2..];
    let mut high = order.unwrap();
    let mut borrow = 0u16;
    for (place, digit) in high.iter_mut().rev().enumerate() {
        let taken = low.len().checked_sub(place + 1).map_or(0, |index| u16::from(low[index]));
        let difference = 0x100 + u16::from(*digit) - taken - borrow;
        borrow = u16::from(difference < 0x100);
        *digit = difference.to_le_bytes()[0];
    }
    let mut twin = der[..r_end].to_vec();
    // A high S has its first bit set, so the number needs a zero in front.
    twin.extend_from_slice(&[2, 33, 0]);
    twin.extend_from_slice(&high);
    twin[1] = u8::try_from(twin.len() - 2).unwrap();
    twin
}
