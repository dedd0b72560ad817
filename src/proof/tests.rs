//! What a bundle proves, and that nothing in it can be changed without a trace.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::anchor::commitment::Salt;
use crate::anchor::merkle::CommitmentTree;
use crate::anchor::payload::Payload;
use crate::bitcoin::{BeefTransaction, HeaderFile};
use crate::patch::tag::UidTag;
use crate::proof::fixture::{HEIGHT, custody, key};
use crate::types::{ChainProfile, Checkpoint, Digest};

/// Name and subject of the step that must fail, and what is forged.
type Forgery = (&'static str, &'static str, fn(&mut Bundle));

/// Returns name and subject of the step that failed.
fn failure(report: &Report) -> Option<(&'static str, &str)> {
    report.first_failure().map(|step| (step.name, step.subject.as_str()))
}

fn outcome<'a>(report: &'a Report, name: &str, subject: &str) -> (Outcome, &'a str) {
    let is_it = |step: &&Step| step.name == name && step.subject == subject;
    let step = report.steps.iter().find(is_it).unwrap();
    (step.outcome, &step.detail)
}

fn check(bundle: &Bundle) -> Report {
    verify_bytes(&bundle.to_bytes().unwrap(), &Trust::default())
}

/// Returns a copy of the first header's chain with `above` more blocks' worth of the bundle's own.
fn known(bundle: &Bundle) -> HeaderFile {
    let headers = bundle.headers.iter().map(|block| block.header).collect();
    HeaderFile { first_height: HEIGHT, headers }
}

#[test]
fn a_custody_in_blocks_is_proved_and_the_report_says_what_is_not() {
    let report = check(&custody(3, 3));
    assert_eq!(report.verdict, Verdict::Proved, "{:#?}", report.steps);
    assert!(report.is_simulated);
    assert_eq!((report.proved.len(), report.events.len()), (3, 3));
    for index in 1..3 {
        let subject = format!("record {index}");
        for name in ["link", "owner-signature", "seal", "block"] {
            assert_eq!(outcome(&report, name, &subject).0, Outcome::Ok, "{name} {subject}");
        }
    }
    let open: Vec<&str> = report
        .steps
        .iter()
        .filter(|step| step.outcome == Outcome::NotChecked)
        .map(|step| step.name)
        .collect();
    let chain = "heaviest-chain";
    assert_eq!(open, ["issuer", chain, chain, chain, "freshness"]);
    let block = report.events[0].block.as_ref().unwrap();
    assert_eq!(
        (block.not_before.as_str(), block.not_after.as_str()),
        ("2026-09-21T12:13Z", "2026-09-21T16:14Z")
    );
    assert!(report.not_proved[0].contains("simulated"));
}

#[test]
fn what_waits_for_its_block_is_incomplete_and_told_so() {
    let bundle = custody(3, 1);
    let report = check(&bundle);
    assert_eq!(report.verdict, Verdict::Incomplete, "{:#?}", report.steps);
    assert_eq!(report.proved.len(), 1);
    assert_eq!(outcome(&report, "block", "record 2").0, Outcome::NotChecked);
    assert!(!bundle.is_complete() && custody(2, 2).is_complete());
    // Without proved ancestors there is the transaction alone.
    let mut alone = custody(1, 1);
    let BeefTransaction::Raw { transaction, .. } =
        alone.beef.take().unwrap().transactions.remove(0)
    else {
        unreachable!("the fixture has whole transactions")
    };
    alone.transactions.push(transaction);
    alone.headers.clear();
    let report = check(&alone);
    assert_eq!(report.verdict, Verdict::Incomplete);
    assert_eq!(outcome(&report, "on-chain", "record 0").0, Outcome::Ok);
    // And before there is one, the record and its signature.
    alone.transactions.clear();
    alone.records[0].txid = None;
    let report = check(&alone);
    assert_eq!(report.verdict, Verdict::Incomplete);
    assert_eq!(outcome(&report, "on-chain", "record 0").0, Outcome::NotChecked);
    assert_eq!(outcome(&report, "issuer-signature", "record 0").0, Outcome::Ok);
}

