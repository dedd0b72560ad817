//! Login keys that were looked up, remembered until any key changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;

use crate::auth::svd::UserId;
use crate::crypto::PublicKey;
use crate::service::login::LoginError;

const MOST: u64 = 50_000;

/// Remembered keys, of strangers too; clones share them.
#[derive(Clone)]
pub struct KnownKeys {
    looked_up: Cache<UserId, (u64, PublicKey, bool)>,
    /// Changes with every change of a key.
    generation: Arc<AtomicU64>,
}

impl Default for KnownKeys {
    fn default() -> Self {
        Self { looked_up: Cache::new(MOST), generation: Arc::default() }
    }
}

impl KnownKeys {
    /// Makes everything forgotten; called after a change is stored and before it is answered.
    pub(super) fn changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns what is remembered of a user, or else what `look_up` finds in the store.
    pub(super) fn get_or_look_up(
        &self,
        user: UserId,
        look_up: impl FnOnce() -> Result<(PublicKey, bool), LoginError>,
    ) -> Result<(PublicKey, bool), LoginError> {
        // Read before the store: what is stored after this makes what is remembered now worthless.
        let generation = self.generation.load(Ordering::Acquire);
        if let Some((seen, key, is_known)) = self.looked_up.get(&user)
            && seen == generation
        {
            return Ok((key, is_known));
        }
        let (key, is_known) = look_up()?;
        self.looked_up.insert(user, (generation, key, is_known));
        Ok((key, is_known))
    }
}
