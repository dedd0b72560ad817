//! One-time links: how the first account is made, and how every password is set.

use crate::auth::account::{AccountId, AccountName, Password, Role};
use crate::auth::session::{LINK_TTL, Ticket};
use crate::crypto::random_bytes;
use crate::service::accounts::{
    AccountError, AccountService, NewAccount, add_account, new_account,
};
use crate::service::once::Keep;
use crate::storage::accounts::{account, account_count};
use crate::storage::setup_links::setup_link;
use crate::storage::{SetupLink, StoredAccount, Tables};
use crate::types::{Digest, Timestamp};

/// A one-time link, the one time that it is seen.
#[derive(Debug, Clone)]
pub struct IssuedLink {
    /// What the link carries.
    pub token: Ticket,
    /// From when it is good for nothing.
    pub expires_at: Timestamp,
}

impl AccountService {
    /// Makes the link with which the first admin is made; those made before are good for nothing then.
    pub async fn make_setup_link(
        &self,
        actor: &str,
        now: Timestamp,
    ) -> Result<IssuedLink, AccountError> {
        self.make_setup_link_once(actor, Keep::nothing(), now).await
    }

    /// Does the same, and keeps the answer to the request that asks for it.
    pub async fn make_setup_link_once(
        &self,
        actor: &str,
        keep: Keep<IssuedLink>,
        now: Timestamp,
    ) -> Result<IssuedLink, AccountError> {
        let (issued, link) = new_link(None, now);
        let (made, actor) = (issued.clone(), actor.to_owned());
        self.store
            .write(move |tx| {
                if account_count(tx)? > 0 {
                    return Err(AccountError::AlreadySetUp);
                }
                tx.put_setup_link(&link)?;
                tx.append_audit(now, &actor, "account.setup-link", "first admin")?;
                Ok(keep.put(tx, &made)?)
            })
            .await?;
        Ok(issued)
    }

    /// Looks at a one-time link without using it up. Returns the name of the account that it is for, or none
    /// for the first one, and from when it is good for nothing.
    pub fn look_at_link(
        &self,
        token: &Ticket,
        now: Timestamp,
    ) -> Result<(Option<AccountName>, Timestamp), AccountError> {
        let digest = token.digest();
        self.store.read(|tx| {
            let link = good_link(tx, &digest, now)?;
            Ok((link.1, link.0.expires_at))
        })
    }

    /// Uses a one-time link up: makes the first admin of `name`, or sets the password of the account
    /// that the link is for. Returns the account.
    pub async fn use_link(
        &self,
        token: &Ticket,
        name: Option<AccountName>,
        password: Password,
        now: Timestamp,
    ) -> Result<StoredAccount, AccountError> {
        let digest = token.digest();
        let target = self.store.read(|tx| link_target(tx, &digest, name.as_ref(), now))?;
        password.check(&target)?;
        // Of many who hold one link only the first few cost any work.
        let is_good = || {
            let found = self.store.read(|tx| link_target(tx, &digest, name.as_ref(), now));
            found.map(drop)
        };
        let kept = self.passwords.make_patiently(password, is_good).await?;
        self.store
            .write(move |tx| {
                link_target(tx, &digest, name.as_ref(), now)?;
                let link = setup_link(tx, &digest)?.ok_or(AccountError::LinkGone)?;
                tx.remove_setup_links(link.account)?;
                let Some(id) = link.account else {
                    let name = name.clone().ok_or(AccountError::NameNeeded)?;
                    let wanted = NewAccount { name, role: Role::Admin, shop: None };
                    let mut first = new_account(wanted, "setup-link", now)?;
                    first.password = Some(kept.clone());
                    add_account(tx, &first, "setup-link", now)?;
                    return Ok(first);
                };
                let mut changed = account(tx, id)?.ok_or(AccountError::NotFound)?;
                changed.password = Some(kept.clone());
                tx.put_account(&changed)?;
                tx.end_sessions(id, None)?;
                tx.append_audit(now, &id.principal(), "account.password", &id.to_string())?;
                Ok(changed)
            })
            .await
    }
}

/// Makes a link, and what is kept of it.
pub(super) fn new_link(account: Option<AccountId>, now: Timestamp) -> (IssuedLink, SetupLink) {
    let (token, expires_at) = (Ticket::new(random_bytes()), now.plus(LINK_TTL));
    let link = SetupLink { digest: token.digest(), account, expires_at };
    (IssuedLink { token, expires_at }, link)
}

/// Returns the name of the account that a link is for.
fn link_target(
    tables: &impl Tables,
    digest: &Digest,
    name: Option<&AccountName>,
    now: Timestamp,
) -> Result<AccountName, AccountError> {
    match (good_link(tables, digest, now)?.1, name) {
        (None, Some(name)) => Ok(name.clone()),
        (Some(name), None) => Ok(name),
        (None, None) | (Some(_), Some(_)) => Err(AccountError::NameNeeded),
    }
}

/// Returns a link that is still good, and the name of the account that it is for, if not the first one.
fn good_link(
    tables: &impl Tables,
    digest: &Digest,
    now: Timestamp,
) -> Result<(SetupLink, Option<AccountName>), AccountError> {
    let link = setup_link(tables, digest)?.filter(|link| now < link.expires_at);
    let link = link.ok_or(AccountError::LinkGone)?;
    let Some(id) = link.account else {
        let is_first = account_count(tables)? == 0;
        return if is_first { Ok((link, None)) } else { Err(AccountError::LinkGone) };
    };
    let found = account(tables, id)?.filter(|it| it.disabled_at.is_none());
    let found = found.ok_or(AccountError::LinkGone)?;
    Ok((link, Some(found.name)))
}