#[test]
fn the_issuer_is_held_against_the_keys_that_the_user_knows() {
    let bundle = custody(2, 2);
    let with = |issuers: Vec<_>| verify(&bundle, &Trust { issuers, ..Trust::default() });
    let right = with(vec![key(5).public_key(), key(1).public_key()]);
    assert_eq!(right.verdict, Verdict::Proved);
    assert_eq!(outcome(&right, "issuer", "bundle").0, Outcome::Ok);
    let wrong = with(vec![key(5).public_key()]);
    assert_eq!(wrong.verdict, Verdict::Failed);
    assert_eq!(failure(&wrong), Some(("issuer", "record 0")));
    assert_eq!(wrong.proved, [""; 0]);
}

#[test]
fn known_headers_and_checkpoints_say_whether_a_block_is_in_the_chain() {
    let bundle = custody(2, 2);
    let judge = |chain: KnownChain| verify(&bundle, &Trust { chain, ..Trust::default() });
    let file = known(&custody(2, 2));
    let found = judge(KnownChain { headers: Some(file.clone()), checkpoints: vec![] });
    let (ok, detail) = outcome(&found, "heaviest-chain", "block 812");
    assert_eq!((ok, detail.contains("2 deep")), (Outcome::Ok, true), "{detail}");
    assert!(detail.contains("known headers alone"), "{detail}");
    assert_eq!(found.events[0].block.as_ref().unwrap().confirmations, Some(2));

    let vouched = Checkpoint { height: HEIGHT, hash: bundle.headers[0].hash() };
    let checkpoints = vec![vouched];
    let alone = judge(KnownChain { headers: None, checkpoints: checkpoints.clone() });
    assert_eq!(outcome(&alone, "heaviest-chain", "block 812").0, Outcome::Ok);
    assert_eq!(outcome(&alone, "heaviest-chain", "block 813").0, Outcome::NotChecked);
    let both = judge(KnownChain { headers: Some(file.clone()), checkpoints });
    assert!(outcome(&both, "heaviest-chain", "block 813").1.contains("checkpoint"));

    let hash = bundle.headers[1].hash();
    let wrong = vec![Checkpoint { height: HEIGHT, hash }];
    let contradicted = judge(KnownChain { headers: None, checkpoints: wrong.clone() });
    assert_eq!(failure(&contradicted), Some(("heaviest-chain", "block 812")));
    let broken = judge(KnownChain { headers: Some(file.clone()), checkpoints: wrong });
    assert_eq!(failure(&broken), Some(("heaviest-chain", "known headers")));
    let shifted = HeaderFile { first_height: HEIGHT + 1, ..file };
    let elsewhere = judge(KnownChain { headers: Some(shifted), checkpoints: vec![] });
    assert_eq!(failure(&elsewhere), Some(("heaviest-chain", "block 813")));
}

#[test]
fn an_erased_record_keeps_its_place_and_proves_nothing_else() {
    let erase = |indices: &[usize]| {
        let mut bundle = custody(3, 3);
        indices.iter().for_each(|index| bundle.records[*index].content = None);
        check(&bundle)
    };
    let middle = erase(&[1]);
    assert_eq!(middle.verdict, Verdict::Proved, "{:#?}", middle.steps);
    assert_eq!(outcome(&middle, "link", "record 1").0, Outcome::Ok);
    assert_eq!(outcome(&middle, "record", "record 1").0, Outcome::NotChecked);
    assert_eq!((middle.proved.len(), middle.events[1].owner.as_ref()), (2, None));
    let two = erase(&[0, 1]);
    assert_eq!(outcome(&two, "link", "record 0").0, Outcome::NotChecked);
    for unsigned in [erase(&[2]), erase(&[0, 1, 2])] {
        assert_eq!(unsigned.verdict, Verdict::Incomplete);
        assert_eq!(outcome(&unsigned, "link", "record 2").0, Outcome::NotChecked);
    }
    // It must still be what the chain holds.
    let mut other = custody(3, 3);
    other.records[2].content = None;
    other.records[2].commitment = Digest::from_bytes([1; 32]);
    assert_eq!(failure(&check(&other)), Some(("on-chain", "record 2")));
}

