//! Claims at points of sale: filed by customers, approved at most once.

use redb::{ReadableTable, ReadableTableMetadata};
use serde::{Deserialize, Serialize};

use crate::bitcoin::Address;
use crate::patch::tag::UidTag;
use crate::storage::codec::{decode, encode};
use crate::storage::{StoreChange, StoreError, Tables, WriteTx};
use crate::types::{RecordId, Timestamp};

/// A claim's identifier: a keyed hash of its tag and nonce.
pub type ClaimId = [u8; 16];

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClaimState {
    /// It waits for the shop; until its time is over.
    Pending,
    /// The shop signed, and this transfer was accepted.
    Approved {
        /// The transfer's record.
        record: RecordId,
        /// When.
        at: Timestamp,
    },
}

/// A customer's signed claim of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its identifier.
    pub id: ClaimId,
    /// The product.
    pub uid: UidTag,
    /// Who is to own it: the address of the key that signed.
    pub new_owner: Address,
    /// Where it stands.
    pub state: ClaimState,
    /// When it was filed.
    pub filed_at: Timestamp,
    /// Until when it may be approved.
    pub expires_at: Timestamp,
    /// When it is forgotten.
    pub forgotten_at: Timestamp,
}

impl WriteTx<'_> {
    /// Stores a claim in place of what was stored of it.
    pub fn put_claim(&mut self, new: &Claim) -> Result<(), StoreError> {
        self.is_dirty = true;
        if let Some(old) = claim(self, new.id)? {
            self.tables.claims_by_end.remove((old.forgotten_at.as_millis(), old.id))?;
        }
        self.tables.claims.insert(new.id, encode(new).as_slice())?;
        self.changes.push(StoreChange::Claim(new.id));
        self.tables.claims_by_end.insert((new.forgotten_at.as_millis(), new.id), ())?;
        Ok(())
    }

    /// Stores a new claim, and with which shop it was filed: the owner of the product at that time.
    pub fn file_claim(&mut self, new: &Claim, shop: &Address) -> Result<(), StoreError> {
        self.put_claim(new)?;
        let (at, shop) = (new.filed_at.as_millis(), *shop.hash160());
        self.tables.claims_by_filing.insert((at, new.id), shop)?;
        self.tables.claims_by_shop.insert((shop, at, new.id), ())?;
        Ok(())
    }

    /// Removes a claim.
    pub fn remove_claim(&mut self, old: &Claim) -> Result<(), StoreError> {
        self.is_dirty = true;
        self.tables.claims_by_end.remove((old.forgotten_at.as_millis(), old.id))?;
        let at = old.filed_at.as_millis();
        let shop = self.tables.claims_by_filing.remove((at, old.id))?.map(|shop| shop.value());
        if let Some(shop) = shop {
            self.tables.claims_by_shop.remove((shop, at, old.id))?;
        }
        self.tables.claims.remove(old.id)?;
        Ok(())
    }

    /// Forgets claims whose time to be forgotten came before `now`, at most `limit`, and returns how
    /// many went.
    pub fn forget_claims(&mut self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let ended: Vec<(i64, ClaimId)> = self
            .tables
            .claims_by_end
            .range(..(now.as_millis(), [0u8; 16]))?
            .take(limit)
            .map(|row| row.map(|(key, _)| key.value()))
            .collect::<Result<_, _>>()?;
        for (at, id) in &ended {
            self.is_dirty = true;
            match claim(self, *id)? {
                Some(old) => self.remove_claim(&old)?,
                None => drop(self.tables.claims_by_end.remove((*at, *id))?),
            }
        }
        Ok(ended.len())
    }
}

/// Returns the claims that would make a key hash the owner.
pub fn claims_for(tables: &impl Tables, owner: &[u8; 20]) -> Result<Vec<Claim>, StoreError> {
    let mut found = Vec::new();
    for row in tables.claims().iter()? {
        let claim: Claim = decode(row?.1.value(), "claim")?;
        if claim.new_owner.hash160() == owner {
            found.push(claim);
        }
    }
    Ok(found)
}

/// Returns a claim, in whatever state.
pub fn claim(tables: &impl Tables, id: ClaimId) -> Result<Option<Claim>, StoreError> {
    tables.claims().get(id)?.map(|bytes| decode(bytes.value(), "claim")).transpose()
}

/// Returns how many claims are stored.
pub fn claim_count(tables: &impl Tables) -> Result<u64, StoreError> {
    Ok(tables.claims().len()?)
}

/// Returns the key hash of the shop that a claim was filed with; none if that was not noted.
pub fn shop_of_claim(tables: &impl Tables, claim: &Claim) -> Result<Option<[u8; 20]>, StoreError> {
    let key = (claim.filed_at.as_millis(), claim.id);
    Ok(tables.claims_by_filing().get(key)?.map(|shop| shop.value()))
}

/// A place in the list of claims: the time of filing in milliseconds, and the claim.
pub type ClaimPlace = (i64, ClaimId);

/// Returns claims filed with a shop, or with any, newest first, at most `limit`, before `before`. What
/// was filed before shops were noted is not among them; it is forgotten within a week.
pub fn claims_before(
    tables: &impl Tables,
    shop: Option<[u8; 20]>,
    before: Option<ClaimPlace>,
    limit: usize,
) -> Result<Vec<Claim>, StoreError> {
    let (at, id) = before.unwrap_or((i64::MAX, [0xff; 16]));
    let ids: Vec<ClaimId> = match shop {
        Some(shop) => tables
            .claims_by_shop()
            .range((shop, i64::MIN, [0; 16])..(shop, at, id))?
            .rev()
            .take(limit)
            .map(|row| row.map(|(key, _)| key.value().2))
            .collect::<Result<_, _>>()?,
        None => tables
            .claims_by_filing()
            .range((i64::MIN, [0; 16])..(at, id))?
            .rev()
            .take(limit)
            .map(|row| row.map(|(key, _)| key.value().1))
            .collect::<Result<_, _>>()?,
    };
    ids.into_iter()
        .map(|id| claim(tables, id)?.ok_or(StoreError::Missing { entity: "claim" }))
        .collect()
}
