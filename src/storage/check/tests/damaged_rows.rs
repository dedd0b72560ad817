//! Damage to indexes, headers, proofs, nonces, stored answers and the audit trail.

use super::*;
use crate::anchor::lifecycle::Stage;
use crate::bitcoin::{BlockHeader, Work, merkle_path_of};
use crate::storage::codec::encode;
use crate::storage::{AuditEntry, StaleProof, StoredHeader, headers, idempotency, transactions};
use crate::types::{BlockHash, Txid};

fn sample() -> Sample {
    Sample::of(vec![(Way::Final, None), (Way::Mined, None), (Way::Seen, None)])
}

#[test]
fn a_row_that_cannot_be_read_shows_and_the_check_goes_on() {
    let found = sample().damaged(|tx| {
        tx.tables.contents.insert(uid(1).as_str(), [1, 0xff].as_slice())?;
        tx.tables.challenges.insert([5; 16], [9].as_slice())?;
        Ok(())
    });
    let nonce = hex::encode([5; 16]);
    let expected = [
        violation("row", Row("challenge", [5u8; 16]), "cannot be read"),
        violation("I9", nonce, "expires without being there"),
        violation("row", Row("content", uid(1).as_str()), "cannot be read"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_row_under_another_key_shows() {
    let sample = sample();
    let stored = sample.store.read(|tx| headers::best_header_at(tx, 100)).unwrap().unwrap();
    let found = sample.damaged(move |tx| {
        tx.tables.headers.insert([7; 32], encode(&stored).as_slice())?;
        Ok(())
    });
    let row = Row("header", BlockHash::from_bytes([7; 32]));
    assert_eq!(found, [violation("row", row, "under another key")]);
}

#[test]
fn the_index_over_owners_is_one_to_one() {
    let sample = sample();
    let uid = sample.events[0].record.uid.clone();
    let tag = uid.clone();
    let found = sample.damaged(move |tx| {
        let owner = *crate::storage::patches::patch(tx, tag.as_str())?.unwrap().owner.hash160();
        tx.tables.patches_by_owner.remove((owner, tag.as_str()))?;
        tx.tables.patches_by_owner.insert(([7; 20], tag.as_str()), ())?;
        Ok(())
    });
    let row = Row("patch by owner", ([7u8; 20], uid.as_str()));
    let expected = [
        violation("index", &uid, "is not listed under its owner"),
        violation("index", row, "names no such product"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_indexes_over_events_are_one_to_one() {
    let sample = sample();
    let event = sample.events[0].clone();
    let (id, txid) = (event.record.id, event.txid());
    let found = sample.damaged(move |tx| {
        tx.tables.records_by_txid.remove(txid.to_bytes())?;
        tx.tables.records_by_txid.insert([7; 32], id.to_bytes())?;
        tx.tables.records_by_patch.insert((uid(1).as_str(), 5), id.to_bytes())?;
        Ok(())
    });
    let expected = [
        violation("index", id, "is not listed under its transaction"),
        violation("index", Row("record by patch", (uid(1).as_str(), 5)), "names no such event"),
        violation("index", Row("record by txid", id), "names no such event"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_event_not_listed_under_its_product_is_a_gap_as_well() {
    let sample = sample();
    let id = sample.events[0].record.id;
    let found = sample.damaged(|tx| {
        tx.tables.records_by_patch.remove((uid(1).as_str(), 0))?;
        Ok(())
    });
    let expected = [
        violation("I2", uid(1), "has 0 events in a row and should have 1"),
        violation("index", id, "is not listed under its product"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_indexes_over_jobs_are_one_to_one() {
    let sample = sample();
    let [mined, seen] = [Way::Mined, Way::Seen].map(|way| sample.registration(way).record.id);
    let found = sample.damaged(move |tx| {
        let due = NOW.as_millis();
        tx.tables.jobs_by_due.remove((due, seen.to_bytes()))?;
        tx.tables.jobs_by_due.insert((due + 1, seen.to_bytes()), ())?;
        tx.tables.jobs_by_stage.remove((4, mined.to_bytes()))?;
        tx.tables.jobs_by_stage.insert((5, mined.to_bytes()), ())?;
        tx.tables.jobs_by_height.remove((101, mined.to_bytes()))?;
        tx.tables.jobs_by_height.insert((102, mined.to_bytes()), ())?;
        Ok(())
    });
    let due = Row("job by due", (NOW.as_millis() + 1, seen.to_bytes()));
    let expected = [
        violation("index", mined, "is not listed under its stage"),
        violation("index", mined, "is not listed under its height"),
        violation("index", seen, "is not listed as due"),
        violation("index", due, "names no such job"),
        violation("index", Row("job by stage", (5, mined.to_bytes())), "names no such job"),
        violation("index", Row("job by height", (102, mined.to_bytes())), "names no such job"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn totals_of_jobs_are_recounted() {
    let found = sample().damaged(|tx| {
        tx.tables.job_totals.insert(3, 9)?;
        Ok(())
    });
    assert_eq!(found, [violation("index", "jobs seen", "the total says 9, there are 1")]);
}

#[test]
fn the_best_chain_has_no_gap_and_no_stranger() {
    let found = sample().damaged(|tx| {
        tx.tables.best_chain.insert(102, [7; 32])?;
        Ok(())
    });
    assert_eq!(found, [violation("chain", "height 102", "its header is missing")]);

    let stranger = BlockHeader {
        version: 1,
        previous: BlockHash::from_bytes([6; 32]),
        merkle_root: Digest::from_bytes([6; 32]),
        time: 0,
        bits: 0,
        nonce: 0,
    };
    let found = sample().damaged(move |tx| {
        let stored = StoredHeader { header: stranger, height: 103, chain_work: Work::default() };
        tx.put_header(&stored)?;
        tx.tables.best_chain.insert(102, stranger.hash().to_bytes())?;
        Ok(())
    });
    let expected = [
        violation("chain", "height 102", "its header says another height"),
        violation("chain", "height 102", "does not build on the header below"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_proof_must_prove_a_transaction_that_is_in_a_block() {
    let sample = sample();
    let [mined, seen] = [Way::Mined, Way::Seen].map(|way| sample.registration(way).txid());
    let found = sample.damaged(move |tx| {
        let other = [mined, Txid::from_bytes([1; 32])];
        tx.put_proof(mined, &merkle_path_of(&other, 0, 101).unwrap())?;
        tx.put_proof(seen, &merkle_path_of(&[seen, mined], 0, 101).unwrap())
    });
    let mut expected = [
        violation("chain", mined, "its proof does not prove it"),
        violation("chain", seen, "is proved and yet in no block"),
    ];
    if mined > seen {
        expected.reverse();
    }
    assert_eq!(found, expected);
}

#[test]
fn a_transaction_in_a_block_must_be_proved() {
    let sample = sample();
    let mined = sample.registration(Way::Mined).txid();
    let found = sample.damaged(move |tx| {
        tx.tables.proofs.remove(mined.to_bytes())?;
        Ok(())
    });
    assert_eq!(found, [violation("chain", mined, "is in a block, which is not proved")]);
}

#[test]
fn a_proof_of_the_past_must_have_been_one() {
    let sample = sample();
    let mined = sample.registration(Way::Mined);
    let (txid, Stage::Mined { block, .. }) = (mined.txid(), mined.job.stage.clone()) else {
        unreachable!("it is mined")
    };
    let kept = sample.damaged(move |tx| {
        let path = transactions::proof(tx, txid)?.unwrap();
        tx.retire_proof(txid, block, NOW)?;
        tx.put_proof(txid, &path)
    });
    assert_eq!(kept, [], "a block may come back");
    let other = Txid::from_bytes([1; 32]);
    let found = sample.damaged(move |tx| {
        let path = merkle_path_of(&[txid, other], 0, 101).unwrap().to_bytes();
        let stale = StaleProof { path, went_stale_at: NOW };
        let key = (txid.to_bytes(), block.to_bytes());
        tx.tables.stale_proofs.insert(key, encode(&stale).as_slice())?;
        Ok(())
    });
    let row = Row("stale Merkle path", (txid, block));
    assert_eq!(found, [violation("chain", row, "never proved its transaction")]);
}

#[test]
fn a_block_that_left_the_best_chain_is_not_on_it() {
    let sample = sample();
    let stored = sample.store.read(|tx| headers::best_header_at(tx, 100)).unwrap().unwrap();
    let (best, unknown) = (stored.header.hash(), BlockHash::from_bytes([7; 32]));
    let found = sample.damaged(move |tx| {
        tx.tables.stale_blocks.insert(best.to_bytes(), 1)?;
        tx.tables.stale_blocks.insert(unknown.to_bytes(), 1)?;
        Ok(())
    });
    let mut expected = [
        violation("chain", Row("stale block", best), "did not leave the best chain"),
        violation("chain", Row("stale block", unknown), "its header is missing"),
    ];
    if best > unknown {
        expected.reverse();
    }
    assert_eq!(found, expected);
}

#[test]
fn a_nonce_and_its_expiry_are_one_to_one() {
    let found = sample().damaged(|tx| {
        tx.tables.challenges_by_expiry.remove((NOW.as_millis(), [5; 16]))?;
        tx.tables.challenges_by_expiry.insert((1, [6; 16]), ())?;
        Ok(())
    });
    let expected = [
        violation("I9", hex::encode([5; 16]), "would never expire"),
        violation("I9", hex::encode([6; 16]), "expires without being there"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_stored_answer_and_its_expiry_are_one_to_one() {
    let found = sample().damaged(|tx| {
        tx.tables.idempotency_by_expiry.remove((7, "key", "one"))?;
        tx.tables.idempotency_by_expiry.insert((7, "key", "two"), ())?;
        Ok(())
    });
    let expected = [
        violation("I9", Row("idempotency key", ("key", "one")), "would never expire"),
        violation("I9", Row("idempotency key", ("key", "two")), "expires without being there"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_stored_answer_must_be_about_a_record_that_exists() {
    let found = sample().damaged(|tx| {
        let mut row = idempotency::idempotency(tx, "key", "one")?.unwrap();
        row.record = RecordId::from_bytes([0xee; 16]);
        tx.put_idempotency("key", "one", &row)
    });
    let row = Row("idempotency key", ("key", "one"));
    assert_eq!(found, [violation("I2", row, "answers for a record that is missing")]);
}

#[test]
fn content_must_belong_to_a_product() {
    let found = sample().damaged(|tx| {
        let content = crate::storage::contents::content(tx, uid(1).as_str())?.unwrap();
        tx.put_content("TAG-999", &content)
    });
    assert_eq!(found, [violation("I2", Row("content", "TAG-999"), "belongs to no product")]);
}

#[test]
fn a_nonce_that_unlocked_twice_shows() {
    let found = sample().damaged(|tx| tx.append_audit(NOW, "brand", "unlock.nonce:05", "TAG-001"));
    assert_eq!(found, [violation("I9", "unlock.nonce:05", "happened more than once")]);
}

#[test]
fn a_changed_or_removed_audit_line_shows() {
    let found = sample().damaged(|tx| {
        tx.tables.audit.remove(1)?;
        Ok(())
    });
    assert_eq!(found, [violation("I15", "audit line 2", "does not follow the one before")]);

    let found = sample().damaged(|tx| {
        let bytes = tx.tables.audit.get(1)?.unwrap().value().to_vec();
        let mut line: AuditEntry = decode(&bytes, "audit line")?;
        line.actor = "someone else".into();
        tx.tables.audit.insert(1, encode(&line).as_slice())?;
        Ok(())
    });
    assert_eq!(found, [violation("I15", "audit line 2", "does not follow the one before")]);
}
