//! Login keys: registered once, changed and revoked by their owners, revoked by an operator.

use crate::auth::svd::{Challenge, UserId, change_key_digest, revoke_digest};
use crate::crypto::{PublicKey, Signature};
use crate::service::login::{LoginError, LoginService, present_key, use_up};
use crate::service::once::Keep;
use crate::storage::SvdKey;
use crate::storage::svd_keys::svd_key;
use crate::types::{Digest, Timestamp};

/// An owner's wish to log in with another key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// The user.
    pub user: UserId,
    /// The new key.
    pub new_key: PublicKey,
    /// A challenge of the user's, which the change uses up.
    pub challenge: Challenge,
    /// The present key's signature of the change.
    pub signature: Signature,
}

/// An owner's wish that a key opens nothing any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The user.
    pub user: UserId,
    /// A challenge of the user's, which the revocation uses up.
    pub challenge: Challenge,
    /// The key's signature of the revocation.
    pub signature: Signature,
}

impl LoginService {
    /// Registers a user's key. Whoever has one, or had one that was revoked, is refused.
    pub async fn register(
        &self,
        user: UserId,
        public_key: PublicKey,
        actor: &str,
        keep: Keep<()>,
        now: Timestamp,
    ) -> Result<(), LoginError> {
        let (actor, persons) = (actor.to_owned(), self.persons.clone());
        self.store
            .write(move |tx| {
                // A name whose holder had it erased stays taken: it would speak for somebody else.
                let name = user.to_string();
                if svd_key(tx, user)?.is_some() || persons.is_erased(tx, &name)? {
                    return Err(LoginError::DuplicateKey);
                }
                tx.put_svd_key(&SvdKey {
                    user,
                    public_key,
                    revoked_at: None,
                    registered_at: now,
                    changed_at: now,
                })?;
                tx.append_audit(now, &actor, "svd.register", &persons.pseudonym(&name))?;
                Ok(keep.put(tx, &())?)
            })
            .await
    }

    /// Replaces a user's key, on the word of the present one. Tokens of the old key end.
    pub async fn change_key(&self, change: KeyChange, now: Timestamp) -> Result<(), LoginError> {
        let KeyChange { user, new_key, challenge, signature } = change;
        self.check_fresh(user, &challenge, now)?;
        let digest = change_key_digest(user, &new_key, &challenge);
        let old_key = self.signed_by_owner(user, &digest, &signature)?;
        let persons = self.persons.clone();
        self.store
            .write(move |tx| {
                let key = present_key(tx, user, &old_key)?;
                use_up(tx, &challenge, now)?;
                tx.put_svd_key(&SvdKey { public_key: new_key, changed_at: now, ..key })?;
                let name = user.to_string();
                persons.end_tokens(tx, &name)?;
                let person = persons.pseudonym(&name);
                tx.append_audit(now, &person, "svd.change-key", &person)?;
                Ok(())
            })
            .await
    }

    /// Revokes a user's key, on its own word. Its tokens end; the user's name stays taken.
    pub async fn revoke(&self, revocation: Revocation, now: Timestamp) -> Result<(), LoginError> {
        let Revocation { user, challenge, signature } = revocation;
        self.check_fresh(user, &challenge, now)?;
        let digest = revoke_digest(user, &challenge);
        let old_key = self.signed_by_owner(user, &digest, &signature)?;
        let persons = self.persons.clone();
        self.store
            .write(move |tx| {
                let key = present_key(tx, user, &old_key)?;
                use_up(tx, &challenge, now)?;
                tx.put_svd_key(&SvdKey { revoked_at: Some(now), ..key })?;
                let name = user.to_string();
                persons.end_tokens(tx, &name)?;
                let person = persons.pseudonym(&name);
                tx.append_audit(now, &person, "svd.revoke", &person)?;
                Ok(())
            })
            .await
    }

    /// Revokes a user's key on an operator's word.
    pub async fn revoke_by_operator(
        &self,
        user: UserId,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), LoginError> {
        let (actor, persons) = (actor.to_owned(), self.persons.clone());
        self.store
            .write(move |tx| {
                let key = svd_key(tx, user)?.ok_or(LoginError::NoKey)?;
                let name = user.to_string();
                if key.revoked_at.is_none() {
                    tx.put_svd_key(&SvdKey { revoked_at: Some(now), ..key })?;
                }
                persons.end_tokens(tx, &name)?;
                tx.append_audit(now, &actor, "svd.revoke", &persons.pseudonym(&name))?;
                Ok(())
            })
            .await
    }

    /// Checks a signature under the user's present key and returns that key.
    fn signed_by_owner(
        &self,
        user: UserId,
        digest: &Digest,
        signature: &Signature,
    ) -> Result<PublicKey, LoginError> {
        let (public_key, is_known) = self.key_of(user)?;
        let is_right = public_key.verify(digest, signature).is_ok();
        if is_right && is_known { Ok(public_key) } else { Err(LoginError::InvalidSignature) }
    }
}
