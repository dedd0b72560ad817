//! The log of all commitments: that everything accepted is in it for good, proved and signed, and
//! that batches carry its state to the chain.

use std::time::Duration;

use patchproof::anchor::log::LogHead;
use patchproof::anchor::log::note::LogKey;
use patchproof::anchor::log::tile::Tile;
use patchproof::anchor::log::tree::{fold, verify_consistency};
use patchproof::anchor::merkle::{InclusionProof, leaf_hash, verify_inclusion};
use patchproof::anchor::payload::Payload;
use patchproof::proof::{KnownChain, Trust, Verdict, verify_bytes};
use patchproof::service::log::LogError;
use patchproof::storage::log::{last_log_checkpoint, log_leaves};
use patchproof::storage::records::expect_record;
use patchproof::storage::{LogCheckpoint, StoredRecord, WriteTx};
use patchproof::types::{Clock, Digest, RecordId, Txid};
use serde_json::{Value, json};

use crate::batch::{anchor, batching, register, register_many, txid_of};
use crate::privacy::Person;
use crate::support::answer::Answer;
use crate::support::app::TestApp;
use crate::support::clients::Owner;
use crate::support::outside::Mood;

/// Has the log signed as it is now.
async fn publish(app: &TestApp) -> LogHead {
    app.services.log.publish(app.outside.clock.now()).await.unwrap().unwrap()
}

async fn ask(app: &TestApp, what: &str, query: &[(&str, &str)]) -> Answer {
    app.anonymous().call(reqwest::Method::GET, &["v1", "log", what]).query(query).send().await
}

/// Returns the log's key as a client learns it.
async fn key(app: &TestApp) -> LogKey {
    let told = ask(app, "key", &[]).await.expect(200);
    LogKey::parse(told["vkey"].as_str().unwrap()).unwrap()
}

