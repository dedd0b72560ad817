//! Damage to the log of all commitments: to leaves, places, blocks, and what was signed of it.

use super::sample::new_record;
use super::*;
use crate::anchor::log::LogHead;
use crate::crypto::SecretKey;
use crate::storage::log::{indexed_leaves, log_head, log_leaves, log_place, log_size};
use crate::storage::{LogCheckpoint, StoredRecord};

/// A log of 260 leaves that was signed when it had 5, 256 and 260.
fn sample() -> Sample {
    let sample = Sample::of(vec![(Way::Accepted, None)]);
    let grow = sample.store.write(|tx| {
        for number in 1..260u16 {
            let [high, low] = number.to_be_bytes();
            let record = new_record(101, None);
            tx.append_leaf_of(&StoredRecord {
                id: RecordId::from_bytes([0xaa, high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                commitment: Digest::from_bytes(sha256(&number.to_be_bytes())),
                ..record
            })?;
        }
        // The last ten are not written down yet.
        assert_eq!(tx.index_log(250)?, 250);
        for size in [5, 256, 260] {
            let head = log_head(tx, size)?;
            tx.put_log_checkpoint(&signed(head))?;
        }
        Ok::<_, StoreError>(())
    });
    sample.runtime.block_on(grow).unwrap();
    sample
}

fn signed(head: LogHead) -> LogCheckpoint {
    let key = SecretKey::from_bytes(&[7; 32]).unwrap();
    let signature = (&key.sign(&head.root)).into();
    LogCheckpoint { head, signature, signed_at: NOW }
}

/// What is found of the tree alone: the leaves of the sample have no events behind them.
fn found(
    damage: impl Fn(&mut WriteTx<'_>) -> Result<(), StoreError> + Send + 'static,
) -> Vec<String> {
    let words = |found: Vec<Violation>| -> Vec<String> {
        let of_tree = |it: &Violation| !it.detail.contains("event");
        found
            .into_iter()
            .filter(of_tree)
            .map(|it| format!("{} {} {}", it.invariant, it.subject, it.detail))
            .collect()
    };
    words(sample().damaged(damage))
}

#[test]
fn a_log_that_agrees_is_clean() {
    assert_eq!(found(|_| Ok(())), Vec::<String>::new());
    let small = Sample::of(vec![(Way::Final, Some(Way::Final))]);
    assert!(small.report().is_clean());
    small
        .store
        .read(|tx| {
            assert_eq!(log_size(tx)?, 2, "a registration and a transfer");
            let leaves = log_leaves(tx, 0..9)?;
            let events: Vec<_> = small.events.iter().map(|it| it.record.id).collect();
            assert_eq!(leaves.iter().map(|leaf| leaf.record).collect::<Vec<_>>(), events);
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

#[test]
fn a_changed_leaf_is_found_in_all_that_was_signed_since() {
    let found = found(|tx| {
        let (record, _) = tx.tables.log.get(7)?.unwrap().value();
        tx.tables.log.insert(7, (record, [9; 32]))?;
        Ok(())
    });
    assert_eq!(
        found,
        [
            "index leaf 7 is not found by its commitment",
            "log log block (1, 0) has another root than its leaves give",
            "log log checkpoint 256 was signed, and the log is another now",
            "log log checkpoint 260 was signed, and the log is another now",
        ]
    );
}

#[test]
fn a_commitment_is_found_whether_its_place_is_written_down_or_not() {
    let sample = sample();
    let everything_is_found = |indexed: u64| {
        sample
            .store
            .read(|tx| {
                assert_eq!(indexed_leaves(tx)?, indexed);
                for (index, leaf) in (0..).zip(log_leaves(tx, 0..260)?) {
                    assert_eq!(log_place(tx, &leaf.commitment)?, Some(index));
                }
                assert_eq!(log_place(tx, &Digest::from_bytes([9; 32]))?, None);
                Ok::<_, StoreError>(())
            })
            .unwrap();
    };
    everything_is_found(250);
    let rest = sample.store.write(|tx| Ok::<_, StoreError>((tx.index_log(99)?, tx.index_log(99)?)));
    assert_eq!(sample.runtime.block_on(rest).unwrap(), (10, 0));
    everything_is_found(260);
}

#[test]
fn leaves_that_were_cut_off_or_taken_out_are_found() {
    let cut = found(|tx| {
        for index in 255..260 {
            tx.tables.log.remove(index)?;
        }
        Ok(())
    });
    let signed = "log log checkpoint 260 was signed, and the log is another now";
    assert!(cut.iter().any(|it| it == signed), "{cut:#?}");
    assert!(cut.iter().any(|it| it.contains("are not one for each full block")), "{cut:#?}");
    let hole = found(|tx| {
        tx.tables.log.remove(100)?;
        Ok(())
    });
    let words = "log leaf 101 does not follow the one before it";
    assert!(hole.iter().any(|it| it == words), "{hole:#?}");
}

#[test]
fn a_block_that_is_changed_missing_or_too_many_is_found() {
    let changed = found(|tx| {
        tx.tables.log_nodes.insert((1, 0), [9; 32])?;
        Ok(())
    });
    assert_eq!(changed, ["log log block (1, 0) has another root than its leaves give"]);
    let missing = found(|tx| {
        tx.tables.log_nodes.remove((1, 0))?;
        Ok(())
    });
    assert_eq!(missing, ["log log blocks are not one for each full block"]);
    let surplus = found(|tx| {
        tx.tables.log_nodes.insert((1, 1), [9; 32])?;
        Ok(())
    });
    assert_eq!(surplus.len(), 2, "{surplus:#?}");
}

#[test]
fn a_state_that_was_signed_and_is_not_the_logs_is_found() {
    let found = found(|tx| {
        tx.tables.log_checkpoints.remove(5)?;
        tx.put_log_checkpoint(&signed(LogHead { size: 5, root: Digest::from_bytes([9; 32]) }))?;
        tx.put_log_checkpoint(&signed(LogHead { size: 261, root: Digest::from_bytes([9; 32]) }))
    });
    assert_eq!(
        found,
        [
            "log log checkpoint 5 was signed, and the log is another now",
            "log log checkpoint 261 was signed, and the log is another now",
        ]
    );
}

#[test]
fn a_second_root_of_one_size_is_not_taken() {
    let sample = sample();
    let write = sample.store.write(|tx| {
        let other = LogHead { size: 5, root: Digest::from_bytes([9; 32]) };
        tx.put_log_checkpoint(&signed(other))
    });
    let refused = sample.runtime.block_on(write).unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { entity: "log" }));
}

#[test]
fn an_event_that_is_not_in_the_log_is_found_and_so_is_one_twice_in_it() {
    let lost = Sample::of(vec![(Way::Final, Some(Way::Final))]).damaged(|tx| {
        tx.tables.log.remove(1)?;
        tx.tables.log_places.retain(|(_, index), ()| index != 1)?;
        Ok(())
    });
    assert_eq!(lost.len(), 2, "{lost:#?}");
    assert!(lost.iter().any(|it| it.detail == "is not in the log"));
    let twice = Sample::of(vec![(Way::Accepted, None)]);
    let again = twice.events[0].record.clone();
    let twice = twice.damaged(move |tx| tx.append_leaf_of(&again));
    assert!(twice.iter().any(|it| it.detail == "has not one leaf for each event"), "{twice:#?}");
}
