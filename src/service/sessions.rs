//! Sessions: begun by a login, judged at every request, ended by rest, age or somebody's wish.
//!
//! The store decides at every request, so that a session is over from the moment at which its end is
//! answered. What the browser holds is kept nowhere, only its hash.

use crate::auth::account::{AccountId, AccountName, Password};
use crate::auth::device::DeviceKey;
use crate::auth::session::{SessionId, Ticket, ends_at, is_live, is_use_noted};
use crate::auth::svd::UserId;
use crate::auth::{Principal, Subject, TokenScope};
use crate::crypto::random_bytes;
use crate::service::login::{MAX_BROWSER_KEYS, is_registered};
use crate::service::passwords::{Busy, Passwords};
use crate::storage::accounts::{account, account_named, list_accounts};
use crate::storage::browser_keys::browser_key;
use crate::storage::sessions::{list_sessions, session, sessions_of};
use crate::storage::svd_keys::svd_key;
use crate::storage::{BrowserKey, LinkedKey, Store, StoreError, StoredAccount, Tables};
use crate::types::Timestamp;

pub use crate::storage::{LoginMethod, StoredSession};

/// A login, or a wish about sessions, that was refused.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Name or password is wrong, or the account may not log in: one answer for every cause.
    #[error("the login was not accepted")]
    NotAccepted,
    /// There is no such session, or not of those that may be ended.
    #[error("there is no such session")]
    NotFound,
    /// The token is none of a login with a key.
    #[error("the token is not from a login with a key")]
    NoLoginKey,
    /// The login key opens another account.
    #[error("the login key belongs to another account")]
    KeyTaken,
    /// A key is linked by whoever knows the password.
    #[error("the session did not begin with the password")]
    NotByPassword,
    /// As many browsers keep a key of the account as may.
    #[error("{MAX_BROWSER_KEYS} browsers keep a key of the account, which is the most")]
    TooManyKeys,
    /// No browser keeps such a key of the account.
    #[error("no browser keeps such a key of the account")]
    NoSuchKey,
    /// Too many passwords wait to be looked at.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store does not work.
    #[error("the store did not answer")]
    Store(#[from] StoreError),
}

/// A session that opens something, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    /// The session.
    pub session: StoredSession,
    /// Its account.
    pub account: StoredAccount,
}

impl LiveSession {
    /// Returns who asks with it.
    pub fn principal(&self) -> Principal {
        let role = self.account.role;
        Principal {
            id: self.account.id.principal(),
            scopes: role.scopes(),
            shop: self.account.shop,
            reads_all: role.reads_all(),
        }
    }

    /// Returns when it ends if it is not used again.
    pub fn ends_at(&self) -> Timestamp {
        ends_at(self.session.began_at, self.session.used_at)
    }
}

/// Begins, judges and ends sessions.
#[derive(Clone)]
pub struct SessionService {
    /// The store.
    pub store: Store,
    /// The work that passwords cost.
    pub passwords: Passwords,
    /// Knows the browsers that somebody has logged in with.
    pub devices: DeviceKey,
}

impl SessionService {
    /// Begins a session by name and password. Whether the name is known shows neither in the answer nor
    /// in the time it takes.
    pub async fn log_in(
        &self,
        name: &str,
        password: Password,
        now: Timestamp,
    ) -> Result<(LiveSession, Ticket), SessionError> {
        let found = match AccountName::parse(name) {
            Ok(name) => self.store.read(|tx| account_named(tx, &name))?,
            Err(_) => None,
        };
        let kept = found.as_ref().filter(|it| it.disabled_at.is_none());
        let kept = kept.and_then(|it| it.password.clone());
        if !self.passwords.check(password, kept).await? {
            return Err(SessionError::NotAccepted);
        }
        let found = found.ok_or(SessionError::NotAccepted)?;
        self.begin(found, LoginMethod::Password, now).await
    }

