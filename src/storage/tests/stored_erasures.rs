//! The bytes of erasures on disk; see `stored_format.rs` for what a failure here means.

use crate::storage::ErasedRecord;
use crate::storage::tests::stored_format::{NOW, assert_format};

#[test]
fn format_of_an_erased_record() {
    let erased =
        ErasedRecord { erased_at: NOW, facts: b"{}".to_vec(), owner_mark: [1; 32], seal: [2; 32] };
    let (mark, seal) = ("01".repeat(32), "02".repeat(32));
    assert_format(&erased, &["01", "80a0abfef962", "027b7d", &mark, &seal]);
}
