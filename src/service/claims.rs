//! Claims at points of sale: a customer signs that he wants a product, the shop that owns it signs it
//! over, and both take effect in one transaction. docs/CLAIMS.md tells the protocol.

use std::sync::Arc;
use std::time::Duration;

use crate::bitcoin::Address;
use crate::crypto::{PublicKey, Signature, random_bytes};
use crate::patch::claim::{
    ClaimKey, ClaimNonce, NonceRejection, Unclaimable, check_claimable, claim_message,
};
use crate::patch::message::{message_digest, transfer_message};
use crate::patch::tag::UidTag;
use crate::service::once::Keep;
use crate::service::registration::Caller;
use crate::service::transfer::{AcceptedTransfer, Transfer, TransferError, TransferService};
use crate::storage::claims::{ClaimId, ClaimPlace, claim, claim_count, claims_before};
use crate::storage::patches::patch;
use crate::storage::{Store, StoreError, Tables, WriteTx};
use crate::types::{RecordId, Timestamp, Txid};

pub use crate::storage::claims::{Claim, ClaimState};

/// How long a claim that was not approved can still be asked about.
const EXPIRED_KEPT: Duration = Duration::from_secs(60 * 60);
/// How long one that was approved can.
const APPROVED_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The most claims that are stored.
const MAX_CLAIMS: u64 = 100_000;
/// Claims on a page.
pub const MAX_PAGE: usize = 200;
/// The most claims that are looked at for one page.
const MOST_LOOKED_AT: usize = 2_000;
/// Expired claims that make room at a time.
const ROOM: usize = 256;

/// A claim that was not filed, or not approved.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Nobody registered the tag, or the network has not taken it yet.
    #[error("the tag is not registered, or not anchored yet")]
    NoSuchProduct,
    /// There is no such claim, or it was forgotten.
    #[error("there is no such claim")]
    NoSuchClaim,
    /// The tag cannot stand in a claim.
    #[error(transparent)]
    Unclaimable(#[from] Unclaimable),
    /// The nonce makes no claim.
    #[error(transparent)]
    Nonce(#[from] NonceRejection),
    /// The nonce made another claim.
    #[error("the nonce made another claim")]
    NonceUsed,
    /// The address is not that of the key that signed.
    #[error("the address is not the key's")]
    ForeignAddress,
    /// The customer's signature does not match.
    #[error("the signature does not match this claim")]
    BadSignature,
    /// The customer owns the product.
    #[error("the product is the customer's already")]
    SameOwner,
    /// The key that wants to approve is bound to no shop.
    #[error("the key is bound to no shop")]
    NoShop,
    /// The product is not the shop's.
    #[error("the product does not belong to the shop")]
    NotTheShops,
    /// The claim was approved before.
    #[error("the claim was approved before")]
    Approved,
    /// The claim's time is over.
    #[error("the claim has expired")]
    Expired,
    /// Too many claims are stored.
    #[error("too many claims wait")]
    Overloaded,
    /// The transfer was not accepted.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The store does not work.
    #[error("the store did not answer")]
    Store(#[from] StoreError),
}

/// A nonce that was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenNonce {
    /// The nonce, with its time in it.
    pub nonce: ClaimNonce,
    /// Until when a claim may be filed with it.
    pub expires_at: Timestamp,
}

/// A claim as its customer files it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The product.
    pub uid: UidTag,
    /// The customer's address.
    pub new_owner: Address,
    /// The customer's key.
    pub public_key: PublicKey,
    /// His signature of the claim message.
    pub signature: Signature,
    /// The nonce in it.
    pub nonce: ClaimNonce,
}

/// A shop's approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The claim.
    pub claim: ClaimId,
    /// The shop that the caller's key is bound to, if any.
    pub shop: Option<Address>,
    /// The shop's key.
    pub public_key: PublicKey,
    /// Its signature of the transfer message.
    pub signature: Signature,
}

/// What a shop signs to approve a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToSign {
    /// The transaction of the product's present state.
    pub current_txid: Txid,
    /// The transfer message.
    pub message: String,
}

