//! The bytes of a job on disk; see `stored_format.rs` for what a failure here means.

use crate::anchor::lifecycle::{HeldReason, Job, Stage};
use crate::storage::tests::stored_format::{NOW, assert_format, id, txid};
use crate::types::BlockHash;

fn job(stage: Stage) -> Job {
    Job {
        attempts: 2,
        due: Some(NOW),
        problem: Some("no".into()),
        dead: vec![txid(9)],
        ..Job { stage, ..Job::new(id(1), NOW) }
    }
}

#[test]
fn format_of_a_job() {
    let (txid, block, height) = (txid(3), BlockHash::from_bytes([8; 32]), 800_000);
    assert_format(
        &job(Stage::Accepted),
        &[
            "010101010101010101010101010101010100020180a0abfef96201026e6f80a0abfef96280a0abfe",
            "f96201090909090909090909090909090909090909090909090909090909090909090900000000",
        ],
    );
    assert_format(
        &job(Stage::Reserved),
        &[
            "010101010101010101010101010101010101020180a0abfef96201026e6f80a0abfef96280a0abfe",
            "f96201090909090909090909090909090909090909090909090909090909090909090900000000",
        ],
    );
    assert_format(
        &job(Stage::Signed { txid }),
        &[
            "01010101010101010101010101010101010203030303030303030303030303030303030303030303",
            "03030303030303030303020180a0abfef96201026e6f80a0abfef96280a0abfef962010909090909",
            "09090909090909090909090909090909090909090909090909090900000000",
        ],
    );
    assert_format(
        &job(Stage::Seen { txid }),
        &[
            "01010101010101010101010101010101010303030303030303030303030303030303030303030303",
            "03030303030303030303020180a0abfef96201026e6f80a0abfef96280a0abfef962010909090909",
            "09090909090909090909090909090909090909090909090909090900000000",
        ],
    );
    assert_format(
        &job(Stage::Mined { txid, block, height }),
        &[
            "01010101010101010101010101010101010403030303030303030303030303030303030303030303",
            "03030303030303030303080808080808080808080808080808080808080808080808080808080808",
            "080880ea30020180a0abfef96201026e6f80a0abfef96280a0abfef9620109090909090909090909",
            "0909090909090909090909090909090909090909090900000000",
        ],
    );
    assert_format(
        &job(Stage::Final { txid, block, height }),
        &[
            "01010101010101010101010101010101010503030303030303030303030303030303030303030303",
            "03030303030303030303080808080808080808080808080808080808080808080808080808080808",
            "080880ea30020180a0abfef96201026e6f80a0abfef96280a0abfef9620109090909090909090909",
            "0909090909090909090909090909090909090909090900000000",
        ],
    );
}

#[test]
fn format_of_a_job_that_goes_no_further() {
    let txid = txid(3);
    assert_format(
        &job(Stage::Held { txid: None, reason: HeldReason::Signer }),
        &[
            "0101010101010101010101010101010101060000020180a0abfef96201026e6f80a0abfef96280a0",
            "abfef96201090909090909090909090909090909090909090909090909090909090909090900000000",
        ],
    );
    assert_format(
        &job(Stage::Held { txid: Some(txid), reason: HeldReason::FeeTooLow }),
        &[
            "01010101010101010101010101010101010601030303030303030303030303030303030303030303",
            "030303030303030303030301020180a0abfef96201026e6f80a0abfef96280a0abfef96201090909",
            "090909090909090909090909090909090909090909090909090909090900000000",
        ],
    );
    assert_format(
        &job(Stage::Held { txid: None, reason: HeldReason::InputSpentElsewhere }),
        &[
            "0101010101010101010101010101010101060002020180a0abfef96201026e6f80a0abfef96280a0",
            "abfef96201090909090909090909090909090909090909090909090909090909090909090900000000",
        ],
    );
    assert_format(
        &job(Stage::Held { txid: None, reason: HeldReason::DeepReorganisation }),
        &[
            "0101010101010101010101010101010101060003020180a0abfef96201026e6f80a0abfef96280a0",
            "abfef96201090909090909090909090909090909090909090909090909090909090909090900000000",
        ],
    );
    assert_format(
        &job(Stage::Held { txid: None, reason: HeldReason::Refused }),
        &[
            "0101010101010101010101010101010101060004020180a0abfef96201026e6f80a0abfef96280a0",
            "abfef96201090909090909090909090909090909090909090909090909090909090909090900000000",
        ],
    );
    assert_format(
        &job(Stage::Failed { reason: "no".into() }),
        &[
            "010101010101010101010101010101010107026e6f020180a0abfef96201026e6f80a0abfef96280",
            "a0abfef96201090909090909090909090909090909090909090909090909090909090909090900000000",
        ],
    );
}
