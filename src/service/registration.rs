//! Registering a product: checked, written down, durable, then anchored by the worker.

use std::sync::Arc;
use std::time::Duration;

use crate::anchor::canonical::{CanonicalError, to_canonical_bytes};
use crate::anchor::commitment::{Salt, commit};
use crate::anchor::lifecycle::Job;
use crate::bitcoin::Address;
use crate::crypto::random_bytes;
use crate::patch::record::{
    AuthenticationRecord, FieldError, Metadata, Product, Purpose, RecordFacts,
};
use crate::patch::tag::UidTag;
use crate::service::batches::Route;
use crate::service::idempotency::{self, IdempotencyError, IdempotentRequest, Replay};
use crate::service::keys::Keyring;
use crate::service::progress::{Progress, ProgressWaiter};
use crate::storage::patches::has_patch;
use crate::storage::{Patch, Store, StoreError, StoredAnswer, StoredRecord, WriteTx};
#[cfg(feature = "planted-bugs")]
use crate::types::planted::Defect;
use crate::types::{Network, RecordId, Timestamp};

/// A product to register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The product.
    pub product: Product,
    /// What else the issuer says.
    pub metadata: Metadata,
    /// Its first owner.
    pub owner: Address,
}

/// A product to register as it was sent, nothing checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistrationTexts {
    /// The tag.
    pub uid_tag_id: String,
    /// See [`Product`].
    pub name: Option<String>,
    /// See [`Product`].
    pub category: Option<String>,
    /// See [`Product`].
    pub sku: Option<String>,
    /// See [`Product`].
    pub serial_number: Option<String>,
    /// See [`Product`].
    pub material: Option<String>,
    /// What else the issuer says.
    pub metadata: Metadata,
    /// The first owner's address.
    pub owner: String,
}

impl Registration {
    /// Checks a product to register by itself, for a network; whether its tag is free is another
    /// question.
    ///
    /// # Errors
    ///
    /// The fields that are not acceptable. Where the tag is not, nothing else is looked at, and the
    /// owner only where all else is.
    pub fn read(texts: RegistrationTexts, network: Network) -> Result<Self, Vec<FieldError>> {
        let one = |field, message: String| vec![FieldError { field, message }];
        let uid_tag_id = UidTag::parse(&texts.uid_tag_id)
            .map_err(|error| one("product.uid_tag_id", error.to_string()))?;
        let product = Product {
            uid_tag_id,
            name: texts.name,
            category: texts.category,
            sku: texts.sku,
            serial_number: texts.serial_number,
            material: texts.material,
        };
        let metadata = texts.metadata;
        let mut problems = product.problems();
        problems.extend(metadata.problems());
        if !problems.is_empty() {
            return Err(problems);
        }
        let owner = Address::parse(&texts.owner, network)
            .map_err(|error| one("auth.owner", error.to_string()))?;
        Ok(Self { product, metadata, owner })
    }
}

/// Who acts, for the audit trail, and what the request carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The credential; never a secret.
    pub actor: String,
    /// The request's Idempotency-Key, if it had one.
    pub idempotency: Option<IdempotentRequest>,
    /// How long the request waits for the network.
    pub patience: Duration,
}

