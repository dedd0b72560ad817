//! API keys: made, listed, rotated and revoked by operators, and judged at every request.
//!
//! What was looked up is remembered until any key changes, so that a revoked key is refused from the
//! moment at which its revocation is answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use crate::auth::api_key::{ApiKeyId, ApiKeySecret, parse_api_key};
use crate::auth::{ApiKeys, Principal, Scope, Scopes};
use crate::bitcoin::Address;
use crate::crypto::{constant_time_eq, random_bytes};
use crate::service::once::Keep;
use crate::storage::api_keys::{api_key, api_key_use, list_api_keys};
use crate::storage::{Store, StoreError};
use crate::types::{Clock, Digest, Timestamp};

pub use crate::storage::{ApiKeyPage, StoredApiKey};

/// The longest name of a key, in characters.
pub const MAX_NAME: usize = 100;
/// The most keys on a page.
pub const MAX_KEYS: usize = 200;
/// The longest that a former secret stays good after a rotation.
pub const MAX_GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const MOST_REMEMBERED: u64 = 10_000;

/// A key that cannot be made, changed or found.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// There is no such key.
    #[error("there is no such API key")]
    NotFound,
    /// It was revoked.
    #[error("the API key was revoked")]
    Revoked,
    /// Whoever makes it may not do that himself.
    #[error("the scope {0} is not yours to give")]
    NotYours(Scope),
    /// A point of sale belongs to a shop, and nothing else does.
    #[error("a key with the scope pos, and no other, is bound to a shop's address")]
    Shop,
    /// The store does not work.
    #[error("the store did not answer")]
    Store(#[from] StoreError),
}

/// What a new key is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiKey {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The shop of a point of sale.
    pub shop: Option<Address>,
    /// From when it opens nothing any more.
    pub expires_at: Option<Timestamp>,
}

/// A key, and the one time that it is seen whole.
#[derive(Debug, Clone)]
pub struct IssuedApiKey {
    /// The key.
    pub key: StoredApiKey,
    /// Its secret.
    pub secret: ApiKeySecret,
}

type Looked = (u64, Option<Arc<StoredApiKey>>);

/// Keeps and judges API keys.
#[derive(Clone)]
pub struct ApiKeyService {
    store: Store,
    clock: Arc<dyn Clock>,
    /// Judges the key of the environment.
    bootstrap: Arc<dyn ApiKeys>,
    looked_up: Cache<ApiKeyId, Looked>,
    used: Arc<Mutex<HashMap<ApiKeyId, Timestamp>>>,
}

impl ApiKeyService {
    /// Judges keys of the store, and others by `bootstrap`.
    pub fn new(store: Store, clock: Arc<dyn Clock>, bootstrap: Arc<dyn ApiKeys>) -> Self {
        let looked_up = Cache::new(MOST_REMEMBERED);
        Self { store, clock, bootstrap, looked_up, used: Arc::default() }
    }

    /// Makes a key. Nobody gives what he does not have.
    pub async fn create(
        &self,
        wanted: NewApiKey,
        maker: &Principal,
        keep: Keep<IssuedApiKey>,
        now: Timestamp,
    ) -> Result<IssuedApiKey, ApiKeyError> {
        may_give(maker, wanted.scopes)?;
        if wanted.shop.is_some() != wanted.scopes.has(Scope::Pos) {
            return Err(ApiKeyError::Shop);
        }
        let secret = ApiKeySecret::new(random_bytes());
        let key = StoredApiKey {
            id: ApiKeyId::from_bytes(random_bytes()),
            name: wanted.name,
            secret: secret.digest(),
            former: None,
            scopes: wanted.scopes,
            shop: wanted.shop,
            created_at: now,
            created_by: maker.id.clone(),
            expires_at: wanted.expires_at,
            revoked_at: None,
        };
        let (issued, actor) = (IssuedApiKey { key, secret }, maker.id.clone());
        let made = issued.clone();
        self.store
            .write(move |tx| {
                tx.put_api_key(&made.key)?;
                tx.append_audit(now, &actor, "key.create", &made.key.id.to_string())?;
                keep.put(tx, &made)
            })
            .await?;
        Ok(issued)
    }

    /// Gives a key a new secret; the former one stays good for `grace`.
    pub async fn rotate(
        &self,
        id: ApiKeyId,
        grace: Duration,
        actor: &Principal,
        keep: Keep<IssuedApiKey>,
        now: Timestamp,
    ) -> Result<IssuedApiKey, ApiKeyError> {
        let secret = ApiKeySecret::new(random_bytes());
        let (digest, actor) = (secret.digest(), actor.clone());
        let until = now.plus(grace.min(MAX_GRACE));
        self.store
            .write(move |tx| {
                let key = api_key(tx, id)?.ok_or(ApiKeyError::NotFound)?;
                if key.revoked_at.is_some() {
                    return Err(ApiKeyError::Revoked);
                }
                // Whoever gets the new secret gets the key's scopes.
                may_give(&actor, key.scopes)?;
                let former = (!grace.is_zero()).then_some((key.secret, until));
                let key = StoredApiKey { secret: digest, former, ..key };
                tx.put_api_key(&key)?;
                tx.append_audit(now, &actor.id, "key.rotate", &id.to_string())?;
                let issued = IssuedApiKey { key, secret: secret.clone() };
                keep.put(tx, &issued)?;
                Ok(issued)
            })
            .await
    }

