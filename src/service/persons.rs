//! Persons beside their keys: the name under which logs and audit lines speak of one, how often her
//! tokens were taken back, and whether she had herself erased.

use crate::auth::email_code::MailboxHash;
use crate::auth::pseudonym::{PREFIX, PseudonymKey};
use crate::storage::erasures::erased_person;
use crate::storage::token_epochs::token_epoch;
use crate::storage::{ErasedPerson, StoreError, Tables, WriteTx};
use crate::types::Timestamp;

/// Knows persons by their identifiers: what a token calls its subject.
#[derive(Clone)]
pub struct Persons {
    /// Makes pseudonyms.
    pub key: PseudonymKey,
}

impl Persons {
    /// Returns the name under which a person appears where nothing can be erased. What stands for a
    /// mailbox is a keyed hash already.
    pub fn pseudonym(&self, identifier: &str) -> String {
        match MailboxHash::of_subject(identifier) {
            Some(mailbox) => mailbox.subject(),
            None => self.key.of(identifier),
        }
    }

    /// Returns the pseudonym of somebody whom an operator names by identifier or by pseudonym.
    pub fn pseudonym_of(&self, named: &str) -> String {
        if named.starts_with(PREFIX) { named.to_owned() } else { self.pseudonym(named) }
    }

    /// Returns the present epoch of a person's tokens. Whoever came back after an erasure goes on from
    /// the epoch of it, so that no token from before counts again.
    pub fn epoch(&self, tables: &impl Tables, identifier: &str) -> Result<u64, StoreError> {
        self.epoch_of(tables, identifier, &self.pseudonym(identifier))
    }

    /// Returns the same for a person whose pseudonym is known already.
    pub fn epoch_of(
        &self,
        tables: &impl Tables,
        identifier: &str,
        pseudonym: &str,
    ) -> Result<u64, StoreError> {
        let present = token_epoch(tables, identifier)?;
        let erased = erased_person(tables, pseudonym)?;
        Ok(erased.map_or(present, |erased| present.max(erased.epoch)))
    }

    /// Takes back every token that was issued to a person so far.
    pub fn end_tokens(&self, tx: &mut WriteTx<'_>, identifier: &str) -> Result<(), StoreError> {
        let next = self.epoch(tx, identifier)?.saturating_add(1);
        tx.put_token_epoch(identifier, next)
    }

    /// Takes back every token and forgets the person but for her pseudonym, under which an erasure
    /// stays known.
    pub fn forget(
        &self,
        tx: &mut WriteTx<'_>,
        identifier: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let epoch = self.epoch(tx, identifier)?.saturating_add(1);
        tx.put_erased_person(&self.pseudonym(identifier), ErasedPerson { epoch, erased_at: now })?;
        tx.remove_token_epoch(identifier)
    }

    /// Says whether a person had herself erased.
    pub fn is_erased(&self, tables: &impl Tables, identifier: &str) -> Result<bool, StoreError> {
        Ok(erased_person(tables, &self.pseudonym(identifier))?.is_some())
    }
}
