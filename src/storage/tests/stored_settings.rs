//! The bytes of settings and login keys on disk; see `stored_format.rs` for what a failure here means.

use crate::auth::svd::UserId;
use crate::crypto::SecretKey;
use crate::storage::tests::stored_format::{NOW, assert_format};
use crate::storage::{StoredSetting, SvdKey};

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