/// A page of claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPage {
    /// The claims, newest first; those that are asked for may be fewer than fit.
    pub items: Vec<Claim>,
    /// The place to go on before, if there may be more.
    pub next: Option<ClaimPlace>,
}

/// Takes claims and approvals.
#[derive(Clone)]
pub struct ClaimService {
    /// The store.
    pub store: Store,
    /// Gives out nonces and names claims.
    pub key: ClaimKey,
    /// Hands products on.
    pub transfers: TransferService,
    /// How long a nonce may make a claim, and a claim may be approved.
    pub ttl: Duration,
}

impl ClaimService {
    /// Gives out a nonce for one claim of a product. Nothing is stored.
    pub fn challenge(&self, uid: &UidTag, now: Timestamp) -> Result<GivenNonce, ClaimError> {
        check_claimable(uid)?;
        self.store.read(|tx| anchored_owner(tx, uid))?;
        let nonce = self.key.issue(uid, now, &random_bytes());
        Ok(GivenNonce { nonce, expires_at: now.plus(self.ttl) })
    }

    /// Files a claim, and says whether it is new: the same claim again is the one that there is.
    /// Only the answer to a new one is kept, so that one claim has one key.
    pub async fn file(
        &self,
        intent: Intent,
        keep: Keep<(Claim, bool)>,
        now: Timestamp,
    ) -> Result<(Claim, bool), ClaimError> {
        let message = claim_message(&intent.uid, &intent.new_owner, &intent.nonce)?;
        self.key.check(&intent.nonce, &intent.uid, now, self.ttl)?;
        if !intent.new_owner.belongs_to(&intent.public_key) {
            return Err(ClaimError::ForeignAddress);
        }
        let digest = message_digest(&message);
        let verdict = intent.public_key.verify(&digest, &intent.signature);
        verdict.map_err(|_| ClaimError::BadSignature)?;
        let expires_at = now.plus(self.ttl);
        let new = Claim {
            id: self.key.claim_id(&intent.uid, &intent.nonce),
            uid: intent.uid,
            new_owner: intent.new_owner,
            state: ClaimState::Pending,
            filed_at: now,
            expires_at,
            forgotten_at: expires_at.plus(EXPIRED_KEPT),
        };
        self.store
            .write(move |tx| {
                let filed = file_in(tx, &new, now)?;
                if filed.1 {
                    keep.put(tx, &filed)?;
                }
                Ok(filed)
            })
            .await
    }

    /// Returns a claim.
    pub fn claim(&self, id: ClaimId) -> Result<Claim, ClaimError> {
        self.store.read(|tx| claim(tx, id))?.ok_or(ClaimError::NoSuchClaim)
    }

    /// Returns a page of the claims filed with a shop, or with any, that are `wanted`, newest first.
    pub fn list(
        &self,
        shop: Option<[u8; 20]>,
        before: Option<ClaimPlace>,
        limit: usize,
        wanted: impl Fn(&Claim) -> bool,
    ) -> Result<ClaimPage, StoreError> {
        let found = self.store.read(|tx| claims_before(tx, shop, before, MOST_LOOKED_AT))?;
        let (looked_at, mut next) = (found.len(), found.last().map(place_of));
        let mut items: Vec<Claim> = found.into_iter().filter(wanted).collect();
        if items.len() > limit {
            items.truncate(limit);
            next = items.last().map(place_of);
        } else if looked_at < MOST_LOOKED_AT {
            next = None;
        }
        Ok(ClaimPage { items, next })
    }

    /// Returns what a shop has to sign for a claim; nothing if the product is not, or no longer, its.
    pub fn to_sign(&self, claim: &Claim, shop: &Address) -> Result<Option<ToSign>, ClaimError> {
        let found = self.store.read(|tx| patch(tx, claim.uid.as_str()))?;
        let found = found.filter(|found| found.owner == *shop);
        let Some(current_txid) = found.and_then(|found| found.current_txid) else {
            return Ok(None);
        };
        let new_owner = claim.new_owner.to_string();
        let message = transfer_message(claim.uid.as_str(), current_txid, &new_owner);
        Ok(Some(ToSign { current_txid, message }))
    }