#[test]
fn a_record_of_a_batch_is_proved_by_its_place_in_the_tree_on_chain() {
    let mut bundle = custody(1, 1);
    let commitment = bundle.records[0].commitment;
    let mut leaves: Vec<Digest> = (0..4).map(|seed| Digest::from_bytes([seed; 32])).collect();
    leaves.insert(2, commitment);
    let tree = CommitmentTree::build(&leaves).unwrap();
    let payload = Payload::Batch { root: tree.root(), tree_size: tree.size(), log: None };
    let entry = &mut bundle.beef.as_mut().unwrap().transactions[0];
    let BeefTransaction::Raw { transaction, .. } = entry else { unreachable!("it is whole") };
    transaction.outputs[0].locking_script = payload.to_script(None);
    let transaction = transaction.clone();
    bundle.beef = None;
    bundle.headers.clear();
    bundle.records[0].txid = Some(transaction.txid());
    bundle.transactions = vec![transaction];
    bundle.records[0].inclusion = Some(tree.prove(2).unwrap());
    let report = check(&bundle);
    assert_eq!(outcome(&report, "on-chain", "record 0").0, Outcome::Ok, "{report:#?}");
    let changes: [fn(&mut BundledRecord); 3] = [
        |record| record.inclusion.as_mut().unwrap().tree_size = 6,
        |record| record.inclusion.as_mut().unwrap().leaf_index = 1,
        |record| record.inclusion = None,
    ];
    for change in changes {
        let mut wrong = bundle.clone();
        change(&mut wrong.records[0]);
        assert_eq!(failure(&check(&wrong)), Some(("on-chain", "record 0")));
    }
}

#[test]
fn every_forgery_fails_at_its_step() {
    let cases: [Forgery; 6] = [
        ("commitment", "record 0", |bundle| {
            bundle.records[0].content.as_mut().unwrap().salt = Salt::from_bytes([0; 16]);
        }),
        ("issuer-signature", "record 1", |bundle| {
            let digest = Digest::from_bytes([1; 32]);
            bundle.records[1].content.as_mut().unwrap().issuer_signature =
                Some(key(1).sign(&digest));
        }),
        ("issuer-signature", "record 0", |bundle| {
            bundle.records[0].content.as_mut().unwrap().issuer_signature = None;
        }),
        ("record", "record 0", |bundle| bundle.uid = UidTag::parse("TAG-2").unwrap()),
        ("on-chain", "record 0", |bundle| bundle.records.swap(0, 1)),
        ("header", "block 812", |bundle| {
            while bundle.headers[0].header.check_work(ChainProfile::Simulated).is_ok() {
                bundle.headers[0].header.nonce += 1;
            }
        }),
    ];
    for (name, subject, forge) in cases {
        let mut bundle = custody(2, 2);
        forge(&mut bundle);
        let report = verify(&bundle, &Trust::default());
        assert_eq!(failure(&report), Some((name, subject)), "{:#?}", report.steps);
    }
}

