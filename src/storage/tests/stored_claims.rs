//! The bytes of claims on disk; see `stored_format.rs` for what a failure here means.

use crate::bitcoin::Address;
use crate::patch::tag::UidTag;
use crate::storage::claims::{Claim, ClaimState};
use crate::storage::tests::stored_format::{NOW, assert_format, id};
use crate::types::Network;

fn claim(state: ClaimState) -> Claim {
    Claim {
        id: [0x3c; 16],
        uid: UidTag::parse("TAG-1").unwrap(),
        new_owner: Address::of_hash([0xaa; 20], Network::Test),
        state,
        filed_at: NOW,
        expires_at: NOW,
        forgotten_at: NOW,
    }
}

#[test]
fn format_of_a_claim() {
    let begin = ["01", &"3c".repeat(16), "055441472d31", "01", &"aa".repeat(20)].concat();
    let times = "80a0abfef962".repeat(3);
    assert_format(&claim(ClaimState::Pending), &[&begin, "00", &times]);
    let approved = ClaimState::Approved { record: id(7), at: NOW };
    let state = ["01", &"07".repeat(16), "80a0abfef962"].concat();
    assert_format(&claim(approved), &[&begin, &state, &times]);
}
