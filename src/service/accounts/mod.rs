//! Accounts: who works the console. Made, changed and removed by admins, with passwords that only
//! their holders know.
//!
//! A password is set by its holder, with a one-time link or with the old password; nobody sets one for
//! another. Whatever makes an account less, or puts another password in place, ends its sessions in
//! the same transaction.

mod links;

use crate::auth::account::{AccountId, AccountName, Password, PasswordError, Role};
use crate::bitcoin::Address;
use crate::crypto::random_bytes;
use crate::service::login::end_browser_keys;
use crate::service::once::Keep;
use crate::service::passwords::{Busy, Passwords};
use crate::service::persons::Persons;
use crate::storage::accounts::{account, account_count, account_named, list_accounts};
use crate::storage::{Store, StoreError, Tables, WriteTx};
use crate::types::{Digest, Timestamp};

use links::new_link;

pub use crate::storage::StoredAccount;
pub use links::IssuedLink;

/// The most accounts.
pub const MAX_ACCOUNTS: u64 = 1_000;

/// An account that cannot be made, changed or found.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is no such account.
    #[error("there is no such account")]
    NotFound,
    /// Another account has the name.
    #[error("another account has this name")]
    NameTaken,
    /// A cashier belongs to a shop, and nobody else does.
    #[error("an account of the role cashier, and no other, belongs to a shop")]
    Shop,
    /// Nobody could make accounts any more.
    #[error("it is the last admin who can log in")]
    LastAdmin,
    /// Set-up is for a server that has no account.
    #[error("there are accounts already")]
    AlreadySetUp,
    /// There are as many accounts as there may be.
    #[error("there are {MAX_ACCOUNTS} accounts, which is the most")]
    TooMany,
    /// The link was used, is over, or never was.
    #[error("the link is good for nothing any more")]
    LinkGone,
    /// The first account needs a name; the others have one.
    #[error("the first account needs a name, and no other link takes one")]
    NameNeeded,
    /// The old password is wrong.
    #[error("the old password is wrong")]
    WrongPassword,
    /// The new password is not taken.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Too many passwords wait to be looked at.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store does not work.
    #[error("the store did not answer")]
    Store(#[from] StoreError),
}

/// What a new account is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// The name its holder logs in with.
    pub name: AccountName,
    /// What it may do.
    pub role: Role,
    /// The shop of a cashier.
    pub shop: Option<Address>,
}

/// What is to be changed of an account; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountChange {
    /// Another name.
    pub name: Option<AccountName>,
    /// Another role.
    pub role: Option<Role>,
    /// Another shop, or none.
    pub shop: Option<Option<Address>>,
    /// Whether it opens nothing.
    pub is_disabled: Option<bool>,
}

/// Keeps accounts.
#[derive(Clone)]
pub struct AccountService {
    /// The store.
    pub store: Store,
    /// The work that passwords cost.
    pub passwords: Passwords,
    /// Names the users of login keys where their own names must not stand.
    pub persons: Persons,
}

impl AccountService {
    /// Says whether anybody has an account.
    pub fn is_set_up(&self) -> Result<bool, StoreError> {
        self.store.read(|tx| Ok(account_count(tx)? > 0))
    }

    /// Lists accounts in the order of their names.
    pub fn list(&self) -> Result<Vec<StoredAccount>, StoreError> {
        self.store.read(list_accounts)
    }

    /// Returns an account.
    pub fn get(&self, id: AccountId) -> Result<StoredAccount, AccountError> {
        self.store.read(|tx| account(tx, id))?.ok_or(AccountError::NotFound)
    }

    /// Makes an account, and the link with which its holder sets the password.
    pub async fn create(
        &self,
        wanted: NewAccount,
        actor: &str,
        keep: Keep<(StoredAccount, IssuedLink)>,
        now: Timestamp,
    ) -> Result<(StoredAccount, IssuedLink), AccountError> {
        let new = new_account(wanted, actor, now)?;
        let (issued, link) = new_link(Some(new.id), now);
        let actor = actor.to_owned();
        let made = (new, issued);
        let told = made.clone();
        self.store
            .write(move |tx| {
                add_account(tx, &made.0, &actor, now)?;
                tx.put_setup_link(&link)?;
                Ok::<_, AccountError>(keep.put(tx, &made)?)
            })
            .await?;
        Ok(told)
    }

    /// Makes an account whose password is known; for a server that sets itself up.
    pub async fn create_with_password(
        &self,
        wanted: NewAccount,
        password: Password,
        actor: &str,
        now: Timestamp,
    ) -> Result<StoredAccount, AccountError> {
        password.check(&wanted.name)?;
        let mut new = new_account(wanted, actor, now)?;
        new.password = Some(self.passwords.make(password).await?);
        let (stored, actor) = (new.clone(), actor.to_owned());
        self.store.write(move |tx| add_account(tx, &stored, &actor, now)).await?;
        Ok(new)
    }

    /// Changes an account. Any change but that of the name ends its sessions.
    pub async fn change(
        &self,
        id: AccountId,
        change: AccountChange,
        actor: &str,
        now: Timestamp,
    ) -> Result<StoredAccount, AccountError> {
        let actor = actor.to_owned();
        self.store
            .write(move |tx| {
                let old = account(tx, id)?.ok_or(AccountError::NotFound)?;
                let new = changed(&old, &change, now);
                if new == old {
                    return Ok(old);
                }
                if new.shop.is_some() != new.role.has_shop() {
                    return Err(AccountError::Shop);
                }
                if account_named(tx, &new.name)?.is_some_and(|named| named.id != id) {
                    return Err(AccountError::NameTaken);
                }
                keep_an_admin(tx, &old, Some(&new))?;
                tx.put_account(&new)?;
                let renamed = StoredAccount { name: new.name.clone(), ..old };
                if renamed != new {
                    tx.end_sessions(id, None)?;
                }
                if new.disabled_at.is_some() {
                    tx.remove_setup_links(Some(id))?;
                }
                tx.append_audit(now, &actor, "account.change", &id.to_string())?;
                Ok(new)
            })
            .await
    }

