//! The bytes on disk of what went stale; see `stored_format` for what a failure here means.

use crate::storage::StaleProof;
use crate::storage::tests::stored_format::assert_format;
use crate::types::Timestamp;

#[test]
fn format_of_a_stale_proof() {
    let went_stale_at = Timestamp::from_millis(1_700_000_000_000);
    let stale = StaleProof { path: vec![1, 2, 3], went_stale_at };
    assert_format(&stale, &["010301020380a0abfef962"]);
}