impl Caller {
    /// Says whether the request waits for the network at all.
    pub(super) const fn waits(&self) -> bool {
        !self.patience.is_zero()
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceptance {
    /// The event is durable; its present state tells whether the network has it.
    Accepted(RecordId),
    /// The event is durable and has not moved as far as this request knows: it did not wait.
    Queued(RecordId),
    /// The same request was answered before.
    Replayed(StoredAnswer),
}

impl Acceptance {
    /// Says of a new event how it stands after its request has waited, if it did.
    pub(super) async fn after_waiting(
        id: RecordId,
        waiter: Option<ProgressWaiter>,
        patience: Duration,
    ) -> Self {
        let Some(waiter) = waiter else { return Self::Queued(id) };
        waiter.wait(patience).await;
        Self::Accepted(id)
    }
}

/// A registration that was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// The tag is registered.
    #[error("the tag is already registered")]
    UidTaken,
    /// The key cannot be used.
    #[error("the Idempotency-Key cannot be used")]
    Idempotency(#[source] IdempotencyError),
    /// The record has no canonical form.
    #[error("the record cannot be written down")]
    Canonical(#[from] CanonicalError),
    /// The store does not work.
    #[error("the store did not take the registration")]
    Store(#[from] StoreError),
}

impl From<IdempotencyError> for RegistrationError {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Store(store) => Self::Store(store),
            other @ (IdempotencyError::Mismatch
            | IdempotencyError::InFlight
            | IdempotencyError::Lost) => Self::Idempotency(other),
        }
    }
}

/// Wakes the worker when there is something to do.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Registers products.
#[derive(Clone)]
pub struct RegistrationService {
    /// The store.
    pub store: Store,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Where requests wait.
    pub progress: Progress,
    /// Wakes the worker.
    pub wake: Wake,
    /// Wakes who forms batches.
    pub wake_batches: Wake,
    /// How new records go to the chain.
    pub route: Route,
    /// When this process started.
    pub process: Timestamp,
}

impl RegistrationService {
    /// Accepts a registration and waits for the network as long as the caller likes.
    ///
    /// When this returns an [`Acceptance`] the record is on disk and will be anchored, whatever
    /// happens to this process.
    pub async fn register(
        &self,
        registration: Registration,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Acceptance, RegistrationError> {
        let draft = Arc::new(self.draft(&registration, now)?);
        // A batch takes as long as it takes: nobody waits for one.
        let waits = caller.waits() && self.route == Route::Direct;
        let waiter = waits.then(|| self.progress.watch(draft.record.id));
        let (service, request) = (self.clone(), caller.idempotency.clone());
        let (actor, stored) = (caller.actor.clone(), Arc::clone(&draft));
        let replay = self
            .store
            .write(move |tx| service.accept(tx, &stored, request.as_ref(), &actor, now))
            .await?;
        match replay {
            Replay::New => {
                self.wake_up();
                Ok(Acceptance::after_waiting(draft.record.id, waiter, caller.patience).await)
            }
            Replay::Unanswered(id) => Ok(Acceptance::Accepted(id)),
            Replay::Answer { answer, .. } => Ok(Acceptance::Replayed(answer)),
        }
    }

    /// Registers a draft inside of a transaction of somebody else's, who must call
    /// [`Self::wake_up`] once that is on disk.
    ///
    /// # Errors
    ///
    /// [`RegistrationError::UidTaken`] before anything is written.
    pub(super) fn accept_draft(
        &self,
        tx: &mut WriteTx<'_>,
        draft: &EventDraft,
        actor: &str,
        now: Timestamp,
    ) -> Result<RecordId, RegistrationError> {
        self.accept(tx, draft, None, actor, now).map(|_| draft.record.id)
    }

    /// Has what was accepted carried to the chain.
    pub(super) fn wake_up(&self) {
        match self.route {
            Route::Direct => (self.wake)(),
            Route::Batch => (self.wake_batches)(),
        }
    }

    /// Writes a registration down in its final form.
    pub(super) fn draft(
        &self,
        registration: &Registration,
        now: Timestamp,
    ) -> Result<EventDraft, CanonicalError> {
        let facts = RecordFacts {
            purpose: Purpose::RegisterPatch,
            network: self.keyring.network,
            product: &registration.product,
            metadata: &registration.metadata,
            owner: registration.owner.to_string(),
            issuer: self.keyring.issuer.public_key,
            issued_at: now,
            previous: None,
        };
        EventDraft::new(facts, registration.owner, None, 0, now)
    }

    fn accept(
        &self,
        tx: &mut WriteTx<'_>,
        draft: &EventDraft,
        request: Option<&IdempotentRequest>,
        actor: &str,
        now: Timestamp,
    ) -> Result<Replay, RegistrationError> {
        if let Some(request) = request {
            let replay = idempotency::look_up(tx, request, &self.progress, now)?;
            if replay != Replay::New {
                return Ok(replay);
            }
        }
        let record = &draft.record;
        if has_patch(tx, record.uid.as_str())? {
            return Err(RegistrationError::UidTaken);
        }
        tx.put_patch(&Patch {
            uid: record.uid.clone(),
            owner: draft.owner,
            head: record.id,
            pending: None,
            current_txid: None,
            events: 1,
            created_at: now,
            updated_at: now,
        })?;
        draft.put(tx, self.route, request, self.process, now)?;
        tx.append_audit(now, actor, "patch.register", record.uid.as_str())?;
        Ok(Replay::New)
    }
}

/// A custody event that is complete but for signature and transaction.
#[derive(Debug, Clone)]
pub(super) struct EventDraft {
    /// The event as it will be stored.
    pub(super) record: StoredRecord,
    /// The owner afterwards.
    pub(super) owner: Address,
}

impl EventDraft {
    /// Writes the event down in canonical bytes and commits to them under a new salt.
    pub(super) fn new(
        facts: RecordFacts<'_>,
        owner: Address,
        previous: Option<RecordId>,
        position: u32,
        now: Timestamp,
    ) -> Result<Self, CanonicalError> {
        let (purpose, uid) = (facts.purpose, facts.product.uid_tag_id.clone());
        let canonical = to_canonical_bytes(&AuthenticationRecord::new(facts))?;
        let salt = Salt::from_bytes(random_bytes());
        let unix_ms = u64::try_from(now.as_millis()).unwrap_or(0);
        let record = StoredRecord {
            id: RecordId::from_parts(unix_ms, &random_bytes()),
            uid,
            purpose,
            position,
            commitment: commit(&salt, &canonical),
            canonical,
            salt,
            previous,
            issuer_signature: None,
            txid: None,
            seal: None,
            accepted_at: now,
        };
        Ok(Self { record, owner })
    }

    /// Stores event, its way to the chain and idempotency row.
    pub(super) fn put(
        &self,
        tx: &mut WriteTx<'_>,
        route: Route,
        request: Option<&IdempotentRequest>,
        process: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tx.put_record(&self.record)?;
        match route {
            Route::Direct => tx.put_job(&Job::new(self.record.id, now))?,
            Route::Batch => tx.put_batch_waiting(self.record.id)?,
        }
        #[cfg(feature = "planted-bugs")]
        let request = request.filter(|_| !Defect::ForgetIdempotency.is_planted());
        request
            .map_or(Ok(()), |request| idempotency::claim(tx, request, self.record.id, process, now))
    }
}
