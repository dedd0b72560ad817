//! The audit trail: what was done by whom, each line chained to the one before by its hash, so that
//! a line that was changed or removed shows.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::crypto::sha256;
use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{Digest, Timestamp};

/// A line of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// The credential that acted; never a secret.
    pub actor: String,
    /// What was done, such as `patch.register`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// SHA-256 of the line before as stored; zeros for the first.
    pub previous: Digest,
}

const FIRST: Digest = Digest::from_bytes([0; 32]);

impl WriteTx<'_> {
    /// Appends a line.
    pub fn append_audit(
        &mut self,
        at: Timestamp,
        actor: &str,
        action: &str,
        subject: &str,
    ) -> Result<(), StoreError> {
        self.is_dirty = true;
        let (sequence, previous) = match self.audit_end {
            Some(end) => end,
            None => match self.tables.audit.last()? {
                Some((sequence, bytes)) => {
                    (sequence.value() + 1, Digest::from_bytes(sha256(bytes.value())))
                }
                None => (0, FIRST),
            },
        };
        let entry = AuditEntry {
            at,
            actor: actor.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            previous,
        };
        let line = encode(&entry);
        self.tables.audit.insert(sequence, line.as_slice())?;
        self.audit_end = Some((sequence + 1, Digest::from_bytes(sha256(&line))));
        Ok(())
    }
}

/// A line of the trail with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Its number, from 0.
    pub number: u64,
    /// What it says.
    pub entry: AuditEntry,
}

/// Whether the trail is whole, and what it can be recognised by later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditState {
    /// How many lines there are.
    pub lines: u64,
    /// SHA-256 of the last line, which stands for all before it; zeros if there is none.
    pub head: Digest,
    /// The first line that does not follow from the one before.
    pub first_broken: Option<u64>,
}

/// Walks the whole trail. Lines cut off at its end do not show in it: compare `lines` and the hash of
/// a line with what was noted elsewhere ([`audit_hash`]).
pub fn audit_state(tables: &impl Tables) -> Result<AuditState, StoreError> {
    let mut state = AuditState { lines: 0, head: FIRST, first_broken: None };
    for row in tables.audit().iter()? {
        let (number, bytes) = row?;
        let follows = decode::<AuditEntry>(bytes.value(), "audit line")
            .is_ok_and(|entry| (number.value(), entry.previous) == (state.lines, state.head));
        if !follows && state.first_broken.is_none() {
            state.first_broken = Some(number.value());
        }
        state.lines = number.value().saturating_add(1);
        state.head = Digest::from_bytes(sha256(bytes.value()));
    }
    Ok(state)
}

/// Returns how many lines there are.
pub fn audit_count(tables: &impl Tables) -> Result<u64, StoreError> {
    let last = tables.audit().last()?;
    Ok(last.map_or(0, |(number, _)| number.value().saturating_add(1)))
}

/// Returns the hash of a line as stored, which the next line names.
pub fn audit_hash(tables: &impl Tables, number: u64) -> Result<Option<Digest>, StoreError> {
    let bytes = tables.audit().get(number)?;
    Ok(bytes.map(|bytes| Digest::from_bytes(sha256(bytes.value()))))
}

/// Returns lines that `wanted` accepts, newest first, before the number `before`, at most `limit`; looks at
/// no more than `most_scanned`. The number beside them is where to go on, if there is more.
pub fn audit_lines(
    tables: &impl Tables,
    before: u64,
    limit: usize,
    most_scanned: usize,
    wanted: impl Fn(&AuditEntry) -> bool,
) -> Result<(Vec<AuditLine>, Option<u64>), StoreError> {
    let mut lines = Vec::new();
    let mut last = before;
    for (scanned, row) in tables.audit().range(..before)?.rev().enumerate() {
        if lines.len() == limit || scanned == most_scanned {
            return Ok((lines, Some(last)));
        }
        let (number, bytes) = row?;
        last = number.value();
        let entry: AuditEntry = decode(bytes.value(), "audit line")?;
        if wanted(&entry) {
            lines.push(AuditLine { number: last, entry });
        }
    }
    Ok((lines, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Store, StoreOptions};

    const LINES: u64 = 6;

    async fn store() -> Store {
        let store = Store::open(StoreOptions::in_memory()).unwrap();
        for number in 0..LINES {
            let at = Timestamp::from_secs(1_790_000_000 + i64::try_from(number).unwrap());
            let append = move |tx: &mut WriteTx<'_>| tx.append_audit(at, "ada", "deed", "thing");
            store.write(append).await.unwrap();
        }
        store
    }

    async fn damaged(
        change: impl Fn(&mut WriteTx<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> (AuditState, AuditState) {
        let store = store().await;
        let before = store.read(audit_state).unwrap();
        let tamper = move |tx: &mut WriteTx<'_>| {
            tx.is_dirty = true;
            change(tx)
        };
        store.write(tamper).await.unwrap();
        (before, store.read(audit_state).unwrap())
    }

    fn bytes_of(tx: &WriteTx<'_>, number: u64) -> Vec<u8> {
        tx.tables.audit.get(number).unwrap().unwrap().value().to_vec()
    }

    #[tokio::test]
    async fn an_edited_line_shows_in_the_next_or_in_the_head() {
        for number in 0..LINES {
            let (before, after) = damaged(move |tx| {
                let mut bytes = bytes_of(tx, number);
                let last = bytes.len() - 40;
                bytes[last] ^= 1;
                tx.tables.audit.insert(number, bytes.as_slice())?;
                Ok(())
            })
            .await;
            assert_eq!(before.first_broken, None);
            let shows = after.first_broken.is_some() || after.head != before.head;
            assert!(shows, "line {number}");
        }
    }

    #[tokio::test]
    async fn a_removed_line_shows_and_a_cut_end_changes_the_mark() {
        for number in 0..LINES {
            let (before, after) = damaged(move |tx| {
                tx.tables.audit.remove(number)?;
                Ok(())
            })
            .await;
            let is_last = number == LINES - 1;
            assert_eq!(after.first_broken, (!is_last).then_some(number + 1));
            if is_last {
                assert_ne!((after.lines, after.head), (before.lines, before.head));
            }
        }
    }

    #[tokio::test]
    async fn swapped_lines_show() {
        for first in 0..LINES {
            for second in first + 1..LINES {
                let (_, after) = damaged(move |tx| {
                    let (one, other) = (bytes_of(tx, first), bytes_of(tx, second));
                    tx.tables.audit.insert(first, other.as_slice())?;
                    tx.tables.audit.insert(second, one.as_slice())?;
                    Ok(())
                })
                .await;
                assert_eq!(after.first_broken, Some(first));
            }
        }
    }
}
