//! Mails that wait to be sent, sealed, and how many were taken in an hour.

use std::time::Duration;

use redb::{ReadableTable, ReadableTableMetadata};
use serde::{Deserialize, Serialize};

use crate::auth::email_code::CodeRequestId;
use crate::storage::codec::{decode, encode};
use crate::storage::records::bytes_field;
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::Timestamp;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A mail that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMail {
    /// The request whose code it carries.
    pub request: CodeRequestId,
    /// Nonce, ciphertext and tag of the letter, bound to the request.
    #[serde(with = "bytes_field")]
    pub sealed: Vec<u8>,
    /// How often it was tried to send it.
    pub attempts: u32,
    /// When to try next.
    pub due_at: Timestamp,
    /// When it is of no use any more.
    pub expires_at: Timestamp,
}

/// What became of the mails of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MailHour {
    /// Taken into the spool.
    pub taken: u64,
    /// Not taken.
    pub withheld: u64,
}

impl WriteTx<'_> {
    /// Stores a mail in place of an earlier state of it.
    pub fn put_mail(&mut self, mail: &StoredMail) -> Result<(), StoreError> {
        self.remove_mail(mail.request)?;
        self.is_dirty = true;
        let id = mail.request.to_bytes();
        self.tables.mails.insert(id, encode(mail).as_slice())?;
        self.tables.mails_by_due.insert((mail.due_at.as_millis(), id), ())?;
        Ok(())
    }

    /// Removes a mail. A request that names none leaves the transaction untouched.
    pub fn remove_mail(&mut self, request: CodeRequestId) -> Result<(), StoreError> {
        let Some(stored) = mail(self, request)? else { return Ok(()) };
        self.is_dirty = true;
        self.tables.mails.remove(request.to_bytes())?;
        let due = (stored.due_at.as_millis(), request.to_bytes());
        self.tables.mails_by_due.remove(due)?;
        Ok(())
    }

    /// Counts a mail for the hour of `now` and forgets the counts of others.
    pub fn count_mail(&mut self, now: Timestamp, hour: MailHour) -> Result<(), StoreError> {
        self.is_dirty = true;
        let number = hour_of(now);
        self.tables.mail_hours.retain(|known, _| known == number)?;
        self.tables.mail_hours.insert(number, (hour.taken, hour.withheld))?;
        Ok(())
    }
}

/// Returns a mail that waits.
pub fn mail(
    tables: &impl Tables,
    request: CodeRequestId,
) -> Result<Option<StoredMail>, StoreError> {
    let bytes = tables.mails().get(request.to_bytes())?;
    bytes.map(|bytes| decode(bytes.value(), "mail")).transpose()
}

/// Returns mails that are due at `now`, the most overdue first, at most `limit`.
pub fn due_mails(
    tables: &impl Tables,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<StoredMail>, StoreError> {
    let mut due = Vec::new();
    for row in tables.mails_by_due().range(..=(now.as_millis(), [u8::MAX; 16]))?.take(limit) {
        let request = CodeRequestId::from_bytes(row?.0.value().1);
        due.push(mail(tables, request)?.ok_or(StoreError::Corrupt { entity: "mail" })?);
    }
    Ok(due)
}

/// Returns when the next mail is due.
pub fn next_mail_due(tables: &impl Tables) -> Result<Option<Timestamp>, StoreError> {
    let first = tables.mails_by_due().first()?;
    Ok(first.map(|(key, _)| Timestamp::from_millis(key.value().0)))
}

/// Returns how many mails wait.
pub fn mail_count(tables: &impl Tables) -> Result<u64, StoreError> {
    Ok(tables.mails().len()?)
}

/// Returns what became of the mails of the hour of `now` so far.
pub fn mail_hour(tables: &impl Tables, now: Timestamp) -> Result<MailHour, StoreError> {
    let counted = tables.mail_hours().get(hour_of(now))?.map(|row| row.value());
    let (taken, withheld) = counted.unwrap_or_default();
    Ok(MailHour { taken, withheld })
}

/// Returns the number of the hour since 1970.
fn hour_of(now: Timestamp) -> i64 {
    now.as_secs().div_euclid(i64::try_from(HOUR.as_secs()).unwrap_or(i64::MAX))
}
