//! Which network and keys the store belongs to: start-up refuses others.

use redb::ReadableTable;

use crate::crypto::PublicKey;
use crate::storage::{StoreError, Tables, WriteTx};

/// One fact about the surroundings that a store is bound to for life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityClaim {
    /// What it is, such as `network` or `issuer key`.
    pub what: &'static str,
    /// Its value now.
    pub value: String,
}

impl WriteTx<'_> {
    /// Binds the store to `claims` if it is new, or refuses if it is bound to others.
    pub fn bind_identity(&mut self, claims: &[IdentityClaim]) -> Result<(), StoreError> {
        for claim in claims {
            let stored = identity(self, claim.what)?;
            match stored {
                None => {
                    self.is_dirty = true;
                    self.tables.identity.insert(claim.what, claim.value.as_str())?;
                }
                Some(stored) if stored == claim.value => {}
                Some(stored) => {
                    return Err(StoreError::OtherIdentity {
                        what: claim.what,
                        stored,
                        configured: claim.value.clone(),
                    });
                }
            }
        }
        Ok(())
    }
}

impl WriteTx<'_> {
    /// Remembers the public key behind a signer's name.
    pub fn pin_key(&mut self, what: &str, key: &PublicKey) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.identity.insert(what, key.to_string().as_str())?;
        Ok(())
    }
}

/// Returns what the store is bound to under `what`.
pub fn identity(tables: &impl Tables, what: &str) -> Result<Option<String>, StoreError> {
    Ok(tables.identity().get(what)?.map(|value| value.value().to_owned()))
}
