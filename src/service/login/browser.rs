//! Login keys that the holders of accounts keep in their browsers: made, listed and revoked by them.
//!
//! Such a key is a login key (SVD) of a user who is made up for it, so that logging in with it is the
//! login that everybody else has; what makes it open an account is its row here.

use crate::auth::account::AccountId;
use crate::auth::svd::UserId;
use crate::crypto::{PublicKey, random_bytes};
use crate::service::login::LoginService;
use crate::service::once::Keep;
use crate::service::persons::Persons;
use crate::service::sessions::{LiveSession, LoginMethod, SessionError};
use crate::storage::accounts::account;
use crate::storage::browser_keys::{browser_key, browser_keys_of};
use crate::storage::sessions::{session, sessions_of};
use crate::storage::svd_keys::svd_key;
use crate::storage::{StoreError, SvdKey, Tables, WriteTx};
use crate::types::Timestamp;

pub use crate::storage::BrowserKey;

/// The most browsers that keep a key of one account.
pub const MAX_BROWSER_KEYS: usize = 10;

impl LoginService {
    /// Registers the key that a browser made for the account of a session which began with the password
    /// or a link, under a user made up for it.
    pub async fn add_browser_key(
        &self,
        live: &LiveSession,
        (public_key, label): (PublicKey, String),
        keep: Keep<BrowserKey>,
        now: Timestamp,
    ) -> Result<BrowserKey, SessionError> {
        if live.session.method.is_key() {
            return Err(SessionError::NotByPassword);
        }
        let (id, digest, user) =
            (live.account.id, live.session.digest, UserId::from_bytes(random_bytes()));
        let key = BrowserKey { user, account: id, label, registered_at: now, used_at: None };
        let (added, person) = (key.clone(), self.persons.pseudonym(&user.to_string()));
        self.store
            .write(move |tx| {
                // The session, or the account with all of them, may have ended meanwhile.
                session(tx, &digest)?.ok_or(SessionError::NotFound)?;
                account(tx, id)?.ok_or(SessionError::NotFound)?;
                if browser_keys_of(tx, id)?.len() >= MAX_BROWSER_KEYS {
                    return Err(SessionError::TooManyKeys);
                }
                if svd_key(tx, user)?.is_some() {
                    return Err(SessionError::KeyTaken);
                }
                tx.put_svd_key(&SvdKey {
                    user,
                    public_key,
                    revoked_at: None,
                    registered_at: now,
                    changed_at: now,
                })?;
                tx.put_browser_key(&added)?;
                tx.append_audit(now, &id.principal(), "account.add-browser-key", &person)?;
                Ok(keep.put(tx, &added)?)
            })
            .await?;
        Ok(key)
    }

    /// Lists the keys that still open an account, the newest first.
    pub fn browser_keys(&self, id: AccountId) -> Result<Vec<BrowserKey>, StoreError> {
        let mut keys = self.store.read(|tx| {
            let mut live = Vec::new();
            for key in browser_keys_of(tx, id)? {
                if is_registered(tx, &key)? {
                    live.push(key);
                }
            }
            Ok::<_, StoreError>(live)
        })?;
        keys.sort_by_key(|key| (std::cmp::Reverse(key.registered_at), key.user));
        Ok(keys)
    }

    /// Revokes a browser's key of an account: it opens nothing any more, and what it opened is closed.
    pub async fn remove_browser_key(
        &self,
        id: AccountId,
        user: UserId,
        now: Timestamp,
    ) -> Result<(), SessionError> {
        let persons = self.persons.clone();
        self.store
            .write(move |tx| {
                let key = browser_key(tx, user)?.filter(|key| key.account == id);
                let key = key.ok_or(SessionError::NoSuchKey)?;
                end_browser_key(tx, &persons, &key, now)?;
                let person = persons.pseudonym(&user.to_string());
                tx.append_audit(now, &id.principal(), "account.remove-browser-key", &person)?;
                Ok(())
            })
            .await
    }
}

/// Says whether the login key behind a browser's key is the one that was registered with it.
pub(in crate::service) fn is_registered(
    tables: &impl Tables,
    key: &BrowserKey,
) -> Result<bool, StoreError> {
    let found = svd_key(tables, key.user)?;
    let found = found.filter(|it| it.revoked_at.is_none());
    Ok(found.is_some_and(|it| it.registered_at == key.registered_at))
}

/// Revokes every browser's key of an account.
pub(in crate::service) fn end_browser_keys(
    tx: &mut WriteTx<'_>,
    persons: &Persons,
    id: AccountId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let keys = browser_keys_of(tx, id)?;
    keys.iter().try_for_each(|key| end_browser_key(tx, persons, key, now))
}

fn end_browser_key(
    tx: &mut WriteTx<'_>,
    persons: &Persons,
    key: &BrowserKey,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.remove_browser_key(key)?;
    if let Some(stored) = svd_key(tx, key.user)?.filter(|it| it.revoked_at.is_none()) {
        tx.put_svd_key(&SvdKey { revoked_at: Some(now), ..stored })?;
    }
    persons.end_tokens(tx, &key.user.to_string())?;
    for open in sessions_of(tx, key.account)? {
        if open.method == LoginMethod::BrowserKey(key.user) {
            tx.remove_session(&open)?;
        }
    }
    Ok(())
}
