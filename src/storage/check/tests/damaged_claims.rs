//! Damage to claims.

use super::*;
use crate::bitcoin::Address;
use crate::storage::claims::{Claim, ClaimState};
use crate::types::Network;

fn sample() -> Sample {
    Sample::of(vec![(Way::Final, None), (Way::Mined, None)])
}

fn claim(id: u8, product: u8, record: RecordId) -> Claim {
    Claim {
        id: [id; 16],
        uid: uid(product),
        new_owner: Address::of_hash([0xaa; 20], Network::Test),
        state: ClaimState::Approved { record, at: NOW },
        filed_at: NOW,
        expires_at: NOW,
        forgotten_at: NOW,
    }
}

#[test]
fn two_claims_never_share_a_transfer_and_none_has_anothers() {
    let sample = sample();
    let id = sample.events[0].record.id;
    let found = sample.damaged(move |tx| {
        tx.put_claim(&claim(1, 1, id))?;
        tx.put_claim(&claim(2, 1, id))?;
        tx.put_claim(&claim(3, 2, id))
    });
    let name = |id: u8| Row("claim", hex::encode([id; 16]));
    let expected = [
        violation("I9", name(2), "shares its transfer with another"),
        violation("I9", name(3), "shares its transfer with another"),
        violation("I2", name(3), "was approved and has no transfer"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_claim_that_would_never_end_shows() {
    let found = sample().damaged(|tx| {
        let claim =
            Claim { state: ClaimState::Pending, ..claim(1, 1, RecordId::from_bytes([0; 16])) };
        tx.put_claim(&claim)?;
        tx.tables.claims_by_end.remove((NOW.as_millis(), [1; 16]))?;
        tx.tables.claims_by_end.insert((NOW.as_millis(), [2; 16]), ())?;
        Ok(())
    });
    let name = |id: u8| Row("claim", hex::encode([id; 16]));
    let expected = [
        violation("I9", name(1), "would never be forgotten"),
        violation("I9", name(2), "ends without being there"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_claim_that_is_listed_wrongly_shows() {
    let found = sample().damaged(|tx| {
        let pending = |id| Claim {
            state: ClaimState::Pending,
            ..claim(id, 1, RecordId::from_bytes([0; 16]))
        };
        let shop = Address::of_hash([0xbb; 20], Network::Test);
        for id in 1..=4 {
            tx.file_claim(&pending(id), &shop)?;
        }
        let at = NOW.as_millis();
        tx.tables.claims_by_shop.remove(([0xbb; 20], at, [2; 16]))?;
        tx.tables.claims_by_filing.remove((at, [3; 16]))?;
        tx.tables.claims_by_filing.insert((at, [9; 16]), [0xbb; 20])?;
        tx.tables.claims_by_shop.insert(([0xbb; 20], at, [9; 16]), ())?;
        // Removing one takes its rows in both lists with it.
        tx.remove_claim(&pending(4))
    });
    let name = |id: u8| Row("claim", hex::encode([id; 16]));
    let expected = [
        violation("I9", name(2), "is not listed for its shop"),
        violation("I9", name(9), "is listed without being there"),
        violation("I9", name(3), "is listed for a shop that is not its"),
    ];
    assert_eq!(found, expected);
}
