//! The bytes of accounts, sessions and links on disk; see `stored_format.rs` for what a failure means.

use crate::auth::account::{AccountId, AccountName, PasswordHash, Role};
use crate::auth::svd::UserId;
use crate::bitcoin::Address;
use crate::storage::tests::stored_format::{NOW, assert_format};
use crate::storage::{BrowserKey, LinkedKey, LoginMethod, SetupLink, StoredAccount, StoredSession};
use crate::types::{Digest, Network};

const TIME: &str = "80a0abfef962";

#[test]
fn format_of_an_account() {
    let account = StoredAccount {
        id: AccountId::from_bytes([0xab; 8]),
        name: AccountName::parse("Ada").unwrap(),
        role: Role::Cashier,
        shop: Some(Address::of_hash([0xaa; 20], Network::Test)),
        password: Some(PasswordHash::nobodys([7; 16], [8; 32])),
        login_key: Some(LinkedKey { user: UserId::from_bytes([0x3f; 12]), registered_at: NOW }),
        disabled_at: None,
        created_at: NOW,
        created_by: "local:0".into(),
        logged_in_at: Some(NOW),
    };
    let shop = format!("0101{}", "aa".repeat(20));
    let key = "08".repeat(32);
    let salt = format!("01{}", "07".repeat(16));
    let (user, never) = (format!("01{}", "3f".repeat(12)), "00");
    let expected = [
        "01abababababababab03416461",
        "02",
        &shop,
        &salt,
        // 19 MiB in KiB, 2 passes, 1 lane.
        "8098010201",
        &key,
        &user,
        TIME,
        never,
        TIME,
        "076c6f63616c3a30",
        "01",
        TIME,
    ];
    assert_format(&account, &expected);
}

#[test]
fn format_of_a_session() {
    let session = StoredSession {
        digest: Digest::from_bytes([1; 32]),
        account: AccountId::from_bytes([0xab; 8]),
        method: LoginMethod::LoginKey,
        began_at: NOW,
        used_at: NOW,
    };
    let digest = format!("01{}", "01".repeat(32));
    assert_format(&session, &[&digest, "abababababababab", "01", TIME, TIME]);
}

#[test]
fn format_of_a_session_that_a_browsers_key_began() {
    let session = StoredSession {
        digest: Digest::from_bytes([1; 32]),
        account: AccountId::from_bytes([0xab; 8]),
        method: LoginMethod::BrowserKey(UserId::from_bytes([0x3f; 12])),
        began_at: NOW,
        used_at: NOW,
    };
    let digest = format!("01{}", "01".repeat(32));
    let method = format!("03{}", "3f".repeat(12));
    assert_format(&session, &[&digest, "abababababababab", &method, TIME, TIME]);
}

#[test]
fn format_of_a_browsers_key() {
    let key = BrowserKey {
        user: UserId::from_bytes([0x3f; 12]),
        account: AccountId::from_bytes([0xab; 8]),
        label: "Till".into(),
        registered_at: NOW,
        used_at: Some(NOW),
    };
    let user = format!("01{}", "3f".repeat(12));
    assert_format(&key, &[&user, "abababababababab", "0454696c6c", TIME, "01", TIME]);
}

#[test]
fn format_of_a_setup_link() {
    let account = Some(AccountId::from_bytes([0xab; 8]));
    let link = SetupLink { digest: Digest::from_bytes([1; 32]), account, expires_at: NOW };
    let digest = format!("01{}", "01".repeat(32));
    assert_format(&link, &[&digest, "01abababababababab", TIME]);
    let first = SetupLink { account: None, ..link };
    assert_format(&first, &[&digest, "00", TIME]);
}
