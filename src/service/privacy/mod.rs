//! What a person may ask about herself: everything that is held, and that it go.
//!
//! A person is whom a token speaks for. Hers are her login key, her tokens, and every record and claim
//! that names the address of that key as a product's owner. docs/PRIVACY.md says what goes, what stays
//! and why.

mod erase;
mod export;

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::auth::email_code::MailboxHash;
use crate::auth::svd::UserId;
use crate::auth::{Subject, TokenScope};
use crate::bitcoin::Address;
use crate::patch::erasure::ErasureKey;
use crate::service::persons::Persons;
use crate::storage::email_codes::email_codes_of;
use crate::storage::svd_keys::svd_key;
use crate::storage::{Store, StoreError, StoredEmailCode, SvdKey, Tables};
use crate::types::Network;

pub use erase::{ERASE_DEPTH, ErasureSummary};
pub use export::PersonalData;

/// Exports and erases.
#[derive(Clone)]
pub struct PrivacyService {
    /// The store.
    pub store: Store,
    /// The network of the addresses.
    pub network: Network,
    /// Knows persons.
    pub persons: Persons,
    /// Seals erasures.
    pub erasures: ErasureKey,
    /// One export at a time: each reads the whole audit trail, and whoever asks for many must not have
    /// every core.
    pub exports: Arc<Mutex<()>>,
}

/// A person's login key and the address under which records name her.
struct Held {
    key: Option<SvdKey>,
    address: Option<Address>,
    /// Codes on their way to her mailbox, or there.
    codes: Vec<StoredEmailCode>,
}

impl PrivacyService {
    fn held(&self, tables: &impl Tables, subject: &Subject) -> Result<Held, StoreError> {
        let user = match subject.scope {
            TokenScope::Svd | TokenScope::Operator => subject.id.parse::<UserId>().ok(),
            TokenScope::Email => None,
        };
        let key = user.map_or(Ok(None), |user| svd_key(tables, user))?;
        let address = key.as_ref().map(|key| Address::of_key(&key.public_key, self.network));
        let mailbox = match subject.scope {
            TokenScope::Email => MailboxHash::of_subject(&subject.id),
            TokenScope::Svd | TokenScope::Operator => None,
        };
        let codes = mailbox.map_or(Ok(Vec::new()), |mailbox| email_codes_of(tables, mailbox))?;
        Ok(Held { key, address, codes })
    }
}
