//! What stays of a record whose content was erased: that it was, when, and what the product is, so that
//! the product can still change hands. docs/PRIVACY.md tells what goes and what stays, and why.
//!
//! An erased record proves nothing by itself any more, so whoever could write into the store could
//! pass a forged chain off as an erased one. A seal under a key of the server's says that this server
//! erased exactly this record, and whose it was, without naming anyone.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{constant_time_eq, hkdf_sha256, hmac_sha256};
use crate::patch::record::{Metadata, Product};
use crate::types::{Digest, RecordId, Timestamp};

const SEAL_PURPOSE: &[u8] = b"patchproof/erasure/seal/v1";
const OWNER_PURPOSE: &[u8] = b"patchproof/erasure/owner/v1";

/// What an erased record still says of its product. Free text goes with the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductFacts {
    /// The product.
    pub product: Product,
    /// Image and place; never notes.
    pub metadata: Metadata,
}

impl ProductFacts {
    /// Takes what may stay.
    pub fn of(product: &Product, metadata: &Metadata) -> Self {
        Self { product: product.clone(), metadata: Metadata { notes: None, ..metadata.clone() } }
    }

    /// Writes the facts as they are stored and sealed.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts always have a JSON form")
    }

    /// Reads stored facts; nothing if they are none.
    pub fn from_json(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// An erasure as it is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure<'a> {
    /// The record.
    pub record: RecordId,
    /// Its commitment, which stays.
    pub commitment: Digest,
    /// When its content was erased.
    pub erased_at: Timestamp,
    /// [`ProductFacts`] as stored.
    pub facts: &'a [u8],
    /// Whose it was, unreadably: see [`ErasureKey::owner_mark`].
    pub owner_mark: [u8; 32],
}

/// What erasures are sealed with; derived from the master secret.
#[derive(Clone)]
pub struct ErasureKey {
    seal: Zeroizing<[u8; 32]>,
    owner: Zeroizing<[u8; 32]>,
}

impl ErasureKey {
    /// Derives the key from the master secret.
    pub fn derive(master_secret: &[u8]) -> Self {
        let derive = |purpose| Zeroizing::new(hkdf_sha256(master_secret, b"", purpose));
        Self { seal: derive(SEAL_PURPOSE), owner: derive(OWNER_PURPOSE) }
    }

    /// Marks a record with the key hash of its owner: whoever names the owner can check it, and
    /// nobody can read him off it. The same owner has another mark on every record.
    pub fn owner_mark(&self, record: RecordId, owner: &[u8; 20]) -> [u8; 32] {
        hmac_sha256(self.owner.as_slice(), &[&record.to_bytes()[..], owner].concat())
    }

    /// Seals an erasure.
    pub fn seal(&self, erasure: &Erasure<'_>) -> [u8; 32] {
        // All parts but the last have a fixed length.
        let sealed = [
            &erasure.record.to_bytes()[..],
            erasure.commitment.as_bytes(),
            &erasure.erased_at.as_millis().to_be_bytes(),
            &erasure.owner_mark,
            erasure.facts,
        ]
        .concat();
        hmac_sha256(self.seal.as_slice(), &sealed)
    }

    /// Says whether this server made a seal.
    pub fn is_sealed(&self, erasure: &Erasure<'_>, seal: &[u8; 32]) -> bool {
        constant_time_eq(&self.seal(erasure), seal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::tag::UidTag;

    fn facts() -> ProductFacts {
        let product = Product {
            uid_tag_id: UidTag::parse("TAG-1").unwrap(),
            name: Some("Trikot".into()),
            category: None,
            sku: None,
            serial_number: None,
            material: None,
        };
        let metadata =
            Metadata { notes: Some("for Ada".into()), image: None, patch_location: None };
        ProductFacts::of(&product, &metadata)
    }

    #[test]
    fn free_text_goes_and_the_product_stays() {
        let facts = facts();
        assert_eq!(facts.metadata.notes, None);
        assert_eq!(ProductFacts::from_json(&facts.to_json()), Some(facts));
        assert_eq!(ProductFacts::from_json(b"{}"), None);
    }

    #[test]
    fn a_seal_holds_for_its_erasure_and_no_other() {
        let key = ErasureKey::derive(b"master");
        let json = facts().to_json();
        let id = RecordId::from_bytes([1; 16]);
        let erasure = Erasure {
            record: id,
            commitment: Digest::from_bytes([2; 32]),
            erased_at: Timestamp::from_millis(3),
            facts: &json,
            owner_mark: key.owner_mark(id, &[4; 20]),
        };
        let seal = key.seal(&erasure);
        assert!(key.is_sealed(&erasure, &seal));
        assert!(!ErasureKey::derive(b"other").is_sealed(&erasure, &seal));
        let others = [
            Erasure { record: RecordId::from_bytes([9; 16]), ..erasure },
            Erasure { commitment: Digest::from_bytes([9; 32]), ..erasure },
            Erasure { erased_at: Timestamp::from_millis(9), ..erasure },
            Erasure { facts: b"{}", ..erasure },
            Erasure { owner_mark: key.owner_mark(id, &[9; 20]), ..erasure },
        ];
        for other in others {
            assert!(!key.is_sealed(&other, &seal), "{other:?}");
        }
        assert_ne!(
            key.owner_mark(id, &[4; 20]),
            key.owner_mark(RecordId::from_bytes([9; 16]), &[4; 20])
        );
    }
}
