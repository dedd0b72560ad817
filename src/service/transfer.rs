//! Handing a product on: the present owner's signature decides, and of any number of transfers of
//! one state exactly one wins.

mod present;

use std::sync::Arc;

use crate::anchor::canonical::CanonicalError;
use crate::bitcoin::Address;
use crate::crypto::{PublicKey, Signature};
use crate::patch::custody::{OwnerConsent, check_owner_consent};
use crate::patch::erasure::ProductFacts;
use crate::patch::record::{PreviousEvent, Purpose, RecordFacts};
use crate::patch::tag::UidTag;
use crate::service::batches::Route;
use crate::service::idempotency::{self, IdempotencyError, IdempotentRequest, Replay};
use crate::service::keys::Keyring;
use crate::service::progress::{Progress, ProgressWaiter};
use crate::service::registration::{Acceptance, Caller, EventDraft, Wake};
use crate::service::transfer::present::{Present, find_present};
use crate::storage::batches::place_in_batch;
use crate::storage::fence::dispute;
use crate::storage::jobs::expect_job;
use crate::storage::patches::patch;
use crate::storage::records::expect_record;
use crate::storage::{Patch, Store, StoreError, WriteTx};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{Timestamp, Txid};

/// A transfer that its owner signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// The product, where it is said; the owner's signature says it in any case.
    pub uid: Option<UidTag>,
    /// The transaction of the state that is handed over.
    pub current_txid: Txid,
    /// The new owner.
    pub new_owner: Address,
    /// The present owner's key.
    pub owner_public_key: PublicKey,
    /// The present owner's signature of the transfer message.
    pub owner_signature: Signature,
}

/// A transfer that was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// No event has this transaction.
    #[error("no product has this transaction")]
    NotFound,
    /// The key is not the present owner's.
    #[error("the key is not the present owner's")]
    NotOwner,
    /// The signature does not match.
    #[error("the signature does not match this transfer")]
    BadSignature,
    /// The product has moved on, or a transfer is under way.
    #[error("the product's state has moved on")]
    StateMoved,
    /// The owner has too many products in the batch to try them all, and none was named.
    #[error("the transaction carries too many products of this owner")]
    TooManyProducts,
    /// A transaction on chain that is not known here has moved the custody on.
    #[error("transaction {0}, which the restored backup did not know, has moved the custody on")]
    Disputed(Txid),
    /// The new owner is the present one.
    #[error("the new owner is the present owner")]
    SameOwner,
    /// The key cannot be used.
    #[error("the Idempotency-Key cannot be used")]
    Idempotency(#[source] IdempotencyError),
    /// The record has no canonical form.
    #[error("the record cannot be written down")]
    Canonical(#[from] CanonicalError),
    /// The store does not work.
    #[error("the store did not take the transfer")]
    Store(#[from] StoreError),
}

impl From<IdempotencyError> for TransferError {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Store(store) => Self::Store(store),
            other @ (IdempotencyError::Mismatch
            | IdempotencyError::InFlight
            | IdempotencyError::Lost) => Self::Idempotency(other),
        }
    }
}

/// A transfer that was accepted, with the product it moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedTransfer {
    /// The product.
    pub uid: UidTag,
    /// What became of the request.
    pub acceptance: Acceptance,
}

/// Hands products on.
#[derive(Clone)]
pub struct TransferService {
    /// The store.
    pub store: Store,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Where requests wait.
    pub progress: Progress,
    /// Wakes the worker.
    pub wake: Wake,
    /// When this process started.
    pub process: Timestamp,
}

/// A transfer whose signature is good, ready to be accepted.
pub(super) struct PreparedTransfer {
    /// The product.
    pub(super) uid: UidTag,
    /// The event.
    pub(super) draft: Arc<EventDraft>,
}

