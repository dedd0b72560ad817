//! Login keys that were looked up, remembered until any credential changes.

use moka::sync::Cache;

use crate::auth::svd::UserId;
use crate::crypto::PublicKey;

const MOST: u64 = 50_000;

/// Remembered keys, of strangers too; clones share them.
#[derive(Clone)]
pub struct KnownKeys {
    looked_up: Cache<UserId, (u64, PublicKey, bool)>,
}

impl Default for KnownKeys {
    fn default() -> Self {
        Self { looked_up: Cache::new(MOST) }
    }
}

impl KnownKeys {
    /// Returns what is remembered of a user under this generation of credentials.
    pub(super) fn get(&self, user: UserId, generation: u64) -> Option<(PublicKey, bool)> {
        let (seen, key, is_known) = self.looked_up.get(&user)?;
        (seen == generation).then_some((key, is_known))
    }

    /// Remembers what was found; the generation is that of before the look, so that what was stored
    /// meanwhile makes it worthless.
    pub(super) fn remember(&self, user: UserId, generation: u64, found: (PublicKey, bool)) {
        self.looked_up.insert(user, (generation, found.0, found.1));
    }
}
