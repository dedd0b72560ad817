//! The fence of a restored store, as everything that could break out of it meets it: while it is up, no
//! signer is asked to sign and nothing is sent, whoever wants it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::chain::{BroadcastOutcome, Broadcaster, Submission};
use crate::crypto::PublicKey;
use crate::signer::{SignRequest, Signer, SignerError, VerifiedSignature};
use crate::storage::fence::fence;
use crate::storage::{Store, StoreError};

/// What whoever wants to sign or to send is told.
const FENCED: &str =
    "the store was restored and is fenced until the chain was asked about every output";

/// Whether the store is fenced; cheap to clone, all clones are one fence.
#[derive(Debug, Clone, Default)]
pub struct Fence(Arc<FenceState>);

#[derive(Debug, Default)]
struct FenceState {
    is_up: AtomicBool,
    progress: Mutex<String>,
}

impl Fence {
    /// Reads whether the store is fenced.
    pub fn of(store: &Store) -> Result<Self, StoreError> {
        let it = Self::default();
        it.0.is_up.store(store.read(fence)?.is_some(), Ordering::SeqCst);
        it.note("fenced: the chain has not been asked yet".to_owned());
        Ok(it)
    }

    /// Says whether the store is fenced.
    pub fn is_up(&self) -> bool {
        self.0.is_up.load(Ordering::SeqCst)
    }

    /// Says why, and how far the resync is; nothing where there is no fence.
    pub fn reason(&self) -> Option<String> {
        let progress = || self.0.progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.is_up().then(progress)
    }

    /// Notes how far the resync is.
    pub(super) fn note(&self, progress: String) {
        *self.0.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }

    /// Opens the way, once that is stored.
    pub(super) fn fall(&self) {
        self.0.is_up.store(false, Ordering::SeqCst);
    }
}

/// A signer that signs nothing while the fence is up.
pub struct FencedSigner {
    /// Who signs otherwise.
    pub signer: Arc<dyn Signer>,
    /// The fence.
    pub fence: Fence,
}

#[async_trait]
impl Signer for FencedSigner {
    async fn sign(&self, requests: &[SignRequest]) -> Result<Vec<VerifiedSignature>, SignerError> {
        if self.fence.is_up() {
            return Err(SignerError::Unavailable(FENCED.to_owned()));
        }
        self.signer.sign(requests).await
    }

    async fn public_key(&self, key_identifier: &str) -> Result<Option<PublicKey>, SignerError> {
        self.signer.public_key(key_identifier).await
    }
}

/// A broadcaster that sends nothing while the fence is up.
pub struct FencedBroadcaster {
    /// Who sends otherwise.
    pub broadcaster: Arc<dyn Broadcaster>,
    /// The fence.
    pub fence: Fence,
}

#[async_trait]
impl Broadcaster for FencedBroadcaster {
    async fn broadcast(&self, submission: Submission<'_>) -> BroadcastOutcome {
        if self.fence.is_up() {
            return BroadcastOutcome::Unknown { reason: FENCED.to_owned(), retry_after_ms: None };
        }
        self.broadcaster.broadcast(submission).await
    }
}