impl TransferService {
    /// Accepts a transfer and waits for the network as long as the caller likes.
    pub async fn transfer(
        &self,
        transfer: Transfer,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<AcceptedTransfer, TransferError> {
        if let Some(replayed) = self.replayed(caller, now)? {
            return Ok(replayed);
        }
        let prepared = self.prepare(&transfer, now)?;
        let waiter = self.watch(&prepared, caller);
        let (service, request) = (self.clone(), caller.idempotency.clone());
        let (actor, draft) = (caller.actor.clone(), Arc::clone(&prepared.draft));
        let replay = self
            .store
            .write(move |tx| {
                if let Some(known) = service.look_up(tx, request.as_ref(), now)? {
                    return Ok(known);
                }
                service.accept(tx, &draft, request.as_ref(), &actor, now)
            })
            .await?;
        Ok(self.answered(prepared, replay, waiter, caller).await)
    }

    /// Checks the owner's signature over the present state and writes the event down, in memory.
    pub(super) fn prepare(
        &self,
        transfer: &Transfer,
        now: Timestamp,
    ) -> Result<PreparedTransfer, TransferError> {
        let present = self.store.read(|tx| find_present(tx, transfer, self.keyring.network))?;
        self.check_consent(transfer, &present)?;
        let draft = Arc::new(self.draft(transfer, &present, now)?);
        Ok(PreparedTransfer { uid: present.patch.uid, draft })
    }

    /// Begins to wait for the network, before the worker can have been there.
    pub(super) fn watch(
        &self,
        prepared: &PreparedTransfer,
        caller: &Caller,
    ) -> Option<ProgressWaiter> {
        caller.waits().then(|| self.progress.watch(prepared.draft.record.id))
    }

    /// Wakes the worker for a transfer that is new, and waits as long as the caller likes.
    pub(super) async fn answered(
        &self,
        prepared: PreparedTransfer,
        replay: Replay,
        waiter: Option<ProgressWaiter>,
        caller: &Caller,
    ) -> AcceptedTransfer {
        let acceptance = match replay {
            Replay::New => {
                (self.wake)();
                let id = prepared.draft.record.id;
                Acceptance::after_waiting(id, waiter, caller.patience).await
            }
            Replay::Unanswered(id) => Acceptance::Accepted(id),
            Replay::Answer { answer, .. } => Acceptance::Replayed(answer),
        };
        AcceptedTransfer { uid: prepared.uid, acceptance }
    }

    /// Says what became of a request that was made before, if it was.
    pub(super) fn look_up(
        &self,
        tx: &WriteTx<'_>,
        request: Option<&IdempotentRequest>,
        now: Timestamp,
    ) -> Result<Option<Replay>, TransferError> {
        let Some(request) = request else { return Ok(None) };
        let replay = idempotency::look_up(tx, request, &self.progress, now)?;
        Ok((replay != Replay::New).then_some(replay))
    }

    /// A repeated request is answered before its rules are looked at: its own success has moved
    /// the state on.
    pub(super) fn replayed(
        &self,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Option<AcceptedTransfer>, TransferError> {
        let Some(request) = &caller.idempotency else { return Ok(None) };
        let replay =
            self.store.read(|tx| idempotency::look_up(tx, request, &self.progress, now))?;
        let (id, acceptance) = match replay {
            Replay::New => return Ok(None),
            Replay::Unanswered(id) => (id, Acceptance::Accepted(id)),
            Replay::Answer { record, answer } => (record, Acceptance::Replayed(answer)),
        };
        // Not by the transaction that the request names: that one may be dead by now.
        let uid = self.store.read(|tx| expect_record(tx, id))?.uid;
        Ok(Some(AcceptedTransfer { uid, acceptance }))
    }

    fn check_consent(&self, transfer: &Transfer, present: &Present) -> Result<(), TransferError> {
        let owner = present.patch.owner;
        if !owner.belongs_to(&transfer.owner_public_key) {
            return Err(TransferError::NotOwner);
        }
        if transfer.new_owner == owner {
            return Err(TransferError::SameOwner);
        }
        check_owner_consent(&OwnerConsent {
            uid: &present.patch.uid,
            current_txid: transfer.current_txid,
            owner: &owner.to_string(),
            new_owner: &transfer.new_owner.to_string(),
            network: self.keyring.network,
            public_key: &transfer.owner_public_key,
            signature: &transfer.owner_signature,
        })
        .map_err(|_| TransferError::BadSignature)
    }

    fn draft(
        &self,
        transfer: &Transfer,
        present: &Present,
        now: Timestamp,
    ) -> Result<EventDraft, TransferError> {
        let ProductFacts { product, metadata } = &present.facts;
        let facts = RecordFacts {
            purpose: Purpose::TransferOwnership,
            network: self.keyring.network,
            product,
            metadata,
            owner: transfer.new_owner.to_string(),
            issuer: self.keyring.issuer.public_key,
            issued_at: now,
            previous: Some(PreviousEvent {
                txid: transfer.current_txid,
                commitment: present.head.commitment,
                owner_public_key: transfer.owner_public_key,
                owner_signature: transfer.owner_signature,
            }),
        };
        // Behind every event there ever was: one that failed keeps its place.
        let (previous, position) = (Some(present.head.id), present.patch.events);
        Ok(EventDraft::new(facts, transfer.new_owner, previous, position, now)?)
    }

    /// The compare-and-swap: only the state that the owner signed may be followed. Whoever calls it
    /// has looked the request up in the same transaction.
    pub(super) fn accept(
        &self,
        tx: &mut WriteTx<'_>,
        draft: &EventDraft,
        request: Option<&IdempotentRequest>,
        actor: &str,
        now: Timestamp,
    ) -> Result<Replay, TransferError> {
        let record = &draft.record;
        let found = patch(tx, record.uid.as_str())?.ok_or(TransferError::NotFound)?;
        let has_moved = Some(found.head) != record.previous || found.events != record.position;
        let is_free = !has_moved && found.pending.is_none();
        #[cfg(feature = "planted-bugs")]
        let is_free = is_free || Defect::TransferWithoutCompare.is_planted();
        if !is_free {
            return Err(TransferError::StateMoved);
        }
        if let Some(txid) = dispute(tx, record.uid.as_str())? {
            return Err(TransferError::Disputed(txid));
        }
        if !expect_job(tx, found.head)?.is_on_network() {
            return Err(TransferError::StateMoved);
        }
        let (owner, head) = (*found.owner.hash160(), found.head);
        tx.put_patch(&Patch {
            pending: Some(record.id),
            events: found.events + 1,
            updated_at: now,
            ..found
        })?;
        draft.put(tx, Route::Direct, request, self.process, now)?;
        if let Some(place) = place_in_batch(tx, found.head)? {
            tx.put_batch_follower(place.batch, record.id)?;
        }
        let parties = [(&owner, head), (draft.owner.hash160(), record.id)];
        tx.put_parties(parties)?;
        tx.append_audit(now, actor, "patch.transfer", record.uid.as_str())?;
        Ok(Replay::New)
    }
}
