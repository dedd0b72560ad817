//! The audit trail for those who read it, and what never gets a line of its own.
//!
//! Each deed writes its line in its own transaction. A refused credential is no deed: it writes
//! nothing, or anybody could fill the disk. Refusals are counted in memory by kind and written down
//! together now and then, as one line for each kind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::storage::audit::{audit_hash, audit_lines, audit_state};
use crate::storage::{AuditEntry, Store, StoreError, Tables};
use crate::types::{Digest, Timestamp};

pub use crate::storage::{AuditLine, AuditState};

/// The most lines on a page.
pub const MAX_LINES: usize = 500;
/// The most lines that one page looks at.
const MAX_SCANNED: usize = 20_000;

/// Which lines to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// What the action begins with, such as `key.`.
    pub action: Option<String>,
    /// Who acted, exactly.
    pub actor: Option<String>,
    /// To what it was done, exactly.
    pub subject: Option<String>,
    /// From when on.
    pub since: Option<Timestamp>,
    /// Before when.
    pub until: Option<Timestamp>,
    /// The pseudonym of the person who acted, for whom it was done, or to whom.
    pub person: Option<String>,
}

impl AuditFilter {
    /// Tells whether a line is wanted.
    ///
    /// Times are those of the clock when the line was written, which may have been set back: a later
    /// line can have an earlier time, so none is left out for its place.
    fn accepts(&self, line: &AuditEntry) -> bool {
        let is = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|it| it == text);
        self.action.as_ref().is_none_or(|start| line.action.starts_with(start))
            && is(&self.actor, &line.actor)
            && is(&self.subject, &line.subject)
            && self.person.as_ref().is_none_or(|person| concerns(line, person))
            && self.since.is_none_or(|since| since <= line.at)
            && self.until.is_none_or(|until| line.at < until)
    }
}

/// What was noted elsewhere of an earlier state of the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditMark {
    /// How many lines there were.
    pub lines: u64,
    /// The hash of the last one.
    pub head: Digest,
}

/// Refusals, counted by kind.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Refusals {
    /// Counts one.
    pub fn note(&self, kind: &'static str) {
        *self.counts().entry(kind).or_default() += 1;
    }

    fn take(&self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut *self.counts())
    }

    /// Takes back what could not be written down, beside what was counted meanwhile.
    fn put_back(&self, taken: BTreeMap<&'static str, u64>) {
        let mut counts = self.counts();
        taken.into_iter().for_each(|(kind, count)| *counts.entry(kind).or_default() += count);
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the trail.
#[derive(Clone)]
pub struct AuditService {
    /// The store.
    pub store: Store,
    /// What has no line yet.
    pub refusals: Refusals,
}

impl AuditService {
    /// Returns lines, newest first, before `before`, and where to go on.
    pub fn list(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<AuditLine>, Option<u64>), StoreError> {
        self.store.read(|tx| list_audit(tx, filter, before, limit))
    }

    /// Walks the whole trail.
    pub fn state(&self) -> Result<AuditState, StoreError> {
        self.store.read(audit_state)
    }

    /// Writes down what was refused since the last time; what a failed write did not take is counted on.
    pub async fn write_refusals(&self, now: Timestamp) -> Result<(), StoreError> {
        let counts = self.refusals.take();
        if counts.is_empty() {
            return Ok(());
        }
        let lines = counts.clone();
        let written = self.store.write(move |tx| {
            lines.iter().try_for_each(|(kind, count)| {
                tx.append_audit(now, "nobody", "auth.refused", &format!("{kind}: {count}"))
            })
        });
        written.await.inspect_err(|_| self.refusals.put_back(counts))
    }
}

/// Returns lines of the trail that a filter accepts, newest first.
pub fn list_audit(
    tables: &impl Tables,
    filter: &AuditFilter,
    before: Option<u64>,
    limit: usize,
) -> Result<(Vec<AuditLine>, Option<u64>), StoreError> {
    let (before, limit) = (before.unwrap_or(u64::MAX), limit.clamp(1, MAX_LINES));
    audit_lines(tables, before, limit, MAX_SCANNED, |line| filter.accepts(line))
}

fn concerns(line: &AuditEntry, person: &str) -> bool {
    line.actor.ends_with(person) || line.subject == person
}

/// Says whether the trail still begins with what was noted.
pub fn holds_mark(tables: &impl Tables, mark: &AuditMark) -> Result<bool, StoreError> {
    match mark.lines.checked_sub(1) {
        None => Ok(mark.head == Digest::from_bytes([0; 32])),
        Some(last) => Ok(audit_hash(tables, last)? == Some(mark.head)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::StoreOptions;

    #[tokio::test]
    async fn refusals_that_a_failing_disk_does_not_take_get_their_lines_later() {
        let options = StoreOptions::in_memory();
        let store = Store::open(options.clone()).unwrap();
        let audit = AuditService { store, refusals: Refusals::default() };
        let note = |kind, count| (0..count).for_each(|_| audit.refusals.note(kind));
        let now = Timestamp::from_secs(1_790_000_000);
        note("API key", 7);
        options.failure_switch().set_broken(true);
        assert!(audit.write_refusals(now).await.is_err());
        note("API key", 2);
        note("token", 1);
        assert!(audit.write_refusals(now).await.is_err());
        options.failure_switch().set_broken(false);
        while audit.write_refusals(now).await.is_err() {
            tokio::task::yield_now().await;
        }
        audit.write_refusals(now).await.unwrap();
        let (lines, _) = audit.list(&AuditFilter::default(), None, MAX_LINES).unwrap();
        let subjects: Vec<&str> = lines.iter().map(|line| line.entry.subject.as_str()).collect();
        assert_eq!(subjects, ["token: 1", "API key: 9"]);
    }
}