/// Returns the newest signed state as a client learns it.
async fn signed(app: &TestApp) -> LogHead {
    let answer = ask(app, "checkpoint", &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    key(app).await.open(answer.text()).unwrap().head
}

fn path_of(told: &Value) -> Vec<Digest> {
    serde_json::from_value(told["path"].clone()).unwrap()
}

fn head_of(told: &Value) -> LogHead {
    let root = told["root"].as_str().unwrap().parse().unwrap();
    LogHead { size: told["size"].as_u64().unwrap(), root }
}

/// Asks for the proof of a commitment and holds it against a root.
async fn assert_included(app: &TestApp, commitment: &Digest, head: &LogHead) -> u64 {
    let (commitment_text, size) = (commitment.to_string(), head.size.to_string());
    let query = [("commitment", commitment_text.as_str()), ("size", size.as_str())];
    let told = ask(app, "inclusion", &query).await.expect(200);
    let leaf_index = told["leafIndex"].as_u64().unwrap();
    let proof = InclusionProof { leaf_index, tree_size: head.size, path: path_of(&told) };
    assert_eq!(verify_inclusion(commitment, &proof, &head.root), Ok(()));
    leaf_index
}

async fn assert_grown(app: &TestApp, old: &LogHead, new: &LogHead) {
    let (from, to) = (old.size.to_string(), new.size.to_string());
    let told = ask(app, "consistency", &[("from", &from), ("to", &to)]).await.expect(200);
    assert_eq!((head_of(&told["from"]), head_of(&told["to"])), (*old, *new));
    assert_eq!(verify_consistency(old, new, &path_of(&told)), Ok(()), "{from} to {to}");
}

/// Accepts as many records as are asked for at once, without the detour over HTTP.
async fn accept(app: &TestApp, name: &'static str, count: u32) {
    let template = app.store.read(|tx| expect_record(tx, log_leaves(tx, 0..1)?[0].record)).unwrap();
    app.store
        .tamper(move |tx| {
            for number in 0..count {
                let mut random = [0; 10];
                random[..4].copy_from_slice(&number.to_be_bytes());
                random[4..9].copy_from_slice(name.as_bytes());
                let seed = [name.as_bytes(), &number.to_be_bytes()].concat();
                tx.put_record(&StoredRecord {
                    id: RecordId::from_parts(7, &random),
                    position: number + 9,
                    commitment: Digest::from_bytes(patchproof::crypto::sha256(&seed)),
                    txid: None,
                    seal: None,
                    ..template.clone()
                })?;
            }
            Ok(())
        })
        .await;
}

pub(crate) fn payload(app: &TestApp, txid: &Txid) -> Payload {
    let on_chain = app.outside.simnet.node().transaction(txid).unwrap().transaction().clone();
    let mut outputs = on_chain.outputs.iter();
    outputs.find_map(|output| Payload::from_script(&output.locking_script)).unwrap()
}

#[tokio::test]
async fn what_was_accepted_is_in_the_log_in_its_order_and_a_signed_checkpoint_covers_it() {
    let app = TestApp::start().await;
    ask(&app, "checkpoint", &[]).await.problem(404, "NOT_FOUND");
    assert_eq!(app.services.log.publish(app.outside.clock.now()).await.unwrap(), None);

    let (one, two) = (Owner::number(1), Owner::number(2));
    let first = app.api().register("TAG-1", &one).await;
    app.api().register("TAG-2", &one).await;
    let told = app.anonymous().verify("TAG-1").await.expect(200);
    let commitment = told["verificationDetails"]["commitment"].as_str().unwrap().to_owned();
    let query = [("commitment", commitment.as_str())];
    let early = ask(&app, "inclusion", &query).await;
    assert!(early.problem(404, "NOT_FOUND")["detail"].as_str().unwrap().contains("the next one"));
    let before = publish(&app).await;
    assert_eq!(before.size, 2);
    app.api().transfer("TAG-1", first, &one, &two).await;
    let after = publish(&app).await;
    assert_eq!((after.size, signed(&app).await), (3, after));
    assert_eq!(publish(&app).await, after, "what has not grown is not signed again");
    assert_grown(&app, &before, &after).await;

    let history = app.anonymous().history("TAG-1").await.expect(200);
    for (event, index) in history["events"].as_array().unwrap().iter().zip([0, 2]) {
        let commitment: Digest = event["commitment"].as_str().unwrap().parse().unwrap();
        assert_eq!(assert_included(&app, &commitment, &after).await, index);
        let record = event["id"].as_str().unwrap();
        let told = ask(&app, "inclusion", &[("record", record)]).await.expect(200);
        assert_eq!((told["leafIndex"].as_u64(), &told["treeSize"]), (Some(index), &json!(3)));
        let note = told["checkpoint"].as_str().unwrap();
        assert_eq!(key(&app).await.open(note).unwrap().head, after);
    }
    let key = ask(&app, "key", &[]).await.expect(200);
    assert_eq!(key["origin"], "proof.example/log");
    let issuer = app.services.log.keyring.issuer.public_key;
    assert_eq!(key["publicKey"], issuer.to_string());
}

#[tokio::test]
async fn a_log_of_many_blocks_is_proved_and_served_in_tiles_at_all_its_sizes() {
    let app = TestApp::start().await;
    app.api().register("TAG-1", &Owner::number(1)).await;
    let mut heads = vec![publish(&app).await];
    for (name, count) in [("first", 200), ("secnd", 54), ("third", 1), ("forth", 1), ("fifth", 400)]
    {
        accept(&app, name, count).await;
        heads.push(publish(&app).await);
    }
    let sizes: Vec<u64> = heads.iter().map(|head| head.size).collect();
    assert_eq!(sizes, [1, 201, 255, 256, 257, 657]);
    for (place, old) in heads.iter().enumerate() {
        for new in &heads[place..] {
            assert_grown(&app, old, new).await;
        }
    }
    let leaves = app.store.read(|tx| log_leaves(tx, 0..1_000)).unwrap();
    for index in [0usize, 1, 200, 254, 255, 256, 511, 512, 656] {
        for head in heads.iter().filter(|head| head.size > index as u64) {
            let found = assert_included(&app, &leaves[index].commitment, head).await;
            assert_eq!(found, index as u64);
        }
    }

    let (mut hashes, mut entries) = (Vec::new(), Vec::new());
    for (path, width) in [("000", 256), ("001", 256), ("002.p/145", 145)] {
        let read = tile(&app, &format!("0/{path}")).await;
        assert_eq!(read.len(), width * 32);
        hashes.extend(read.chunks_exact(32).map(|hash| <[u8; 32]>::try_from(hash).unwrap()));
        let bundle = tile(&app, &format!("entries/{path}")).await;
        assert_eq!(bundle.len(), width * 34);
        for entry in bundle.chunks_exact(34) {
            assert_eq!(entry[..2], [0, 32]);
            entries.push(leaf_hash(&Digest::from_bytes(entry[2..].try_into().unwrap())));
        }
    }
    assert_eq!(hashes, entries);
    let above = tile(&app, "1/000.p/2").await;
    let folded = [fold(hashes[..256].to_vec()).unwrap(), fold(hashes[256..512].to_vec()).unwrap()];
    assert_eq!(above, folded.concat());
    for none in ["0/002", "0/002.p/146", "0/003.p/1", "1/000", "1/000.p/3", "2/000.p/1", "x/000"] {
        let answer = app.anonymous().get(&segments(none)).await;
        answer.problem(404, "NOT_FOUND");
    }
    assert!(Tile::parse("0/002.p/145").is_some());
    let file = app.anonymous().get(&["log", "checkpoint"]).await;
    assert_eq!(file.text(), ask(&app, "checkpoint", &[]).await.text());
}

fn segments(tile: &str) -> Vec<&str> {
    ["log", "tile"].into_iter().chain(tile.split('/')).collect()
}

async fn tile(app: &TestApp, path: &str) -> Vec<u8> {
    let answer = app.anonymous().get(&segments(path)).await;
    assert_eq!(answer.status, 200, "{path}");
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    let kept = answer.header("cache-control").unwrap();
    assert!(kept.contains("immutable"), "{path}: {kept}");
    answer.body
}

#[tokio::test]
async fn what_is_asked_beyond_the_signed_log_is_refused() {
    let app = TestApp::start().await;
    app.api().register("TAG-1", &Owner::number(1)).await;
    app.api().register("TAG-2", &Owner::number(1)).await;
    publish(&app).await;
    app.api().register("TAG-3", &Owner::number(1)).await;
    for (from, to) in [("0", "2"), ("1", "3"), ("2", "1"), ("3", "3")] {
        ask(&app, "consistency", &[("from", from), ("to", to)]).await.invalid(&["from"]);
    }
    let leaves = app.store.read(|tx| log_leaves(tx, 0..3)).unwrap();
    let second = leaves[1].commitment.to_string();
    for size in ["0", "1", "3"] {
        let query = [("commitment", second.as_str()), ("size", size)];
        ask(&app, "inclusion", &query).await.invalid(&["size"]);
    }
    let third = leaves[2].commitment.to_string();
    ask(&app, "inclusion", &[("commitment", &third)]).await.problem(404, "NOT_FOUND");
    let nobody = "0".repeat(64);
    ask(&app, "inclusion", &[("commitment", &nobody)]).await.problem(404, "NOT_FOUND");
    ask(&app, "inclusion", &[("commitment", "xyz")]).await.invalid(&["commitment"]);
    ask(&app, "inclusion", &[("record", "xyz")]).await.invalid(&["record"]);
    ask(&app, "inclusion", &[]).await.invalid(&["commitment"]);
    app.anonymous().get(&segments("0/000.p/3")).await.problem(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_batchs_transaction_carries_a_signed_state_that_has_all_its_records() {
    let app = TestApp::start_with(batching).await;
    register_many(&app, 3).await;
    let done = anchor(&app, json!({})).await.expect(200);
    let Payload::Batch { log: Some(first), tree_size: 3, .. } = payload(&app, &txid_of(&done))
    else {
        unreachable!("the batch carries no state of the log")
    };
    assert_eq!((first.size, signed(&app).await), (3, first));
    for leaf in app.store.read(|tx| log_leaves(tx, 0..3)).unwrap() {
        assert_included(&app, &leaf.commitment, &first).await;
    }
    register(&app, "LATE-1", &Owner::number(2)).await;
    let done = anchor(&app, json!({})).await.expect(200);
    let Payload::Batch { log: Some(second), .. } = payload(&app, &txid_of(&done)) else {
        unreachable!("the batch carries no state of the log")
    };
    assert_eq!(second.size, 4);
    assert_grown(&app, &first, &second).await;

    app.mine(6);
    let bundle = app
        .until("the bundle is proved", async || {
            let bundle = app.anonymous().get(&["v1", "patches", "LATE-1", "proof"]).await;
            let report = verify_bytes(&bundle.body, &trust(&app));
            (report.verdict == Verdict::Proved).then_some(report)
        })
        .await;
    let words = format!("the log of 4 leaves with the root {}", second.root);
    assert!(bundle.steps.iter().any(|step| step.detail.contains(&words)), "{bundle:#?}");
}

fn trust(app: &TestApp) -> Trust {
    let issuers = vec![app.services.log.keyring.issuer.public_key];
    Trust { issuers, chain: KnownChain::default() }
}

#[tokio::test]
async fn a_signer_that_is_away_delays_the_checkpoint_and_nothing_else() {
    let app = TestApp::start_with(batching).await;
    register(&app, "TAG-1", &Owner::number(1)).await;
    let before = publish(&app).await;
    register(&app, "TAG-2", &Owner::number(1)).await;
    app.outside.signer_is(Mood::Down);
    let refused = app.services.log.publish(app.outside.clock.now()).await.unwrap_err();
    assert!(matches!(refused, LogError::Signer(_)), "{refused}");
    register(&app, "TAG-3", &Owner::number(1)).await;
    assert_eq!(signed(&app).await, before, "what was signed is still told");
    assert_eq!(app.anonymous().get(&["health"]).await.status, 200);
    app.outside.signer_is(Mood::OtherHash);
    app.services.log.publish(app.outside.clock.now()).await.unwrap_err();
    assert_eq!(signed(&app).await, before, "a signature that does not match is not taken");
    app.outside.signer_is(Mood::Honest);
    let after = publish(&app).await;
    assert_eq!(after.size, 3);
    assert_grown(&app, &before, &after).await;
}

#[tokio::test]
async fn the_log_is_the_same_after_a_restart_and_keeps_its_name() {
    let app = TestApp::start().await;
    app.api().register("TAG-1", &Owner::number(1)).await;
    let before = publish(&app).await;
    let known = ask(&app, "checkpoint", &[]).await.text().to_owned();
    let app = app
        .restart_with(|settings| settings.log.origin = Some("other.example/log".to_owned()))
        .await;
    assert_eq!(ask(&app, "checkpoint", &[]).await.text(), known);
    app.api().register("TAG-2", &Owner::number(1)).await;
    let after = publish(&app).await;
    assert_grown(&app, &before, &after).await;
    let key = ask(&app, "key", &[]).await.expect(200);
    assert_eq!(key["origin"], "proof.example/log");
}

#[tokio::test]
async fn the_background_signs_a_log_that_has_grown_and_counts_it() {
    let app = TestApp::start_with(|settings| settings.log.period = Duration::from_millis(20)).await;
    app.api().register("TAG-1", &Owner::number(1)).await;
    app.until("the log is signed and measured", async || {
        let metrics = app.anonymous().get(&["metrics"]).await.text().to_owned();
        let has = |line: &str| metrics.lines().any(|found| found == line);
        let all = ["log_size 1", "log_checkpoint_size 1", "log_checkpoint_age_seconds 0"];
        all.iter().all(|line| has(line)).then_some(())
    })
    .await;
    assert_eq!(signed(&app).await.size, 1);
}

#[tokio::test]
async fn a_log_that_is_not_what_was_signed_is_not_signed_any_more_and_does_not_hold_up_batches() {
    let app = TestApp::start_with(batching).await;
    register_many(&app, 3).await;
    publish(&app).await;
    // Somebody signed another fourth leaf than the one that comes.
    app.store
        .tamper(|tx: &mut WriteTx<'_>| {
            let signed = last_log_checkpoint(tx)?.unwrap();
            let head = LogHead { size: 4, root: Digest::from_bytes([9; 32]) };
            tx.put_log_checkpoint(&LogCheckpoint { head, ..signed })
        })
        .await;
    for uid in ["TAG-8", "TAG-9"] {
        let refused = app.services.log.publish(app.outside.clock.now()).await.unwrap_err();
        assert!(matches!(refused, LogError::Rewritten(_)), "{refused}");
        register(&app, uid, &Owner::number(1)).await;
    }
    let refused = app.services.log.publish(app.outside.clock.now()).await.unwrap_err();
    assert!(matches!(refused, LogError::Rewritten(_)), "{refused}");
    let report = app.store.read(patchproof::storage::check).unwrap();
    let found = |it: &patchproof::storage::Violation| it.detail.contains("the log is another now");
    assert!(report.violations.iter().any(found), "{report:#?}");
    let done = anchor(&app, json!({})).await.expect(200);
    let payload = payload(&app, &txid_of(&done));
    assert!(matches!(payload, Payload::Batch { log: None, .. }), "{payload:?}");
}

#[tokio::test]
async fn an_erasure_leaves_the_log_as_it_was() {
    let person = Person::with_a_product().await;
    let app = &person.app;
    let before = publish(app).await;
    let leaves = app.store.read(|tx| log_leaves(tx, 0..9)).unwrap();
    person.bury().await;
    person.erase().await;
    let erased = person.records()[0];
    app.until("the record is erased", async || person.is_erased(erased).then_some(())).await;
    assert_eq!(app.store.read(|tx| log_leaves(tx, 0..9)).unwrap(), leaves);
    assert_included(app, &leaves[0].commitment, &before).await;
    app.api().register("TAG-2", &Owner::number(2)).await;
    let after = publish(app).await;
    assert_grown(app, &before, &after).await;
    assert_included(app, &leaves[0].commitment, &after).await;
}
