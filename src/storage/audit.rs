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
        let (sequence, previous) = match self.tables.audit.last()? {
            Some((sequence, bytes)) => {
                (sequence.value() + 1, Digest::from_bytes(sha256(bytes.value())))
            }
            None => (0, FIRST),
        };
        let entry = AuditEntry {
            at,
            actor: actor.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            previous,
        };
        self.tables.audit.insert(sequence, encode(&entry).as_slice())?;
        Ok(())
    }
}

/// Returns the place of the first line that does not follow from the one before, if any.
pub(super) fn first_broken_audit_line(tables: &impl Tables) -> Result<Option<u64>, StoreError> {
    let mut expected = (0, FIRST);
    for row in tables.audit().iter()? {
        let (sequence, bytes) = row?;
        let entry: AuditEntry = decode(bytes.value(), "audit line")?;
        if (sequence.value(), entry.previous) != expected {
            return Ok(Some(sequence.value()));
        }
        expected = (sequence.value() + 1, Digest::from_bytes(sha256(bytes.value())));
    }
    Ok(None)
}
