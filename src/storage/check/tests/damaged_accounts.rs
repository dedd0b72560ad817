//! Damage to accounts, sessions and links.

use super::*;
use crate::auth::account::{AccountId, AccountName, Role};
use crate::auth::svd::UserId;
use crate::storage::{BrowserKey, LoginMethod, SetupLink, StoredAccount, StoredSession};

const ADA: [u8; 8] = [0xab; 8];
const NOBODY: [u8; 8] = [0xcd; 8];

fn sample() -> Sample {
    Sample::of(vec![(Way::Final, None)])
}

fn account(role: Role) -> StoredAccount {
    StoredAccount {
        id: AccountId::from_bytes(ADA),
        name: AccountName::parse("Ada").unwrap(),
        role,
        shop: None,
        password: None,
        login_key: None,
        disabled_at: None,
        created_at: NOW,
        created_by: "local:0".into(),
        logged_in_at: None,
    }
}

fn session(digest: u8, account: [u8; 8]) -> StoredSession {
    StoredSession {
        digest: Digest::from_bytes([digest; 32]),
        account: AccountId::from_bytes(account),
        method: LoginMethod::Password,
        began_at: NOW,
        used_at: NOW,
    }
}

fn link(digest: u8, account: Option<[u8; 8]>) -> SetupLink {
    let account = account.map(AccountId::from_bytes);
    SetupLink { digest: Digest::from_bytes([digest; 32]), account, expires_at: NOW }
}

fn browser_key(user: u8, account: [u8; 8]) -> BrowserKey {
    BrowserKey {
        user: UserId::from_bytes([user; 12]),
        account: AccountId::from_bytes(account),
        label: "Till".into(),
        registered_at: NOW,
        used_at: None,
    }
}

#[test]
fn keys_in_browsers_that_open_for_nobody_or_would_not_end_show() {
    let found = sample().damaged(|tx| {
        tx.put_account(&account(Role::Admin))?;
        tx.put_browser_key(&browser_key(1, NOBODY))?;
        tx.put_browser_key(&browser_key(2, ADA))?;
        tx.tables.browser_keys_by_account.remove((ADA, [2; 12]))?;
        tx.tables.browser_keys_by_account.insert((ADA, [3; 12]), ())?;
        Ok(())
    });
    let name = |user: u8| Row("browser key", hex::encode([user; 12]));
    let expected = [
        violation("I2", name(1), "belongs to no account"),
        violation("index", name(2), "would not end with its account"),
        violation(
            "index",
            Row("browser key of account", hex::encode(ADA)),
            "is listed without being there",
        ),
    ];
    assert_eq!(found, expected);
}

#[test]
fn accounts_with_sessions_and_links_are_clean() {
    let found = sample().damaged(|tx| {
        tx.put_account(&account(Role::Admin))?;
        tx.put_browser_key(&browser_key(4, ADA))?;
        tx.put_session(&session(1, ADA))?;
        tx.put_setup_link(&link(2, Some(ADA)))?;
        tx.put_setup_link(&link(3, None))
    });
    assert_eq!(found, []);
}

#[test]
fn an_account_that_cannot_be_found_and_a_name_of_nobody_show() {
    let found = sample().damaged(|tx| {
        tx.put_account(&account(Role::Cashier))?;
        tx.tables.accounts_by_name.remove("ada")?;
        tx.tables.accounts_by_name.insert("ben", ADA)?;
        Ok(())
    });
    let name = || Row("account", hex::encode(ADA));
    let expected = [
        violation("index", name(), "is not found by its name"),
        violation("row", name(), "has a shop and is no cashier, or none and is one"),
        violation("index", name(), "is named without being there"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_opens_for_nobody_or_would_not_end_shows() {
    let found = sample().damaged(|tx| {
        tx.put_account(&account(Role::Admin))?;
        tx.put_session(&session(1, NOBODY))?;
        tx.put_session(&session(2, ADA))?;
        tx.tables.sessions_by_account.remove((ADA, [2; 32]))?;
        tx.tables.sessions_by_account.insert((ADA, [3; 32]), ())?;
        tx.put_setup_link(&link(4, Some(NOBODY)))
    });
    let name = |digest: u8| Row("session", hex::encode([digest; 8]));
    let expected = [
        violation("I2", name(1), "belongs to no account"),
        violation("index", name(2), "would not end with its account"),
        violation(
            "index",
            Row("session of account", hex::encode(ADA)),
            "is listed without being there",
        ),
        violation("I2", Row("setup link", hex::encode([4; 8])), "belongs to no account"),
    ];
    assert_eq!(found, expected);
}
