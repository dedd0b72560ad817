//! Sessions of accounts, under the hash of what the browser holds.

use redb::ReadableTable;
use serde::{Deserialize, Serialize};

use crate::auth::account::AccountId;
use crate::auth::session::{MAX_SESSIONS, SessionId, is_live};
use crate::auth::svd::UserId;
use crate::storage::codec::{decode, encode};
use crate::storage::{StoreError, Tables, WriteTx};
use crate::types::{Digest, Timestamp};

/// How the holder of a session proved who he is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoginMethod {
    /// By the password.
    Password,
    /// By a login key (SVD).
    LoginKey,
    /// By a one-time link, with which he set the password.
    Link,
    /// By the login key that a browser keeps, registered for this user.
    BrowserKey(UserId),
}

impl LoginMethod {
    /// Says whether a key was enough, and nobody had to know the password.
    pub const fn is_key(self) -> bool {
        match self {
            Self::LoginKey | Self::BrowserKey(_) => true,
            Self::Password | Self::Link => false,
        }
    }

    /// Returns the user of the browser's key, where one was it.
    pub const fn browser_key(self) -> Option<UserId> {
        match self {
            Self::BrowserKey(user) => Some(user),
            Self::Password | Self::LoginKey | Self::Link => None,
        }
    }
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSession {
    /// SHA-256 of its ticket.
    pub digest: Digest,
    /// Whose it is.
    pub account: AccountId,
    /// How it began.
    pub method: LoginMethod,
    /// When.
    pub began_at: Timestamp,
    /// When it was used last, to the minute.
    pub used_at: Timestamp,
}

impl StoredSession {
    /// Returns what lists and addresses call it.
    pub fn id(&self) -> SessionId {
        SessionId::of(&self.digest)
    }
}

impl WriteTx<'_> {
    /// Stores a session. When its account has too many, the one that was used longest ago goes.
    pub fn add_session(&mut self, new: &StoredSession) -> Result<(), StoreError> {
        let mut others = sessions_of(self, new.account)?;
        others.sort_by_key(|session| session.used_at);
        let surplus = (others.len() + 1).saturating_sub(MAX_SESSIONS);
        for old in others.into_iter().take(surplus) {
            self.remove_session(&old)?;
        }
        self.put_session(new)
    }

    /// Stores a session in place of what was stored of it.
    pub fn put_session(&mut self, session: &StoredSession) -> Result<(), StoreError> {
        self.is_dirty = true;
        let key = *session.digest.as_bytes();
        self.tables.sessions.insert(key, encode(session).as_slice())?;
        self.tables.sessions_by_account.insert((session.account.to_bytes(), key), ())?;
        Ok(())
    }

    /// Removes a session.
    pub fn remove_session(&mut self, old: &StoredSession) -> Result<(), StoreError> {
        self.is_dirty = true;
        let key = *old.digest.as_bytes();
        self.tables.sessions.remove(key)?;
        self.tables.sessions_by_account.remove((old.account.to_bytes(), key))?;
        Ok(())
    }

    /// Removes the sessions of an account, all but one that goes on, and returns how many went.
    pub fn end_sessions(
        &mut self,
        account: AccountId,
        but: Option<Digest>,
    ) -> Result<usize, StoreError> {
        let mut ended = sessions_of(self, account)?;
        ended.retain(|session| Some(session.digest) != but);
        ended.iter().try_for_each(|session| self.remove_session(session))?;
        Ok(ended.len())
    }

    /// Removes sessions that open nothing any more, at most `limit`, and returns how many went.
    pub fn forget_sessions(&mut self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut over = list_sessions(self)?;
        over.retain(|session| !is_live(session.began_at, session.used_at, now));
        over.truncate(limit);
        over.iter().try_for_each(|session| self.remove_session(session))?;
        Ok(over.len())
    }
}

/// Returns a session, live or not, by the hash of its ticket.
pub fn session(tables: &impl Tables, digest: &Digest) -> Result<Option<StoredSession>, StoreError> {
    let bytes = tables.sessions().get(*digest.as_bytes())?;
    bytes.map(|bytes| decode(bytes.value(), "session")).transpose()
}

/// Returns the sessions of an account.
pub fn sessions_of(
    tables: &impl Tables,
    account: AccountId,
) -> Result<Vec<StoredSession>, StoreError> {
    let (id, mut sessions) = (account.to_bytes(), Vec::new());
    for row in tables.sessions_by_account().range((id, [0u8; 32])..=(id, [0xff; 32]))? {
        let (_, key) = row?.0.value();
        sessions.extend(session(tables, &Digest::from_bytes(key))?);
    }
    Ok(sessions)
}

/// Returns every session, in no order that means anything.
pub fn list_sessions(tables: &impl Tables) -> Result<Vec<StoredSession>, StoreError> {
    let rows = tables.sessions().iter()?;
    rows.map(|row| decode(row?.1.value(), "session")).collect()
}