/// Every byte of bundles of every kind, each changed in several ways, capital letters included.
#[test]
fn no_byte_of_a_bundle_can_be_changed_without_a_failed_step() {
    let mut erased = custody(2, 2);
    erased.records[0].content = None;
    for bundle in [custody(3, 2), erased] {
        let good = bundle.to_bytes().unwrap();
        assert_ne!(verify_bytes(&good, &Trust::default()).verdict, Verdict::Failed);
        for place in 0..good.len() {
            for flip in [0x01, 0x02, 0x20, 0x80] {
                let mut bad = good.clone();
                bad[place] ^= flip;
                let report = verify_bytes(&bad, &Trust::default());
                let around = String::from_utf8_lossy(&bad[place.saturating_sub(40)..=place]);
                assert_eq!(report.verdict, Verdict::Failed, "byte {place} ^ {flip}: …{around}");
                assert!(report.first_failure().is_some(), "byte {place} names its step");
            }
        }
    }
}

#[test]
fn parts_that_are_spare_missing_or_spelled_otherwise_are_refused() {
    let good: Value = serde_json::from_slice(&custody(2, 2).to_bytes().unwrap()).unwrap();
    let pretty = serde_json::to_vec_pretty(&good).unwrap();
    assert_eq!(Bundle::parse(&pretty).unwrap(), custody(2, 2), "space has no meaning");
    let other: Value = serde_json::from_slice(&custody(2, 1).to_bytes().unwrap()).unwrap();
    let changes: [(&str, Value); 12] = [
        ("/version", json!(2)),
        ("/note", json!("x")),
        ("/transactions", json!([])),
        ("/records/0/note", json!("x")),
        ("/records/0/erased", json!(false)),
        ("/records/0/status", json!("unconfirmed")),
        ("/records/0/salt", json!("01")),
        ("/records/1/txid", Value::Null),
        ("/issuers", json!([])),
        ("/headers/0/height", json!(811)),
        ("/headers", other["headers"].clone()),
        ("/beef", other["beef"].clone()),
    ];
    for (pointer, value) in changes {
        let mut bad = good.clone();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        bad.pointer_mut(parent).unwrap()[member] = value;
        assert!(Bundle::parse(bad.to_string().as_bytes()).is_err(), "{pointer}");
    }
    let twice = good.to_string().replacen('{', "{\"version\":1,", 1);
    assert!(Bundle::parse(twice.as_bytes()).is_err(), "a member twice");
    let spare = custody(3, 3).records[..2].to_vec();
    let spare = Bundle { records: spare, ..custody(3, 3) };
    assert!(Bundle::parse(&spare.to_bytes().unwrap()).is_err(), "a spare transaction");
}

#[test]
fn a_bundle_continues_an_older_one_of_the_same_custody_only() {
    let older = custody(1, 1);
    let mut newer = custody(3, 2);
    newer.records[0].content = None;
    assert!(newer.continues(&older));
    assert_eq!(newer, custody(3, 2), "what was erased since is kept");
    assert!(!custody(1, 1).continues(&custody(2, 2)));
    let mut other = custody(2, 2);
    other.records[0].commitment = Digest::from_bytes([3; 32]);
    assert!(!other.continues(&older));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back(events in 1u8..6, mined in 0u8..6, erased in 0u8..32) {
        // The first transaction spends from outside, so it is proved by its block alone.
        let mut bundle = custody(events, mined.clamp(1, events));
        for (index, record) in bundle.records.iter_mut().enumerate() {
            if erased >> index & 1 == 1 {
                record.content = None;
            }
        }
        let bytes = bundle.to_bytes().unwrap();
        let read = Bundle::parse(&bytes).unwrap();
        prop_assert_eq!(read.to_bytes().unwrap(), bytes);
        prop_assert_eq!(read, bundle);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let report = verify_bytes(&bytes, &Trust::default());
        prop_assert_eq!(report.verdict, Verdict::Failed);
    }

    #[test]
    fn no_damaged_bundle_makes_it_panic(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = custody(2, 1).to_bytes().unwrap();
        for (place, byte) in cuts {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        drop(verify_bytes(&bytes, &Trust::default()));
        bytes.truncate(end.index(bytes.len()));
        prop_assert_eq!(verify_bytes(&bytes, &Trust::default()).verdict, Verdict::Failed);
    }
}
