//! Codes that were sent to mailboxes, and who guessed at them.
//!
//! Neither a code nor an address is in here, only codes of authentication of both.

use std::time::Duration;

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::auth::email_code::{CODE_TTL, ClientHash, CodeRequestId, MailboxHash};
use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{Digest, Timestamp};

/// A code that waits to be presented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEmailCode {
    /// The request that it was drawn for.
    pub request: CodeRequestId,
    /// The mailbox that it was sent to.
    pub mailbox: MailboxHash,
    /// Where the request came from.
    pub client: ClientHash,
    /// What is kept of the code.
    pub code: Digest,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was drawn.
    pub created_at: Timestamp,
}

impl StoredEmailCode {
    /// Returns when the code stops being good.
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.plus(CODE_TTL)
    }
}

/// How often a client, or all of them, guessed at a mailbox's codes without naming a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailGuesses {
    /// Wrong codes since then.
    pub count: u32,
    /// When the count began.
    pub since: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl EmailGuesses {
    /// Begins a count.
    pub fn begin(now: Timestamp, window: Duration) -> Self {
        Self { count: 0, since: now, expires_at: now.plus(window) }
    }
}

impl WriteTx<'_> {
    /// Stores a code in place of an earlier state of it.
    pub fn put_email_code(&mut self, code: &StoredEmailCode) -> Result<(), StoreError> {
        self.remove_email_code(code.request)?;
        self.is_dirty = true;
        let (request, mailbox) = (code.request.to_bytes(), code.mailbox.to_bytes());
        self.tables.email_codes.insert(request, encode(code).as_slice())?;
        let place = (mailbox, code.created_at.as_millis(), request);
        self.tables.email_codes_by_mailbox.insert(place, ())?;
        let expiry = (code.expires_at().as_millis(), request);
        self.tables.email_codes_by_expiry.insert(expiry, ())?;
        Ok(())
    }

    /// Removes a code. A request that names none leaves the transaction untouched.
    pub fn remove_email_code(&mut self, request: CodeRequestId) -> Result<(), StoreError> {
        let Some(stored) = email_code(self, request)? else { return Ok(()) };
        self.is_dirty = true;
        let (request, mailbox) = (request.to_bytes(), stored.mailbox.to_bytes());
        self.tables.email_codes.remove(request)?;
        let place = (mailbox, stored.created_at.as_millis(), request);
        self.tables.email_codes_by_mailbox.remove(place)?;
        let expiry = (stored.expires_at().as_millis(), request);
        self.tables.email_codes_by_expiry.remove(expiry)?;
        Ok(())
    }

    /// Removes codes that expired before `now`, at most `limit`, and returns how many went.
    pub fn expire_email_codes(
        &mut self,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let end = (now.as_millis(), [0u8; 16]);
        let expired: Vec<[u8; 16]> = self
            .tables
            .email_codes_by_expiry
            .range(..end)?
            .take(limit)
            .map(|row| row.map(|(key, _)| key.value().1))
            .collect::<Result<_, _>>()?;
        for request in &expired {
            self.remove_email_code(CodeRequestId::from_bytes(*request))?;
        }
        Ok(expired.len())
    }

    /// Stores a count of guesses in place of an earlier one.
    pub fn put_email_guesses(
        &mut self,
        mailbox: MailboxHash,
        client: ClientHash,
        guesses: &EmailGuesses,
    ) -> Result<(), StoreError> {
        self.is_dirty = true;
        let (mailbox, client) = (mailbox.to_bytes(), client.to_bytes());
        let before = self
            .tables
            .email_guesses
            .insert((mailbox, client), encode(guesses).as_slice())?
            .map(|bytes| decode::<EmailGuesses>(bytes.value(), "guesses"))
            .transpose()?;
        if let Some(before) = before {
            let expiry = (before.expires_at.as_millis(), mailbox, client);
            self.tables.email_guesses_by_expiry.remove(expiry)?;
        }
        let expiry = (guesses.expires_at.as_millis(), mailbox, client);
        self.tables.email_guesses_by_expiry.insert(expiry, ())?;
        Ok(())
    }

    /// Removes counts that ended before `now`, at most `limit`, and returns how many went.
    pub fn expire_email_guesses(
        &mut self,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let end = (now.as_millis(), [0u8; 16], [0u8; 16]);
        let ended: Vec<(i64, [u8; 16], [u8; 16])> = self
            .tables
            .email_guesses_by_expiry
            .range(..end)?
            .take(limit)
            .map(|row| row.map(|(key, _)| key.value()))
            .collect::<Result<_, _>>()?;
        for (at, mailbox, client) in &ended {
            self.is_dirty = true;
            self.tables.email_guesses_by_expiry.remove((*at, *mailbox, *client))?;
            self.tables.email_guesses.remove((*mailbox, *client))?;
        }
        Ok(ended.len())
    }
}

/// Returns the code of a request.
pub fn email_code(
    tables: &impl Tables,
    request: CodeRequestId,
) -> Result<Option<StoredEmailCode>, StoreError> {
    let bytes = tables.email_codes().get(request.to_bytes())?;
    bytes.map(|bytes| decode(bytes.value(), "e-mail code")).transpose()
}

/// Returns the codes of a mailbox, oldest first, good or not.
pub fn email_codes_of(
    tables: &impl Tables,
    mailbox: MailboxHash,
) -> Result<Vec<StoredEmailCode>, StoreError> {
    let mailbox = mailbox.to_bytes();
    let whole = (mailbox, i64::MIN, [0u8; 16])..=(mailbox, i64::MAX, [u8::MAX; 16]);
    let mut codes = Vec::new();
    for row in tables.email_codes_by_mailbox().range(whole)? {
        let request = CodeRequestId::from_bytes(row?.0.value().2);
        codes.push(
            email_code(tables, request)?.ok_or(StoreError::Corrupt { entity: "e-mail code" })?,
        );
    }
    Ok(codes)
}

/// Returns how often a client guessed at a mailbox's codes, if the count has not ended.
pub fn email_guesses(
    tables: &impl Tables,
    mailbox: MailboxHash,
    client: ClientHash,
    now: Timestamp,
) -> Result<Option<EmailGuesses>, StoreError> {
    let bytes = tables.email_guesses().get((mailbox.to_bytes(), client.to_bytes()))?;
    let found = bytes.map(|bytes| decode::<EmailGuesses>(bytes.value(), "guesses")).transpose()?;
    Ok(found.filter(|guesses| now < guesses.expires_at))
}
