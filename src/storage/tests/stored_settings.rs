//! The bytes of settings and login keys on disk; see `stored_format.rs` for what a failure here means.

use crate::auth::Scope;
use crate::auth::api_key::ApiKeyId;
use crate::auth::svd::UserId;
use crate::bitcoin::Address;
use crate::crypto::SecretKey;
use crate::storage::tests::stored_format::{NOW, assert_format};
use crate::storage::{StoredApiKey, StoredSetting, SvdKey};
use crate::types::{Digest, Network};

#[test]
fn format_of_a_setting() {
    let setting = StoredSetting { value: 300, set_at: NOW, set_by: "local:0".into() };
    assert_format(&setting, &["01ac0280a0abfef962076c6f63616c3a30"]);
}

#[test]
fn format_of_a_login_key() {
    let key = SvdKey {
        user: UserId::from_bytes([0x3f; 12]),
        public_key: SecretKey::from_bytes(&[1; 32]).unwrap().public_key(),
        revoked_at: Some(NOW),
        registered_at: NOW,
        changed_at: NOW,
    };
    assert_format(
        &key,
        &[
            "013f3f3f3f3f3f3f3f3f3f3f3f",
            "42303331623834633535363762313236343430393935643365643561616261303536356437316531383334363034383139666639633137663565396435646430373866",
            "0180a0abfef96280a0abfef96280a0abfef962",
        ],
    );
}

#[test]
fn format_of_an_api_key() {
    let key = StoredApiKey {
        id: ApiKeyId::from_bytes([0xab; 8]),
        name: "till".into(),
        secret: Digest::from_bytes([1; 32]),
        former: Some((Digest::from_bytes([2; 32]), NOW)),
        scopes: [Scope::Pos].into_iter().collect(),
        shop: Some(Address::of_hash([0xaa; 20], Network::Test)),
        created_at: NOW,
        created_by: "local:0".into(),
        expires_at: Some(NOW),
        revoked_at: None,
    };
    let (secret, former) = ("01".repeat(32), "02".repeat(32));
    let shop = format!("0101{}", "aa".repeat(20));
    let maker = "076c6f63616c3a30";
    let (time, never) = ("80a0abfef962", "00");
    let expected = [
        "01abababababababab0474696c6c",
        &secret,
        "01",
        &former,
        time,
        "02",
        &shop,
        time,
        maker,
        "01",
        time,
        never,
    ];
    assert_format(&key, &expected);
}
