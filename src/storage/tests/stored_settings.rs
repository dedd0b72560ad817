//! The bytes of a setting on disk; see `stored_format.rs` for what a failure here means.

use crate::storage::StoredSetting;
use crate::storage::tests::stored_format::{NOW, assert_format};

#[test]
fn format_of_a_setting() {
    let setting = StoredSetting { value: 300, set_at: NOW, set_by: "local:0".into() };
    assert_format(&setting, &["01ac0280a0abfef962076c6f63616c3a30"]);
}