    /// Removes an account with its sessions; what it did stays in the trail under its identifier.
    pub async fn remove(
        &self,
        id: AccountId,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let (actor, persons) = (actor.to_owned(), self.persons.clone());
        self.store
            .write(move |tx| {
                let old = account(tx, id)?.ok_or(AccountError::NotFound)?;
                keep_an_admin(tx, &old, None)?;
                end_browser_keys(tx, &persons, id, now)?;
                tx.end_sessions(id, None)?;
                tx.remove_setup_links(Some(id))?;
                tx.remove_account(&old)?;
                Ok(tx.append_audit(now, &actor, "account.remove", &id.to_string())?)
            })
            .await
    }

    /// Takes an account's password and login keys away, ends its sessions, and makes the link with which
    /// its holder sets another password. The last admin may be reset: whoever does it has the link.
    pub async fn reset(
        &self,
        id: AccountId,
        actor: &str,
        keep: Keep<IssuedLink>,
        now: Timestamp,
    ) -> Result<IssuedLink, AccountError> {
        let (issued, link) = new_link(Some(id), now);
        let made = issued.clone();
        let (actor, persons) = (actor.to_owned(), self.persons.clone());
        self.store
            .write(move |tx| {
                let old = account(tx, id)?.ok_or(AccountError::NotFound)?;
                tx.put_account(&StoredAccount { password: None, login_key: None, ..old })?;
                end_browser_keys(tx, &persons, id, now)?;
                tx.end_sessions(id, None)?;
                tx.put_setup_link(&link)?;
                tx.append_audit(now, &actor, "account.reset", &id.to_string())?;
                Ok::<_, AccountError>(keep.put(tx, &made)?)
            })
            .await?;
        Ok(issued)
    }

    /// Changes one's own password; the session that asks goes on, the others end.
    pub async fn change_password(
        &self,
        id: AccountId,
        (old, new): (Password, Password),
        session: Digest,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let before = self.get(id)?;
        new.check(&before.name)?;
        if !self.passwords.check(old, before.password.clone()).await? {
            return Err(AccountError::WrongPassword);
        }
        let kept = self.passwords.make(new).await?;
        self.store
            .write(move |tx| {
                let found = account(tx, id)?.ok_or(AccountError::NotFound)?;
                // Somebody else was quicker, and what was checked is no longer the password.
                if found.password != before.password {
                    return Err(AccountError::WrongPassword);
                }
                tx.put_account(&StoredAccount { password: Some(kept.clone()), ..found })?;
                tx.remove_setup_links(Some(id))?;
                tx.end_sessions(id, Some(session))?;
                Ok(tx.append_audit(now, &id.principal(), "account.password", &id.to_string())?)
            })
            .await
    }
}

fn new_account(
    wanted: NewAccount,
    actor: &str,
    now: Timestamp,
) -> Result<StoredAccount, AccountError> {
    if wanted.shop.is_some() != wanted.role.has_shop() {
        return Err(AccountError::Shop);
    }
    Ok(StoredAccount {
        id: AccountId::from_bytes(random_bytes()),
        name: wanted.name,
        role: wanted.role,
        shop: wanted.shop,
        password: None,
        login_key: None,
        disabled_at: None,
        created_at: now,
        created_by: actor.to_owned(),
        logged_in_at: None,
    })
}

fn add_account(
    tx: &mut WriteTx<'_>,
    new: &StoredAccount,
    actor: &str,
    now: Timestamp,
) -> Result<(), AccountError> {
    if account_named(tx, &new.name)?.is_some() {
        return Err(AccountError::NameTaken);
    }
    if account_count(tx)? >= MAX_ACCOUNTS {
        return Err(AccountError::TooMany);
    }
    tx.put_account(new)?;
    // Whoever is first has used the set-up link, or made it worthless.
    tx.remove_setup_links(None)?;
    Ok(tx.append_audit(now, actor, "account.create", &new.id.to_string())?)
}

fn changed(old: &StoredAccount, change: &AccountChange, now: Timestamp) -> StoredAccount {
    let change = change.clone();
    let role = change.role.unwrap_or(old.role);
    // Whoever stops being a cashier leaves the shop.
    let shop = change.shop.unwrap_or_else(|| old.shop.filter(|_| role.has_shop()));
    let disabled_at = match change.is_disabled {
        Some(true) => Some(old.disabled_at.unwrap_or(now)),
        Some(false) => None,
        None => old.disabled_at,
    };
    let name = change.name.unwrap_or_else(|| old.name.clone());
    StoredAccount { name, role, shop, disabled_at, ..old.clone() }
}

/// Refuses what would leave nobody who can make accounts.
fn keep_an_admin(
    tables: &impl Tables,
    old: &StoredAccount,
    new: Option<&StoredAccount>,
) -> Result<(), AccountError> {
    let counts = |it: &StoredAccount| it.role == Role::Admin && it.can_log_in();
    if !counts(old) || new.is_some_and(counts) {
        return Ok(());
    }
    let others = list_accounts(tables)?;
    let is_kept = others.iter().any(|it| it.id != old.id && counts(it));
    if is_kept { Ok(()) } else { Err(AccountError::LastAdmin) }
}