    /// Revokes a key, for good; doing so again changes nothing.
    pub async fn revoke(
        &self,
        id: ApiKeyId,
        actor: &Principal,
        now: Timestamp,
    ) -> Result<StoredApiKey, ApiKeyError> {
        let actor = actor.id.clone();
        let key = self
            .store
            .write(move |tx| {
                let key = api_key(tx, id)?.ok_or(ApiKeyError::NotFound)?;
                if key.revoked_at.is_some() {
                    return Ok(key);
                }
                let key = StoredApiKey { revoked_at: Some(now), former: None, ..key };
                tx.put_api_key(&key)?;
                tx.append_audit(now, &actor, "key.revoke", &id.to_string())?;
                Ok::<_, ApiKeyError>(key)
            })
            .await?;
        Ok(key)
    }

    /// Returns a key with when it was used last.
    pub fn get(&self, id: ApiKeyId) -> Result<(StoredApiKey, Option<Timestamp>), ApiKeyError> {
        let found = self.store.read(|tx| {
            let key = api_key(tx, id)?;
            Ok::<_, StoreError>(key.map(|key| Ok((key, api_key_use(tx, id)?))))
        })?;
        let (key, used) = found.ok_or(ApiKeyError::NotFound)?.map_err(ApiKeyError::Store)?;
        Ok((key, self.fresher(id, used)))
    }

    /// Lists keys.
    pub fn list(&self, after: Option<ApiKeyId>, limit: usize) -> Result<ApiKeyPage, StoreError> {
        let mut page = self.store.read(|tx| list_api_keys(tx, after, limit))?;
        for (key, used) in &mut page.keys {
            *used = self.fresher(key.id, *used);
        }
        Ok(page)
    }

    /// Writes down which keys were used since the last time; called now and then, never by a request.
    /// What a failed write did not take is remembered for the next time.
    pub async fn note_uses(&self) -> Result<(), StoreError> {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        if used.is_empty() {
            return Ok(());
        }
        let rows = used.clone();
        let written = self
            .store
            .write(move |tx| rows.iter().try_for_each(|(id, at)| tx.put_api_key_use(*id, *at)))
            .await;
        written.inspect_err(|_| {
            let mut now = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.into_iter().for_each(|(id, at)| {
                now.entry(id).and_modify(|later| *later = at.max(*later)).or_insert(at);
            });
        })
    }

    fn fresher(&self, id: ApiKeyId, stored: Option<Timestamp>) -> Option<Timestamp> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.get(&id).copied().max(stored)
    }

    fn look_up(&self, id: ApiKeyId) -> Option<Arc<StoredApiKey>> {
        // Read before the store: what is stored after this makes what is remembered now worthless.
        let generation = self.store.credential_generation();
        if let Some((seen, key)) = self.looked_up.get(&id)
            && seen == generation
        {
            return key;
        }
        match self.store.read(|tx| api_key(tx, id)) {
            Ok(key) => {
                let key = key.map(Arc::new);
                self.looked_up.insert(id, (generation, key.clone()));
                key
            }
            Err(error) => {
                tracing::error!(%error, "an API key could not be looked up");
                None
            }
        }
    }
}

impl ApiKeys for ApiKeyService {
    fn authenticate(&self, presented: &str) -> Option<Principal> {
        let Some((id, secret)) = parse_api_key(presented) else {
            return self.bootstrap.authenticate(presented);
        };
        let (key, now) = (self.look_up(id), self.clock.now());
        // An unknown key costs the same work as a wrong one.
        let nothing = Digest::from_bytes([0; 32]);
        let expected = key.as_ref().map_or(nothing, |key| key.secret);
        let former = key.as_ref().and_then(|key| key.former).filter(|(_, until)| now < *until);
        let former = former.map_or(nothing, |(digest, _)| digest);
        let digest = secret.digest();
        let is_present = constant_time_eq(digest.as_bytes(), expected.as_bytes());
        let is_former = constant_time_eq(digest.as_bytes(), former.as_bytes());
        let key = key.filter(|_| is_present | is_former)?;
        let is_over = key.expires_at.is_some_and(|at| at <= now);
        if key.revoked_at.is_some() || is_over {
            return None;
        }
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(id, now);
        Some(Principal {
            id: format!("key:{id}"),
            scopes: key.scopes,
            shop: key.shop,
            reads_all: false,
        })
    }

    fn without_key(&self) -> Option<Principal> {
        self.bootstrap.without_key()
    }
}

/// Checks that somebody has every scope that he gives.
fn may_give(giver: &Principal, scopes: Scopes) -> Result<(), ApiKeyError> {
    match scopes.iter().find(|scope| !giver.scopes.allows(*scope)) {
        Some(scope) => Err(ApiKeyError::NotYours(scope)),
        None => Ok(()),
    }
}
