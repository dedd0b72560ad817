//! The log of all commitments: that every event is in it once, that what is kept of its tree is what
//! its leaves give, and that it is still what was signed.

use std::collections::HashMap;

use redb::{ReadableTable, ReadableTableMetadata};

use crate::anchor::log::tree::{BLOCK, fold, root};
use crate::anchor::merkle::{TreeError, leaf_hash};
use crate::storage::batches::decode_batch;
use crate::storage::check::{CheckReport, Row, each_row, readable};
use crate::storage::{LogCheckpoint, StoreError, StoredRecord, Tables, log, records};
use crate::types::{Digest, RecordId};

/// The tree anew: hashes of the leaves, roots of the full blocks of each height.
struct Recount(Vec<Vec<[u8; 32]>>);

impl Recount {
    /// Takes the next leaf.
    fn push(&mut self, commitment: &Digest) {
        let mut hash = leaf_hash(commitment);
        for height in 0.. {
            if self.0.len() == height {
                self.0.push(Vec::new());
            }
            self.0[height].push(hash);
            let count = self.0[height].len() as u64;
            if !count.is_multiple_of(BLOCK) {
                return;
            }
            let start = self.0[height].len() - 256;
            let Some(above) = fold(self.0[height][start..].to_vec()) else { return };
            hash = above;
        }
    }

    fn size(&self) -> u64 {
        self.0.first().map_or(0, |leaves| leaves.len() as u64)
    }

    fn node(&self, height: u8, place: u64) -> Option<&[u8; 32]> {
        self.0.get(usize::from(height))?.get(usize::try_from(place).ok()?)
    }

    /// Returns the root as it was with `size` leaves, if there were so many.
    fn root(&self, size: u64) -> Option<Digest> {
        let read = |height: u8, places: std::ops::Range<u64>| {
            let kept = places.map(|place| self.node(height, place).copied());
            let lacks = TreeError::OutOfRange { index: size, size: self.size() };
            kept.collect::<Option<Vec<_>>>().ok_or(lacks)
        };
        root(size, read).ok()
    }
}

/// Checks leaves, places, blocks, signed states, and that every event is in the log.
pub(super) fn check_log(tables: &impl Tables, report: &mut CheckReport) -> Result<(), StoreError> {
    let (mut recount, mut is_whole) = (Recount(Vec::new()), true);
    let (mut places, indexed) = (HashMap::new(), log::indexed_leaves(tables)?);
    for row in tables.log().iter()? {
        let (index, leaf) = row?;
        let (record, commitment) = leaf.value();
        if index.value() != recount.size() && is_whole {
            report.add("log", Row("leaf", index.value()), "does not follow the one before it");
            is_whole = false;
        }
        let (id, commitment) = (RecordId::from_bytes(record), Digest::from_bytes(commitment));
        let stored = readable(records::record(tables, id))?;
        let holds = stored.is_some_and(|it| it.commitment == commitment);
        report.expect(
            holds,
            "log",
            Row("leaf", index.value()),
            "is of no event that commits to it",
        );
        let is_behind = index.value() >= indexed;
        let holds = is_behind || log::has_place(tables, &commitment, index.value())?;
        report.expect(holds, "index", Row("leaf", index.value()), "is not found by its commitment");
        places.insert(id, index.value());
        recount.push(&commitment);
    }
    let holds = indexed <= recount.size();
    report.expect(holds, "index", "log places", "are of more leaves than there are");
    each_row(tables.records(), "record", &mut CheckReport::default(), |_, it: StoredRecord, _| {
        report.expect(places.contains_key(&it.id), "log", it.id, "is not in the log");
        Ok(())
    })?;
    let records = tables.records().len()?;
    report.expect(records == recount.size(), "log", "log", "has not one leaf for each event");
    check_nodes(tables, &recount, report)?;
    check_signed(tables, &recount, &places, report)
}

fn check_nodes(
    tables: &impl Tables,
    recount: &Recount,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let mut kept = 0;
    for row in tables.log_nodes().iter()? {
        let (key, hash) = row?;
        let (height, place) = key.value();
        let holds = height > 0 && recount.node(height, place) == Some(&hash.value());
        let subject = Row("log block", (height, place));
        report.expect(holds, "log", subject, "has another root than its leaves give");
        kept += 1;
    }
    let expected: usize = recount.0.iter().skip(1).map(Vec::len).sum();
    report.expect(kept == expected, "log", "log blocks", "are not one for each full block");
    Ok(())
}

/// Checks that the log begins with every state that was signed, and that batches carry such states.
fn check_signed(
    tables: &impl Tables,
    recount: &Recount,
    places: &HashMap<RecordId, u64>,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(
        tables.log_checkpoints(),
        "log checkpoint",
        report,
        |size, it: LogCheckpoint, report| {
            let subject = Row("log checkpoint", size);
            report.expect(size == it.head.size, "row", &subject, "under another key");
            let holds = recount.root(it.head.size) == Some(it.head.root);
            report.expect(holds, "log", &subject, "was signed, and the log is another now");
            report.expect(it.signature().is_some(), "row", &subject, "has no signature");
            Ok(())
        },
    )?;
    for row in tables.batches().iter()? {
        // One that cannot be read is reported where all batches are read.
        let Ok(batch) = decode_batch(row?.1.value()) else { continue };
        let Some(head) = batch.log else { continue };
        let signed = readable(log::log_checkpoint(tables, head.size))?;
        let holds = signed.is_some_and(|it| it.head == head);
        report.expect(holds, "log", batch.id, "carries a state of the log that was not signed");
        let key = batch.id.to_bytes();
        for row in tables.batch_leaves().range((key, 0)..=(key, u64::MAX))? {
            let place = places.get(&RecordId::from_bytes(row?.1.value().0));
            if place.is_none_or(|place| *place >= head.size) {
                let detail = "carries a state of the log that lacks one of its records";
                report.add("log", batch.id, detail);
                break;
            }
        }
    }
    Ok(())
}
