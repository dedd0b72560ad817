//! Accounts, their sessions and one-time links: nothing opens for an account that is not there.

use redb::ReadableTable;

use crate::auth::account::AccountId;
use crate::auth::svd::UserId;
use crate::storage::accounts::account;
use crate::storage::browser_keys::browser_key;
use crate::storage::check::{CheckReport, Row, each_row, readable};
use crate::storage::sessions::session;
use crate::storage::{BrowserKey, SetupLink, StoreError, StoredAccount, StoredSession, Tables};
use crate::types::Digest;

/// Checks accounts against the index of their names.
pub(super) fn check_accounts(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(tables.accounts(), "account", report, |id, it: StoredAccount, report| {
        let subject = Row("account", hex::encode(id));
        report.expect(id == it.id.to_bytes(), "row", &subject, "under another key");
        let named = tables.accounts_by_name().get(it.name.folded().as_str())?;
        let is_named = named.is_some_and(|named| named.value() == id);
        report.expect(is_named, "index", &subject, "is not found by its name");
        let is_placed = it.shop.is_some() == it.role.has_shop();
        report.expect(
            is_placed,
            "row",
            &subject,
            "has a shop and is no cashier, or none and is one",
        );
        Ok(())
    })?;
    for row in tables.accounts_by_name().iter()? {
        let (name, id) = row?;
        let stored = readable(account(tables, AccountId::from_bytes(id.value())))?;
        let holds = stored.is_some_and(|it| it.name.folded() == name.value());
        let subject = Row("account", hex::encode(id.value()));
        report.expect(holds, "index", subject, "is named without being there");
    }
    Ok(())
}

/// Checks keys in browsers against their accounts and the index of these.
pub(super) fn check_browser_keys(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(tables.browser_keys(), "browser key", report, |user, it: BrowserKey, report| {
        let subject = Row("browser key", hex::encode(user));
        report.expect(user == it.user.to_bytes(), "row", &subject, "under another user");
        let has_account = tables.accounts().get(it.account.to_bytes())?.is_some();
        report.expect(has_account, "I2", &subject, "belongs to no account");
        let place = (it.account.to_bytes(), user);
        let indexed = tables.browser_keys_by_account().get(place)?.is_some();
        report.expect(indexed, "index", &subject, "would not end with its account");
        Ok(())
    })?;
    for row in tables.browser_keys_by_account().iter()? {
        let (owner, user) = row?.0.value();
        let stored = readable(browser_key(tables, UserId::from_bytes(user)))?;
        let holds = stored.is_some_and(|it| it.account.to_bytes() == owner);
        let subject = Row("browser key of account", hex::encode(owner));
        report.expect(holds, "index", subject, "is listed without being there");
    }
    Ok(())
}

/// Checks sessions against their accounts and the index of these.
pub(super) fn check_sessions(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(tables.sessions(), "session", report, |key, it: StoredSession, report| {
        let subject = Row("session", it.id().to_string());
        report.expect(key == *it.digest.as_bytes(), "row", &subject, "under another key");
        let has_account = tables.accounts().get(it.account.to_bytes())?.is_some();
        report.expect(has_account, "I2", &subject, "belongs to no account");
        let indexed = tables.sessions_by_account().get((it.account.to_bytes(), key))?.is_some();
        report.expect(indexed, "index", &subject, "would not end with its account");
        Ok(())
    })?;
    for row in tables.sessions_by_account().iter()? {
        let (owner, key) = row?.0.value();
        let stored = readable(session(tables, &Digest::from_bytes(key)))?;
        let holds = stored.is_some_and(|it| it.account.to_bytes() == owner);
        let subject = Row("session of account", hex::encode(owner));
        report.expect(holds, "index", subject, "is listed without being there");
    }
    Ok(())
}

/// Checks that one-time links belong to accounts.
pub(super) fn check_setup_links(
    tables: &impl Tables,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    each_row(tables.setup_links(), "setup link", report, |key, it: SetupLink, report| {
        let subject = Row("setup link", hex::encode(&key[..8]));
        report.expect(key == *it.digest.as_bytes(), "row", &subject, "under another key");
        if let Some(id) = it.account {
            let has_account = tables.accounts().get(id.to_bytes())?.is_some();
            report.expect(has_account, "I2", &subject, "belongs to no account");
        }
        Ok(())
    })
}