    /// Approves a claim and accepts its transfer, both or neither, once.
    pub async fn approve(
        &self,
        approval: Approval,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<AcceptedTransfer, ClaimError> {
        if let Some(replayed) = self.transfers.replayed(caller, now)? {
            return Ok(replayed);
        }
        let shop = approval.shop.ok_or(ClaimError::NoShop)?;
        let waiting = self.claim(approval.claim)?;
        check_open(&waiting, now)?;
        let (owner, current_txid) = self.store.read(|tx| anchored_owner(tx, &waiting.uid))?;
        if owner != shop {
            return Err(ClaimError::NotTheShops);
        }
        let transfer = Transfer {
            uid: Some(waiting.uid.clone()),
            current_txid,
            new_owner: waiting.new_owner,
            owner_public_key: approval.public_key,
            owner_signature: approval.signature,
        };
        let prepared = self.transfers.prepare(&transfer, now)?;
        let draft = Arc::clone(&prepared.draft);
        let (transfers, actor) = (self.transfers.clone(), caller.actor.clone());
        let request = caller.idempotency.clone();
        let watch = self.transfers.watch(&prepared, caller);
        let replay = self
            .store
            .write(move |tx| {
                // Before the claim is looked at: a repetition finds it approved by its own success.
                if let Some(known) = transfers.look_up(tx, request.as_ref(), now)? {
                    return Ok(known);
                }
                let open = claim(tx, approval.claim)?.ok_or(ClaimError::NoSuchClaim)?;
                check_open(&open, now)?;
                let replay = transfers.accept(tx, &draft, request.as_ref(), &actor, now)?;
                mark_approved(tx, open, draft.record.id, &actor, now)?;
                Ok::<_, ClaimError>(replay)
            })
            .await?;
        Ok(self.transfers.answered(prepared, replay, watch, caller).await)
    }
}

fn place_of(claim: &Claim) -> ClaimPlace {
    (claim.filed_at.as_millis(), claim.id)
}

/// Stores a new claim; one that is there already stays as it is.
fn file_in(tx: &mut WriteTx<'_>, new: &Claim, now: Timestamp) -> Result<(Claim, bool), ClaimError> {
    if let Some(known) = claim(tx, new.id)? {
        let is_same = known.new_owner == new.new_owner;
        return if is_same { Ok((known, false)) } else { Err(ClaimError::NonceUsed) };
    }
    let (owner, _) = anchored_owner(tx, &new.uid)?;
    if owner == new.new_owner {
        return Err(ClaimError::SameOwner);
    }
    // Those that have expired make room before their time, if it comes to that.
    if claim_count(tx)? >= MAX_CLAIMS && tx.forget_claims(now.plus(EXPIRED_KEPT), ROOM)? == 0 {
        return Err(ClaimError::Overloaded);
    }
    tx.file_claim(new, &owner)?;
    tx.append_audit(
        now,
        "customer",
        &format!("claim.file:{}", hex::encode(new.id)),
        new.uid.as_str(),
    )?;
    Ok((new.clone(), true))
}

fn mark_approved(
    tx: &mut WriteTx<'_>,
    open: Claim,
    record: RecordId,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let action = format!("claim.approve:{}", hex::encode(open.id));
    tx.append_audit(now, actor, &action, open.uid.as_str())?;
    let state = ClaimState::Approved { record, at: now };
    tx.put_claim(&Claim { state, forgotten_at: now.plus(APPROVED_KEPT), ..open })
}

fn check_open(claim: &Claim, now: Timestamp) -> Result<(), ClaimError> {
    match claim.state {
        ClaimState::Approved { .. } => Err(ClaimError::Approved),
        ClaimState::Pending if claim.expires_at <= now => Err(ClaimError::Expired),
        ClaimState::Pending => Ok(()),
    }
}

/// Returns a product's owner and the transaction of its present state.
fn anchored_owner(tables: &impl Tables, uid: &UidTag) -> Result<(Address, Txid), ClaimError> {
    let found = patch(tables, uid.as_str())?.ok_or(ClaimError::NoSuchProduct)?;
    let txid = found.current_txid.ok_or(ClaimError::NoSuchProduct)?;
    Ok((found.owner, txid))
}
