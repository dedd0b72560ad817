//! Bearer tokens against the store: one that was taken back is worth nothing from that moment on.

use std::sync::Arc;

use crate::auth::svd::UserId;
use crate::auth::token::TokenKeys;
use crate::auth::{Bearer, Subject, TokenRejection, TokenScope, Tokens};
use crate::service::once::Keep;
use crate::service::persons::Persons;
use crate::storage::svd_keys::svd_key;
use crate::storage::token_epochs::token_epoch;
use crate::storage::{Store, StoreError, WriteTx};
use crate::types::Timestamp;

/// What the audit trail calls somebody whose pseudonym cannot be worked out.
const UNNAMED: &str = "unnamed";

/// Notes in the audit trail that an operator issues a token, and returns the epoch that it must carry.
/// Without `persons`, who need the master secret, the line does not say whose token it is, and the
/// epoch is not that which an erasure left.
pub fn note_issue(
    tx: &mut WriteTx<'_>,
    persons: Option<&Persons>,
    subject: &str,
    actor: &str,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let (named, epoch) = match persons {
        Some(persons) => (persons.pseudonym(subject), persons.epoch(tx, subject)?),
        None => (UNNAMED.to_owned(), token_epoch(tx, subject)?),
    };
    tx.append_audit(now, actor, "token.issue", &named)?;
    Ok(epoch)
}

/// Judges tokens and takes them back.
#[derive(Clone)]
pub struct TokenService {
    /// Verifies them.
    pub keys: Arc<TokenKeys>,
    /// Knows which were taken back.
    pub store: Store,
    /// Whose they are.
    pub persons: Persons,
}

impl TokenService {
    /// Notes that an operator issues a token himself; see [`note_issue`].
    pub async fn note_issue(
        &self,
        subject: &str,
        actor: &str,
        keep: Keep<u64>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let (subject, actor, persons) =
            (subject.to_owned(), actor.to_owned(), self.persons.clone());
        self.store
            .write(move |tx| {
                let epoch = note_issue(tx, Some(&persons), &subject, &actor, now)?;
                keep.put(tx, &epoch)?;
                Ok(epoch)
            })
            .await
    }

    /// Takes back every token that a person has.
    pub async fn log_out(&self, subject: &Subject, now: Timestamp) -> Result<(), StoreError> {
        let (name, persons) = (subject.id.clone(), self.persons.clone());
        self.store
            .write(move |tx| {
                persons.end_tokens(tx, &name)?;
                let person = persons.pseudonym(&name);
                tx.append_audit(now, &person, "token.logout", &person)
            })
            .await
    }

    fn is_present(&self, subject: &Subject, epoch: u64) -> Result<bool, StoreError> {
        self.store.read(|tx| {
            let is_epoch = self.persons.epoch(tx, &subject.id)? == epoch;
            let user = subject.id.parse::<UserId>();
            let has_key = match (subject.scope, user) {
                (TokenScope::Svd, Ok(user)) => {
                    svd_key(tx, user)?.is_some_and(|key| key.revoked_at.is_none())
                }
                (TokenScope::Svd, Err(_)) => false,
                (TokenScope::Email | TokenScope::Operator, _) => true,
            };
            Ok(is_epoch && has_key)
        })
    }
}

impl Tokens for TokenService {
    fn verify(&self, token: &str, now: Timestamp) -> Result<Subject, TokenRejection> {
        let claims = self.keys.claims(token, now)?;
        let subject = Subject { id: claims.sub, scope: claims.scope };
        match self.is_present(&subject, claims.epoch) {
            Ok(true) => Ok(subject),
            Ok(false) => Err(TokenRejection::Revoked),
            Err(error) => {
                tracing::error!(%error, "whether a token was taken back is not known");
                Err(TokenRejection::Unknown)
            }
        }
    }

    fn bearer(&self, token: &str, now: Timestamp) -> Option<Bearer> {
        self.keys.bearer(token, now)
    }
}