    /// Begins a session by a login with a key (SVD), of the account that the key is linked to.
    pub async fn log_in_with_key(
        &self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<(LiveSession, Ticket), SessionError> {
        let user = user_of(subject)?;
        let found = self.store.read(|tx| opened_by(tx, user))?;
        let (found, method) = found.ok_or(SessionError::NotAccepted)?;
        self.begin(found, method, now).await
    }

    /// Begins a session of an account whose holder has proved who he is. If the account changed since
    /// it was read, he has not.
    pub async fn begin(
        &self,
        proved: StoredAccount,
        method: LoginMethod,
        now: Timestamp,
    ) -> Result<(LiveSession, Ticket), SessionError> {
        let ticket = Ticket::new(random_bytes());
        let digest = ticket.digest();
        let begun = self
            .store
            .write(move |tx| {
                let found = account(tx, proved.id)?.filter(|it| it.disabled_at.is_none());
                let key = match method {
                    LoginMethod::BrowserKey(user) => browser_key(tx, user)?,
                    LoginMethod::Password | LoginMethod::Link | LoginMethod::LoginKey => None,
                };
                let is_proof_good = |it: &StoredAccount| match method {
                    LoginMethod::Password | LoginMethod::Link => it.password == proved.password,
                    LoginMethod::LoginKey => it.login_key == proved.login_key,
                    LoginMethod::BrowserKey(_) => {
                        key.as_ref().is_some_and(|it| it.account == proved.id)
                    }
                };
                let mut found = found.filter(is_proof_good).ok_or(SessionError::NotAccepted)?;
                found.logged_in_at = Some(now);
                tx.put_account(&found)?;
                if let Some(key) = key {
                    tx.put_browser_key(&BrowserKey { used_at: Some(now), ..key })?;
                }
                let session = StoredSession {
                    digest,
                    account: found.id,
                    method,
                    began_at: now,
                    used_at: now,
                };
                tx.add_session(&session)?;
                let (actor, id) = (found.id.principal(), session.id().to_string());
                tx.append_audit(now, &actor, "session.begin", &id)?;
                Ok::<_, SessionError>(LiveSession { session, account: found })
            })
            .await?;
        Ok((begun, ticket))
    }

    /// Returns the session that a browser presents, if it still opens anything.
    pub fn find(&self, ticket: &Ticket, now: Timestamp) -> Result<Option<LiveSession>, StoreError> {
        let digest = ticket.digest();
        self.store.read(|tx| {
            let Some(session) = session(tx, &digest)? else { return Ok(None) };
            let account = account(tx, session.account)?.filter(|it| it.disabled_at.is_none());
            let is_live = is_live(session.began_at, session.used_at, now);
            Ok(account.filter(|_| is_live).map(|account| LiveSession { session, account }))
        })
    }

    /// Notes that a session was used, once a minute at most. Nothing depends on it but its end.
    pub async fn note_use(&self, live: &mut LiveSession, now: Timestamp) {
        if !is_use_noted(live.session.used_at, now) {
            return;
        }
        let digest = live.session.digest;
        let written = self
            .store
            .write(move |tx| {
                // It may have ended meanwhile, and must not come back.
                let Some(mut found) = session(tx, &digest)? else { return Ok(()) };
                found.used_at = now.max(found.used_at);
                tx.put_session(&found)
            })
            .await;
        match written {
            Ok(()) => live.session.used_at = now,
            Err(error) => tracing::warn!(%error, "the use of a session was not noted"),
        }
    }

    /// Lists live sessions, the newest first: those of an account, or all of them.
    pub fn list(
        &self,
        whose: Option<AccountId>,
        now: Timestamp,
    ) -> Result<Vec<LiveSession>, StoreError> {
        let mut live = self.store.read(|tx| {
            let stored = match whose {
                Some(id) => sessions_of(tx, id)?,
                None => list_sessions(tx)?,
            };
            let mut live = Vec::with_capacity(stored.len());
            for session in stored {
                let found = account(tx, session.account)?;
                let found = found.filter(|_| is_live(session.began_at, session.used_at, now));
                live.extend(found.map(|account| LiveSession { session, account }));
            }
            Ok::<_, StoreError>(live)
        })?;
        live.sort_by_key(|it| {
            (std::cmp::Reverse(it.session.began_at), *it.session.digest.as_bytes())
        });
        Ok(live)
    }

    /// Ends a session: one of an account, or whosever it is.
    pub async fn end(
        &self,
        id: SessionId,
        whose: Option<AccountId>,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), SessionError> {
        let actor = actor.to_owned();
        self.store
            .write(move |tx| {
                let stored = match whose {
                    Some(account) => sessions_of(tx, account)?,
                    None => list_sessions(tx)?,
                };
                let found = stored.iter().find(|session| session.id() == id);
                tx.remove_session(found.ok_or(SessionError::NotFound)?)?;
                Ok(tx.append_audit(now, &actor, "session.end", &id.to_string())?)
            })
            .await
    }

    /// Links a login key to the account of a session that began with the password.
    pub async fn link_key(
        &self,
        live: &LiveSession,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<StoredAccount, SessionError> {
        let user = user_of(subject)?;
        if live.session.method.is_key() {
            return Err(SessionError::NotByPassword);
        }
        self.set_key(live.account.id, Some(user), now).await
    }

    /// Takes the login key of an account away; sessions that it began end.
    pub async fn unlink_key(
        &self,
        id: AccountId,
        now: Timestamp,
    ) -> Result<StoredAccount, SessionError> {
        self.set_key(id, None, now).await
    }

    async fn set_key(
        &self,
        id: AccountId,
        user: Option<UserId>,
        now: Timestamp,
    ) -> Result<StoredAccount, SessionError> {
        self.store
            .write(move |tx| {
                let old = account(tx, id)?.ok_or(SessionError::NotFound)?;
                let key = match user {
                    Some(user) => Some(linked_key(tx, user)?.ok_or(SessionError::NoLoginKey)?),
                    None => None,
                };
                if old.login_key == key {
                    return Ok(old);
                }
                if let Some(key) = key
                    && (account_of_key(tx, key)?.is_some() || browser_key(tx, key.user)?.is_some())
                {
                    return Err(SessionError::KeyTaken);
                }
                let new = StoredAccount { login_key: key, ..old };
                tx.put_account(&new)?;
                for old in sessions_of(tx, id)? {
                    if old.method == LoginMethod::LoginKey {
                        tx.remove_session(&old)?;
                    }
                }
                let action = if user.is_some() { "account.link-key" } else { "account.unlink-key" };
                tx.append_audit(now, &id.principal(), action, &id.to_string())?;
                Ok(new)
            })
            .await
    }
}

/// Returns the user of a token from a login with a key; no other token will do.
fn user_of(subject: &Subject) -> Result<UserId, SessionError> {
    let user = subject.id.parse().ok().filter(|_| subject.scope == TokenScope::Svd);
    user.ok_or(SessionError::NoLoginKey)
}

/// Returns a user's login key as accounts name it.
fn linked_key(tables: &impl Tables, user: UserId) -> Result<Option<LinkedKey>, StoreError> {
    let key = svd_key(tables, user)?.filter(|key| key.revoked_at.is_none());
    Ok(key.map(|key| LinkedKey { user, registered_at: key.registered_at }))
}

/// Returns the account that a user's login key opens, and how.
fn opened_by(
    tables: &impl Tables,
    user: UserId,
) -> Result<Option<(StoredAccount, LoginMethod)>, StoreError> {
    let Some(key) = linked_key(tables, user)? else { return Ok(None) };
    let kept = match browser_key(tables, user)? {
        Some(kept) if is_registered(tables, &kept)? => Some(kept),
        Some(_) | None => None,
    };
    match kept {
        Some(kept) => {
            let found = account(tables, kept.account)?;
            Ok(found.map(|it| (it, LoginMethod::BrowserKey(user))))
        }
        None => Ok(account_of_key(tables, key)?.map(|it| (it, LoginMethod::LoginKey))),
    }
}

fn account_of_key(
    tables: &impl Tables,
    key: LinkedKey,
) -> Result<Option<StoredAccount>, StoreError> {
    let accounts = list_accounts(tables)?;
    Ok(accounts.into_iter().find(|it| it.login_key == Some(key)))
}
